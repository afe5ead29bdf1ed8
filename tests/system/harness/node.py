# SPDX-License-Identifier: MIT
"""A node whose containers are processes: scheduler and kubelet for the pods of a namespace, and kube-proxy for a Service. What
a pod's container is told (command, files of ConfigMaps, account, probes, time to end) comes from the API server; what can't be
so on one machine is told by variables: own loopback addresses, and where the files are."""
import http.client
import os
import random
import signal
import socket
import subprocess
import threading
import time

from . import kubelet, kubeobjects, kubeserver, proc, relay

ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
TLS_CA = "/etc/syncer-ca/ca.crt"


class Waits(Exception):
    """What the container needs is not there yet."""


class Gateway:
    """A pod whose nginx runs already."""

    def ready(self):
        return True

    def refresh(self):
        pass

    def terminate(self):
        pass

    def ended(self):
        return True


class Container:
    """The one container of a pod, at `address`. `programs`: where those of the image are; `hosts`: what stands for a name."""

    def __init__(self, namespace, pod, address, test, programs, hosts):
        self._namespace, self.pod, self.address = namespace, pod, address
        self.name, self._spec = pod["metadata"]["name"], pod["spec"]
        self._container = self._spec["containers"][0]
        self._volumes = {v["name"]: v for v in self._spec.get("volumes", []) if "configMap" in v}
        read = {name: self._read(v["configMap"]) for name, v in self._volumes.items()}
        self._mounts = {name: kubeobjects.Volume(files) for name, files in read.items()}
        self._at = {m["mountPath"]: self._mounts[m["name"]].folder for m in self._container.get("volumeMounts", []) if m["name"] in read}
        self.log_path = os.path.join(test.folder, self.name + ".log")
        test.logs.append(self.log_path)
        self._deadline = None
        self.killed = False
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SYNCER", "KUBE"))}
        with open(self.log_path, "ab") as log:
            # This is no main thread, which proc.spawn() would leave it to; and helm may keep that waiting for this very process.
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *self._command(programs, hosts)], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, env={**env, **self._variables()})

    def _read(self, source):
        try:
            data = self._namespace.api.get(self._namespace.core + f"configmaps/{source['name']}").get("data", {})
        except kubeserver.ApiError as e:
            raise Waits(str(e)) from None
        items = source.get("items") or [{"key": key, "path": key} for key in data]
        if not all(item["key"] in data for item in items):
            raise Waits(source["name"])
        return {item["path"]: data[item["key"]] for item in items}

    def _local(self, path):
        for mount, folder in self._at.items():
            if path.startswith(mount + "/"):
                return folder + path[len(mount):]
        return path

    def _command(self, programs, hosts):
        command = [programs[self._container["command"][0]], *map(self._local, self._container["command"][1:])]
        for name, address in hosts.items():
            command = [arg.replace(name, address) for arg in command]
        return command

    def _variables(self):
        """A container has addresses and folders of its own; here the variables say which they are."""
        made = {"KUBERNETES_SERVICE_HOST": self._namespace.server.address,
                "KUBERNETES_SERVICE_PORT": str(self._namespace.server.port)}
        for port in self._container.get("ports", []):
            key = {"http": "SYNCER_LISTEN", "admin": "SYNCER_ADMIN_LISTEN"}[port["name"]]
            made[key] = f"{self.address}:{port['containerPort']}"
        if any(m["mountPath"] == ACCOUNT_FOLDER for m in self._container.get("volumeMounts", [])):
            made["SYNCER_SERVICEACCOUNT_DIR"] = self._namespace.mount(self._spec["serviceAccountName"]).folder
        if self._local(TLS_CA) != TLS_CA:
            made["SYNCER_TLS_CA"] = self._local(TLS_CA)
        return made

    def port(self, name):
        return next(p["containerPort"] for p in self._container["ports"] if p["name"] == name)

    def get(self, target, port="admin"):
        """Status and body."""
        link = http.client.HTTPConnection(self.address, self.port(port), timeout=2)
        try:
            link.request("GET", target)
            answer = link.getresponse()
            return answer.status, answer.read()
        finally:
            link.close()

    def ready(self):
        probe = self._container.get("readinessProbe")
        try:
            return self.process.poll() is None and (
                not probe or self.get(probe["httpGet"]["path"], probe["httpGet"]["port"])[0] == 200)
        except (OSError, http.client.HTTPException):
            return False

    def refresh(self):
        """The files as the ConfigMaps are now, swapped in as the kubelet does it; those of one that is gone stay."""
        for name, mount in self._mounts.items():
            try:
                files = self._read(self._volumes[name]["configMap"])
            except Waits:
                continue
            if files != mount.files:
                mount.write(files)

    def terminate(self):
        if self._deadline is None:
            self._deadline = time.monotonic() + self._spec["terminationGracePeriodSeconds"]
            self.process.send_signal(signal.SIGTERM)

    def ended(self):
        if self.process.poll() is None and self._deadline and time.monotonic() > self._deadline:
            self.killed = True
            proc.end(self.process, signal.SIGKILL)
        return self.process.poll() is not None

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def close(self):
        proc.end(self.process)
        for mount in self._mounts.values():
            mount.close()


class Node:
    """`gateways`: addresses at which a gateway's nginx runs, one for each pod of the Deployment. The rest are containers, at
    the addresses of the block from `first` on."""

    def __init__(self, namespace, block, gateways, programs, test, hosts, first=100):
        self._namespace, self._block, self._next, self._gateways = namespace, block, first, list(gateways)
        self._programs, self._test, self._hosts = programs, test, hosts
        self.running, self.past, self.errors, self.pods = {}, [], [], []
        self._since = {}  # when a deletion was seen
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._closing.wait(0.05):
            try:
                pods = self._namespace.pods()
                for pod in pods:
                    self._look(pod)
                self._forget({pod["metadata"]["name"] for pod in pods})
                self.pods = pods
            except (OSError, http.client.HTTPException, kubeserver.ApiError) as e:
                if not isinstance(e, kubeserver.ApiError) or e.status not in (404, 409):
                    self.errors.append(str(e))
            except Exception as e:  # a thread has nobody to tell it to
                self.errors.append(repr(e))

    def _look(self, pod):
        name, state = pod["metadata"]["name"], pod["status"]
        if "deletionTimestamp" in pod["metadata"]:
            self._end(name)
        elif not pod["spec"].get("nodeName"):
            self._namespace.api.post(self._namespace.core + f"pods/{name}/binding", {
                "metadata": {"name": name}, "target": {"kind": "Node", "name": "node-1"}})
        elif name not in self.running:
            if state.get("phase") == "Pending":
                self._begin(pod)
        else:
            self._watch(pod)

    def _begin(self, pod):
        name = pod["metadata"]["name"]
        if pod["metadata"].get("labels", {}).get("app") == kubeobjects.DEPLOYMENT:
            address, made = self._gateways.pop(0), Gateway()
        else:
            address = self._block.address(self._next)
            try:
                made = Container(self._namespace, pod, address, self._test, self._programs, self._hosts)
            except Waits:
                return
            self._next += 1
        self.running[name] = made
        self._namespace.report(name, address, ready=False)

    def _watch(self, pod):
        name, state, thing = pod["metadata"]["name"], pod["status"], self.running[pod["metadata"]["name"]]
        if state["phase"] != "Running":
            return
        if pod["spec"]["restartPolicy"] == "Never" and thing.ended():
            self._namespace.report(name, state["podIP"], False, "Succeeded" if thing.process.returncode == 0 else "Failed")
            return
        thing.refresh()
        ready = thing.ready()
        if ready != kubelet.is_ready(pod):
            self._namespace.report(name, state["podIP"], ready)

    def _end(self, name):
        self._since.setdefault(name, time.monotonic())
        thing = self.running.get(name)
        if thing:
            thing.terminate()
            if not thing.ended():
                return
            self.past.append(self.running.pop(name))
        self._namespace.delete_pod(name)

    def _forget(self, names):
        """A pod that has run to its end is deleted without a time to end."""
        for name in set(self.running) - names:
            self.running[name].terminate()
            if self.running[name].ended():
                self.past.append(self.running.pop(name))

    def containers(self):
        return [thing for thing in list(self.running.values()) if isinstance(thing, Container)]

    def endpoints(self, selector, lag_s):
        """Addresses of the pods that a Service with this selector has: ready, and not deleted for longer than kube-proxy
        takes to hear of it."""
        return [pod["status"]["podIP"] for pod in self.pods
                if selector.items() <= pod["metadata"].get("labels", {}).items() and kubelet.is_ready(pod)
                and ("deletionTimestamp" not in pod["metadata"]
                     or time.monotonic() - self._since.get(pod["metadata"]["name"], time.monotonic()) < lag_s)]

    def close(self):
        self._closing.set()
        self._thread.join()
        for thing in [*self.running.values(), *self.past]:
            if isinstance(thing, Container):
                thing.close()


class Service:
    """kube-proxy for a Service at `address`: a connection goes to one of its pods, from its client's own address, and stays
    there. `ports`: number → name, as the Service has them."""

    def __init__(self, address, ports=(8080, 9090), lag_s=1.0):
        self._lag_s, self._node, self._selector, self._socks = lag_s, None, None, []
        self._threads, self.turned_away = [], 0
        self._listeners = [socket.create_server((address, port), backlog=256) for port in ports]
        for listener in self._listeners:
            self._run(self._accept, listener)

    def serve(self, node, service):
        """From now on it is this Service, an object of the API server."""
        self._selector, self._node = service["spec"]["selector"], node

    def _run(self, function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self, listener):
        port = listener.getsockname()[1]
        while True:
            try:
                near, client = listener.accept()
            except OSError:
                return
            try:
                to = random.choice(self._node.endpoints(self._selector, self._lag_s) if self._node else [])
                far = socket.create_connection((to, port), 5, source_address=(client[0], 0))
                far.settimeout(None)
            except (OSError, IndexError):
                self.turned_away += 1
                near.close()
                continue
            self._socks += [near, far]
            self._run(relay.pump, near, far)
            self._run(relay.pump, far, near)

    def close(self):
        relay.end([*self._listeners, *self._socks])
        for thread in self._threads:
            thread.join(2)
