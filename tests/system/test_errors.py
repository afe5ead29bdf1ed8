#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Answers without a verdict: each says so in X-Token-Error, and none could be taken for one."""
import socket
import sys

from harness import proc, tap

GOOD = [("X-Auth-Token", "t"), ("X-Nginx-Origin", "gw-1")]


def refused(answer, code, error):
    assert (answer.status, answer.error, answer.verdict) == (code, error, None), str(answer)
    assert answer.headers["content-type"] == "application/problem+json", answer.headers
    problem = answer.json()
    assert problem["status"] == code and len(problem["detail"]) > 10, problem
    assert (code == 503) == ("retry-after" in answer.headers), answer.headers


def test_bad_request(t):
    pods = t.cluster(2, one_process=True)
    server = t.syncer(pods)
    for headers in ([], GOOD[:1], GOOD[1:], GOOD + GOOD[:1], GOOD + GOOD[1:],
                    [("X-Auth-Token", ""), GOOD[1]], [("X-Auth-Token", "a b"), GOOD[1]],
                    [("X-Auth-Token", "a;b"), GOOD[1]], [("X-Auth-Token", 'a"b'), GOOD[1]],
                    [("X-Auth-Token", "a,b"), GOOD[1]], [("X-Auth-Token", "a\\b"), GOOD[1]],
                    [("X-Auth-Token", "\xe4"), GOOD[1]], [("X-Auth-Token", "x" * 4097), GOOD[1]],
                    [GOOD[0], ("X-Nginx-Origin", "")], [GOOD[0], ("X-Nginx-Origin", "GW-1")],
                    [GOOD[0], ("X-Nginx-Origin", "a b")], [GOOD[0], ("X-Nginx-Origin", "a_b")],
                    [GOOD[0], ("X-Nginx-Origin", "--")], [GOOD[0], ("X-Nginx-Origin", "a" * 64)],
                    [GOOD[0], ("X-Nginx-Origin", ".".join(["a" * 60] * 5))]):
        refused(server.request("GET", "/v1/synced", headers), 400, "bad-request")
    for query in ("strict=2", "strict", "strict=", "strict=1&strict=1", "strict=0&strict=1", "verbose=yes", "expect=none",
                  "foo=1", "Strict=1", "strict=1&foo=", "%73trict=%32"):
        refused(server.check("t", "gw-1", query), 400, "bad-request")
    assert server.get("/v1/status").json()["checks"]["Synced"] == 0


def test_the_server_lives_on_after_bad_requests(t):
    pods = t.cluster(2, one_process=True)
    server = t.syncer(pods)
    pods.put("t")
    link = server.connect()
    refused(server.request("GET", "/v1/synced", [], link), 400, "bad-request")
    assert server.check("t", "gw-1", link=link).verdict == "Synced"  # on the same connection
    link.close()
    for junk in (b"\0\0\0\0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET /v1/synced HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n"):
        with socket.create_connection((server.address, server.port), 5) as sock:
            sock.sendall(junk)
            got = b"".join(iter(lambda: sock.recv(4096), b""))
            assert got.startswith(b"HTTP/1.1 400 "), got
            assert b"X-Token-Status" not in got
    assert server.check("t", "gw-1").verdict == "Synced"


def test_other_methods_and_paths(t):
    pods = t.cluster(1)
    server = t.syncer(pods)
    got = server.request("POST", "/v1/synced", [*GOOD, ("Content-Length", "0")])
    assert (got.status, got.headers["allow"]) == (405, "GET, HEAD"), (str(got), got.headers)
    assert server.request("BREW", "/v1/synced", GOOD).status == 501
    assert server.request("GET", "/v1/Synced", GOOD).status == 404
    assert server.request("GET", "/v1/synced/", GOOD).status == 404


def test_overloaded(t):
    pods = t.cluster(2)
    server = t.syncer(pods, workers=1, max_checks=1, connection_timeout=1500)
    pods.put("t")
    pods[1].order("hang")
    first = server.during("t", "gw-1")
    refused(server.check("t", "gw-1"), 503, "overloaded")
    assert first().verdict in ("NotSynced", "Timeout")
    pods[1].order()
    assert server.check("t", "gw-1").verdict == "Synced"


def test_draining(t):
    pods = t.cluster(2)
    server = t.syncer(pods, workers=1, drain_delay=200)
    pods.put("t")
    kept = [server.connect() for _ in range(200)]
    server.process.send_signal(15)
    # Accepting goes on for drain_delay: load balancers need that long to take it out.
    proc.wait_until(lambda: server.get("/readyz").status == 503, why="/readyz is not 503")
    assert server.check("t", "gw-1").verdict == "Synced"
    # An answer now closes its connection: each may be used once.
    unused = iter(kept)

    def not_synced():
        answer = server.check("t", "gw-1", link=next(unused))
        return None if answer.verdict == "Synced" else answer
    got = proc.wait_until(not_synced, step=0.02, why="it did not refuse")
    refused(got, 503, "draining")
    assert got.headers["connection"] == "close"
    for link in kept:
        link.close()
    assert server.process.wait(10) == 0


if __name__ == "__main__":
    sys.exit(tap.main())
