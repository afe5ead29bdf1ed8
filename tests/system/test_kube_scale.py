#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A Deployment of 5,000 pods on a real kube-apiserver: how long until they are known, and what the master needs for it."""
import concurrent.futures
import os
import sys
import time

from harness import incluster, kubeserver, proc, tap

PODS, CHANGES = 5000, 100


def address(i):
    """Where nobody listens: this is about the list."""
    return f"127.16.{i // 250}.{i % 250 + 1}"


def peak_mb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:")) / 1024


def cpu_ms(pid):
    with open(f"/proc/{pid}/stat") as f:
        user, system = f.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) * 1000 / os.sysconf("SC_CLK_TCK")


def generation(server):
    return server.get("/v1/status").json()["table"]["generation"]


def change(ns, server, pod, i):
    """ms until the table has it."""
    before = generation(server)
    ns.report(pod, address(PODS + i))
    reported = time.monotonic()
    proc.wait_until(lambda: generation(server) > before, 5, 0.001, why="the change does not arrive")
    return (time.monotonic() - reported) * 1000


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
    server = incluster.syncer(t, pods, ns, ready=False, workers=1, scrape_interval=600000, log_level="info")
    proc.wait_until(lambda: incluster.table(server)["count"] == PODS, 60, 0.02, why="the table has not all pods")
    print(f"# {PODS} pods in the table {time.monotonic() - began:.2f} s after the start, "
          f"peak memory of the master {peak_mb(server.process.pid):.1f} MB", flush=True)
    assert set(incluster.counting(server)) == set(names)
    lists, cpu = incluster.asked(ns, "list", "pods"), cpu_ms(server.process.pid)
    took = sorted(change(ns, server, pod, i) for i, pod in enumerate(names[:CHANGES]))
    cpu = (cpu_ms(server.process.pid) - cpu) / CHANGES
    peak = peak_mb(server.process.pid)
    print(f"# a change is in the table after {took[CHANGES // 2]:.1f} ms at the median, {took[-1]:.1f} ms at most, and takes "
          f"{cpu:.2f} ms of the master's CPU; peak memory {peak:.1f} MB")
    assert incluster.asked(ns, "list", "pods") == lists, "it was listed again"
    assert {incluster.counting(server)[pod] for pod in names[:CHANGES]} == {address(PODS + i) for i in range(CHANGES)}
    assert peak < 64, peak


if __name__ == "__main__":
    sys.exit(tap.main(kubeserver.missing))
