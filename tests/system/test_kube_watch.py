#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The watch between two lists, on a real kube-apiserver. The lists are ten minutes apart: what the table learns in between, it has
from the watch."""
import sys
import time

from harness import incluster, kubeserver, proc, relay, tap

SLOW = {"scrape_interval": 600000}
SOON_S = 1.0


def lists(ns):
    return incluster.asked(ns, "list", "pods")


def watches(ns):
    return incluster.asked(ns, "watch", "pods")


def watching(t, *numbers, through=False, **config):
    """(pods, ns, names, server, relay) once the watch of the pods is under way."""
    pods, ns = t.cluster(1), incluster.namespace(t)
    names = ns.seed(*incluster.addresses(pods, *numbers))
    passage = t.keep(relay.Relay("127.0.0.1", (ns.server.address, ns.server.port))) if through else None
    server = incluster.syncer(t, pods, ns, at=("localhost", passage.port) if through else None, **{**SLOW, **config})
    proc.wait_until(lambda: watches(ns), 5, why="there is no watch")
    incluster.wait_counting(server, incluster.addresses(pods, *numbers))
    return pods, ns, names, server, passage


def soon(server, pods, *numbers, seconds=SOON_S):
    """ms until exactly these count."""
    began = time.monotonic()
    incluster.wait_counting(server, incluster.addresses(pods, *numbers), seconds)
    return (time.monotonic() - began) * 1000


def test_a_new_pod_is_known_within_a_second(t):
    pods, ns, _, server, _ = watching(t, 11)
    took, before = [], lists(ns)
    for i in range(12, 32):
        ns.pod(f"q{i}", pods.block.address(i))
        took.append(soon(server, pods, *range(11, i + 1)))
    assert lists(ns) == before, "it was listed, not watched"
    took.sort()
    print(f"# known after {took[len(took) // 2]:.0f} ms at the median, {took[-1]:.0f} ms at most")


def test_every_change_is_known_within_a_second(t):
    pods, ns, names, server, _ = watching(t, 11, 12, 13)
    before = lists(ns)
    ns.report(names[0], pods.block.address(14))
    soon(server, pods, 14, 12, 13)
    ns.report(names[1], pods.block.address(12), ready=False)
    soon(server, pods, 14, 13)
    ns.label(names[2], app="something-else")  # comes as DELETED, with the labels of before
    soon(server, pods, 14)
    ns.label(names[2], app="gateway")
    soon(server, pods, 13, 14)
    ns.report(names[1], pods.block.address(12))
    soon(server, pods, 12, 13, 14)
    ns.delete_pod(names[1], grace_s=30)
    soon(server, pods, 13, 14)
    ns.delete_pod(names[1])
    ns.delete_pod(names[0])
    soon(server, pods, 13)
    assert lists(ns) == before


def test_a_watch_that_is_cut_goes_on_where_it_was(t):
    pods, ns, names, server, passage = watching(t, 11, 12, through=True)
    before, begun = lists(ns), watches(ns)
    passage.cut()
    ns.delete_pod(names[0])
    ns.pod("q1", pods.block.address(14))
    soon(server, pods, 12, 14, seconds=5)
    assert lists(ns) == before and watches(ns) > begun, (lists(ns), before, watches(ns), begun)


@tap.limit(180)
def test_a_server_that_has_forgotten_the_version_is_listed_again(t):
    pods, ns, names, server, passage = watching(t, 11, 12, through=True)
    before = lists(ns)
    passage.shut = True
    passage.cut()
    ns.delete_pod(names[0])
    ns.pod("q1", pods.block.address(14))
    ns.server.kill_apiserver()
    ns.server.compact()
    ns.server.start_apiserver()
    passage.shut = False
    soon(server, pods, 12, 14, seconds=5)
    proc.wait_until(lambda: lists(ns) > before, 5, why="no list")
    ns.pod("q2", pods.block.address(15))
    soon(server, pods, 12, 14, 15)


def test_without_the_right_to_watch_it_polls_and_says_so_once(t):
    rules = [{"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["get", "list"]},
             {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    pods, ns = t.cluster(1), incluster.namespace(t, rules=rules)
    ns.seed(*incluster.addresses(pods, 11, 12))
    server = incluster.syncer(t, pods, ns, scrape_interval=1000)
    server.wait_log("watch", "forbidden")
    ns.pod("q1", pods.block.address(13))
    incluster.wait_counting(server, incluster.addresses(pods, 11, 12, 13))
    incluster.wait_reads(server, 4)
    said = [line for line in server.log().splitlines() if "watch" in line and "forbidden" in line]
    assert len(said) == 3 and all(any(f"what={what}" in line for line in said) for what in (
        "deployments", "replicasets", "pods")), said
    assert server.get("/v1/status").json()["watch"] != "on"
    assert incluster.reads(server, "failed") == 0


if __name__ == "__main__":
    sys.exit(tap.main(kubeserver.missing))
