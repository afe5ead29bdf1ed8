# SPDX-License-Identifier: MIT
"""What a namespace of the real API server has in it: Deployment, ReplicaSets, pods, accounts with their tokens and rights.
Names and shapes are what the controllers and the kubelet would write; nobody but the test writes them."""
import base64
import json
import os
import shutil
import tempfile
import time

from . import kubeserver

DEPLOYMENT, PORT, REVISIONS = "gateway", 8443, ("6d4f7c9b58", "7f6b9c9d5c")  # a ReplicaSet's hash for each revision
RBAC = "rbac.authorization.k8s.io"
READ_ALL = [{"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]


def _now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def image(revision):
    return f"registry.example/gateway:r{revision}"


def template(revision=1, grace_s=30):
    """Of a Deployment: what differs between two revisions is the image."""
    return {"metadata": {"labels": {"app": DEPLOYMENT}}, "spec": {
        "terminationGracePeriodSeconds": grace_s, "containers": [{
            "name": "nginx", "image": image(revision),
            "ports": [{"name": "https", "containerPort": PORT, "protocol": "TCP"}],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "readinessProbe": {"httpGet": {"path": "/ready?a=1&b=<2>", "port": PORT}, "periodSeconds": 5}}]}}


def status(address, ready, phase="Running"):
    """Of a pod, as a kubelet reports it."""
    conditions = [{"type": kind, "status": "True" if good else "False", "lastTransitionTime": _now()}
                  for kind, good in (("Initialized", True), ("Ready", ready), ("ContainersReady", ready), ("PodScheduled", True))]
    found = {"phase": phase, "startTime": _now(), "hostIP": "127.0.0.1", "conditions": conditions, "containerStatuses": [{
        "name": "nginx", "image": image(1), "imageID": "registry.example/gateway@sha256:" + "01234567" * 8,
        "containerID": "containerd://" + "fedcba98" * 8, "ready": ready, "started": True, "restartCount": 0, "lastState": {},
        "state": {"running": {"startedAt": _now()}}}]}
    return {**found, "podIP": address, "podIPs": [{"ip": address}]} if address else found


def _owner(o):
    return {"apiVersion": "apps/v1", "kind": o["kind"], "name": o["metadata"]["name"], "uid": o["metadata"]["uid"],
            "controller": True, "blockOwnerDeletion": True}


class Namespace:
    """One a test. Deployment and ReplicaSets are there after deploy(), pods after pod()."""

    def __init__(self, server, name):
        self.server, self.api, self.name, self._mounts, self._sets = server, server.api, name, [], {}
        self.core, self.apps = f"/api/v1/namespaces/{name}/", f"/apis/apps/v1/namespaces/{name}/"
        self.rbac = f"/apis/{RBAC}/v1/namespaces/{name}/"
        self.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
        self.account("default")

    # --- pods and what owns them ---

    def deploy(self, replicas=3, **kwargs):
        """The Deployment alone: the controllers do the rest, if they run."""
        return self.api.post(self.apps + "deployments", {
            "metadata": {"name": DEPLOYMENT, "labels": {"app": DEPLOYMENT}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": DEPLOYMENT}}, "template": template(**kwargs)}})

    def change(self, **spec):
        """Changes the Deployment."""
        return self.api.patch(self.apps + f"deployments/{DEPLOYMENT}", {"spec": spec})

    def seed(self, *addresses):
        """The Deployment, its ReplicaSet, and a ready pod for each address, without controllers."""
        deployment = self.deploy(len(addresses))
        self.set_revision(1)
        self._sets[1] = self._replicaset(deployment, 1)
        return [self.pod(f"p{i}", address) for i, address in enumerate(addresses, 1)]

    def set_revision(self, revision):
        self.api.patch(self.apps + f"deployments/{DEPLOYMENT}",
                       {"metadata": {"annotations": {"deployment.kubernetes.io/revision": str(revision)}}})

    def _replicaset(self, deployment, revision):
        labels = {"app": DEPLOYMENT, "pod-template-hash": REVISIONS[revision - 1]}
        return self.api.post(self.apps + "replicasets", {
            "metadata": {"name": f"{DEPLOYMENT}-{labels['pod-template-hash']}", "labels": labels,
                         "ownerReferences": [_owner(deployment)],
                         "annotations": {"deployment.kubernetes.io/revision": str(revision)}},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels},
                     "template": {**template(revision), "metadata": {"labels": labels}}}})

    def pod(self, name, address, ready=True, revision=1):
        """A pod of the ReplicaSet that runs at `address`; its whole name."""
        labels = {"app": DEPLOYMENT, "pod-template-hash": REVISIONS[revision - 1]}
        made = self.api.post(self.core + "pods", {
            "metadata": {"name": f"{DEPLOYMENT}-{labels['pod-template-hash']}-{name}", "labels": labels,
                         "ownerReferences": [_owner(self._sets[revision])]},
            "spec": {**template(revision)["spec"], "nodeName": "node-1"}})
        made["status"] = status(address, ready)
        self.api.put(self.core + f"pods/{made['metadata']['name']}/status", made)
        return made["metadata"]["name"]

    def report(self, pod, address, ready=True, phase="Running"):
        """The kubelet's next report about it."""
        self.api.patch(self.core + f"pods/{pod}/status", {"status": status(address, ready, phase)})

    def label(self, pod, **labels):
        self.api.patch(self.core + f"pods/{pod}", {"metadata": {"labels": labels}})

    def pods(self):
        return self.api.get(self.core + "pods")["items"]

    def delete_pod(self, pod, grace_s=0):
        self.api.delete(self.core + f"pods/{pod}", grace_s)

    # --- rights ---

    def account(self, name):
        return self.api.post(self.core + "serviceaccounts", {"metadata": {"name": name}})["metadata"]["uid"]

    def role(self, rules, account="syncer"):
        """A Role with these rules, in place of the one of before, bound to the account."""
        role = {"metadata": {"name": account}, "rules": rules}
        try:
            self.api.post(self.rbac + "roles", role)
        except kubeserver.ApiError:
            self.api.put(self.rbac + f"roles/{account}", role)
            return
        self.api.post(self.rbac + "rolebindings", {
            "metadata": {"name": account}, "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": account},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": self.name}]})

    def user(self, account="syncer"):
        return f"system:serviceaccount:{self.name}:{account}"

    def token(self, account="syncer", **spec):
        """A bound token as a kubelet asks for it."""
        return self.api.post(self.core + f"serviceaccounts/{account}/token", {
            "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
            "spec": {"expirationSeconds": 3600, **spec}})["status"]["token"]

    def secret_token(self, secret):
        """One that is good until revoke(secret)."""
        made = self.api.post(self.core + "secrets", {"metadata": {"name": secret}})["metadata"]
        return self.token(boundObjectRef={"apiVersion": "v1", "kind": "Secret", "name": secret, "uid": made["uid"]})

    def revoke(self, secret):
        self.api.delete(self.core + f"secrets/{secret}")

    def expired_token(self, account, uid, ago_s=60):
        """One that the server itself would have signed an hour ago."""
        now = int(time.time())
        claims = {"aud": [kubeserver.ISSUER], "iss": kubeserver.ISSUER, "sub": self.user(account), "iat": now - 3600,
                  "nbf": now - 3600, "exp": now - ago_s,
                  "kubernetes.io": {"namespace": self.name, "serviceaccount": {"name": account, "uid": uid}}}
        parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "RS256"}, claims)]
        parts.append(_base64url(self.server.certs.rs256(self.server.account_key, b".".join(parts))))
        return b".".join(parts).decode()

    def mount(self, account="syncer", token=None):
        """What a pod of the account finds in /var/run/secrets/kubernetes.io/serviceaccount."""
        made = Mount(self.server.certs.ca, self.name, token or self.token(account))
        self._mounts.append(made)
        return made

    def close(self):
        for mount in self._mounts:
            mount.close()
        controlled = self.server.controllers
        self.server.mend()
        if controlled:  # the controllers of a later test would find work here
            for path in (self.apps + "deployments", self.apps + "replicasets", self.core + "pods"):
                self.api.delete(path)


class Volume:
    """Files behind the link ..data, which one rename turns to a new folder: as the kubelet mounts a ConfigMap or a Secret."""

    def __init__(self, files):
        self.folder, self._generation, self.files = tempfile.mkdtemp(prefix="syncer-mount."), 0, {}
        self.write(files)

    def _path(self, name):
        return os.path.join(self.folder, name)

    def write(self, files):
        """Swaps in these and no others."""
        self._generation += 1
        new = f"..{self._generation}"
        os.mkdir(self._path(new))
        for name, text in files.items():
            with open(os.path.join(self._path(new), name), "w") as f:
                f.write(text)
        os.symlink(new, self._path("..data_tmp"))
        os.rename(self._path("..data_tmp"), self._path("..data"))
        for name in files.keys() - self.files.keys():
            os.symlink(f"..data/{name}", self._path(name))
        for name in self.files.keys() - files.keys():
            os.unlink(self._path(name))
        if self._generation > 1:
            shutil.rmtree(self._path(f"..{self._generation - 1}"))
        self.files = dict(files)

    def close(self):
        shutil.rmtree(self.folder)


class Mount(Volume):
    """token, ca.crt and namespace of an account."""

    def __init__(self, ca, namespace, token):
        with open(ca) as f:
            super().__init__({"ca.crt": f.read(), "namespace": namespace, "token": token})

    def write(self, files=None, **changes):
        """`changes`: names with `_` for the dot."""
        super().write(files or {**self.files, **{name.replace("_", "."): text for name, text in changes.items()}})
