# SPDX-License-Identifier: MIT
"""syncer as it runs in a pod of a real cluster, and what its table says."""
import itertools

from . import kubeobjects, kubeserver, proc

_numbers = itertools.count(1)


def namespace(t, account="syncer", rules=kubeobjects.READ_ALL):
    """A namespace of its own with an account that may do what `rules` say, or none."""
    made = t.keep(kubeobjects.Namespace(kubeserver.shared(), f"gateways-{next(_numbers)}"))
    if account:
        made.account(account)
        made.role(rules, account)
    return made


def addresses(pods, *numbers):
    return [pods.block.address(n) for n in numbers]


def syncer(t, pods, ns, /, mount=None, at=None, ready=True, **config):
    """`at`: (host, port) under which the API server is known, if not its own."""
    mount = mount or ns.mount()
    host, port = at or (ns.server.address, ns.server.port)
    made = t.syncer(pods, start=False, **{
        "pods": "kubernetes", "static": None, "deployment": kubeobjects.DEPLOYMENT, "serviceaccount_dir": mount.folder,
        "scrape_interval": 1000, "connection_timeout": 100, **config})
    made.env = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
    return made.start(ready)


def asked(ns, verb, resource, account="syncer"):
    """How often."""
    return sum((a.verb, a.resource) == (verb, resource) for a in ns.server.audited(ns.user(account)))


def table(server, link=None):
    return server.request("GET", "/v1/pods", link=link).json()


def counting(server, link=None):
    """Name and address of the pods that count."""
    return {pod["name"]: pod["address"] for pod in table(server, link)["pods"] if pod["counts"]}


def wait_counting(server, expected, seconds=10.0):
    """Until exactly these addresses count."""
    proc.wait_until(lambda: sorted(counting(server).values()) == sorted(expected), seconds,
                    why=f"{sorted(expected)} should count")


def reads(server, result="ok"):
    return server.get("/v1/status").json()["table"][f"reads_{result}"]


def wait_reads(server, n=2, result="ok", seconds=15.0):
    """Until so many more reads have come to their end: what the cluster was before is known by then."""
    before = reads(server, result)
    proc.wait_until(lambda: reads(server, result) >= before + n, seconds, why=f"no {n} more reads are {result}")
