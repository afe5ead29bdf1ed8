#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many checks at once. How fast they are is the benchmarks' business; here, that each gets its own right answer."""
import concurrent.futures
import itertools
import sys
import threading

from harness import proc, tap


def at_once(server, jobs, width):
    """The answers to the checks `jobs`, (token, origin) each, up to `width` at a time, each on a connection of its own."""
    with concurrent.futures.ThreadPoolExecutor(width) as pool:
        return list(pool.map(lambda job: server.check(*job), jobs))


@tap.limit(120)
def test_200_checks_at_once_over_16_pods(t):
    pods = t.cluster(16, one_process=True)
    server = t.syncer(pods, request_deadline=20000, connection_timeout=5000, retries=100)
    origins = itertools.cycle(pod.name for pod in pods)
    jobs = [(f"token-{i}", next(origins)) for i in range(200)]
    for token, _ in jobs:
        for pod in pods:
            pod.put(token)
    answers = at_once(server, jobs, 200)
    assert [str(a) for a in answers if (a.verdict, a.pods) != ("Synced", "15/15")] == []
    assert server.get("/v1/status").json()["checks"] == {
        "Synced": 200, "Partialy": 0, "NotSynced": 0, "Timeout": 0, "running": 0}


@tap.limit(120)
def test_answers_are_not_mixed_up(t):
    """Checks of tokens that are on all pods, on most, on few and on none, all at the same time."""
    pods = t.cluster(5, one_process=True)
    server = t.syncer(pods, request_deadline=20000, connection_timeout=5000, sync_timeout=100, retries=2)
    right = {"all": ("Synced", "4/4"), "most": ("Partialy", "3/4"), "few": ("NotSynced", "1/4"), "none": ("NotSynced", "0/4")}
    pods.put("all")
    pods.put("most", 0, 0, 0, 0, None)
    pods.put("few", 0, None, None, None, 0)
    jobs = [(token, "gw-1") for token in right] * 40
    for job, answer in zip(jobs, at_once(server, jobs, 80)):
        assert (answer.verdict, answer.pods) == right[job[0]], f"{job[0]}: {answer}"


@tap.limit(120)
def test_checks_of_one_token_share_their_probes(t):
    """Each of 100 has to see 200 from 7 pods, but they need not all ask; whether they began before the token came or after."""
    pods = t.cluster(8, one_process=True)
    server = t.syncer(pods, workers=1, request_deadline=20000, connection_timeout=5000, retries=100)
    for token, lag in (("here", 0), ("late", 500)):
        before = sum(pod.counters()["probes"] for pod in pods)
        pods.put(token, 0, *[lag] * 7)
        answers = at_once(server, [(token, "gw-1")] * 100, 100)
        assert [str(a) for a in answers if (a.verdict, a.pods) != ("Synced", "7/7")] == []
        probes = sum(pod.counters()["probes"] for pod in pods) - before
        assert 7 <= probes < 700, f"{token}: {probes} probes"


@tap.limit(120)
def test_a_pod_reloaded_under_load(t):
    """nginx closes its idle connections at a reload: the probes go again on new ones, and nobody notices."""
    pods = t.cluster(4)
    pods.put("t")
    server = t.syncer(pods)
    stop, odd, asked = threading.Event(), [], [0] * 4

    def ask(i):
        link = server.connect()
        while not stop.is_set():
            answer = server.check("t", "gw-1", link=link)
            asked[i] += 1
            if answer.verdict != "Synced":
                odd.append(str(answer))
            stop.wait(0.02)
        link.close()

    with concurrent.futures.ThreadPoolExecutor(len(asked)) as pool:
        futures = [pool.submit(ask, i) for i in range(len(asked))]
        try:
            for _ in range(6):
                pods[3].reload()
                before = sum(asked)
                proc.wait_until(lambda b=before: sum(asked) > b + 40 or any(f.done() for f in futures), 20,
                                why="the checks do not go on")
        finally:
            stop.set()
        for future in futures:
            future.result()
    assert odd == [], odd[:3]
    assert sum(asked) > 200, asked
    status = server.get("/v1/status").json()
    assert status["workers_crashed"] == 0 and status["checks"]["Synced"] == sum(asked), status


@tap.limit(120)
def test_a_reload_of_syncer_under_load(t):
    """A client that honours Connection: close loses nothing."""
    pods = t.cluster(4, one_process=True)
    pods.put("t")
    server = t.syncer(pods)
    stop, odd, asked = threading.Event(), [], [0] * 4

    def ask(i):
        while not stop.is_set():
            link = server.connect()
            closing = False
            while not closing and not stop.is_set():
                answer = server.check("t", "gw-1", link=link)
                asked[i] += 1
                closing = answer.headers.get("connection") == "close"
                if answer.verdict != "Synced":
                    odd.append(str(answer))
            link.close()

    with concurrent.futures.ThreadPoolExecutor(len(asked)) as pool:
        futures = [pool.submit(ask, i) for i in range(len(asked))]
        try:
            for _ in range(3):
                server.reload()
        finally:
            stop.set()
        for future in futures:
            future.result()
    assert odd == [], odd[:3]
    assert sum(asked) > 50, asked


@tap.limit(120)
def test_a_pod_that_hangs_holds_up_only_those_that_need_it(t):
    """As many checks as may wait for it do; those that don't need it are let in beside them, and all end before."""
    pods = t.cluster(4, one_process=True)
    server = t.syncer(pods, workers=1, max_checks=21, connection_timeout=60000, request_deadline=90000, host_keepalives=4)
    tokens = [f"t{i}" for i in range(20)]
    for token in tokens:
        pods.put(token)
    pods[1].order("hang")
    running = lambda: server.get("/v1/status").json()["checks"]["running"]
    with concurrent.futures.ThreadPoolExecutor(len(tokens)) as pool:
        waiting = [pool.submit(server.check, token, "gw-1") for token in tokens]
        proc.wait_until(lambda: running() == len(tokens))
        for token in tokens * 5:
            answer = server.check(token, "gw-2")
            assert (answer.verdict, answer.pods) == ("Synced", "3/3"), str(answer)
        with concurrent.futures.ThreadPoolExecutor(1) as one:
            last = one.submit(server.check, "t0", "-")
            proc.wait_until(lambda: running() == len(tokens) + 1)
            refused = [server.check("t0", "gw-2") for _ in range(20)]
            assert {(a.status, a.error) for a in refused} == {(503, "overloaded")}, [str(a) for a in refused]
            assert not any(f.done() for f in [*waiting, last])
            pods[1].stop()  # all of them have something to say now
        answers = [f.result() for f in waiting]
    assert {(a.verdict, a.pods) for a in answers} == {("Partialy", "2/3")}, [str(a) for a in answers]
    assert running() == 0


@tap.limit(120)
def test_connections_are_kept(t):
    """100 checks one after another: no pod sees more connections than there are workers, and handshakes no more than those."""
    pods = t.cluster(4, one_process=True)
    pods.put("t")
    # A handshake that a busy machine holds up for connection_timeout is begun anew: that is not what is looked for here.
    server = t.syncer(pods, connection_timeout=5000, request_deadline=20000)
    for _ in range(100):
        assert server.check("t", "gw-1").verdict == "Synced"
    for pod in pods.pods[1:]:
        counters = pod.counters()
        assert counters["probes"] >= 100 and counters["connections"] <= 2 and counters["handshakes"] <= 2, counters


if __name__ == "__main__":
    sys.exit(tap.main())
