#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Changes at random on a real kube-apiserver while checks run: at the end the table is the cluster."""
import os
import random
import sys
import threading

from harness import incluster, kubelet, kubeobjects, kubeserver, proc, tap

CHANGES = 1000


class Changes:
    """Pods of a Deployment that something happens to all the time."""

    def __init__(self, ns, block, seed):
        self._ns, self._block, self._random, self._made = ns, block, random.Random(seed), 0
        self._pods = ns.seed(*(block.address(n) for n in range(11, 16)))

    def _address(self):
        return self._block.address(self._random.randint(11, 240))

    def _any(self):
        return self._random.choice(self._pods)

    def _add(self):
        self._made += 1
        self._pods.append(self._ns.pod(f"c{self._made}", self._random.choice([None, self._address(), self._address()]),
                                       ready=self._random.random() < 0.7))

    def _remove(self):
        pod = self._any()
        self._ns.delete_pod(pod)
        self._pods.remove(pod)

    def _terminate(self):
        self._ns.delete_pod(self._any(), grace_s=600)

    def _report(self):
        self._ns.report(self._any(), self._address(), self._random.random() < 0.7,
                        self._random.choice(["Running"] * 6 + ["Pending", "Failed", "Succeeded", "Unknown"]))

    def _label(self):
        self._ns.label(self._any(), app=self._random.choice([kubeobjects.DEPLOYMENT] * 3 + ["another"]))

    def _what(self):
        if len(self._pods) < 5:
            return self._add
        if len(self._pods) > 30:
            return self._remove
        return self._random.choice([self._add, self._remove, self._terminate, *[self._report] * 3, self._label])

    def one(self):
        try:
            self._what()()
        except kubeserver.ApiError as e:
            if e.status != 404:
                raise
            # A pod that had failed is gone as soon as its end is asked for.
            self._pods = [pod["metadata"]["name"] for pod in self._ns.pods()]


def cluster(ns):
    """Each pod of the Deployment, with its address if it should count, from the API server itself."""
    return {pod["metadata"]["name"]: pod["status"]["podIP"] if counts(pod) else None for pod in ns.pods()
            if pod["metadata"]["labels"]["app"] == kubeobjects.DEPLOYMENT}


def counts(pod):
    return bool(pod["status"].get("podIP") and pod["status"]["phase"] == "Running" and kubelet.is_ready(pod)
                and "deletionTimestamp" not in pod["metadata"])


def table(server):
    return {pod["name"]: pod["address"] if pod["counts"] else None for pod in incluster.table(server)["pods"]}


class Checks:
    """Asks without a pause; every answer must be one."""

    def __init__(self, server):
        self._server, self._end, self.n, self.odd = server, threading.Event(), 0, []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._end.is_set():
            got = self._server.check("t", "-")
            self.n += 1
            if got.status != 200 and got.error != "no-pods":
                self.odd.append(str(got))

    def close(self):
        self._end.set()
        self._thread.join()


@tap.limit(180)
def test_a_thousand_changes(t):
    pods, ns = t.cluster(1), incluster.namespace(t)
    seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
    print(f"# SEED={seed}", flush=True)
    changes = Changes(ns, pods.block, seed)
    server = incluster.syncer(t, pods, ns, sync_timeout=50, retries=2, request_deadline=1000)
    checks = t.keep(Checks(server))
    for _ in range(CHANGES):
        changes.one()
    proc.wait_until(lambda: table(server) == cluster(ns), 5, 0.1, why="the table is not the cluster")
    checks.close()
    print(f"# {CHANGES} changes, {checks.n} checks")
    assert checks.n > 10 and not checks.odd, checks.odd[:5]
    assert server.get("/v1/status").json()["workers_crashed"] == 0


if __name__ == "__main__":
    sys.exit(tap.main(kubeserver.missing))
