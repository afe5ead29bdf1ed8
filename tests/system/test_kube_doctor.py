#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""syncerctl doctor on a real kube-apiserver's RBAC: the verb that a Role lacks is named, by the running server and by doctor's
own questions, and a Role as in roles/ is well."""
import sys

from harness import ctl, incluster, kubeobjects, kubeserver, tap
from harness.ctl import doctor, expect


def start(t, rules):
    pods, ns = t.cluster(1), incluster.namespace(t, rules=rules)
    ns.seed(*incluster.addresses(pods, 11, 12))
    return incluster.syncer(t, pods, ns, ready=False)


def test_a_verb_that_is_missing(t):
    server = start(t, [{**rule, "verbs": [v for v in rule["verbs"] if not ("pods" in rule["resources"] and v == "list")]}
                       for rule in kubeobjects.READ_ALL])
    ctl.wait_status(server, lambda s: s["table"]["error"])
    expect(doctor("--url", server.url), "bad", "source", "verb list on resource pods", "cannot list resource")
    found = doctor("-c", server.config_path, **server.env)
    expect(found, "bad", "own list", "verb list on resource pods", "cannot list resource")
    expect(found, "bad", "own rights", 'verb list on resource pods of apiGroup ""')
    expect(found, "ok", "own rights", "get deployments, watch deployments, list replicasets, watch replicasets, watch pods")


def test_all_rights(t):
    server = start(t, kubeobjects.READ_ALL)
    ctl.wait_status(server, lambda s: s["table"]["counting"] == 2 and s["watch"] == "on")
    found = doctor("-c", server.config_path, **server.env)
    expect(found, "ok", "source", "read ")
    expect(found, "ok", "watch", "on")
    expect(found, "ok", "own rights", "may get deployments, watch deployments, list replicasets, watch replicasets, list pods, watch pods")
    expect(found, "ok", "own list", "can be read")
    expect(found, "ok", "own list", "2 of 2 pods count")


if __name__ == "__main__":
    sys.exit(tap.main(kubeserver.missing))
