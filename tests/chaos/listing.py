# SPDX-License-Identifier: MIT
"""Which pods there are, as the API server tells it, and what syncer is known to know of them.

A pod surely counts from the moment at which an answer of /v1/pods, asked for after the pod was listed, has shown it to count,
until the moment before the API server first tells otherwise: the table is one, and never goes back. Whatever lies between two
states proves nothing."""
import threading

import facts

COUNTS = {"ready": True, "unready": False, "terminating": False}


class Identity:
    """A pod by name and address. Names are never used again; addresses are."""

    def __init__(self, name, server, born):
        self.name, self.server, self.born = name, server, born
        self.state, self.changed, self.gone = "ready", born, None
        self.settled = True  # what /v1/pods shows belongs to the last change, not to one before it
        self.sure = facts.Track(None)  # "counts" where that is certain

    @property
    def address(self):
        return self.server.address


class Listing:
    """The pods of a harness.kube.Kube. `tell`: its watches are told of a change."""

    def __init__(self, kube):
        self.kube, self.identities, self.dumps = kube, [], 0
        self._known, self._lock, self._numbers = {}, threading.Lock(), 0

    # ---- what the world does ----

    def add(self, server, tell=True):
        """A new pod at the server's address."""
        with self._lock:
            self._numbers += 1
            identity = Identity(f"gw-{self._numbers}", server, facts.now())
            self.identities.append(identity)
            self._known[identity.name] = identity
            self.kube.put("pods", self.kube.pod(identity.name, server.address), tell)
            return identity

    def change(self, identity, state, tell=True):
        """Another state. It proves something again only if the one before had been seen."""
        with self._lock:
            seen = identity.sure.at(facts.now()) == ("counts" if COUNTS[identity.state] else "counts not")
            identity.settled = identity.settled and seen
            identity.sure.set(facts.now(), None)
            self.kube.put("pods", self.kube.pod(identity.name, identity.address, state), tell)
            identity.state, identity.changed = state, facts.now()

    def remove(self, identity, tell=True):
        with self._lock:
            identity.sure.set(facts.now(), None)
            self.kube.delete("pods", f"uid-{identity.name}", tell)
            self.identities.remove(identity)
            identity.gone = facts.now()

    # ---- what the observer asks ----

    def current(self):
        with self._lock:
            return list(self.identities)

    def counting(self):
        return [i for i in self.current() if COUNTS[i.state]]

    def find(self, name):
        return self._known.get(name)

    def surely_counting(self, begin, end):
        """Those that were in the table and counted at any moment from `begin` to `end`."""
        with self._lock:
            return [i for i in self._known.values() if i.sure.always(begin, end, "counts")]

    def settle(self):
        """The caller knows that no news is under way."""
        with self._lock:
            for identity in self.identities:
                identity.settled = True

    def forget(self, before):
        with self._lock:
            for name in [n for n, i in self._known.items() if i.gone and i.gone < before]:
                del self._known[name]
            for identity in self._known.values():
                identity.sure.forget(before)

    # ---- what syncer says ----

    def learn(self, asked, got, pods):
        """An answer of /v1/pods: what is wrong with it, as texts."""
        wrong, shown = [], {pod["name"]: pod for pod in pods}
        with self._lock:
            self.dumps += 1
            for name, identity in self._known.items():
                pod = shown.get(name)
                if identity.sure.always(asked, got, "counts") and not (pod and pod["counts"]):
                    wrong.append(f"{name} counts: the table " + (f"says {pod['state']}" if pod else "has it not"))
                elif identity.gone is None and identity.changed < asked and identity.settled and pod and \
                        pod["counts"] == COUNTS[identity.state]:
                    if identity.sure.at(got) is None:
                        identity.sure.set(got, "counts" if pod["counts"] else "counts not")
            for name, pod in shown.items():
                identity = self._known.get(name)
                if identity and pod["address"] != identity.address:
                    wrong.append(f"{name} is at {identity.address}: the table says {pod['address']}")
        return wrong
