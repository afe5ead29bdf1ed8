#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows what syncer is for, on this machine: gateway pods of real nginx to which a token comes late, logins that ask
syncer in the three documented ways, and a login that does not. Run by contrib/demo; its pods are the system tests'."""
import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "system"))

from harness import certs, cluster, gateway, proc, syncer  # noqa: E402

PODS = 5
SCALE_MS = 1200  # of a bar: a tick of 1 s and some
BAR = 44         # columns; a line has at most 80
COLOURS = {"good": "32", "bad": "31", "wait": "33", "dim": "2", "bold": "1"}


class Screen:
    """Colours on a terminal only, and only characters that the output can carry."""

    def __init__(self, out):
        self._colour = out.isatty() and "NO_COLOR" not in os.environ
        self._fine = (out.encoding or "").lower().replace("-", "") == "utf8"

    def paint(self, kind, text):
        return f"\x1b[{COLOURS[kind]}m{text}\x1b[0m" if self._colour and text else text

    def line(self, text=""):
        print(text, flush=True)

    def title(self, text, more):
        self.line(f"\n{self.paint('bold', text)}\n{self.paint('dim', more)}")

    def axis(self):
        marks = [f"{ms} ms" for ms in range(0, SCALE_MS, 300)]
        text = " " * 9 + "".join(f"{m:<{BAR * 300 // SCALE_MS}}" for m in marks)
        self.line(self.paint("dim", text.rstrip()))

    def pod(self, name, from_ms, note):
        """A pod's line: without the token, then with it."""
        absent, present = ("·", "█") if self._fine else (".", "#")
        at = BAR if from_ms is None else min(BAR, max(0, round(from_ms * BAR / SCALE_MS)))
        bar = self.paint("bad", absent * at) + self.paint("good", present * (BAR - at))
        self.line(f"  {name:<6} {bar} {note}")

    def answer(self, name, from_ms, to_ms, kind, text):
        """Who waited, from when to when, and what came of it."""
        dash, end = ("─", "▶") if self._fine else ("-", ">")
        start = min(BAR - 1, round(from_ms * BAR / SCALE_MS))
        at = min(BAR, max(start + 1, round(to_ms * BAR / SCALE_MS)))
        bar = " " * start + self.paint("wait", dash * (at - start - 1) + end)
        self.line(f"  {name:<6} {bar}{' ' * (BAR - at)} {self.paint(kind, text)}")


class Show:
    """The logins, each on its own line of time: 0 ms is when the browser sent the login."""

    def __init__(self, pods, screen):
        self.pods, self.screen, self.failed = pods, screen, 0

    def _begin(self):
        self._start, self._user = time.time() * 1000, gateway.User(self.pods)
        return self._user

    def _now(self):
        return time.time() * 1000 - self._start

    def _pods(self, origin):
        """Pod by pod, from when it has the token: known to the pods once the origin has sent it."""
        self.screen.axis()
        for pod in self.pods:
            since = proc.wait_until(lambda p=pod: p.has_since(self._user.token), why=f"{pod.name} never got the token")
            ms = max(0, since - self._start)
            self.screen.pod(pod.name, ms, "stored here" if pod is origin else f"has it after {ms:.0f} ms")

    def login(self, origin, elsewhere, target, landing=None):
        """Logs in at `origin` and, where a page asks, goes to it at another pod; then to a third one."""
        user, asked = self._begin(), 0
        _, headers, _ = user.get(origin, target)
        if landing:
            asked = self._now()
            _, headers, _ = user.get(landing, "/landing")
        self._answered = self._now()
        status, page = headers.get("x-token-status", "no verdict"), user.get(elsewhere, "/page")[0]
        at = self._now()
        self._pods(origin)
        self.failed += status != "Synced" or page != 200
        self.screen.answer("syncer", asked, self._answered, "good" if status == "Synced" else "bad",
                           f"{status} after {self._answered - asked:.0f} ms")
        self._next_request(self._answered, at, elsewhere, page)

    def _next_request(self, from_ms, at, pod, status):
        what = {200: "welcome", 401: "log in again"}.get(status, "?")
        self.screen.answer("user", from_ms, at, "good" if status == 200 else "bad", f"{pod.name}: {status} {what}")

    def login_alone(self, origin):
        """The same user without syncer: the next requests come at once, at whichever pod."""
        user = self._begin()
        user.get(origin, "/login-alone")
        logged_in, meets = self._now(), []
        for pod in self.pods:
            if pod is not origin:
                status = user.get(pod, "/page")[0]
                meets.append((self._now(), pod, status))
        self._pods(origin)
        for meet in meets:
            self._next_request(logged_in, *meet)


def keep(pods, server, screen):
    """Leaves all running until a signal, with things to try."""
    pods.put("demo")
    ask = f"curl -sS -D- -H 'X-Nginx-Origin: gw-1' -H 'X-Auth-Token: %s' '{server.url}/v1/synced%s'"
    last, first = pods[PODS - 1], pods[0]
    screen.title("All of it goes on until Ctrl-C.", f"syncer  {server.url}/v1/synced /v1/pods /v1/status /readyz /ui/")
    for pod in pods:
        screen.line(f"  {pod.name}    https://{pods.host}:{pod.port}{pods.path} at {pod.address}, nginx {pod.nginx.process.pid}")
    screen.line(f"  CA      {pods.certs.ca}\n  log     {server.log_path}")
    for title, command in (
            ("All well: the token `demo` is on all pods: Synced", ask % ("demo", "")),
            ("A token that no pod knows: NotSynced, after the whole patience", ask % ("nobody", "?verbose=1")),
            (f"{last.name} is stopped: Partialy", f"kill {last.nginx.process.pid}; " + ask % ("demo", "?verbose=1")),
            ("A login, as a browser sees it", f"curl -sS -D- --cacert {pods.certs.ca} --resolve "
             f"{pods.host}:{first.port}:{first.address} https://{pods.host}:{first.port}/login")):
        screen.line(f"\n  {screen.paint('bold', title)}\n    {command}")
    signal.pause()


def story(show, pods, screen):
    screen.title("1  The login handler asks, by an njs subrequest",
                 "   login-njs.conf, /login. Login at gw-2, the origin; next request at gw-4")
    show.login(pods[1], pods[3], "/login")
    screen.title("2  The login goes on, by internalRedirect, to a location with auth_request",
                 "   login-njs.conf, /login-redirect. Login at gw-3, the origin; next at gw-1")
    show.login(pods[2], pods[0], "/login-redirect")
    screen.title("3  The landing page asks, by auth_request",
                 "   auth-request.conf, /landing. Login at gw-1, landing page at gw-5, which can't\n"
                 "   know who stored the token: all pods are asked; next request at gw-3")
    show.login(pods[0], pods[2], "/login-alone", landing=pods[4])
    screen.title("4  Without syncer",
                 "   Login at gw-4; the next requests come at once, to pods that don't know it")
    show.login_alone(pods[3])


def run(arguments, screen, stack):
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="syncer-demo."))
    block = stack.enter_context(contextlib.closing(proc.Block()))
    address = block.address(253)
    pods = stack.enter_context(contextlib.closing(cluster.Cluster(
        folder, certs.Certs(folder), block, PODS, spread_ms=60,
        **gateway.wiring(folder, f"{address}:{syncer.PORT}"))))
    pods.start()
    server = stack.enter_context(contextlib.closing(syncer.Syncer(
        os.path.join(folder, "syncer"), address, {**pods.config(), "log_level": "info"}, arguments.syncer)))
    server.start()
    screen.line(f"{PODS} gateway pods, each a real nginx with TLS. A login stores its token in one;\n"
                "the others get it at its next tick, 0 to 1 s later, as with zone_sync.\n"
                "syncer answers when all of them accept it. 0 ms is when the login is sent.")
    show = Show(pods, screen)
    story(show, pods, screen)
    if arguments.keep:
        keep(pods, server, screen)
    return 1 if show.failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--syncer", required=True, help="the binary")
    parser.add_argument("--keep", action="store_true", help="leave all running until Ctrl-C, with things to try")
    arguments = parser.parse_args()
    lacking = cluster.missing()
    if lacking:
        sys.exit(f"demo: {lacking}")
    for signo in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signo, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as stack:
        try:
            code = run(arguments, Screen(sys.stdout), stack)
        except KeyboardInterrupt:
            code = 0
        # A second Ctrl-C must not leave half of it behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


if __name__ == "__main__":
    main()
