#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The source `kubernetes` against an API server that replays recordings of real ones: which pods count, and that nothing
that goes wrong is ever taken for an empty list."""
import http.client
import os
import signal
import sys
import threading
import time

from harness import kube, proc, tap


def start(t, wait=True, setup=None, **config):
    pods = t.cluster(1)  # for the addresses and the probe's host
    api = t.keep(kube.Kube(t.folder, t.certs, pods.block.address(200)))
    if setup:
        setup(api)
    syncer = t.syncer(pods, start=False, **{**api.config(), "connection_timeout": 100, **config})
    syncer.env = api.env()
    syncer.start(ready=wait)
    return api, syncer


def table(syncer):
    return syncer.get("/v1/pods").json()


def counting(syncer):
    return sorted(pod["address"] for pod in table(syncer)["pods"] if pod["counts"])


def wait_counting(syncer, *last):
    wanted = sorted(f"127.0.0.{n}" for n in last)
    proc.wait_until(lambda: counting(syncer) == wanted, 10, why=f"{wanted} should count")


def fault(status, body=b"{}", **how):
    return lambda request: request.reply(status, body, **how)


def test_the_pods_of_a_deployment(t):
    for version in ("v1.20", "v1.36"):
        api, syncer = start(t, setup=lambda api: setattr(api, "phase", f"{version}-1-settled"))
        assert len(counting(syncer)) == 3 and table(syncer)["count"] == 3
        assert all(pod["port"] == 8443 and pod["state"] == "ready" for pod in table(syncer)["pods"])
        assert all(agent.startswith("syncer/") for agent in api.agents), api.agents
        syncer.stop()


def test_a_rollout_and_its_undo(t):
    api, syncer = start(t)
    wait_counting(syncer, 2, 3, 4)
    api.phase = "v1.36-2-rolling"  # one new pod is ready, one is not, one old one is being deleted
    wait_counting(syncer, 5, 2, 3)
    states = {pod["address"]: pod["state"] for pod in table(syncer)["pods"]}
    assert states["127.0.0.6"] == "unready" and states["127.0.0.4"] == "terminating", states
    api.phase = "v1.36-3-rolled"
    wait_counting(syncer, 5, 6, 7)
    api.phase = "v1.36-4-undone"
    wait_counting(syncer, 8, 9, 10)
    api.phase = "v1.36-5-zero"
    wait_counting(syncer)
    assert syncer.check("t").error == "no-pods"


def test_scope_revision(t):
    api, syncer = start(t, pod_scope="revision")
    wait_counting(syncer, 2, 3, 4)
    api.phase = "v1.36-2-rolling"
    wait_counting(syncer, 5)
    api.phase = "v1.36-4-undone"
    wait_counting(syncer, 8, 9, 10)


def test_filter_all(t):
    api, syncer = start(t, pod_filter="all", setup=lambda api: setattr(api, "phase", "v1.36-2-rolling"))
    wait_counting(syncer, 2, 3, 4, 5, 6)


def test_the_address_of_a_pod_that_has_ended_may_not_ask(t):
    """It stays in the pod's status, and is somebody else's by then."""
    def setup(api):
        api.live()
        ended = api.pod("another", "127.0.0.9")
        ended["status"] = {"phase": "Failed", "reason": "Evicted", "podIP": "127.0.0.9"}
        api.put("pods", ended)
    api, syncer = start(t, setup=setup, allow="pods", request_deadline=300)
    assert {pod["address"]: pod["state"] for pod in table(syncer)["pods"]}["127.0.0.9"] == "failed"

    def ask(address):
        link = http.client.HTTPConnection(syncer.address, syncer.port, timeout=10, source_address=(address, 0))
        link.request("GET", "/v1/synced", headers={"X-Auth-Token": "t", "X-Nginx-Origin": "-"})
        got = link.getresponse()
        link.close()
        return got.status, got.getheader("X-Token-Error")
    assert ask("127.0.0.2") == (200, None)
    assert ask("127.0.0.9") == (403, "not-allowed")


def test_pages_and_chunks(t):
    def setup(api):
        api.phase, api.page, api.chunks = "v1.36-3-rolled", 2, 7
    api, syncer = start(t, setup=setup)
    wait_counting(syncer, 5, 6, 7)
    assert table(syncer)["count"] == 5 and api.asked.count("pods") >= 3


def test_an_expired_page_is_read_again(t):
    api, syncer = start(t, setup=lambda api: setattr(api, "page", 2))
    wait_counting(syncer, 2, 3, 4)
    gone = []

    def once(request):
        if "continue=" in request.path and not gone:
            gone.append(1)
            request.reply(410, b'{"kind":"Status","message":"expired","code":410}')
        else:
            del api.faults["pods"]
            api.answer(request)
            if not gone:
                api.faults["pods"] = once
    api.faults["pods"] = once
    proc.wait_until(lambda: gone, 10)
    api.phase = "v1.36-2-rolling"
    wait_counting(syncer, 5, 2, 3)
    assert "could not be read" not in syncer.log()


def test_reloads_take_no_memory(t):
    """Room for max_pods is made anew each time, and most of it is never written to."""
    api, syncer = start(t, watch_files=False)
    if syncer.is_sanitized():
        raise tap.Skip("AddressSanitizer keeps what is freed")

    def kib():
        with open(f"/proc/{syncer.process.pid}/smaps_rollup") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Private_Dirty:"))
    before = kib()
    for _ in range(8):
        syncer.reload()
    wait_counting(syncer, 2, 3, 4)
    assert kib() < before + 4096, (before, kib())


def test_what_goes_wrong_never_empties_the_list(t):
    api, syncer = start(t)
    wait_counting(syncer, 2, 3, 4)
    whole = kube.recording("v1.36-1-settled-pods.json")
    cases = [
        ("pods", fault(403, kube.recording("pods-list-403.json"))),
        ("pods", fault(429, kube.recording("pods-list-429.json"), content_type="text/plain")),
        ("pods", fault(500)),
        ("pods", fault(200, b"nonsense")),
        ("pods", fault(200, b"")),
        ("pods", fault(200, b"{}")),
        ("pods", fault(200, b'{"kind":"PodList","apiVersion":"v1","metadata":{}}')),
        ("pods", fault(200, b'{"kind":"ConfigMapList","metadata":{},"items":[]}')),
        ("pods", fault(200, whole, cut=len(whole) // 2)),
        ("pods", fault(200, whole[:-40])),
        ("replicasets", fault(403, kube.recording("replicasets-list-403.json"))),
        ("replicasets", fault(200, b'{"kind":"PodList","metadata":{},"items":[]}')),
        ("deployment", fault(404, kube.recording("deployment-get-404.json"))),
        ("deployment", fault(403, kube.recording("deployment-get-403.json"))),
        ("deployment", fault(200, b"[]")),
        ("deployment", fault(302, b"", fields=[("Location", "https://127.0.0.1:1/")])),
    ]
    for step, answer in cases:
        failed = syncer.get("/v1/status").json()["table"]["reads_failed"]
        # One good read in between: the back-off starts anew.
        api.faults = {step: answer}
        proc.wait_until(lambda: syncer.get("/v1/status").json()["table"]["reads_failed"] > failed, 10,
                        why="no read has failed")
        assert counting(syncer) == ["127.0.0.2", "127.0.0.3", "127.0.0.4"], (step, table(syncer))
        ok = syncer.get("/v1/status").json()["table"]["reads_ok"]
        api.faults = {}
        proc.wait_until(lambda: syncer.get("/v1/status").json()["table"]["reads_ok"] > ok, 10, why="no read is good again")


def test_a_missing_verb_is_named(t):
    api, syncer = start(t)
    for step, name in (("deployment", "get deployments"), ("replicasets", "list replicasets"), ("pods", "list pods")):
        recorded = {"deployment": "deployment-get-403", "replicasets": "replicasets-list-403", "pods": "pods-list-403"}
        api.faults = {step: fault(403, kube.recording(recorded[step] + ".json"))}
        syncer.wait_log(name, "Role", "forbidden")
        api.faults = {}
        good = syncer.log().count("can be read again")
        proc.wait_until(lambda: syncer.log().count("can be read again") > good, 10)


def test_a_reload_waits_for_the_list_only_if_its_pods_are_others(t):
    api, syncer = start(t, shutdown_grace=500)
    wait_counting(syncer, 2, 3, 4)
    api.faults = {"deployment": fault(500)}
    syncer.write(retries=3)
    syncer.reload()  # the API server is away, the list is good all the same
    assert counting(syncer) == ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    old, ready, done = syncer.workers(), syncer.log().count("worker is ready"), syncer.log().count("reload is done")
    syncer.write(port=9443)
    syncer.process.send_signal(signal.SIGHUP)
    proc.wait_until(lambda: syncer.log().count("worker is ready") == ready + 2, 10, why="the new workers are not ready")
    failed = len(api.asked)
    proc.wait_until(lambda: len(api.asked) > failed + 2, 10, why="the source does not try again")
    assert all(map(proc.alive, old)) and syncer.log().count("reload is done") == done
    api.faults = {}
    proc.wait_until(lambda: syncer.log().count("reload is done") == done + 1, 10, why="the reload is not done")
    assert {pod["port"] for pod in table(syncer)["pods"]} == {9443}


def test_no_list_yet_is_503(t):
    api, syncer = start(t, wait=False, setup=lambda api: api.faults.update(pods=fault(500)))
    syncer.wait_log("could not be read")
    assert syncer.check("t").error == "no-pod-list" and syncer.get("/readyz").status == 503
    api.faults = {}
    wait_counting(syncer, 2, 3, 4)
    assert syncer.get("/readyz").status == 200


def test_too_many_pods(t):
    api, syncer = start(t, wait=False, max_pods=2)
    syncer.wait_log("max_pods")
    assert syncer.check("t").error == "too-many-pods"


def test_the_token_is_read_again_when_it_is_refused(t):
    api, syncer = start(t)
    api.rotate("token-of-the-account-2")
    failed = syncer.get("/v1/status").json()["table"]["reads_failed"]
    n = len(api.asked)
    proc.wait_until(lambda: api.asked[n:].count("pods") >= 2, 10, why="no read came to its end")
    assert syncer.get("/v1/status").json()["table"]["reads_failed"] == failed


def test_an_unknown_origin_has_the_list_read_again(t):
    api, syncer = start(t, scrape_interval=60000)
    wait_counting(syncer, 2, 3, 4)
    api.phase = "v1.36-2-rolling"
    began = time.monotonic()
    syncer.check("t", "ng-plus-apigw-5bb777b476-qjgnv")  # only the refresh can bring it
    assert "127.0.0.5" in counting(syncer)
    reads = api.asked.count("deployment")
    assert reads == 2, api.asked
    for _ in range(5):  # a name that no list has: one read, then none for 30 s
        syncer.check("t", "no-such-pod")
    assert api.asked.count("deployment") == 3, api.asked
    assert time.monotonic() - began < 25  # else the 30 s could be over


def test_a_new_pod_is_known_by_the_watch_alone(t):
    api, syncer = start(t, scrape_interval=60000, setup=lambda api: api.live())
    wait_counting(syncer, 2, 3, 4)
    proc.wait_until(lambda: syncer.get("/v1/status").json()["watch"] == "on", 10)
    began, reads, age = time.monotonic(), len(api.asked), table(syncer)["age_ms"]
    api.put("pods", api.pod("another", "127.0.0.9"))
    wait_counting(syncer, 2, 3, 4, 9)
    assert time.monotonic() - began < 1
    api.put("pods", api.pod("another", "127.0.0.10"))
    wait_counting(syncer, 2, 3, 4, 10)
    assert len(api.asked) == reads, "no read was needed"
    assert table(syncer)["age_ms"] >= age, "nothing but a read makes the table younger"
    text = syncer.get("/metrics").body.decode()
    assert 'syncer_watches{state="on"} 3' in text and "syncer_watch_events_total 3" in text, text


def test_without_the_verb_watch_it_polls_and_says_so_once(t):
    def setup(api):
        api.live()
        api.watch_faults = dict.fromkeys(("deployment", "replicasets", "pods"), fault(403, kube.recording("pods-watch-403.json")))
    api, syncer = start(t, setup=setup)
    for resource in ("deployments", "replicasets", "pods"):
        syncer.wait_log("can't be watched", f"verb watch on resource {resource} of apiGroup")
    assert syncer.get("/v1/status").json()["watch"] == "forbidden"
    watched = len(api.watched)
    api.put("pods", api.pod("another", "127.0.0.9"))
    wait_counting(syncer, 2, 3, 4, 9)
    assert len(api.watched) == watched and syncer.log().count("can't be watched") == 3, syncer.log()


def test_a_server_that_hangs_holds_nobody_up(t):
    def hang(request):
        over.wait()
        request.close_connection = True
    over = threading.Event()
    try:
        api, syncer = start(t)
        api.faults = dict.fromkeys(("deployment", "replicasets", "pods"), hang)
        api.watch_faults = dict(api.faults)
        for step in ("deployment", "replicasets", "pods"):
            api.end_watches(step)
        asked = len(api.asked)
        proc.wait_until(lambda: len(api.asked) > asked, 10, why="no list hangs")
        old = syncer.workers()
        os.kill(old[0], signal.SIGKILL)
        proc.wait_until(lambda: len(set(syncer.workers()) - set(old)) == 1, 5, why="no other worker")
        began = time.monotonic()
        syncer.stop()
        assert time.monotonic() - began < 5
    finally:
        over.set()


def test_no_secret_is_written(t):
    api, syncer = start(t)
    api.faults = {"pods": fault(403, kube.recording("pods-list-403.json"))}
    syncer.wait_log("list pods")
    api.faults = {"pods": fault(403, b'{"kind":"Status","message":"Bearer %s may not do that"}' % api.token.encode())}
    syncer.wait_log("the token may be in it")
    assert "token-of-the-account" not in syncer.get("/v1/status").body.decode()
    syncer.stop()
    assert "token-of-the-account" not in syncer.log()


if __name__ == "__main__":
    sys.exit(tap.main())
