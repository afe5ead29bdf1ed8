# SPDX-License-Identifier: MIT
"""A real Chromium, driven by chromedriver over the WebDriver protocol (https://www.w3.org/TR/webdriver2/)."""
import base64
import json
import os
import re
import shutil
import signal
import tempfile
import urllib.error
import urllib.request

from . import proc

# Nothing of the browser's own goes out into the network.
QUIET = ["--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"]
KEYS = {"Tab": "\ue004", "Enter": "\ue007"}
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def missing():
    """What this machine lacks to run a browser, or ''."""
    lacking = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    return f"{lacking[0]} is missing (Debian: chromium, chromium-driver)" if lacking else ""


class Browser:
    """One window. It keeps its profile in a folder of its own and is gone with close()."""

    def __init__(self, width=1280, height=900):
        self._folder, self.session = tempfile.mkdtemp(prefix="syncer-browser."), None
        path = os.path.join(self._folder, "chromedriver.log")
        with open(path, "wb") as log:
            self._driver = proc.spawn(["chromedriver", "--port=0"], stdout=log, stderr=log, start_new_session=True)

        def port():
            with open(path) as f:
                return re.search(r"started successfully on port (\d+)", f.read())
        self._url = f"http://127.0.0.1:{proc.wait_until(port, 30, why='chromedriver did not start').group(1)}"
        args = QUIET + [f"--user-data-dir={self._folder}/profile", f"--window-size={width},{height}"]
        args += ["--no-sandbox"] if os.geteuid() == 0 else []
        self.session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": args},
            "goog:loggingPrefs": {"browser": "ALL"}}}})["sessionId"]

    def _call(self, method, path, body=None):
        request = urllib.request.Request(self._url + path, method=method, headers={"Content-Type": "application/json"},
                                         data=json.dumps(body or {}).encode() if method == "POST" else None)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise RuntimeError(json.load(e)["value"]["message"].splitlines()[0]) from None

    def call(self, method, path, body=None):
        return self._call(method, f"/session/{self.session}{path}", body)

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *args):
        """The value of the script's `return`, in the page."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def later(self, script, *args):
        """As run(), of a promise."""
        return self.run(f"return (async () => {{ {script} }})();", *args)

    def text(self, css):
        return self.run("const e = document.querySelector(arguments[0]); return e && e.innerText;", css)

    def texts(self, css):
        return self.run("return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText);", css)

    def press(self, *keys):
        """Keys, as a person has them."""
        actions = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def type(self, css, text):
        found = self.call("POST", "/element", {"using": "css selector", "value": css})[_ELEMENT]
        self.call("POST", f"/element/{found}/clear")
        self.call("POST", f"/element/{found}/value", {"text": text})

    def resize(self, width, height):
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}})

    def prefer(self, scheme):
        """light or dark, as the system would have it."""
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]}})

    def complaints(self):
        """What the console has said since the last call: errors, and what the Content-Security-Policy forbade."""
        return [line["message"] for line in self.call("POST", "/se/log", {"type": "browser"}) if line["level"] == "SEVERE"]

    def screenshot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.call("GET", "/screenshot")))

    def wait(self, what, why):
        return proc.wait_until(what, 30, 0.05, why)

    def close(self):
        try:
            if self.session:
                self.call("DELETE", "")
        finally:
            proc.end(self._driver)
            try:
                os.killpg(self._driver.pid, signal.SIGKILL)  # whatever of Chromium it left
            except ProcessLookupError:
                pass
            shutil.rmtree(self._folder, ignore_errors=True)
