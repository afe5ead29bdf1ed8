#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What real controllers do to a Deployment, seen by a syncer that is asked all the while: no instant shows an empty table or a
pod that doesn't serve, and no check gets anything but Synced."""
import sys
import threading

from harness import incluster, kubelet, kubeobjects, kubeserver, proc, tap

GRACE_S = 3  # a pod serves so long after its deletion; the list is read more often


class Watched:
    """Asks for the table and for verdicts without a pause, and keeps what must never be."""

    def __init__(self, server, nodes):
        self._server, self._nodes = server, nodes
        self.wrong, self.tables, self.checks, self.may_be_empty = [], 0, 0, False
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=(what,)) for what in (self._table, self._check)]
        for thread in self._threads:
            thread.start()

    def _repeat(self, what):
        link = self._server.connect()
        try:
            while not self._end.wait(0.003):
                what(link)
        except Exception as e:  # a thread has nobody to tell it to
            self.wrong.append(repr(e))
        finally:
            link.close()

    def _table(self, link):
        gone, may_be_empty = set(self._nodes.gone), self.may_be_empty
        now = incluster.counting(self._server, link)
        self.tables += 1
        if gone & set(now):
            self.wrong.append(f"counts and is gone: {gone & set(now)}")
        if not now and not (may_be_empty or self.may_be_empty):
            self.wrong.append("the table is empty")

    def _check(self, link):
        may_be_empty = self.may_be_empty
        got = self._server.check(kubelet.TOKEN, "-", "verbose=1", link=link)
        self.checks += 1
        empty = got.error == "no-pods" and (may_be_empty or self.may_be_empty)
        if got.verdict != "Synced" and not empty:
            self.wrong.append(str(got))

    def close(self):
        self._end.set()
        for thread in self._threads:
            thread.join()


def rollout(t, replicas=4, **config):
    """(ns, nodes, server, watched) once all the pods are there."""
    pods, ns = t.cluster(1), incluster.namespace(t)
    ns.server.start_controllers()
    ns.deploy(replicas, grace_s=GRACE_S)
    nodes = t.keep(kubelet.Kubelet(ns, pods.block, t.certs.issued(pods.host), first=2, grace_s=GRACE_S))
    proc.wait_until(lambda: len(nodes.ready()) == replicas, 60, 0.05, why="the controllers made no pods")
    server = incluster.syncer(t, pods, ns, **{"connection_timeout": 500, **config})
    settled(nodes, server, replicas)
    return ns, nodes, server, t.keep(Watched(server, nodes))


def settled(nodes, server, replicas, revision=None):
    """The cluster has so many pods, all ready, and the table the same."""
    def same():
        ready = nodes.ready(revision)
        return len(ready) == replicas and set(incluster.counting(server)) == ready == set(nodes.serving)
    proc.wait_until(same, 60, 0.05, why="the table is not the cluster")


def verify(watched, nodes):
    watched.close()
    print(f"# {watched.tables} tables, {watched.checks} checks, {len(nodes.gone)} pods have come and gone")
    assert not watched.wrong, watched.wrong[:5]
    assert not nodes.errors, nodes.errors[:5]
    assert watched.tables > 50 and watched.checks > 50


@tap.limit(150)
def test_a_rollout_and_its_undo(t):
    ns, nodes, server, watched = rollout(t)
    first = nodes.ready()
    ns.change(template=kubeobjects.template(2, GRACE_S))
    settled(nodes, server, 4, revision=2)
    assert not first & nodes.ready()
    ns.server.kubectl("rollout", "undo", f"deployment/{kubeobjects.DEPLOYMENT}", "-n", ns.name)
    settled(nodes, server, 4, revision=1)
    verify(watched, nodes)


@tap.limit(150)
def test_to_zero_and_back(t):
    ns, nodes, server, watched = rollout(t, 2)
    ns.change(replicas=5)
    settled(nodes, server, 5)
    ns.change(replicas=1)
    settled(nodes, server, 1)
    watched.may_be_empty = True
    ns.change(replicas=0)
    settled(nodes, server, 0)
    assert server.check(kubelet.TOKEN).error == "no-pods"
    ns.change(replicas=3)
    settled(nodes, server, 3)
    verify(watched, nodes)


@tap.limit(150)
def test_a_deployment_that_is_deleted_and_made_again(t):
    ns, nodes, server, watched = rollout(t, 2)
    watched.close()  # pods whose Deployment is gone are known until there is another list: their checks fail, and should
    since = len(server.log())
    ns.api.delete(ns.apps + f"deployments/{kubeobjects.DEPLOYMENT}")
    server.wait_log("404", "there is no such Deployment", since=since)
    assert len(incluster.counting(server)) == 2
    proc.wait_until(lambda: not ns.pods(), 60, 0.05, why="the pods stay")
    assert server.check(kubelet.TOKEN).verdict == "NotSynced"
    ns.deploy(3, grace_s=GRACE_S)
    settled(nodes, server, 3)
    assert server.check(kubelet.TOKEN).verdict == "Synced"
    assert not watched.wrong, watched.wrong[:5]


@tap.limit(150)
def test_a_rollout_of_the_current_revision_only(t):
    ns, nodes, server, watched = rollout(t, pod_scope="revision")
    ns.change(template=kubeobjects.template(2, GRACE_S))
    settled(nodes, server, 4, revision=2)
    verify(watched, nodes)


if __name__ == "__main__":
    sys.exit(tap.main(kubeserver.missing))
