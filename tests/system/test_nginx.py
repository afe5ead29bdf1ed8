#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The documented wiring before the real binary: a login asks syncer through nginx, in three ways."""
import concurrent.futures
import contextlib
import json
import os
import signal
import sys

from harness import gateway, proc, tap

NEVER_MS = 3600_000  # a tick that no test lives to see
QUICK = {"sync_timeout": 50, "retries": 1}  # patience 50 ms: for verdicts that are not Synced
LONG = {"sync_timeout": 1000, "retries": 100, "request_deadline": 60000}  # a check that outlasts the test


def gateways(t, n=4, **kwargs):
    """Gateway pods that ask a syncer, which is not started yet: the two know each other's addresses."""
    return t.cluster(n, gateway=True, **kwargs)


def everywhere(pods, user):
    return [user.get(pod, "/page")[0] for pod in pods]


def test_without_syncer_the_next_pod_refuses(t):
    pods = gateways(t, tick_ms=1000, spread_ms=20)
    for pod in pods:  # a tick may come at once; not four times in a row
        user = gateway.User(pods)
        assert user.get(pod, "/login-alone")[0] == 200
        if 401 in everywhere(pods, user):
            return
    raise AssertionError("every pod always knew the token at once")


def test_the_login_handler_waits(t):
    pods = gateways(t)
    t.syncer(pods)
    user = gateway.User(pods)
    status, headers, _ = user.get(pods[1], "/login")
    assert (status, headers["x-token-status"]) == (303, "Synced"), (status, headers)
    assert everywhere(pods, user) == [200] * 4


def test_the_login_goes_on_to_a_location_that_waits(t):
    pods = gateways(t)
    t.syncer(pods)
    user = gateway.User(pods)
    status, headers, _ = user.get(pods[2], "/login-redirect")
    assert (status, headers["x-token-status"]) == (303, "Synced"), (status, headers)
    assert everywhere(pods, user) == [200] * 4


def test_the_landing_page_waits(t):
    pods = gateways(t)
    t.syncer(pods)
    user = gateway.User(pods)
    user.get(pods[0], "/login-alone")
    status, headers, body = user.get(pods[3], "/landing")
    assert (status, headers["x-token-status"], body) == (200, "Synced", "welcome, says gw-4\n"), (status, headers, body)
    assert everywhere(pods, user) == [200] * 4


def test_a_visitor_without_token_is_not_held_up(t):
    pods = gateways(t)
    t.syncer(pods)
    status, headers, _ = gateway.User(pods).get(pods[0], "/landing")
    assert (status, headers.get("x-token-status")) == (401, None), (status, headers)


def test_the_login_goes_on_while_syncer_is_away(t):
    pods = gateways(t)
    user = gateway.User(pods)
    status, headers, _ = user.get(pods[0], "/login")
    assert (status, headers["x-token-status"]) == (303, "unknown"), (status, headers)
    assert user.get(pods[0], "/login-redirect")[0] == 303
    assert user.get(pods[0], "/landing")[0] == 200


def test_nginx_keeps_its_connections_to_syncer(t):
    pods = gateways(t, 2)
    server = t.syncer(pods)
    user = gateway.User(pods)
    user.get(pods[0], "/login")
    before = established(server)
    assert before
    for _ in range(5):
        assert user.get(pods[0], "/landing")[1]["x-token-status"] == "Synced"
    assert established(server) & before == before, "a connection was closed"
    assert len(established(server)) <= len(before) + 1


def test_strict_lets_in_who_is_everywhere(t):
    pods = gateways(t)
    t.syncer(pods)
    user = gateway.User(pods)
    status, headers, _ = user.get(pods[0], "/login-strict")
    assert (status, headers["x-token-status"], headers["location"][-5:]) == (303, "Synced", "/page"), (status, headers)
    status, headers, body = user.get(pods[2], "/landing-strict")
    assert (status, headers["x-token-status"], body) == (200, "Synced", "welcome, says gw-3\n"), (status, headers, body)


def test_strict_turns_away_who_is_not(t):
    pods = gateways(t, tick_ms=NEVER_MS)
    t.syncer(pods, **QUICK)
    user = gateway.User(pods)
    for target in "/login-strict", "/landing-strict":
        status, headers, body = user.get(pods[0], target)
        assert (status, headers["x-token-status"], headers["retry-after"]) == (503, "NotSynced", "1"), (target, headers)
        assert "try again" in body
    assert user.get(pods[0], "/landing")[:1] == (200,), "advisory: the verdict is only told"


def test_strict_leaves_visitors_to_the_application(t):
    pods = gateways(t)
    t.syncer(pods)
    assert gateway.User(pods).get(pods[0], "/landing-strict")[0] == 401


def expect_no_verdict(pods):
    """Advisory goes on, strict doesn't."""
    user = gateway.User(pods)
    status, headers, _ = user.get(pods[0], "/login")
    assert (status, headers["x-token-status"]) == (303, "unknown"), (status, headers)
    for target, code in ("/login-redirect", 303), ("/landing", 200), ("/app/", 200), ("/landing-strict", 503):
        status, headers, _ = user.get(pods[0], target)
        assert status == code and not headers.get("x-token-status"), (target, status, headers)
    status, headers, _ = user.get(pods[0], "/login-strict")
    assert (status, headers["x-token-status"]) == (503, "unknown"), (status, headers)


def test_no_verdict_while_syncer_is_stopped(t):
    expect_no_verdict(gateways(t, 2))


def test_no_verdict_without_a_list(t):
    pods = gateways(t, 2)
    nowhere = {"clusters": [{"name": "c", "cluster": {"server": f"http://{pods.block.address(252)}:1"}}],
               "contexts": [{"name": "x", "context": {"cluster": "c"}}], "current-context": "x"}
    path = os.path.join(t.folder, "kubeconfig")
    with open(path, "w") as f:
        json.dump(nowhere, f)
    server = t.syncer(pods, start=False, pods="kubernetes", static=None, kubeconfig=path, namespace="n", deployment="d")
    server.start(ready=False)
    assert server.check("t").error == "no-pod-list"
    expect_no_verdict(pods)


@contextlib.contextmanager
def check_under_way(server):
    """One that nobody answers; it ends with its client."""
    link = server.connect()
    link.request("GET", "/v1/synced", headers={"X-Auth-Token": "nobody-has-this", "X-Nginx-Origin": "-"})
    proc.wait_until(lambda: server.get("/v1/status").json()["checks"]["running"] == 1, why="no check under way")
    yield
    link.close()


def test_no_verdict_while_it_is_overloaded(t):
    pods = gateways(t, 2)
    server = t.syncer(pods, workers=1, max_checks=1, **LONG)
    with check_under_way(server):
        assert server.check("t").error == "overloaded"
        expect_no_verdict(pods)


def accepts(server):
    try:
        server.connect().close()
    except ConnectionError:
        return False
    return True


def test_no_verdict_while_it_drains(t):
    pods = gateways(t, 2)
    server = t.syncer(pods, workers=1, shutdown_grace=60000, **LONG)
    user = gateway.User(pods)
    user.get(pods[0], "/login-alone")
    link = server.connect()  # kept, as nginx keeps its own
    server.request("GET", "/livez", link=link)
    with check_under_way(server):
        server.process.send_signal(signal.SIGTERM)
        proc.wait_until(lambda: not accepts(server), why="it goes on accepting")
        assert server.check("t", link=link).error == "draining"
        expect_no_verdict(pods)


def test_no_verdict_for_who_is_not_allowed(t):
    pods = gateways(t, 2)
    server = t.syncer(pods, allow=["192.0.2.1"])
    assert server.check("t").error == "not-allowed"
    expect_no_verdict(pods)


def test_the_log_says_what_a_login_waited_for(t):
    pods = gateways(t)
    t.syncer(pods)
    user = gateway.User(pods)
    user.get(pods[0], "/login?token=told-to-nobody")
    user.get(pods[1], "/landing?token=told-to-nobody")

    def lines():
        with open(os.path.join(t.folder, "access.log")) as f:
            return [line for line in f.read().splitlines() if "/_synced" not in line]
    proc.wait_until(lambda: len(lines()) == 2, why="no line")
    login, landing = lines()
    assert '"GET /login" 303' in login and "token=Synced pods=3/3 sync_ms=" in login, login
    assert '"GET /landing" 200' in landing and "token=Synced pods=4/4 sync_ms=" in landing, landing
    assert user.token == "told-to-nobody" and user.token not in "".join(lines())


def checks_asked(server):
    return sum(n for what, n in server.get("/v1/status").json()["checks"].items() if what != "running")


def test_a_synced_is_kept_as_long_as_synced_max_age_says(t):
    pods = gateways(t)
    server = t.syncer(pods, synced_max_age="60s")
    user = gateway.User(pods)
    user.get(pods[0], "/login")
    before = checks_asked(server)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:  # at once, then one after the other
        answers = list(pool.map(lambda _: user.get(pods[0], "/app/"), range(8)))
    answers += [user.get(pods[0], "/app/other") for _ in range(5)]
    assert {(status, headers["x-token-status"]) for status, headers, _ in answers} == {(200, "Synced")}, answers
    assert checks_asked(server) == before + 1
    for folder, _, names in os.walk(os.path.join(pods[0].nginx.folder, "cache")):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                assert user.token.encode() not in f.read(), "a token in nginx's cache"


def test_a_kept_verdict_is_nobody_elses(t):
    pods = gateways(t, tick_ms=NEVER_MS)
    server = t.syncer(pods, synced_max_age="60s", **QUICK)
    known, new = gateway.User(pods), gateway.User(pods)
    for user in known, new:
        user.get(pods[0], "/login-alone")
    for pod in pods:
        pod.put(known.token)
    assert known.get(pods[0], "/app/")[1]["x-token-status"] == "Synced"
    before = checks_asked(server)
    for _ in range(2):
        assert new.get(pods[0], "/app/")[1]["x-token-status"] == "NotSynced"
    assert checks_asked(server) == before + 2, "only a Synced is kept"


def test_no_other_answer_may_be_kept(t):
    pods = gateways(t, 2)
    server = t.syncer(pods, synced_max_age="60s", **QUICK)
    for pod in pods:
        pod.put("t")
    got = server.check("t").headers
    assert (got["cache-control"], got["vary"]) == ("max-age=60", "X-Auth-Token, X-Nginx-Origin")
    for other in (server.check("t", query="verbose=1"), server.check("nobody"), server.check("u", query="expect=absent"),
                  server.check("b d"), server.check("nobody", query="strict=1")):
        assert other.headers["cache-control"] == "no-store" and "vary" not in other.headers, str(other)


# What stands in for the directives of NGINX Plus: pod.lua lets in whom the pod knows.
PLUS = {'auth_jwt "" token=$session_jwt;': 'access_by_lua_block { require("pod").guard() }',
        "auth_jwt_key_file jwk.json;": "", "auth_jwt off;": ""}


def test_the_probe_location_of_nginx_plus(t):
    """The sample as it is but for auth_jwt, in a server that sends unknown visitors to its login page."""
    with open(os.path.join(gateway.SAMPLES, "probe.conf")) as f:
        sample = f.read()
    for theirs, ours in PLUS.items():
        assert theirs in sample
        sample = sample.replace(theirs, ours)
    around = "error_page 401 = @login; location @login { return 302 /login; }\n"
    pods = t.cluster(3, locations=lambda _: around + sample)
    server = t.syncer(pods, path="/_token_probe", control_probe="fail", **QUICK)
    for pod in pods:
        pod.put("t")
    assert server.check("t").verdict == "Synced"
    got = server.check("nobody", query="verbose=1")
    assert got.verdict == "NotSynced" and {p["code"] for p in got.json()["pods"]} == {401}, str(got)
    assert {p["location"] for p in server.get("/v1/pods").json()["pods"]} == {"protected"}


def established(server):
    """The clients' ends of the connections to syncer's port, from /proc/net/tcp."""
    octets = bytes(map(int, server.address.split(".")))[::-1].hex().upper()
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f]
    return {row[1] for row in rows if row[2] == f"{octets}:{server.port:04X}" and row[3] == "01"}


if __name__ == "__main__":
    sys.exit(tap.main())
