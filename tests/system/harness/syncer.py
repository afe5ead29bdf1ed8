# SPDX-License-Identifier: MIT
"""The real binary under test: configuration, start, checks, signals, and the proof that nothing of it is left."""
import concurrent.futures
import http.client
import json
import os
import signal
import time

from . import proc

PORT = 8080


class Answer:
    """An HTTP answer. `ms` is the time from before the connect to the whole answer."""

    def __init__(self, status, headers, body, ms):
        self.status, self.headers, self.body, self.ms = status, headers, body, ms

    @property
    def verdict(self):
        return self.headers.get("x-token-status")

    @property
    def pods(self):
        return self.headers.get("x-token-pods")

    @property
    def error(self):
        return self.headers.get("x-token-error")

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.verdict or self.error} pods={self.pods} {self.ms:.0f} ms {self.body.decode(errors='replace')}"


class Syncer:
    """`config` is written as the file's keys: a value of JSON is one of YAML. Control probes are off unless a test asks for
    them (None: as by default), since pods count what they are asked."""

    def __init__(self, folder, address, config, binary=None):
        self.binary = binary or os.environ.get("SYNCER") or "syncer"
        self.folder, self.address, self.port = folder, address, PORT
        self.url = f"http://{address}:{PORT}"
        self.log_path, self.config_path = os.path.join(folder, "syncer.log"), os.path.join(folder, "config.yaml")
        self.config = {"listen": f"{address}:{self.port}", "workers": 2, "log_level": "debug", "control_probe": "off", **config}
        self.env = {}  # more variables for it
        self.process = None
        os.makedirs(folder, exist_ok=True)
        self.write()

    def write(self, **changes):
        """Writes the configuration anew; a key that is None is left out."""
        self.config.update(changes)
        new = self.config_path + ".new"
        with open(new, "w") as f:
            f.writelines(f"{k}: {json.dumps(v)}\n" for k, v in self.config.items() if v is not None)
        os.rename(new, self.config_path)

    def start(self, ready=True):
        """Starts it; `ready`: waits for /readyz to say 200, else only until it listens."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SYNCER", "KUBE")) and k != "NOTIFY_SOCKET"}
        env.update(self.env)
        with open(self.log_path, "ab") as log:
            self.process = proc.spawn([self.binary, "-c", self.config_path], stdout=log, stderr=log, env=env,
                                      cwd=self.folder)
        proc.wait_connect((self.address, self.port), process=self.process)
        if ready:
            proc.wait_until(lambda: self.get("/readyz").status == 200, why="/readyz did not become 200")
        return self

    def connect(self):
        """A connection for request() to use more than once; the caller closes it."""
        link = http.client.HTTPConnection(self.address, self.port, timeout=30)
        link.connect()
        return link

    def request(self, method, target, headers=(), link=None):
        start, own = time.monotonic(), link is None
        link = link or self.connect()
        try:
            link.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers:
                link.putheader(name, value)
            link.endheaders()
            got = link.getresponse()
            body = got.read()
            return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, body,
                          (time.monotonic() - start) * 1000)
        finally:
            if own:
                link.close()

    def get(self, target):
        return self.request("GET", target)

    def check(self, token, origin="-", query="", headers=(), method="GET", link=None):
        fields = [("X-Auth-Token", token), ("X-Nginx-Origin", origin), *headers]
        return self.request(method, "/v1/synced" + (f"?{query}" if query else ""),
                            [(name, value) for name, value in fields if value is not None], link)

    def during(self, *args, **kwargs):
        """A check in a thread of its own: a function that waits for its answer. It returns once the check runs."""
        running = self.get("/v1/status").json()["checks"]["running"]
        pool = concurrent.futures.ThreadPoolExecutor(1)
        future = pool.submit(self.check, *args, **kwargs)
        pool.shutdown(wait=False)
        proc.wait_until(lambda: future.done() or self.get("/v1/status").json()["checks"]["running"] > running,
                        why="the check did not start")
        return future.result

    def workers(self):
        return proc.children(self.process.pid)

    def reload(self):
        """SIGHUP, and waits until the workers of before are gone."""
        old = self.workers()
        self.process.send_signal(signal.SIGHUP)
        proc.wait_until(lambda: not any(map(proc.alive, old)), 15, why="the old workers did not leave")

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def wait_log(self, *texts, seconds=20.0, since=0):
        """Until one line of the log has all the texts, not counting its first `since` bytes."""
        def said():
            return any(all(text in line for text in texts) for line in self.log()[since:].splitlines())
        proc.wait_until(said, seconds, 0.05, why=f"the log does not say {texts}")

    def is_sanitized(self):
        """AddressSanitizer keeps what is freed, takes address space, and has signals and system calls of its own."""
        with open(self.binary, "rb") as f:
            return b"__asan_init" in f.read()

    def stop(self, sig=signal.SIGTERM):
        """Ends it in good order; its exit code. No process of it may be left."""
        pids = self.workers() if self.process.poll() is None else []
        code = proc.end(self.process, sig, 15)
        proc.wait_until(lambda: not any(map(proc.alive, pids)), why="workers outlived the master")
        return code

    def close(self):
        if self.process:
            self.stop()
