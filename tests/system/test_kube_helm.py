#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The chart on a real kube-apiserver with its controllers, installed by helm 3 and 4; syncer and the gateways' nginx are
processes that stand in for containers. Among others: a rolling update under load, and not one login that fails."""
import json
import re
import sys

from harness import helm, incluster, kubeserver, node, proc, release, tap
from harness.release import RELEASE, Place, Users

CRD = "apiextensions.k8s.io/v1"
MONITORING = {"ServiceMonitor": "servicemonitors", "PrometheusRule": "prometheusrules"}
# The Role of the chart, by what it lets the account do.
RIGHTS = {("get", "apps", "deployments"), ("watch", "apps", "deployments"), ("list", "apps", "replicasets"),
          ("watch", "apps", "replicasets"), ("list", "", "pods"), ("watch", "", "pods")}


def define_monitoring(server):
    """The kinds of the Prometheus operator, whose own definitions are not to be had here: any content is good."""
    for kind, plural in MONITORING.items():
        server.kubectl("apply", "-f", "-", text=json.dumps({
            "apiVersion": CRD, "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.monitoring.coreos.com"},
            "spec": {"group": "monitoring.coreos.com", "scope": "Namespaced", "names": {"kind": kind, "plural": plural}, "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}))
    proc.wait_until(lambda: "servicemonitors" in server.kubectl("api-resources", "-o", "name"), why="the CRDs are not served")


def for_both(function):
    """A test of each helm: test_FUNCTION_by_helm_3 and _4, with the program as its second argument."""
    def made(major):
        @tap.limit(180)
        def test(t):
            found = [program for program in helm.each() if program.major == major]
            if not found:
                raise tap.Skip(f"no helm {major} in {helm.FOLDER}")
            function(t, found[0])
        return test
    for major in ("3", "4"):
        globals()[f"test_{function.__name__}_by_helm_{major}"] = made(major)
    return function


def create_dry(ns, text):
    return ns.server.kubectl("create", "-n", ns.name, "--dry-run=server", "--validate=true", "-f", "-", text=text)


def test_what_is_rendered_is_valid(t):
    """By the server's own schema, unknown fields included, and by what it checks besides."""
    server = kubeserver.shared()
    define_monitoring(server)
    ns = incluster.namespace(t, account=None)
    options = ("ocp4=true", "autoscaling.enabled=true", "config.pods=dns,config.service=gw", "image.digest=sha256:" + "0" * 64)
    program, objects = helm.each()[-1], set()  # all render the same: test_helm.py
    for path in helm.values_files():
        for more in options:
            text = program.on_chart(["template", RELEASE], "-n", ns.name, "--kube-version=1.20.2", "--set", more,
                                    "--set", f"config.namespace={ns.name}", values=path)
            objects.update(part for part in re.split("^---$", text, flags=re.M) if "kind:" in part)
    done = create_dry(ns, "\n---\n".join(objects))
    assert done.count("created (server dry run)") == len(done.splitlines()) == len(objects) > 30, done
    try:
        create_dry(ns, next(o for o in objects if "enableServiceLinks" in o).replace("enableServiceLinks", "enableServiceLink"))
    except RuntimeError as e:
        assert "unknown field" in str(e)
    else:
        raise AssertionError("an unknown field is accepted")


@for_both
def install_use_and_uninstall(t, program):
    place = Place(t)
    place.provide_ca()
    said = place.helm(program, "install")
    assert f"server {RELEASE}.{place.ns.name}.svc:8080;" in said
    place.wait_serving(2)
    users = t.keep(Users(place.gateways, 2))
    users.wait(6)
    users.close()
    assert not users.wrong, users.wrong[:3]
    verify_rights(place)
    place.verify()
    program.run("uninstall", RELEASE, "-n", place.ns.name, "--wait", "--timeout=60s", kubeconfig=place.ns.server.kubeconfig,
                seconds=90)
    proc.wait_until(lambda: not place.syncers(), 60, 0.05, why="pods stay")
    kinds = "deployment,service,configmap,serviceaccount,role,rolebinding,networkpolicy,poddisruptionbudget"
    left = place.ns.server.kubectl("get", kinds, "-n", place.ns.name, "-o", "name", "-l", f"app.kubernetes.io/instance={RELEASE}")
    assert not left, left


def verify_rights(place):
    """Everything that the Role allows is used, and nothing else tried."""
    server, user = place.ns.server, place.ns.user(RELEASE)
    proc.wait_until(lambda: {(a.verb, a.group, a.resource) for a in server.audited(user)} == RIGHTS, 15, 0.1,
                    why="the Role has more than is used")
    refused = [a for a in server.audited(user) if a.status not in (200, None)]
    assert not refused, refused


@for_both
def a_rolling_update_fails_no_login(t, program):
    place = Place(t)
    place.provide_ca()
    place.helm(program, "install")
    old = place.syncers()
    users = t.keep(Users(place.gateways))
    users.wait(20)
    before = users.logins
    place.helm(program, "upgrade", "--set", "podAnnotations.turn=second")
    proc.wait_until(lambda: not old & place.syncers() and len(place.serving()) == 2, 60, 0.05, why="the old pods stay")
    during = users.logins - before
    users.wait(20)
    users.close()
    assert not users.wrong, (len(users.wrong), users.wrong[:5])
    ends = [c.process.returncode for c in place.node.past if isinstance(c, node.Container)]
    assert ends == [0, 0] and during > 20, (ends, during)
    assert place.service.turned_away == 0
    place.verify()
    print(f"# helm {program.major}: {users.logins} logins, {during} of them during the update")


@for_both
def a_changed_value_is_taken_without_a_restart(t, program):
    place = Place(t)
    place.provide_ca()
    place.helm(program, "install")
    containers = place.node.containers()
    pods = {c.name: c.process.pid for c in containers}
    place.helm(program, "upgrade", "--set", "config.retries=12")
    for container in containers:
        proc.wait_until(lambda c=container: json.loads(c.get("/v1/status")[1])["reloads_ok"] == 1, 30, 0.05,
                        why="the new configuration is not in force")
    assert {c.name: c.process.pid for c in place.node.containers()} == pods
    place.verify()


@for_both
def the_service_ca_of_openshift(t, program):
    """The pods wait for the CA, which comes in its own time."""
    place = Place(t)
    place.helm(program, "install", "--set", "ocp4=true", wait=False)
    name = place.ns.core + f"configmaps/{RELEASE}-service-ca"
    assert place.ns.api.get(name)["metadata"]["annotations"]["service.beta.openshift.io/inject-cabundle"] == "true"
    assert not place.syncers()
    place.ns.api.patch(name, {"data": {"service-ca.crt": place.ca}})
    proc.wait_until(lambda: len(place.serving()) == 2, 60, 0.05, why="the pods do not become ready")
    users = t.keep(Users(place.gateways, 1))
    users.wait(3)
    users.close()
    assert not users.wrong, users.wrong[:3]
    place.helm(program, "upgrade", "--set", "ocp4=true", "--set", "config.retries=12")
    assert place.ns.api.get(name)["data"] == {"service-ca.crt": place.ca}, "an upgrade takes the CA away"
    place.verify()


@for_both
def helm_test(t, program):
    place = Place(t)
    place.provide_ca()
    place.helm(program, "install")
    said = program.run("test", RELEASE, "-n", place.ns.name, "--timeout=60s", kubeconfig=place.ns.server.kubeconfig, seconds=90)
    assert "Succeeded" in said, said
    place.verify()


if __name__ == "__main__":
    sys.exit(tap.main(release.missing))
