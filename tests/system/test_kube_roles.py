#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""roles/ on a real kube-apiserver's RBAC: enough, not more than is used, and a verb that is missing is named."""
import copy
import os
import sys

from harness import cluster, incluster, kubeserver, tap

ROLES = os.path.join(cluster.HERE, "..", "..", "..", "roles")
RULES = {("get", "deployments"): "apps", ("list", "replicasets"): "apps", ("list", "pods"): ""}


def manifest(name, namespace):
    with open(os.path.join(ROLES, name)) as f:
        return f.read().replace("namespace: gateways", f"namespace: {namespace}")


def rights(rules):
    return {(verb, group, resource) for rule in rules for verb in rule["verbs"] for group in rule["apiGroups"]
            for resource in rule["resources"]}


def used(ns):
    asked = ns.server.audited(ns.user())
    assert asked and {a.status for a in asked} <= {200, None}, asked  # a watch has none yet
    return {(a.verb, a.group, a.resource) for a in asked}


def seeded(t, **kwargs):
    pods, ns = t.cluster(1), incluster.namespace(t, **kwargs)
    ns.seed(*incluster.addresses(pods, 11, 12))
    return pods, ns


def test_namespaced(t):
    pods, ns = seeded(t, account=None)
    ns.server.kubectl("apply", "-f", "-", text=manifest("namespaced.yaml", ns.name))
    server = incluster.syncer(t, pods, ns)
    incluster.wait_counting(server, incluster.addresses(pods, 11, 12))
    incluster.wait_reads(server)
    allowed = rights(ns.api.get(ns.rbac + "roles/syncer")["rules"])
    assert used(ns) <= allowed, used(ns) - allowed


def test_cluster(t):
    pods, ns = seeded(t, account=None)
    own = incluster.namespace(t, account=None)  # syncer's own
    text = manifest("cluster.yaml", own.name)
    ns.server.kubectl("apply", "-f", "-", text=text)
    try:
        server = incluster.syncer(t, pods, own, namespace=ns.name)
        incluster.wait_counting(server, incluster.addresses(pods, 11, 12))
        incluster.wait_reads(server)
        allowed = rights(ns.api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/syncer")["rules"])
        assert used(own) <= allowed, used(own) - allowed
    finally:
        ns.server.kubectl("delete", "--ignore-not-found", "-f", "-", text=text)


def without(rules, verb, resource):
    kept = copy.deepcopy(rules)
    for rule in kept:
        if resource in rule["resources"]:
            rule["verbs"].remove(verb)
    return [rule for rule in kept if rule["verbs"]]


def test_each_verb_that_is_missing_is_named(t):
    pods, ns = seeded(t, account=None)
    ns.server.kubectl("apply", "-f", "-", text=manifest("namespaced.yaml", ns.name))
    rules = ns.api.get(ns.rbac + "roles/syncer")["rules"]
    server = incluster.syncer(t, pods, ns)
    known = incluster.addresses(pods, 11, 12)
    incluster.wait_counting(server, known)
    for (verb, resource), group in RULES.items():
        since = len(server.log())
        ns.role(without(rules, verb, resource))
        incluster.wait_log(server, "could not be read", "403", f"verb {verb} on resource {resource} of apiGroup", group,
                           since=since)
        assert sorted(incluster.counting(server).values()) == known
        since = len(server.log())
        ns.role(rules)
        incluster.wait_log(server, "can be read again", since=since)


def test_no_rights_at_all(t):
    pods, ns = seeded(t, rules=[])
    server = incluster.syncer(t, pods, ns, ready=False)
    incluster.wait_log(server, "verb get on resource deployments of apiGroup", "apps")
    assert server.check("t").error == "no-pod-list" and server.get("/readyz").status == 503


if __name__ == "__main__":
    sys.exit(tap.main(kubeserver.missing))
