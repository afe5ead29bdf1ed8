#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A Deployment of 5,000 pods on a real kube-apiserver: how long until they are known, and what the master needs for it."""
import concurrent.futures
import sys
import time

from harness import incluster, kubeserver, proc, tap

PODS = 5000


def address(i):
    """Where nobody listens: this is about the list."""
    return f"127.16.{i // 250}.{i % 250 + 1}"


def peak_mb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:")) / 1024


def fill(ns):
    started = time.monotonic()
    ns.seed()
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        names = list(threads.map(lambda i: ns.pod(f"p{i:04}", address(i)), range(PODS)))
    print(f"# {PODS} pods made in {time.monotonic() - started:.0f} s", flush=True)
    return names


@tap.limit(500)
def test_5000_pods(t):
    pods, ns = t.cluster(1), incluster.namespace(t)
    names = fill(ns)
    began = time.monotonic()
    server = incluster.syncer(t, pods, ns, ready=False, workers=1, scrape_interval=5000, log_level="info")
    proc.wait_until(lambda: incluster.table(server)["count"] == PODS, 60, 0.02, why="the table has not all pods")
    print(f"# {PODS} pods in the table {time.monotonic() - began:.2f} s after the start, "
          f"peak memory of the master {peak_mb(server.process.pid):.1f} MB", flush=True)
    assert set(incluster.counting(server)) == set(names)
    incluster.wait_reads(server, 2, seconds=60)
    peak = peak_mb(server.process.pid)
    print(f"# after more reads {peak:.1f} MB")
    assert peak < 64, peak


if __name__ == "__main__":
    sys.exit(tap.main(kubeserver.missing))
