#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Control probes: a pod whose probe location is open says 200 to every token, and nothing but a made-up one can tell."""
import os
import re
import signal
import sys

from harness import proc, tap

PATIENT = {"connection_timeout": 5000, "request_deadline": 15000}
BECOMES, MENDED = "says 200 to a token that nobody has", "refuses a token that nobody has again"


def start(t, mode, opened=3, **config):
    """Three pods with the token; gw-`opened` answers 200 to anything. control_probe None: the default."""
    pods = t.cluster(3)
    pods.put("t")
    if opened:
        pods[opened - 1].order("status 200")
    return pods, t.syncer(pods, control_probe=mode, **{**PATIENT, **config})


def locations(server):
    return {pod["name"]: pod["location"] for pod in server.get("/v1/pods").json()["pods"]}


def wait_locations(server, *wanted):
    wanted = {f"gw-{i}": location for i, location in enumerate(wanted, 1)}
    proc.wait_until(lambda: locations(server) == wanted, why=f"the locations should be {wanted}")


def counted(server, result):
    found = re.search(rf'^syncer_control_probes_total{{result="{result}"}} (\d+)$', server.get("/metrics").body.decode(), re.M)
    return int(found[1])


def entry(got, name):
    return next(pod for pod in got.json()["pods"] if pod["name"] == name)


def test_warn_is_the_default_and_only_tells(t):
    pods, server = start(t, None)
    wait_locations(server, "protected", "protected", "unprotected")
    got = server.check("t", "gw-1", "verbose=1")
    assert (got.verdict, got.pods) == ("Synced", "2/2"), str(got)
    assert entry(got, "gw-2")["reason"] == "" and "open" in entry(got, "gw-3")["reason"], got.body
    assert counted(server, "unprotected") >= 1 and counted(server, "protected") >= 2
    assert b'syncer_pod_protected{pod="gw-3"} 0' in server.get("/metrics").body
    assert b'syncer_pod_protected{pod="gw-2"} 1' in server.get("/metrics").body
    assert server.log().count(BECOMES) == 1 and "pod=gw-3" in server.log()


def test_fail_counts_it_as_failed_until_it_is_mended(t):
    pods, server = start(t, "fail")
    wait_locations(server, "protected", "protected", "unprotected")
    got = server.check("t", "gw-1", "verbose=1")
    assert (got.verdict, got.pods) == ("NotSynced", "1/2"), str(got)
    odd = entry(got, "gw-3")
    assert (odd["result"], odd["attempts"], odd["code"]) == ("unprotected", 1, 200) and "open" in odd["reason"], odd
    # Mended; a reload asks all anew.
    pods[2].order()
    pods[2].reload()
    server.process.send_signal(signal.SIGHUP)
    wait_locations(server, "protected", "protected", "protected")
    got = server.check("t", "gw-1", "verbose=1")
    assert (got.verdict, got.pods) == ("Synced", "2/2") and entry(got, "gw-3")["reason"] == "", str(got)
    proc.wait_until(lambda: MENDED in server.log(), why="it is not told of")
    assert (server.log().count(BECOMES), server.log().count(MENDED)) == (1, 1)


@tap.limit(180)
def test_a_mended_pod_is_found_within_a_minute(t):
    pods, server = start(t, "fail")
    wait_locations(server, "protected", "protected", "unprotected")
    pods[2].order()
    pods[2].reload()
    proc.wait_until(lambda: server.check("t", "gw-1").verdict == "Synced", 90, step=0.2, why="the pod did not recover")
    assert locations(server)["gw-3"] == "protected" and server.log().count(MENDED) == 1


def test_off_asks_nobody(t):
    pods, server = start(t, None)
    wait_locations(server, "protected", "protected", "unprotected")
    server.write(control_probe="off")
    server.reload()
    wait_locations(server, "unknown", "unknown", "unknown")
    before = pods[2].counters()["probes"]
    got = server.check("t", "gw-1", "verbose=1")
    assert (got.verdict, entry(got, "gw-3")["reason"]) == ("Synced", ""), str(got)
    assert pods[2].counters()["probes"] == before + 1
    assert b"syncer_pod_protected{" not in server.get("/metrics").body


def test_logins_at_a_start_do_not_fail(t):
    """With `fail` a pod's 200 counts once it has refused a made-up token: the first checks wait for that."""
    pods, server = start(t, "fail", opened=None)
    got = server.check("t", "gw-1")
    assert (got.verdict, got.pods) == ("Synced", "2/2"), str(got)
    for _ in range(3):
        server.process.send_signal(signal.SIGHUP)
        for _ in range(10):
            got = server.check("t", "gw-1")
            assert got.verdict == "Synced", str(got)
    assert server.log().count(BECOMES) == 0


def test_a_made_up_token_proves_nothing(t):
    pods, server = start(t, "warn")
    wait_locations(server, "protected", "protected", "unprotected")
    got = server.check("nobody-has-this", "gw-1", "verbose=1&expect=absent")
    assert entry(got, "gw-2")["proven"] is False, got.body


def test_one_worker_asks_and_another_one_takes_over(t):
    pods, server = start(t, None, opened=None, workers=3)
    wait_locations(server, "protected", "protected", "protected")
    asked = counted(server, "protected")
    # The one is that with the lowest block: in turn each is killed, so it is among them. Whoever takes over asks all anew.
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
        proc.wait_until(lambda p=pid: len(server.workers()) == 3 and p not in server.workers(), why="it was not replaced")
    proc.wait_until(lambda: counted(server, "protected") >= asked + 3, why="nobody took over")
    pods[1].order("status 200")
    server.process.send_signal(signal.SIGHUP)
    proc.wait_until(lambda: locations(server)["gw-2"] == "unprotected", why="nobody asks")
    assert server.log().count(BECOMES) == 1


def test_the_token_is_not_written(t):
    pods, server = start(t, None, access_log=True)
    wait_locations(server, "protected", "protected", "unprotected")
    server.stop()
    assert "auth_token" not in server.log()


if __name__ == "__main__":
    sys.exit(tap.main())
