#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The harness itself: what the other system tests believe about their pods is so."""
import http.client
import socket
import ssl
import sys
import time

from harness import fakepod, tap


def ask(pods, pod, token, link=None):
    """One probe as syncer sends it; the status. `link` is kept by the caller."""
    own = link or connect(pods, pod)
    own.request("GET", pods.path, headers={"Host": pods.host, "Cookie": f"auth_token={token}"})
    answer = own.getresponse()
    answer.read()
    if not link:
        own.close()
    return answer.status


def connect(pods, pod, timeout=5):
    context = ssl.create_default_context(cafile=pods.certs.ca)
    link = http.client.HTTPSConnection(pods.host, pod.port, timeout=timeout)
    raw = socket.create_connection((pod.address, pod.port), timeout)
    link.sock = context.wrap_socket(raw, server_hostname=pods.host)
    return link


def test_a_pod_accepts_the_tokens_it_has(t):
    pods = t.cluster(2, one_process=True)
    pods.put("everywhere")
    pods.put("first-only", 0, None)
    assert [ask(pods, p, "everywhere") for p in pods] == [200, 200]
    assert [ask(pods, p, "first-only") for p in pods] == [200, 401]
    pods[0].drop("first-only")
    assert ask(pods, pods[0], "first-only") == 401
    assert pods[0].has_since("first-only") is None


def test_a_lag_lasts_as_long_as_asked(t):
    pods = t.cluster(1)
    start = time.monotonic()
    pods[0].put("late", 150)
    link = connect(pods, pods[0])
    while ask(pods, pods[0], "late", link) == 401:
        pass
    assert 0.15 <= time.monotonic() - start < 0.6
    link.close()


def test_orders_and_counters(t):
    pods = t.cluster(1)
    pods.put("t")
    for status in (302, 429, 500):
        pods[0].order(f"status {status}")
        assert ask(pods, pods[0], "t") == status
    pods[0].order("delay 100")
    start = time.monotonic()
    assert ask(pods, pods[0], "t") == 200
    assert time.monotonic() - start >= 0.1
    pods[0].order()
    link = connect(pods, pods[0])
    assert ask(pods, pods[0], "t", link) == ask(pods, pods[0], "t", link) == 200
    link.close()
    assert pods[0].counters() == {"probes": 6, "connections": 5, "handshakes": 5}


def test_a_pod_stops_starts_and_reloads_alone(t):
    pods = t.cluster(2)
    pods.put("t")
    pods[0].reload()
    assert ask(pods, pods[0], "t") == 200
    for end in (pods[0].stop, pods[0].kill):
        end()
        try:
            ask(pods, pods[0], "t")
            raise AssertionError("it still listens")
        except ConnectionRefusedError:
            pass
        assert ask(pods, pods[1], "t") == 200
        pods[0].start()
        assert ask(pods, pods[0], "t") == 401  # a new pod has nothing


def test_fake_pods(t):
    pods = t.cluster(1)
    fake = t.fake(pods, fakepod.then(fakepod.answer(401), fakepod.answer(200)))
    link = connect(pods, fake)
    assert [ask(pods, fake, "t", link) for _ in range(3)] == [401, 200, 200]
    assert fake.counters == {"connections": 1, "requests": 3}
    link.close()
    fake = t.fake(pods, fakepod.always(fakepod.answer(200)), t.certs.issued("other.test"))
    try:
        connect(pods, fake)
        raise AssertionError("a wrong name was taken")
    except ssl.SSLCertVerificationError:
        pass


def test_a_deaf_pod_takes_no_connection(t):
    pods = t.cluster(1)
    deaf = t.deaf(pods)
    try:
        socket.create_connection((deaf.address, deaf.port), 0.3)
        raise AssertionError("it was accepted")
    except TimeoutError:
        pass


if __name__ == "__main__":
    sys.exit(tap.main())
