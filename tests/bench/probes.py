#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a probe costs: syncer's CPU for a run of checks, less that for as many /livez, over the probes; beside the raw client
(raw_client.c), by turns with it, the median of PAIRS. One check at a time, one nginx that is all pods. Then instructions
(callgrind) and system calls (strace) a probe, of the engine alone and of the raw client."""
import re
import shutil
import sys
import tempfile

import benchlib as b

PAIRS = 5
# Pods, checks a run, goal of a probe's ratio, goal of a whole check's.
SIZES = ((8, 2400, None, 1.6), (32, 600, 1.3, 1.35), (128, 150, 1.5, None), (1000, 30, 1.8, None))


def pair(server, pods, n):
    """(CPU of a check, of a probe, of a probe by the raw client) in us."""
    raw = b.raw(1, n, pods.pods)
    pids = b.all_pids(server)
    at = [b.cpu_us(pids)]
    b.checks(server, 1, n)
    at.append(b.cpu_us(pids))
    b.load(server, 1, n, "/livez", "200")
    at.append(b.cpu_us(pids))
    check, livez = (at[1] - at[0]) / n, (at[2] - at[1]) / n
    return check, (check - livez) / len(pods.pods), raw["cpu_us"] / len(pods.pods)


def measure_cpu(folder, issuer, n, checks, probe_goal, check_goal):
    pods = b.LeanPods(folder, issuer, n)
    server = b.syncer.Syncer(f"{folder}/syncer-{n}", pods.block.address(253), {**pods.config(), **b.PATIENT})
    try:
        server.start()
        b.warm(server, pods.pods)
        b.checks(server, 1, checks // 10)
        got = [pair(server, pods, checks) for _ in range(PAIRS)]
    finally:
        server.close()
        pods.close()
    check, probe, raw = (b.median(column) for column in zip(*got))
    b.figure(f"probe_cpu_{n}_pods", b.median(p / r for _, p, r in got), "x_raw", f"<={probe_goal}" if probe_goal else "",
             syncer_us=probe, raw_us=raw)
    b.figure(f"check_cpu_{n}_pods", b.median(c / (r * n) for c, _, r in got), "x_raw",
             f"<={check_goal}" if check_goal else "", syncer_us=check, raw_us=raw * n)


def measure_appearance(folder, issuer, n=1000):
    """n pods at once: the longest turn of the engine, in CPU time. A step of a handshake is one of libcurl's calls, and a turn
    has at most one: a connection is two or three of them."""
    pods = b.LeanPods(folder, issuer, n)
    try:
        got = b.tool("checks", 1, 0, b.HOST, b.PATH, b.TOKEN, pods=pods.pods)
    finally:
        pods.close()
    b.figure(f"longest_turn_{n}_pods_appear", got["appear_longest_us"], "us", "<=1000", turns=got["appear_turns"],
             over_1ms=got["appear_over_1ms"], a_connection=got["appear_connection_us"])
    b.figure(f"table_{n}_pods_appear", got["appear_table_us"], "us", "<=1000")


def instructions(name, checks, pods, folder):
    out = f"{folder}/callgrind.{name}"
    b.tool(name, 1, checks, b.HOST, b.PATH, b.TOKEN, pods=pods.pods,
           wrap=["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"])
    with open(out) as f:
        return int(re.search(r"^(?:summary|totals): (\d+)", f.read(), re.M)[1])


def calls(name, checks, pods, folder):
    out = f"{folder}/strace.{name}"
    b.tool(name, 1, checks, b.HOST, b.PATH, b.TOKEN, pods=pods.pods, wrap=["strace", "-f", "-c", "-U", "calls,name", "-o", out])
    with open(out) as f:
        return int(re.search(r"^ *(\d+) total", f.read(), re.M)[1])


def measure_counts(folder, issuer, n=8, checks=200):
    """Exact, so that one run does: the difference of two lengths leaves out the beginning and the end."""
    counters = [(tool, count, what) for tool, count, what in (("valgrind", instructions, "instructions"), ("strace", calls, "calls"))
                if shutil.which(tool)]
    pods = b.LeanPods(folder, issuer, n)
    try:
        for _, count, what in counters:
            each = {name: (count(name, 2 * checks, pods, folder) - count(name, checks, pods, folder)) / checks / n
                    for name in ("checks", "raw_client")}
            b.figure(f"probe_{what}", each["checks"], what, raw=each["raw_client"], ratio=each["checks"] / each["raw_client"])
    finally:
        pods.close()


def main():
    b.proc.adopt_orphans()
    folder = tempfile.mkdtemp(prefix="syncer-bench.")
    try:
        issuer = b.certs.Certs(folder)
        for size in SIZES:
            measure_cpu(folder, issuer, *size)
        measure_appearance(folder, issuer)
        measure_counts(folder, issuer)
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
