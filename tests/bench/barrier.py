#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks as logins see them, with pods that are each an nginx of their own, 8 and 32: how many a second and how long they
take where the token is everywhere; how late the verdict is where it comes on a tick of 1 s; memory after that load; and 64
clients at once. Both schedules, beside the raw client."""
import random
import selectors
import shutil
import socket
import sys
import tempfile
import time

import benchlib as b

CLIENTS, ALONE, SATURATED = 16, 400, 32000  # checks one by one; probes of CLIENTS at once
MANY, MANY_CHECKS = 64, 1280
LOGINS, TOGETHER = 96, 8
TICK_MS, SPREAD_MS = 1000, 1  # all pods have a token within SPREAD_MS of its tick


class Rig:
    """Pods, and a syncer for each schedule, of which one is asked at a time."""

    def __init__(self, folder, issuer, n):
        self.block, self.n = b.proc.Block(), n
        self.pods = b.cluster.Cluster(f"{folder}/pods-{n}", issuer, self.block, n, host=b.HOST, path=b.PATH)
        self.servers = {}
        self.pods.start()
        for token in (b.TOKEN, *(f"{b.TOKEN}-{i}" for i in range(CLIENTS if n < 32 else MANY))):
            self.pods.put(token)
        for i, mode in enumerate(("scout", "parallel")):
            config = {**self.pods.config(), "retry_mode": mode, **b.PATIENT}
            self.servers[mode] = b.syncer.Syncer(f"{folder}/{mode}-{n}", self.block.address(252 + i), config).start()

    def handshakes(self):
        return sum(pod.counters()["handshakes"] for pod in self.pods)

    def close(self):
        for server in self.servers.values():
            server.close()
        self.pods.close()
        self.block.close()


def measure_present(rig):
    """The token is everywhere."""
    alone, full, cpu, checks = {}, {}, {}, SATURATED // rig.n
    for mode, server in rig.servers.items():
        alone[mode] = b.checks(server, 1, ALONE)
        b.checks(server, CLIENTS, checks // 4)  # connections for as many
        pids, opened, turns = b.all_pids(server), rig.handshakes(), b.turns(server)
        before = b.cpu_us(pids)
        full[mode] = b.checks(server, CLIENTS, checks)
        cpu[mode] = (b.cpu_us(pids) - before) / checks
        full[mode]["opened"] = rig.handshakes() - opened
        full[mode]["turns"], full[mode]["long"] = (now - then for now, then in zip(b.turns(server), turns))
    raw_alone, raw_full = b.raw(1, ALONE, rig.pods), b.raw(CLIENTS, checks, rig.pods)
    name, s, p = f"{rig.n}_pods", full["scout"], full["parallel"]
    b.figure(f"checks_per_s_{name}", s["requests_per_s"], "1/s", parallel=p["requests_per_s"], raw=raw_full["checks_per_s"],
             opened=s["opened"])
    b.figure(f"check_cpu_saturated_{name}", cpu["scout"], "us", parallel=cpu["parallel"], raw=raw_full["cpu_us"],
             ratio=cpu["scout"] / raw_full["cpu_us"])
    b.figure(f"check_p50_over_raw_{name}", (alone["scout"]["p50_us"] - raw_alone["p50_us"]) / 1000, "ms", "<=1",
             scout=alone["scout"]["p50_us"] / 1000, parallel=alone["parallel"]["p50_us"] / 1000, raw=raw_alone["p50_us"] / 1000)
    b.figure(f"check_p99_saturated_{name}", s["p99_us"] / s["p50_us"], "x_p50", "<=3", p50_ms=s["p50_us"] / 1000,
             p99_ms=s["p99_us"] / 1000, parallel=p["p99_us"] / p["p50_us"], raw=raw_full["p99_us"] / raw_full["p50_us"])
    # By the clock: with what the scheduler takes from a worker while pods and clients are busy on the same CPUs.
    b.figure(f"turns_over_1ms_saturated_{name}", 100 * s["long"] / s["turns"], "%", parallel=100 * p["long"] / p["turns"],
             turns=s["turns"])


# ---- detection lag ----

def wait_answers(links):
    """When each of the sockets has its answer, in ms of the wall clock, and what it says."""
    answers = {}
    with selectors.DefaultSelector() as selector:
        for i, link in enumerate(links):
            selector.register(link, selectors.EVENT_READ, i)
        while len(answers) < len(links):
            for key, _ in selector.select(10):
                answers[key.data] = (time.time() * 1000, key.fileobj.recv(65536).decode())
                selector.unregister(key.fileobj)
    return [answers[i] for i in range(len(links))]


def logins(rig, server, lead_ms):
    """TOGETHER logins, each with a tick of its own: their lags in ms, or None if the pods were told too late."""
    began = time.time() * 1000
    start, last = began + lead_ms, []
    tokens = ["%032x" % random.getrandbits(128) for _ in range(TOGETHER)]
    for token in tokens:
        tick = start + random.random() * TICK_MS
        ats = [tick + random.random() * SPREAD_MS for _ in rig.pods.pods[1:]]
        last.append(max(ats))
        for pod, at in zip(rig.pods.pods[1:], ats):
            pod.put_at(token, at)
    if time.time() * 1000 > start:
        return None
    time.sleep(start / 1000 - time.time())
    links = [socket.create_connection((server.address, server.port)) for _ in tokens]
    for link, token in zip(links, tokens):
        link.sendall(f"GET /v1/synced HTTP/1.1\r\nHost: s\r\nX-Auth-Token: {token}\r\nX-Nginx-Origin: gw-1\r\n\r\n".encode())
    answers = wait_answers(links)
    for link in links:
        link.close()
    wrong = [text for _, text in answers if "X-Token-Status: Synced" not in text]
    if wrong:
        raise RuntimeError(f"{len(wrong)} logins were not Synced: {wrong[0].splitlines()[:6]}")
    return [at - had for (at, _), had in zip(answers, last)]


def lags(rig, server):
    """(sorted lags in ms, probes a check)"""
    got, lead_ms, probes, asked = [], 300, b.counter(server, "syncer_probes_total"), 0
    while len(got) < LOGINS:
        some = logins(rig, server, lead_ms)
        got += some or []
        asked += len(some or [])
        lead_ms *= 1 if some else 2
    return sorted(got), (b.counter(server, "syncer_probes_total") - probes) / asked


def measure_lag(rig, p50_goal, p95_goal):
    found = {mode: lags(rig, server) for mode, server in rig.servers.items()}
    name, (scout, probes), (parallel, parallel_probes) = f"{rig.n - 1}_peers", found["scout"], found["parallel"]
    for quantile, goal in ((50, p50_goal), (95, p95_goal)):
        at = LOGINS * quantile // 100
        b.figure(f"lag_p{quantile}_{name}", scout[at], "ms", f"<={goal}", parallel=parallel[at])
    b.figure(f"probes_a_check_{name}", probes / parallel_probes, "x_parallel", "<=1.1", scout=probes, parallel=parallel_probes)


# ---- memory, and many at once ----

def measure_memory(rig):
    server = rig.servers["scout"]
    b.figure(f"pss_{rig.n}_pods_loaded", b.pss_kb(b.all_pids(server)) / 1024, "MB", "<=24",
             connections=b.counter(server, "syncer_pod_connections_open"))


def pss_kb(rig, folder, pods):
    """Of all processes with these pods, before any check."""
    server = b.syncer.Syncer(f"{folder}/pss-{len(pods)}", rig.block.address(251),
                             {**rig.pods.config(), **b.PATIENT, "static": [pod.entry() for pod in pods]})
    try:
        server.start()
        b.warm(server, pods)
        return b.pss_kb(b.all_pids(server)), len(server.workers())
    finally:
        server.close()


def measure_memory_a_pod(rig, folder):
    few = rig.n // 4
    (less, _), (more, workers) = pss_kb(rig, folder, rig.pods.pods[:few]), pss_kb(rig, folder, rig.pods.pods)
    b.figure("pss_a_pod_and_worker", (more - less) / (rig.n - few) / workers, "KB", "<=75")


def measure_many(rig, folder):
    """All that is default, from a cold start."""
    server = b.syncer.Syncer(f"{folder}/many", rig.block.address(250), {**rig.pods.config(), "log_level": "warn"})
    before = rig.handshakes()
    try:
        server.start()
        got = b.checks(server, MANY, MANY_CHECKS, origin="gw-1", may_be_wrong=True)
    finally:
        server.close()
    name = f"{MANY}_clients_{rig.n}_pods"
    b.figure(f"wrong_{name}", got["wrong"], "answers", "<=0", of=MANY_CHECKS)
    # Workers x pods x host_keepalives is all that may ever be open.
    b.figure(f"handshakes_{name}", rig.handshakes() - before, "handshakes", f"<={2 * rig.n * 16}",
             per_s=got["requests_per_s"], p50_ms=got["p50_us"] / 1000, p99_ms=got["p99_us"] / 1000)


def main():
    b.proc.adopt_orphans()
    folder = tempfile.mkdtemp(prefix="syncer-bench.")
    try:
        issuer = b.certs.Certs(folder)
        for n, p50_goal, p95_goal in ((8, 20, 35), (32, 10, 20)):
            rig = Rig(folder, issuer, n)
            try:
                if n == 32:
                    measure_memory_a_pod(rig, folder)
                    measure_many(rig, folder)
                measure_present(rig)
                if n == 32:
                    measure_memory(rig)
                measure_lag(rig, p50_goal, p95_goal)
            finally:
                rig.close()
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
