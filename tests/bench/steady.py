#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What must hold while it goes on: no reconnects but those that pods ask for; nobody notices a pod that reloads each second;
ten times as many checks as are let in don't slow those that are; a slow pod doesn't slow checks that don't need it."""
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import benchlib as b

PROBES = 100000
RELOADS, A_SECOND = 10, 100  # reloads of a pod, one a second; checks
LET_IN, OVER = 16, 10        # checks at once, over both workers; times as many clients
SLOW_MS = 400


def measure_reconnects(folder, issuer, n=8, lanes=2):
    pods = b.LeanPods(folder, issuer, n)
    server = b.syncer.Syncer(f"{folder}/reconnects", pods.block.address(253), {**pods.config(), **b.PATIENT})
    now = lambda: [b.counter(server, f"syncer_pod_connections_{what}") for what in ("opened_total", "open")]
    try:
        server.start()
        b.warm(server, pods.pods)
        before = now()
        got = b.checks(server, lanes, PROBES // n)
        opened, more = (after - then for after, then in zip(now(), before))
    finally:
        server.close()
        pods.close()
    b.figure("reconnects_in_100000_probes", opened - more, "connections", "<=0", further=more,
             probes_per_s=got["requests_per_s"] * n)


def measure_reloads(pods, server):
    """One client, at an even pace; nginx closes its idle connections when it reloads."""
    done = threading.Event()

    def reload():
        began = time.monotonic()
        for i in range(RELOADS):
            time.sleep(max(0, began + i + 0.5 - time.monotonic()))
            pods[-1].reload()
        done.set()

    thread, verdicts, began, link = threading.Thread(target=reload), [], time.monotonic(), server.connect()
    thread.start()
    while not done.is_set():
        time.sleep(max(0, began + len(verdicts) / A_SECOND - time.monotonic()))
        verdicts.append(server.check(b.TOKEN, "gw-1", link=link).verdict)
    seconds = time.monotonic() - began
    link.close()
    thread.join()
    b.figure("not_synced_while_a_pod_reloads", len([v for v in verdicts if v != "Synced"]), "checks", "<=0", of=len(verdicts),
             reloads=RELOADS, checks_per_s=len(verdicts) / seconds)


def measure_overload(folder, issuer, n=8, seconds=3):
    """A client that is refused asks again after 10 ms."""
    pods = b.LeanPods(folder, issuer, n)
    server = b.syncer.Syncer(f"{folder}/overload", pods.block.address(253),
                             {**pods.config(), **b.PATIENT, "max_checks": LET_IN})
    try:
        server.start()
        b.warm(server, pods.pods)
        first = b.checks(server, LET_IN, 1000)
        normal = b.checks(server, LET_IN, int(seconds * first["requests_per_s"]))
        asked = int(seconds * LET_IN * (OVER - 1) * 100)
        over = b.checks(server, LET_IN * OVER, asked, may_be_wrong=True)
    finally:
        server.close()
        pods.close()
    if "overloaded" not in over["first_wrong"]:
        raise RuntimeError(f"an answer is wrong: {over['first_wrong']}")
    b.figure("check_p50_overloaded", over["p50_us"] / normal["p50_us"], "x_normal", normal_ms=normal["p50_us"] / 1000,
             ms=over["p50_us"] / 1000, p99=over["p99_us"] / normal["p99_us"])
    b.figure("refused_p99_overloaded", over["wrong_p99_us"] / 1000, "ms", refused=over["wrong"], of=asked)


def measure_slow_pod(pods, server, lanes=8, checks=400):
    """Checks whose origin is the slow pod don't need it, while others wait for it all the time."""
    slow = pods[1]
    alone = b.checks(server, 1, checks, origin=slow.name)
    slow.order(f"delay {SLOW_MS}")
    others = subprocess.Popen([sys.executable, "-c", OTHERS, server.address, str(server.port), str(lanes), b.TOKEN])
    try:
        b.proc.wait_until(lambda: server.get("/v1/status").json()["checks"]["running"] >= lanes)
        beside = b.checks(server, 1, checks, origin=slow.name)
    finally:
        b.proc.end(others)
        slow.order()
    b.figure("check_p50_beside_a_slow_pod", beside["p50_us"] / alone["p50_us"], "x_alone", alone_ms=alone["p50_us"] / 1000,
             ms=beside["p50_us"] / 1000, slow_ms=SLOW_MS)


# Asks for the slow pod, until it is ended. Other tokens: checks of one would share.
OTHERS = """
import http.client, sys, threading
def ask(i):
    link = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
    while True:
        link.request("GET", "/v1/synced", headers={"X-Auth-Token": f"{sys.argv[4]}-{i + 1}", "X-Nginx-Origin": "gw-1"})
        link.getresponse().read()
for i in range(int(sys.argv[3])):
    threading.Thread(target=ask, args=(i,), daemon=True).start()
threading.Event().wait()
"""


def main():
    b.proc.adopt_orphans()
    folder = tempfile.mkdtemp(prefix="syncer-bench.")
    block = b.proc.Block()
    try:
        issuer = b.certs.Certs(folder)
        measure_reconnects(folder, issuer)
        measure_overload(folder, issuer)
        pods = b.cluster.Cluster(f"{folder}/pods", issuer, block, 4, host=b.HOST, path=b.PATH)
        server = b.syncer.Syncer(f"{folder}/server", block.address(253), {**pods.config(), "log_level": "warn"})
        try:
            pods.start()
            for token in (b.TOKEN, *(f"{b.TOKEN}-{i}" for i in range(9))):
                pods.put(token)
            server.start()
            measure_slow_pod(pods, server)
            measure_reloads(pods, server)
        finally:
            server.close()
            pods.close()
    finally:
        block.close()
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
