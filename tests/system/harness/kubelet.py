# SPDX-License-Identifier: MIT
"""Scheduler and kubelet in one, for the pods of a namespace: binds each to a node, gives it an address, and something that
really listens there before it is called ready and until its time to end is over."""
import http.client
import threading
import time

from . import fakepod, kubeobjects, kubeserver

TOKEN = "known-everywhere"
_YES, _NO = fakepod.answer(200), fakepod.answer(401)


def gateway(link):
    """Knows one token, as a pod does whose zone is in step."""
    while link.request():
        link.send(_YES if f"auth_token={TOKEN}".encode() in link.head else _NO)


def is_ready(pod):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


class Kubelet:
    """Addresses from the block's `first` on, each used once. `start_s`: from the address to ready; `grace_s`: from the deletion to the end, during which it serves. `gone` has the
    names of the pods that serve no more."""

    def __init__(self, namespace, block, certificate, first=1, start_s=0.2, grace_s=1.0):
        self._namespace, self._block, self._certificate = namespace, block, certificate
        self.start_s, self.grace_s = start_s, grace_s
        self.serving, self.gone, self.errors = {}, set(), []
        self._since, self._next, self._closing = {}, first, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._closing.wait(0.05):
            try:
                for pod in self._namespace.pods():
                    self._look(pod)
            except (OSError, http.client.HTTPException, kubeserver.ApiError) as e:
                if not isinstance(e, kubeserver.ApiError) or e.status not in (404, 409):
                    self.errors.append(str(e))

    def _look(self, pod):
        name, state = pod["metadata"]["name"], pod["status"]
        if "deletionTimestamp" in pod["metadata"]:
            self._end(name)
        elif not pod["spec"].get("nodeName"):
            self._namespace.api.post(self._namespace.core + f"pods/{name}/binding", {
                "metadata": {"name": name}, "target": {"kind": "Node", "name": "node-1"}})
        elif not state.get("podIP"):
            self._begin(name)
        elif not is_ready(pod) and time.monotonic() - self._since[name] >= self.start_s:
            self._namespace.report(name, state["podIP"])

    def _begin(self, name):
        address = self._block.address(self._next)
        self._next += 1
        self.serving[name] = fakepod.FakePod(name, address, self._block.port, gateway, self._certificate)
        self._since[name] = time.monotonic()
        self._namespace.report(name, address, ready=False)

    def _end(self, name):
        since = self._since.setdefault(name + " ends", time.monotonic())
        if time.monotonic() - since < self.grace_s:
            return
        self._stop(name)
        self._namespace.delete_pod(name)

    def _stop(self, name):
        self.gone.add(name)
        if name in self.serving:
            self.serving.pop(name).close()

    def ready(self, revision=None):
        """Names of the pods that are ready and stay, by the API server; of all revisions, or all must be of this one."""
        stay = [pod for pod in self._namespace.pods() if "deletionTimestamp" not in pod["metadata"]]
        if revision and {pod["spec"]["containers"][0]["image"] for pod in stay} != {kubeobjects.image(revision)}:
            return set()
        return {pod["metadata"]["name"] for pod in stay if is_ready(pod)}

    def close(self):
        self._closing.set()
        self._thread.join()
        for name in list(self.serving):
            self._stop(name)
