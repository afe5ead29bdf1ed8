#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""syncerctl before a running syncer with real pods: verdicts and their exit codes, what it says of them, where the token may
come from, and what a person sees when something is not as it should be."""
import json
import os
import socketserver
import sys
import threading

from harness import ctl, proc, tap

QUICK = {"sync_timeout": 50, "retries": 3}
TOKEN = "eyJhbGciOi.secret-token.AbC123"


def start(t, n=4, **config):
    pods = t.cluster(n)
    return pods, t.syncer(pods, **{**QUICK, **config})


def check(server, *args, token=TOKEN, **env):
    return ctl.run("check", "--url", server.url, *args, token=token, **env)


def expect(said, code, *texts):
    assert said.code == code, said
    for text in texts:
        assert text in said.out + said.err, f"{text!r} is not in: {said}"
    assert TOKEN not in said.out + said.err, said


# ---- verdicts ----

def test_all_four_verdicts(t):
    pods, server = start(t, 4, request_deadline=1000, connection_timeout=600)
    pods.put(TOKEN)
    expect(check(server, "--origin", "gw-1"), 0, "Synced: 3 of 3 pods have the token")
    pods[3].drop(TOKEN)
    said = check(server, "-o", "gw-1")
    expect(said, 1, "Partialy: 2 of 3 pods have the token", "pod gw-4 answers 401: the token has not come", "request_id=")
    pods[2].drop(TOKEN)
    expect(check(server, "-o", "gw-1"), 2, "NotSynced: 1 of 3", "pods gw-3, gw-4 answer 401")
    server.write(request_deadline=400, connection_timeout=3000)
    server.reload()
    pods[1].order("hang")
    expect(check(server, "-o", "gw-1"), 3, "Timeout: ", "gw-2 had not answered when the time was over")


def test_why_in_words(t):
    pods, server = start(t)
    pods.put(TOKEN)
    pods[3].order("status 302")
    expect(check(server), 1, "pod gw-4 answers 302: its probe location still has error_page 401")
    pods[2].order("status 302")
    expect(check(server), 2, "pods gw-3, gw-4 answer 302: their probe location still has error_page 401")
    for status, text in ((404, "`path` or `host`"), (429, "limit_req"), (503, "limit_req"), (500, "200 or 401, nothing else")):
        pods[2].order(), pods[3].order(f"status {status}")
        expect(check(server), 1, f"pod gw-4 answers {status}: ", text)
    pods[3].order(), pods[3].stop()
    expect(check(server), 1, "pod gw-4 takes no connection", "Connection refused")


def test_a_certificate_for_another_name(t):
    pods, server = start(t, 2, tls_server_name="other.test")
    pods.put(TOKEN)
    expect(check(server), 2, "pods gw-1, gw-2 fail in TLS", "gateway.test", "other.test")


def test_strict_expect_and_verbose(t):
    pods, server = start(t)
    pods.put(TOKEN, 0, 0, 0, None)
    expect(check(server, "--strict", "1"), 1, "Partialy")
    expect(check(server, "--strict", "majority"), 0, "Partialy")
    expect(check(server, "--expect", "absent"), 2, "NotSynced: 1 of 4 pods refuse the token",
           "pods gw-1, gw-2, gw-3 still accept the token")
    said = check(server, "--verbose")
    expect(said, 1)
    head, *rows = [line.split() for line in said.lines()[1:6]]
    assert head == ["POD", "ADDRESS", "RESULT", "ASKED", "MS"], head
    assert {row[0]: row[2] for row in rows} == {"gw-1": "present", "gw-2": "present", "gw-3": "present", "gw-4": "absent"}
    column = said.lines()[1].index("RESULT")
    assert all(line[column - 2:column] == "  " for line in said.lines()[1:6]), said


def test_json(t):
    pods, server = start(t, 2)
    pods.put(TOKEN, 0, None)
    said = check(server, "--json")
    assert said.code == 2 and said.json()["status"] == "NotSynced" and len(said.json()["pods"]) == 2, said
    got = ctl.run("pods", "--json", "--url", server.url)
    assert got.code == 0 and [pod["name"] for pod in got.json()["pods"]] == ["gw-1", "gw-2"], got
    got = ctl.run("status", "-j", "-u", server.url)
    assert got.code == 0 and got.json()["table"]["counting"] == 2, got
    got = ctl.run("wait", "-j", "-u", server.url)
    assert got.code == 0 and got.json()["ok"] is True and got.json()["error"] is None, got
    got = check(server, "--json", "--origin", "NOT_A_NAME")
    assert got.code == 4 and "bad-request" in got.json()["error"], got


# ---- the token ----

def test_where_the_token_may_come_from(t):
    pods, server = start(t, 2)
    pods.put(TOKEN)
    path = os.path.join(t.folder, "token")
    with open(path, "w") as f:
        f.write(TOKEN + "\r\n")
    expect(check(server), 0)
    expect(check(server, "--token-file", path, token=None), 0)
    expect(check(server, "--token-file", path, token="another", SYNCER_TOKEN="another"), 0)
    expect(check(server, "--token-file", "-", SYNCER_TOKEN="another"), 0)
    expect(check(server, token="another", SYNCER_TOKEN=TOKEN), 0)
    expect(check(server, "--token-file", path + "x", token=None), 4, "--token-file: No such file")
    expect(check(server, "--token-file", TOKEN), 4, "--token-file: No such file")
    expect(check(server, f"--token={TOKEN}"), 64, "--token: check has no such option")
    expect(check(server, token=None), 4, "the token is empty")
    expect(check(server, token="x" * 4097), 4, "longer than 4096 bytes")
    expect(check(server, token=f"{TOKEN}\nX-Evil: 1"), 4, "no cookie value may have")
    expect(check(server, TOKEN), 64, "a token comes by standard input")
    expect(check(server, "--origin", "gw-1\r\nX-Evil: 1"), 4, "--origin should be")
    assert TOKEN not in server.log()


def test_a_terminal(t):
    pods, server = start(t, 2)
    pods.put(TOKEN)
    said = ctl.on_terminal("check", "--url", server.url, typed=TOKEN)
    assert said.code == 0 and said.out.startswith("token: \r\n") and "\033[32mSynced\033[0m" in said.out, said
    assert TOKEN not in said.out, "it is not echoed"
    said = ctl.on_terminal("pods", "--url", server.url)
    assert said.code == 0 and "\033[1mPOD\033[0m" in said.out, said
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        said = ctl.on_terminal("pods", "--url", server.url, **env)
        assert said.code == 0 and "\033" not in said.out, said
    assert "\033" not in ctl.run("pods", "--url", server.url).out, "no terminal, no colour"


# ---- the others ----

def test_pods_and_status(t):
    pods, server = start(t, 3, control_probe="warn")
    pods.put(TOKEN)
    assert check(server).code == 0
    said = ctl.run("pods", SYNCER_URL=server.url)
    expect(said, 0, "3 pods, read ")
    head, *rows = said.lines()[:4]
    assert head.split()[:5] == ["POD", "ADDRESS", "STATE", "COUNTS", "RESULT"], said
    assert [row.split()[0] for row in rows] == ["gw-1", "gw-2", "gw-3"], said
    for row, pod in zip(rows, pods):
        assert f"{pod.address}:{pod.port}" in row and row.split()[2:5] == ["ready", "yes", "present"], said
    said = ctl.run("status", "--url", server.url)
    expect(said, 0, "3 known, 3 count", "1 Synced, 0 Partialy", "static: 3 pods", f"master         {server.process.pid}")


def test_wait(t):
    pods = t.cluster(2)
    server = t.syncer(pods, start=False, **QUICK)
    at = ["--url", server.url]
    expect(ctl.run("wait", "--timeout", "300ms", *at), 1, "the time is over", "Does syncer run")
    waiting = []
    thread = threading.Thread(target=lambda: waiting.append(ctl.run("wait", *at)))
    thread.start()
    server.start(ready=False)
    thread.join()
    expect(waiting[0], 0)
    expect(ctl.run("wait", "--ready", "--pods", "2", *at), 0)
    expect(ctl.run("wait", "--pods", "3", "-t", "400ms", *at), 1, "2 pods count, not 3")
    expect(ctl.run("wait", "--synced", "-t", "400ms", *at, token=TOKEN), 1, "NotSynced")
    pods.put(TOKEN, 300, 600)
    expect(ctl.run("wait", "--synced", *at, token=TOKEN), 0)
    expect(ctl.run("wait", "--synced", *at, token="a b"), 4, "no cookie value")
    expect(ctl.run("wait", "--origin", "gw-1", *at), 64, "belong to --synced")


# ---- where it listens ----

def test_unix_and_admin(t):
    path = os.path.join(t.folder, "s")
    pods = t.cluster(2)
    admin = f"http://{pods.block.address(252)}:9090"
    server = t.syncer(pods, listen=[f"{pods.block.address(253)}:8080", f"unix:{path}"], admin_listen=admin[7:], **QUICK)
    pods.put(TOKEN)
    expect(ctl.run("check", "--url", f"unix:{path}", token=TOKEN), 0, "Synced")
    expect(ctl.run("status", "--url", f"unix:{path}.none"), 4, f"unix:{path}.none: cannot connect: No such file or directory")
    expect(ctl.run("pods", "--url", server.url), 4, "has no /v1/pods: with admin_listen set it answers only there")
    expect(ctl.run("pods", "--url", server.url, "--admin-url", admin), 0, "gw-2")
    expect(ctl.run("wait", "--ready", "--pods", "2", "--url", server.url, SYNCER_ADMIN_URL=admin), 0)
    expect(ctl.run("check", "--url", admin, token=TOKEN), 4, "is that admin_listen's address?")
    expect(ctl.run("wait", "--pods", "2", "--url", server.url), 4, "has no /v1/status")


def test_https(t):
    pods = t.cluster(2)
    cert, key = t.certs.issued("syncer.test")
    server = t.syncer(pods, start=False, listen_tls_cert=cert, listen_tls_key=key).start(ready=False)
    pods.put(TOKEN)
    at = ["--url", server.url.replace("http:", "https:")]
    expect(ctl.run("wait", "--ca", t.certs.ca, "--server-name", "syncer.test", *at), 0)
    expect(ctl.run("check", "--ca", t.certs.ca, "--server-name", "syncer.test", *at, token=TOKEN), 0, "Synced")
    expect(ctl.run("pods", "--ca", t.certs.ca, "--server-name", "syncer.test", *at), 0, "gw-1")
    expect(ctl.run("pods", "--ca", t.certs.ca, *at), 4, "TLS", "syncer.test", "--server-name")
    expect(ctl.run("pods", "--server-name", "syncer.test", *at), 4, "TLS", "--ca names the CA")
    expect(ctl.run("pods", "--insecure", *at), 0, "gw-1")
    expect(ctl.run("pods", "--url", server.url), 4, "begins with https://")


def test_refusals(t):
    pods, server = start(t, 2, allow="10.255.255.1")
    expect(check(server), 4, "not-allowed (403)", "to `allow`")
    server.write(allow=None, static=[])
    assert server.stop() == 0
    expect(ctl.run("pods", "--url", "http://127.0.0.1:8080/v1/pods"), 4, "without a path")
    expect(ctl.run("pods", "--url", server.url), 4, "Does syncer run")
    expect(ctl.run("frobnicate"), 64, "should be check, pods, status, wait or doctor")


class Impostor(socketserver.TCPServer):
    """Answers each connection with the same bytes."""
    allow_reuse_address = True

    def __init__(self, address, answer):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while self.rfile.readline().strip():
                    pass
                try:
                    self.wfile.write(answer)
                except OSError:
                    pass
        super().__init__((address, 8080), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


def impostor(t, answer):
    address = t.keep(proc.Block()).address(1)
    t.keep(Impostor(address, answer))
    return f"http://{address}:8080"


def http(body, content_type="application/json", fields=""):
    return f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def test_another_server(t):
    url = impostor(t, http("<html>welcome</html>", "text/html"))
    expect(ctl.run("pods", "--url", url), 4, "the answer (200) is not syncer's")
    expect(ctl.run("check", "--url", url, token=TOKEN), 4, "the answer (200) is not syncer's")
    expect(ctl.run("status", "--url", impostor(t, b"220 mail ESMTP\r\n")), 4, "Is that syncer?")
    expect(ctl.run("status", "--url", impostor(t, http("[[[[", fields="X: y\r\n"))), 4, "is not syncer's")


def test_a_server_that_means_harm(t):
    evil = json.dumps({"count": 1, "age_ms": 5, "pods": [{
        "name": "\x1b]0;owned\x07gw\u202e\n", "address": "\x1b[2J", "port": 1, "state": "\x1b[31m", "counts": True,
        "result": "present", "code": 200}]})
    said = ctl.on_terminal("pods", "--url", impostor(t, http(evil)))
    assert said.code == 0 and "\\x1b]0;owned\\x07gw\\xe2\\x80\\xae\\x0a" in said.out, said
    assert "\x1b]" not in said.out and "\x1b[2J" not in said.out and "\u202e" not in said.out, said
    flood = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * (40 << 20)
    expect(ctl.run("pods", "--url", impostor(t, flood)), 4, "longer than 32 MB")


if __name__ == "__main__":
    sys.exit(tap.main())
