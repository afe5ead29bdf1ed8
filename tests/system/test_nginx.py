#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The documented wiring before the real binary: a login asks syncer through nginx, in three ways."""
import sys

from harness import gateway, tap


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


def established(server):
    """The clients' ends of the connections to syncer's port, from /proc/net/tcp."""
    octets = bytes(map(int, server.address.split(".")))[::-1].hex().upper()
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f]
    return {row[1] for row in rows if row[2] == f"{octets}:{server.port:04X}" and row[3] == "01"}


if __name__ == "__main__":
    sys.exit(tap.main())
