#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The source dns: the pods are the addresses of a name, asked of a real dnsmasq; whatever else a name server says, or that it
says nothing, is never "no pods"."""
import os
import sys

from harness import proc, resolver, tap

NXDOMAIN, SERVFAIL = 3, 2
QUICK = {"RES_OPTIONS": "timeout:1 attempts:1"}


def real(t, pods, **kwargs):
    if not resolver.program():
        raise tap.Skip("dnsmasq is missing (Debian: dnsmasq-base)")
    return t.keep(resolver.Resolver(os.path.join(t.folder, "resolver"), pods.block.address(252), **kwargs))


def fake(t, pods, behaviour):
    return t.keep(resolver.FakeResolver(pods.block.address(252), behaviour))


def make(t, pods, start=True, **config):
    """syncer that asks at the name server's address."""
    config = {"service": "gw.ns.test", "scrape_interval": 1000, **config}
    syncer = t.syncer(pods, start=False, pods="dns", static=None, port=pods.block.port, shutdown_grace=200,
                      resolver=f"{pods.block.address(252)}:{resolver.PORT}", **config)
    syncer.env = dict(QUICK)
    return syncer.start() if start else syncer


def wait_pods(syncer, text, why="the list is another one"):
    proc.wait_until(lambda: syncer.check("t").pods == text, 15, why=why)


def addresses(pods, *numbers):
    return [pods[n].address for n in numbers]


def test_pods_come_and_go(t):
    pods = t.cluster(3, one_process=True)
    pods.put("t")
    names = real(t, pods).start()
    names.put(gw__ns__test=addresses(pods, 0, 1), other__test=addresses(pods, 2))
    syncer = make(t, pods)
    wait_pods(syncer, "2/2")
    assert syncer.check("t", origin=pods[0].address).pods == "1/1"
    names.put(gw__ns__test=addresses(pods, 0, 1, 2))
    wait_pods(syncer, "3/3")
    names.put(gw__ns__test=addresses(pods, 2))
    wait_pods(syncer, "1/1")
    assert f'source="dns: gw.ns.test' in syncer.log()
    assert syncer.get("/v1/status").json()["source"] == "dns: gw.ns.test"
    got = {pod["name"] for pod in syncer.get("/v1/pods").json()["pods"]}
    assert got == {pods[2].address}, got


def test_a_name_without_addresses_keeps_the_old_list(t):
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    names = real(t, pods).start()
    names.put(gw__ns__test=addresses(pods, 0, 1))
    syncer = make(t, pods)
    wait_pods(syncer, "2/2")
    names.put(other__test=addresses(pods, 0))  # NXDOMAIN, as a Service without ready pods
    syncer.wait_log("gw.ns.test has no address: no pod is ready, or `service` is wrong")
    wait_pods(syncer, "2/2")
    names.put(gw__ns__test=addresses(pods, 0))
    syncer.wait_log("the list of pods can be read again")
    wait_pods(syncer, "1/1")


def test_no_list_before_the_first_addresses(t):
    pods = t.cluster(1)
    names = real(t, pods).start()
    syncer = make(t, pods, start=False).start(ready=False)
    syncer.wait_log("has no address")
    assert syncer.check("t").error == "no-pod-list" and syncer.get("/readyz").status == 503
    names.put(gw__ns__test=addresses(pods, 0))
    proc.wait_until(lambda: syncer.get("/readyz").status == 200, 15, why="no list came")


@tap.limit(120)
def test_servfail_silence_and_nobody_there_keep_the_old_list(t):
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    names = real(t, pods).start()
    names.put(gw__ns__test=addresses(pods, 0, 1))
    syncer = make(t, pods)
    wait_pods(syncer, "2/2")
    for n, (behaviour, said) in enumerate([(lambda *_: SERVFAIL, "answers SERVFAIL"),
                                           (lambda *_: None, "has not answered in 1000 ms"),
                                           (False, "Connection refused")]):
        names.stop()
        server = behaviour and resolver.FakeResolver(names.address, behaviour)
        syncer.wait_log(said)
        assert syncer.check("t").pods == "2/2"
        if server:
            server.close()
        names.start()
        proc.wait_until(lambda: syncer.log().count("the list of pods can be read again") > n, 15)
    assert syncer.log().count("pod has left") == 0


def test_one_family_alone_is_no_list(t):
    pods = t.cluster(1)
    rest = {"AAAA": SERVFAIL}
    fake(t, pods, lambda name, kind: [pods[0].address] if kind == resolver.A else rest["AAAA"])
    syncer = make(t, pods, start=False).start(ready=False)
    syncer.wait_log("AAAA of gw.ns.test: ")
    syncer.wait_log("answers SERVFAIL")
    rest["AAAA"] = None
    syncer.wait_log("has not answered in 1000 ms")
    rest["AAAA"] = NXDOMAIN
    syncer.wait_log("the answers for A and AAAA contradict each other")
    assert syncer.get("/readyz").status == 503
    rest["AAAA"] = []  # no data: there is none, which is fine
    proc.wait_until(lambda: syncer.get("/readyz").status == 200, 15, why="no list came")


def test_an_address_that_is_nobodys(t):
    pods = t.cluster(1)
    answers = [["0.0.0.0"]]
    fake(t, pods, lambda name, kind: answers[0] if kind == resolver.A else [])
    syncer = make(t, pods, start=False).start(ready=False)
    syncer.wait_log("0.0.0.0 is no pod's address")
    answers[0] = [pods[0].address] * 2  # twice is once
    proc.wait_until(lambda: syncer.get("/readyz").status == 200, 15, why="no list came")
    assert len(syncer.get("/v1/pods").json()["pods"]) == 1


def test_ipv6(t):
    pods = t.cluster(1)
    names = real(t, pods).start()
    names.put(gw__ns__test=[*addresses(pods, 0), "::1", "fd00::17"])
    syncer = make(t, pods)
    got = {pod["name"]: pod["address"] for pod in syncer.get("/v1/pods").json()["pods"]}
    assert set(got) == {pods[0].address, "::1", "fd00::17"}, got


def test_two_hundred_addresses_come_by_tcp(t):
    pods = t.cluster(1)
    names = real(t, pods).start()
    every = [pods.block.address(n) for n in range(1, 201)]
    names.put(gw__ns__test=every)
    syncer = make(t, pods, start=False, workers=1, log_level="info").start()
    assert {pod["name"] for pod in syncer.get("/v1/pods").json()["pods"]} == set(every)


def test_more_than_max_pods(t):
    pods = t.cluster(3, one_process=True)
    pods.put("t")
    names = real(t, pods).start()
    names.put(gw__ns__test=addresses(pods, 0, 1))
    syncer = make(t, pods, max_pods=2)
    names.put(gw__ns__test=addresses(pods, 0, 1, 2))
    syncer.wait_log("3 addresses are more than max_pods (2)")
    assert syncer.check("t").error == "too-many-pods"
    names.put(gw__ns__test=addresses(pods, 1, 2))
    wait_pods(syncer, "2/2")


def test_an_unknown_origin_has_the_name_asked_again(t):
    """TTL and interval are an hour: only the refresh can bring the pod."""
    pods = t.cluster(3, one_process=True)
    pods.put("t")
    names = real(t, pods, ttl=3600).start()
    names.put(gw__ns__test=addresses(pods, 0, 1))
    syncer = make(t, pods, scrape_interval=3600000)
    wait_pods(syncer, "2/2")
    names.put(gw__ns__test=addresses(pods, 0, 1, 2))
    proc.wait_until(lambda: syncer.check("t", origin=pods[2].address).pods == "2/2", 10, why="the origin stays unknown")
    wait_pods(syncer, "3/3")
    # A pod's name means nothing here: all pods are asked, the origin too.
    answer = syncer.check("t", origin="gw-1")
    assert answer.verdict == "Synced" and answer.pods == "3/3", answer


def test_the_time_to_live_is_the_interval_where_it_is_shorter(t):
    pods = t.cluster(1)
    server = fake(t, pods, lambda name, kind: [pods[0].address] if kind == resolver.A else [])  # TTL 0
    make(t, pods, scrape_interval=3600000)
    proc.wait_until(lambda: server.asked >= 6, 10, why="it is not asked each second")


def test_the_search_list(t):
    """What a short name stood for once, it stands for: else a wildcard of another domain would answer for a Service that
    has no ready pod."""
    pods = t.cluster(3, one_process=True)
    pods.put("t")
    names = real(t, pods, options=[f"--address=/wild.test/{pods[2].address}"]).start()
    names.put(gw__ns__svc__test=addresses(pods, 0, 1))
    syncer = make(t, pods, start=False, service="gw.ns")
    syncer.env.update(LOCALDOMAIN="none.test svc.test wild.test", RES_OPTIONS="timeout:1 attempts:1 ndots:5")
    syncer.start()
    wait_pods(syncer, "2/2")
    names.put()
    syncer.wait_log("gw.ns has no address: no pod is ready, or `service` is wrong; asked for gw.ns.svc.test")
    assert syncer.check("t").pods == "2/2"
    names.put(gw__ns__svc__test=addresses(pods, 0))
    wait_pods(syncer, "1/1")


def test_an_alias_is_followed(t):
    pods = t.cluster(1)
    pods.put("t")
    names = real(t, pods, options=["--cname=alias.test,gw.ns.test"]).start()
    names.put(gw__ns__test=addresses(pods, 0))
    syncer = make(t, pods, service="alias.test")
    wait_pods(syncer, "1/1")


def test_another_service_after_a_reload(t):
    pods = t.cluster(3, one_process=True)
    pods.put("t")
    names = real(t, pods).start()
    names.put(gw__ns__test=addresses(pods, 0, 1), other__ns__test=addresses(pods, 2))
    syncer = make(t, pods, start=False, watch_files=False).start()
    wait_pods(syncer, "2/2")
    syncer.write(service="other.ns.test")
    syncer.reload()
    assert syncer.check("t").pods == "1/1"


if __name__ == "__main__":
    sys.exit(tap.main())
