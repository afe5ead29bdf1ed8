#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""roles/ on a real kube-apiserver's RBAC: enough, not more than is used, and a verb that is missing is named."""
import copy
import os
import sys

from harness import cluster, incluster, kubeserver, proc, tap

ROLES = os.path.join(cluster.HERE, "..", "..", "..", "roles")
READING = {("get", "deployments"): "apps", ("list", "replicasets"): "apps", ("list", "pods"): ""}
WATCHING = {"deployments": "apps", "replicasets": "apps", "pods": ""}


def manifest(name, namespace):
    with open(os.path.join(ROLES, name)) as f:
        return f.read().replace("namespace: gateways", f"namespace: {namespace}")


def rights(rules):
    return {(verb, group, resource) for rule in rules for verb in rule["verbs"] for group in rule["apiGroups"]
            for resource in rule["resources"]}


def wait_used(ns, allowed):
    """Until everything that is allowed has been made use of, and nothing else was tried."""
    def used():
        asked = ns.server.audited(ns.user())
        return {(a.verb, a.group, a.resource) for a in asked if a.status in (200, None)}  # a watch has none yet
    proc.wait_until(lambda: used() == allowed, 10, 0.1, why="the Role has more than is used")
    refused = [a for a in ns.server.audited(ns.user()) if a.status not in (200, None)]
    assert not refused, refused


def seeded(t, **kwargs):
    pods, ns = t.cluster(1), incluster.namespace(t, **kwargs)
    ns.seed(*incluster.addresses(pods, 11, 12))
    return pods, ns


def test_namespaced(t):
    pods, ns = seeded(t, account=None)
    ns.server.kubectl("apply", "-f", "-", text=manifest("namespaced.yaml", ns.name))
    server = incluster.syncer(t, pods, ns)
    incluster.wait_counting(server, incluster.addresses(pods, 11, 12))
    allowed = rights(ns.api.get(ns.rbac + "roles/syncer")["rules"])
    wait_used(ns, allowed)


def test_cluster(t):
    pods, ns = seeded(t, account=None)
    own = incluster.namespace(t, account=None)  # syncer's own
    text = manifest("cluster.yaml", own.name)
    ns.server.kubectl("apply", "-f", "-", text=text)
    try:
        server = incluster.syncer(t, pods, own, namespace=ns.name)
        incluster.wait_counting(server, incluster.addresses(pods, 11, 12))
        wait_used(own, rights(ns.api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/syncer")["rules"]))
    finally:
        ns.server.kubectl("delete", "--ignore-not-found", "-f", "-", text=text)


def test_endpointslices(t):
    """The server is older than discovery.k8s.io/v1: being let in shows by the 404."""
    pods, ns = t.cluster(1), incluster.namespace(t, account=None)
    text = manifest("endpointslices.yaml", ns.name)
    ns.server.kubectl("apply", "-f", "-", text=text)
    server = incluster.syncer(t, pods, ns, ready=False, pods="endpointslices", service="gateway", deployment=None)
    server.wait_log("404", "discovery.k8s.io/v1 came with Kubernetes 1.21")
    since = len(server.log())
    ns.role([])
    server.wait_log("verb list on resource endpointslices of apiGroup", "discovery.k8s.io", since=since)


def without(rules, verb, *resources):
    kept = copy.deepcopy(rules)
    for rule in kept:
        if set(resources) & set(rule["resources"]):
            rule["verbs"].remove(verb)
    return [rule for rule in kept if rule["verbs"]]


def test_each_verb_that_is_missing_is_named(t):
    pods, ns = seeded(t, account=None)
    ns.server.kubectl("apply", "-f", "-", text=manifest("namespaced.yaml", ns.name))
    rules = ns.api.get(ns.rbac + "roles/syncer")["rules"]
    server = incluster.syncer(t, pods, ns)
    known = incluster.addresses(pods, 11, 12)
    incluster.wait_counting(server, known)
    for (verb, resource), group in READING.items():
        since = len(server.log())
        ns.role(without(rules, verb, resource))
        server.wait_log("could not be read", "403", f"verb {verb} on resource {resource} of apiGroup", group,
                        since=since)
        assert sorted(incluster.counting(server).values()) == known
        since = len(server.log())
        ns.role(rules)
        server.wait_log("can be read again", since=since)


def test_each_watch_that_is_not_allowed_is_named(t):
    pods, ns = seeded(t, account=None)
    ns.server.kubectl("apply", "-f", "-", text=manifest("namespaced.yaml", ns.name))
    rules = ns.api.get(ns.rbac + "roles/syncer")["rules"]
    ns.role(without(rules, "watch", *WATCHING))
    server = incluster.syncer(t, pods, ns)
    for resource, group in WATCHING.items():
        server.wait_log("can't be watched", f"verb watch on resource {resource} of apiGroup", group)
    ns.pod("q1", pods.block.address(13))
    incluster.wait_counting(server, incluster.addresses(pods, 11, 12, 13))
    assert incluster.reads(server, "failed") == 0


def test_no_rights_at_all(t):
    pods, ns = seeded(t, rules=[])
    server = incluster.syncer(t, pods, ns, ready=False)
    server.wait_log("verb get on resource deployments of apiGroup", "apps")
    assert server.check("t").error == "no-pod-list" and server.get("/readyz").status == 503


if __name__ == "__main__":
    sys.exit(tap.main(kubeserver.missing))
