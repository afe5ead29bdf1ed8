#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real kube-apiserver by a kubeconfig: certificates and tokens, as files and inline."""
import base64
import json
import os
import sys

from harness import incluster, kubeserver, relay, tap


def kubeconfig(ns, user, cluster):
    """One context, in the test's own namespace. JSON is YAML."""
    return {"apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": ns.name}}],
            "clusters": [{"name": "k", "cluster": {"server": ns.server.url, **cluster}}],
            "users": [{"name": "u", "user": user}]}


def inline(path):
    with open(path, "rb") as f:
        return base64.b64encode(f.read()).decode()


class Way:
    """A namespace with a pod, and a syncer that will know the API server by a kubeconfig alone."""

    def __init__(self, t):
        self.t, self.pods, self.ns = t, t.cluster(1), incluster.namespace(t)
        self.ns.seed(self.pods.block.address(11))
        self.ca = {"certificate-authority": self.ns.server.certs.ca}
        self.path = os.path.join(t.folder, "kubeconfig")

    def write(self, user, cluster):
        with open(self.path, "w") as f:
            json.dump(kubeconfig(self.ns, user, cluster), f)

    def start(self, env=None, **config):
        server = self.t.syncer(self.pods, start=False, **{
            "pods": "kubernetes", "static": None, "deployment": "gateway", "scrape_interval": 1000, **config})
        server.env = env or {}
        server.start()
        incluster.wait_counting(server, [self.pods.block.address(11)])
        return server


def test_the_admin_by_certificate(t):
    way = Way(t)
    way.start(kubeconfig=way.ns.server.kubeconfig, namespace=way.ns.name)


def test_from_the_environment_with_everything_inline(t):
    way = Way(t)
    cert, key = way.ns.server.admin
    way.write({"client-certificate-data": inline(cert), "client-key-data": inline(key)},
              {"certificate-authority-data": inline(way.ns.server.certs.ca)})
    way.start(env={"KUBECONFIG": way.path})


def test_a_token_and_another_name(t):
    way = Way(t)
    through = t.keep(relay.Relay(way.pods.block.address(200), (way.ns.server.address, way.ns.server.port)))
    way.write({"token": way.ns.token()}, {**way.ca, "server": f"https://{through.address}:{through.port}",
                                         "tls-server-name": "kubernetes.default.svc"})
    way.start(kubeconfig=way.path)
    assert {asked.status for asked in way.ns.server.audited(way.ns.user())} <= {200, None}


def test_a_file_with_a_token_that_changes(t):
    way = Way(t)
    token = os.path.join(t.folder, "token")

    def write(text):
        with open(token + ".new", "w") as f:
            f.write(text + "\n")
        os.rename(token + ".new", token)
    write(way.ns.secret_token("old"))
    way.write({"tokenFile": token}, way.ca)
    server = way.start(kubeconfig=way.path)
    way.ns.revoke("old")
    server.wait_log("could not be read", "401")
    write(way.ns.token())
    server.wait_log("can be read again")


def test_without_verification(t):
    way = Way(t)
    through = t.keep(relay.Relay(way.pods.block.address(200), (way.ns.server.address, way.ns.server.port)))
    way.write({"token": way.ns.token()}, {"server": f"https://{through.address}:{through.port}",
                                         "insecure-skip-tls-verify": True})
    way.start(kubeconfig=way.path)


if __name__ == "__main__":
    sys.exit(tap.main(kubeserver.missing))
