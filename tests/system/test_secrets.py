#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tokens go to the pods and nowhere else. Everything that can be said of a token is said here, rightly and wrongly, with
all that writes switched on; then everything that was written is searched for every token, in clear and in disguise."""
import base64
import os
import secrets
import signal
import socket
import sys
import urllib.parse

from harness import fakepod, proc, tap

QUICK = {"sync_timeout": 50, "retries": 4, "connection_timeout": 300, "request_deadline": 1000, "log_level": "debug",
         "access_log": True}
PIECE = 12  # so much of a token is as bad as all of it


class Secrets:
    """Tokens that were given away, and what they must not be found in."""

    def __init__(self):
        self.tokens, self.written = [], {}

    def new(self, suffix=""):
        self.tokens.append(secrets.token_urlsafe(30).replace("-", "x").replace("_", "/") + "+=" + suffix)
        return self.tokens[-1]

    def lower(self):
        """One that would do as a pod's name or a request's id."""
        self.tokens.append(secrets.token_hex(20))
        return self.tokens[-1]

    def keep(self, name, data):
        self.written[f"{name} #{len(self.written)}"] = data if isinstance(data, bytes) else str(data).encode()

    def answer(self, answer):
        self.keep("answer", f"{answer.status} {answer.headers}")
        self.keep("body", answer.body)
        return answer

    @staticmethod
    def _disguises(token):
        for piece in {token[i:i + PIECE] for i in range(len(token) - PIECE + 1)}:
            yield piece.encode()
        data = token.encode()
        yield urllib.parse.quote(token, safe="").encode()
        yield "".join(f"%{byte:02x}" for byte in data).encode()
        yield "".join(f"%{byte:02X}" for byte in data).encode()
        yield data.hex().encode()
        for shift in range(3):  # where in a longer text it may stand
            for code in (base64.b64encode, base64.urlsafe_b64encode):
                yield code(b"\0" * shift + data)[(4 if shift else 0):-4]

    def search(self):
        assert len(self.tokens) > 20 and len(self.written) > 40, (len(self.tokens), len(self.written))
        for token in self.tokens:
            for disguise in self._disguises(token):
                for name, data in self.written.items():
                    assert disguise not in data, f"{name}: {disguise} of {token} in {data[:2000]}"


def echo(link):
    """Says back what it was asked, as an answer that is none."""
    while link.request():
        link.send(b"HTTP/1.1 " + link.pod.head.split(b"Cookie: ")[1] + b"\r\n\r\n")


def echo_body(link):
    while link.request():
        cookie = link.pod.head.split(b"Cookie: ")[1].split(b"\r\n")[0]
        link.send(fakepod.answer(500, link.pod.head, [f"X-Echo: {cookie.decode()}"]))


def raw(server, data):
    """What comes back for bytes that no client library would send."""
    with socket.create_connection((server.address, server.port), 5) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def verdicts(server, pods, s):
    token = s.new()
    pods.put(token)
    for query in ("verbose=1", "strict=1", "strict=majority&verbose=1", "expect=absent&verbose=1"):
        s.answer(server.check(token, "gw-1", query))
    pods.put(s.new(), 0, 0, 0, None)
    for query in ("verbose=1", "strict=1"):
        s.answer(server.check(s.tokens[-1], "gw-1", query))
        s.answer(server.check(s.new(), "-", query))
    pods[1].order("hang")
    s.answer(server.check(s.new(), "gw-1", "verbose=1"))
    pods[1].order()


def wrong_requests(server, s):
    good = [("X-Auth-Token", "t"), ("X-Nginx-Origin", "gw-1")]
    for bad in ('"', " x", ";", "\\", ",", "\xe4", "x" * 4096):
        s.answer(server.check(s.new(bad), "gw-1"))
    s.answer(server.request("GET", "/v1/synced", [("X-Auth-Token", s.new()), ("X-Auth-Token", s.new()), good[1]]))
    s.answer(server.check(s.new(), "UPPER"))
    token = s.lower()
    s.answer(server.check(token, token))
    s.answer(server.check(token, token[:30]))
    s.answer(server.check(token, "gw-1", "verbose=1", headers=[("X-Request-ID", token)]))
    s.answer(server.check(token, "gw-1", headers=[("X-Request-ID", token[3:20])]))
    s.answer(server.check(token, "gw-1", headers=[("X-Request-ID", f"login:{token}/1")]))
    for where in ("/v1/synced?token={}", "/v1/synced?strict={}", "/v1/synced?{}", "/v1/synced/{}", "/{}", "/v1/{}/x",
                  "/v1/pods?x={}", "/v1/status?{}", "/metrics?{}", "/readyz?{}", "/v1/synced?%{}"):
        target = where.format(urllib.parse.quote(s.new(), safe=""))
        s.answer(server.request("GET", target, good))
        s.answer(server.request("DELETE", target, good))
    for name in ("Authorization", "Cookie", "Referer", "traceparent", "X-Original-URI", "User-Agent", "Accept"):
        s.answer(server.check("t", "gw-1", "verbose=1", headers=[(name, s.new())]))
    for data in ("GET http://{}/v1/synced HTTP/1.1\r\nHost: a\r\n\r\n", "{} /v1/synced HTTP/1.1\r\nHost: a\r\n\r\n", "{}\r\n\r\n", "GET {} HTTP/1.1\r\nHost: a\r\n\r\n",
                 "GET /v1/synced HTTP/{}\r\n\r\n", "GET /v1/synced HTTP/1.1\r\nHost: {}\r\n\r\n",
                 "GET /v1/synced HTTP/1.1\r\nHost: a\r\n{}: b\r\n\r\n", "GET /v1/synced HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n",
                 "GET /v1/synced HTTP/1.1\r\nHost: a\r\nX-Auth-Token : {}\r\n\r\n",
                 "GET /v1/synced HTTP/1.1\r\nHost: a\r\nX-Auth-Token: a\r\n {}\r\n\r\n",
                 "POST /v1/synced HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n{}",
                 "GET /v1/synced HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
                 "GET /v1/synced HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\n\r\n",
                 "GET /v1/synced HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {}"):
        s.keep("raw", raw(server, data.format(s.new()).encode()))


def crash(server, pods, s):
    """A worker dies with a check under way."""
    pods[1].order("hang")
    for signo in (signal.SIGTRAP, signal.SIGABRT, signal.SIGKILL):  # a sanitizer would report SIGSEGV
        before = server.workers()
        for _ in range(4):  # on whichever worker
            with socket.create_connection((server.address, server.port), 5) as sock:
                sock.sendall(f"GET /v1/synced HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {s.new()}\r\n"
                             "X-Nginx-Origin: gw-1\r\n\r\n".encode())
        os.kill(before[0], signo)
        proc.wait_until(lambda: not proc.alive(before[0]) and len(server.workers()) == 2, why="no new worker")
    pods[1].order()
    proc.wait_until(lambda: server.get("/readyz").status == 200, why="/readyz is not 200")


def processes(server, s):
    for pid in [server.process.pid, *server.workers()]:
        for what in ("cmdline", "environ", "comm", "status"):
            with open(f"/proc/{pid}/{what}", "rb") as f:
                s.keep(what, f.read())


def everything(t, log_format):
    s = Secrets()
    pods = t.cluster(4, one_process=True)
    fakes = [t.fake(pods, echo), t.fake(pods, echo_body)]
    server = t.syncer(pods, **{**QUICK, "log_format": log_format})
    verdicts(server, pods, s)
    server.write(static=[pod.entry() for pod in [*pods, *fakes]])
    server.reload()
    verdicts(server, pods, s)
    wrong_requests(server, s)
    for target in ("/v1/pods", "/v1/status", "/metrics", "/readyz", "/livez", "/health", "/openapi.json", "/"):
        s.answer(server.get(target))
    processes(server, s)
    crash(server, pods, s)
    server.reload()
    s.answer(server.check(s.new(), "gw-1", "verbose=1"))
    server.write(nonsense=1)
    server.process.send_signal(signal.SIGHUP)
    proc.wait_until(lambda: "nonsense" in server.log(), why="the bad file was not refused")
    processes(server, s)
    link = server.connect()
    server.process.send_signal(signal.SIGTERM)
    s.answer(server.check(s.new(), "gw-1", link=link))
    link.close()
    server.stop()
    s.keep("log", server.log())
    assert "worker was ended by a signal" in server.log() and "/v1/synced/*" in server.log()
    s.search()


@tap.limit(120)
def test_no_token_anywhere_logfmt(t):
    everything(t, "logfmt")


@tap.limit(120)
def test_no_token_anywhere_json(t):
    everything(t, "json")


if __name__ == "__main__":
    sys.exit(tap.main())
