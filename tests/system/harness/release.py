# SPDX-License-Identifier: MIT
"""A release of the chart on a real kube-apiserver: gateways that log users in and ask its Service, and users who do. syncer and
the gateways' nginx are processes that stand in for containers."""
import os
import random
import threading
import time

from . import cluster, gateway, helm, incluster, kubeserver, node, proc

RELEASE, SERVICE = "ng-apigw-syncer", 250


def missing():
    return kubeserver.missing() or helm.missing()


def programs():
    syncer = os.environ.get("SYNCER") or "syncer"
    return {"syncer": syncer, "syncerctl": os.path.join(os.path.dirname(syncer), "syncerctl")}


class Place:
    """A namespace with gateways that log users in and ask the Service of the release."""

    def __init__(self, t, n=4):
        self._block = block = t.keep(proc.Block())
        self.service_address = block.address(SERVICE)
        wiring = gateway.wiring(t.folder, f"{self.service_address}:8080")
        # Who stored the token is known by its address, from which it also asks.
        plain = wiring["locations"]
        wiring["locations"] = lambda name: "proxy_bind $server_addr;\n" + plain("$server_addr")
        self.gateways = t.keep(cluster.Cluster(t.folder, t.certs, block, n, tick_ms=200, **wiring)).start()
        self.ns = incluster.namespace(t, account=None)
        self.ns.server.start_controllers()
        self.service = t.keep(node.Service(self.service_address))
        self.node = t.keep(node.Node(self.ns, block, [pod.address for pod in self.gateways], programs(), t, {
            f"{RELEASE}.{self.ns.name}.svc": self.service_address}))
        self.ns.deploy(n)
        with open(t.certs.ca) as f:
            self.ca = f.read()
        self.values = {"config": {"deployment": "gateway", "host": self.gateways.host, "path": self.gateways.path}}

    def provide_ca(self):
        self.ns.api.post(self.ns.core + "configmaps", {"metadata": {"name": "company-ca"}, "data": {"ca.crt": self.ca}})
        self.values["gatewayCA"] = {"configMap": "company-ca"}

    def helm(self, program, verb, *args, wait=True):
        """install or upgrade with the values."""
        done = program.on_chart([verb, RELEASE], "-n", self.ns.name, *(["--wait", "--timeout=90s"] if wait else []), *args,
                                values=self.values, kubeconfig=self.ns.server.kubeconfig, seconds=120)
        self.service.serve(self.node, self.ns.api.get(self.ns.core + f"services/{RELEASE}"))
        return done

    def serving(self):
        return self.node.endpoints(self.ns.api.get(self.ns.core + f"services/{RELEASE}")["spec"]["selector"], 0)

    def wait_serving(self, n):
        """The node hears of it a little later than helm."""
        proc.wait_until(lambda: len(self.serving()) == n, 30, 0.05, why=f"no {n} pods serve")

    def syncers(self):
        return {c.name for c in self.node.containers()}

    def verify(self):
        assert not self.node.errors, self.node.errors[:3]
        for container in [*self.node.containers(), *self.node.past]:
            if isinstance(container, node.Container):
                assert not container.killed, f"{container.name} was killed"
                assert "proc=master level=error" not in container.log()


class Users:
    """Log in again and again at any gateway, and go to all the others at once; keeps what must never be."""

    def __init__(self, gateways, n=4):
        self._gateways, self.logins, self.wrong, self._end = gateways, 0, [], threading.Event()
        self._threads = [threading.Thread(target=self._repeat) for _ in range(n)]
        for thread in self._threads:
            thread.start()

    def _repeat(self):
        while not self._end.is_set():
            try:
                self._one()
            except Exception as e:  # a thread has nobody to tell it to
                self.wrong.append(repr(e))

    def _one(self):
        user, start = gateway.User(self._gateways), time.monotonic()
        status, headers, _ = user.get(random.choice(self._gateways.pods), "/login")
        took = time.monotonic() - start
        pages = [user.get(pod, "/page")[0] for pod in self._gateways]
        self.logins += 1
        if (status, headers.get("x-token-status")) != (303, "Synced") or set(pages) != {200}:
            self.wrong.append(f"{status} {headers.get('x-token-status')} after {took:.2f} s, then {pages}")

    def wait(self, n):
        """Until so many more have logged in."""
        target = self.logins + n
        proc.wait_until(lambda: self.logins >= target or self.wrong, 60, 0.05, why="nobody logs in")

    def close(self):
        self._end.set()
        for thread in self._threads:
            thread.join()
