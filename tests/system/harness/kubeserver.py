# SPDX-License-Identifier: MIT
"""A real etcd and kube-apiserver, as contrib/kube/build makes them: own CA, RBAC, bound tokens, on one loopback address that
nobody else has. One for a whole script, since a start takes seconds; what a test did to it is mended after each."""
import collections
import functools
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading

from . import certs, proc, tap

BIN = os.path.join(os.environ.get("SYNCER_KUBE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "syncer-kube"), "bin")
PORT, ETCD_PORT, ETCD_PEER_PORT, CONTROLLER_PORT = 6443, 2379, 2380, 10257
ISSUER = "https://kubernetes.default.svc"

# What syncer asks is written down, what the tests themselves do is not.
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- {level: None, userGroups: ["system:masters"]}
- {level: Metadata}
"""

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: test, cluster: {{server: "{url}", certificate-authority: {ca}}}}}]
users: [{{name: admin, user: {{client-certificate: {cert}, client-key: {key}}}}}]
contexts: [{{name: test, context: {{cluster: test, user: admin, namespace: default}}}}]
current-context: test
"""


def missing():
    """What this machine lacks to run the server, or ''."""
    return "" if os.access(os.path.join(BIN, "kube-apiserver"), os.X_OK) else f"no kube-apiserver in {BIN}: see contrib/kube/build"


# One request as the server's audit log has it, the first three as a Role would name them.
Asked = collections.namedtuple("Asked", "verb group resource status")


class ApiError(Exception):
    def __init__(self, status, text):
        super().__init__(f"status {status}: {text}")
        self.status = status


class Api:
    """Requests as the cluster's admin, a kept connection a thread."""

    def __init__(self, host, port, context):
        self._host, self._port, self._context, self._local = host, port, context, threading.local()

    def _exchange(self, method, path, body, headers):
        link = getattr(self._local, "link", None)
        if link is None:
            link = self._local.link = http.client.HTTPSConnection(self._host, self._port, context=self._context, timeout=20)
        try:
            link.request(method, path, body, headers)
            answer = link.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            link.close()
            self._local.link = None
            raise

    def call(self, method, path, body=None, content_type="application/json"):
        """The object that comes back; ApiError if the status is no success."""
        data = None if body is None else json.dumps(body).encode()
        status, text = self._exchange(method, path, data, {"Content-Type": content_type, "User-Agent": "harness"})
        if status >= 300:
            raise ApiError(status, text.decode(errors="replace")[:500])
        return json.loads(text) if text[:1] == b"{" else text.decode()

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body):
        return self.call("POST", path, body)

    def put(self, path, body):
        return self.call("PUT", path, body)

    def patch(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json")

    def delete(self, path, grace=0, policy="Background"):
        return self.call("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": grace,
                                          "propagationPolicy": policy})


class Server:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="syncer-kube.")
        self._block = proc.Block()
        self.address, self.port = self._block.address(200), PORT
        self.url = f"https://{self.address}:{self.port}"
        self.certs = certs.Certs(self._path(""))
        self.etcd = self.apiserver = self.controllers = None
        self._write_files()
        context = ssl.create_default_context(cafile=self.certs.ca)
        context.load_cert_chain(*self.admin)
        self.api = Api(self.address, self.port, context)

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _write_files(self):
        self._serving = self.certs.signed("apiserver", "/CN=kube-apiserver", "extendedKeyUsage=serverAuth",
                                          f"subjectAltName=DNS:localhost,DNS:kubernetes.default.svc,IP:{self.address},IP:::1")
        self.admin = self.certs.signed("admin", "/O=system:masters/CN=admin", "extendedKeyUsage=clientAuth")
        self.account_key = self.certs.rsa_key("accounts")
        self.kubeconfig = self._path("admin.kubeconfig")
        for path, text in ((self.kubeconfig, KUBECONFIG.format(url=self.url, ca=self.certs.ca, cert=self.admin[0],
                                                               key=self.admin[1])),
                           (self._path("audit.yaml"), AUDIT_POLICY), (self._path("audit.log"), "")):
            with open(path, "w") as f:
                f.write(text)

    def _spawn(self, program, *args):
        with open(self._path(program + ".log"), "ab") as log:
            return proc.spawn([os.path.join(BIN, program), *args], stdout=log, stderr=log, cwd=self.folder)

    # --- life ---

    def start(self):
        client, peer = f"http://{self.address}:{ETCD_PORT}", f"http://{self.address}:{ETCD_PEER_PORT}"
        self.etcd = self._spawn(
            "etcd", "--name=test", "--data-dir=etcd", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=test={peer}",
            "--unsafe-no-fsync", "--log-level=warn")
        self.start_apiserver()
        return self

    def start_apiserver(self, wait=True):
        self.apiserver = self._spawn(
            "kube-apiserver", f"--etcd-servers=http://{self.address}:{ETCD_PORT}", f"--bind-address={self.address}",
            f"--advertise-address={self.address}", f"--secure-port={self.port}", "--endpoint-reconciler-type=none",
            f"--tls-cert-file={self._serving[0]}", f"--tls-private-key-file={self._serving[1]}",
            f"--client-ca-file={self.certs.ca}", "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
            f"--service-account-issuer={ISSUER}", f"--service-account-signing-key-file={self.account_key}",
            f"--service-account-key-file={self.account_key}", "--feature-gates=BoundServiceAccountTokenVolume=true",
            "--audit-policy-file=audit.yaml", "--audit-log-path=audit.log", "--profiling=false")
        if wait:
            self.wait_ready()

    def wait_ready(self):
        def ready():
            if self.apiserver.poll() is not None:
                with open(self._path("kube-apiserver.log"), errors="replace") as f:
                    raise RuntimeError("kube-apiserver ended: " + "".join(f.readlines()[-10:]))
            try:
                return self.api.get("/readyz") == "ok"
            except (OSError, http.client.HTTPException, ApiError):
                return False
        proc.wait_until(ready, 60, 0.05, why="kube-apiserver is not ready")

    def kill_apiserver(self):
        proc.end(self.apiserver, signal.SIGKILL)

    def start_controllers(self):
        """The controllers that make ReplicaSets of Deployments and pods of ReplicaSets."""
        self.controllers = self._spawn(
            "kube-controller-manager", f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", f"--bind-address={self.address}",
            f"--secure-port={CONTROLLER_PORT}", "--port=0", "--controllers=deployment,replicaset,garbagecollector",
            "--kube-api-qps=200", "--kube-api-burst=400")

    def mend(self):
        """After a test: everything runs again, or not, as at the beginning."""
        for process in (self.etcd, self.apiserver):
            process.send_signal(signal.SIGCONT)
        if self.controllers:
            proc.end(self.controllers, signal.SIGKILL)
            self.controllers = None
        if self.apiserver.poll() is not None:
            self.start_apiserver()

    def pids(self):
        return [p.pid for p in (self.etcd, self.apiserver, self.controllers) if p]

    def close(self):
        for process in (self.controllers, self.apiserver, self.etcd):
            if process:
                process.send_signal(signal.SIGCONT)
                proc.end(process, signal.SIGKILL)
        self._block.close()
        shutil.rmtree(self.folder)

    # --- what a test asks of it ---

    def audited(self, user):
        """What `user` has asked, in the order of the questions; `status` is None until an answer is complete."""
        found = {}
        with open(self._path("audit.log")) as f:
            for line in f:
                event = json.loads(line) if line.endswith("\n") else {}  # the last one may be under way
                if event.get("user", {}).get("username") != user or "objectRef" not in event:
                    continue
                ref, status = event["objectRef"], event.get("responseStatus", {}).get("code")
                found[event["auditID"]] = Asked(event["verb"], ref.get("apiGroup", ""), ref["resource"], status)
        return list(found.values())

    def compact(self):
        """etcd forgets all versions but the last."""
        def ask(path, **body):
            link = http.client.HTTPConnection(self.address, ETCD_PORT, timeout=20)
            link.request("POST", "/v3/kv/" + path, json.dumps(body))
            answer = json.loads(link.getresponse().read())
            link.close()
            return answer
        revision = ask("range", key="AA==")["header"]["revision"]
        ask("compaction", revision=revision, physical=True)

    def wait_refused(self, token):
        """Until the server has forgotten that this token was good once: about 10 s."""
        context = ssl.create_default_context(cafile=self.certs.ca)

        def refused():
            link = http.client.HTTPSConnection(self.address, self.port, context=context, timeout=20)
            link.request("GET", "/version", headers={"Authorization": "Bearer " + token})
            status = link.getresponse().status
            link.close()
            return status == 401
        proc.wait_until(refused, 30, 0.2, why="a revoked token is accepted")

    def kubectl(self, *args, text=None):
        done = subprocess.run([os.path.join(BIN, "kubectl"), f"--kubeconfig={self.kubeconfig}",
                               f"--cache-dir={self._path('kubectl')}", *args], input=text, capture_output=True, text=True,
                              timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {args[0]}: {done.stderr.strip()}")
        return done.stdout


@functools.cache
def shared():
    """The script's one server."""
    return tap.share(Server()).start()
