# SPDX-License-Identifier: MIT
"""An API server of Kubernetes that answers with recordings of real ones (tests/fixtures/kube), and, when told, as none
should: for what a real one can't be made to do at will."""
import copy
import http.server
import json
import os
import socket
import ssl
import sys
import tempfile
import threading
import urllib.parse

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "..", "fixtures", "kube")
NAMESPACE, DEPLOYMENT = "apigwp-cz", "ng-plus-apigw"  # of the recordings
SERVICE = "gateway"


def recording(name):
    with open(os.path.join(FIXTURES, name), "rb") as f:
        return f.read()


def serves(pod):
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
    return ready and pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait for an ACK, 40 ms

    def do_GET(self):
        self.server.kube.answer(self)

    def log_message(self, *_):
        pass

    def reply(self, status, body, content_type="application/json", fields=(), chunks=0, cut=None):
        """`chunks`: chunked, so many bytes each; `cut`: only so many bytes of the body go out, then the connection ends."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in fields:
            self.send_header(name, value)
        if chunks:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(body), chunks):
                piece = body[at:at + chunks]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.close_connection = True

    def begin_stream(self, status=200):
        """The head of a watch; then lines by stream(), then end_stream() or cut_stream()."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def stream(self, data):
        """One chunk; an empty one would be the end."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end_stream(self):
        self.wfile.write(b"0\r\n\r\n")

    def cut_stream(self):
        self.close_connection = True


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that ends the connection, or does not trust us, is no error of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Server6(_Server):
    address_family = socket.AF_INET6


class Kube:
    """`phase` is a set of recordings such as "v1.36-1-settled". `faults` maps a step (deployment, replicasets, pods) to a
    function that answers in its place; `page` cuts lists into pages of so many items.

    A watch is told what is pushed with a version above its own, and is silent otherwise, as a real one that was begun from a
    version that is still to come; `watch_faults` are like `faults`. `watched` holds (step, resourceVersion) of each."""

    def __init__(self, folder, certs, address, client_ca=None):
        self.token, self.phase, self.faults, self.page, self.chunks = "token-of-the-account-1", "v1.36-1-settled", {}, 0, 0
        self.asked, self.agents = [], set()
        self.watch_faults, self.watched, self.watching = {}, [], {}
        self._changed = threading.Condition(threading.RLock())
        self._events, self._ends, self._closed = [], [], False
        self.objects, self.version = None, 0
        self.folder = tempfile.mkdtemp(prefix="serviceaccount.", dir=folder)
        self._server = (_Server6 if ":" in address else _Server)((address, 0), _Handler)
        self._server.kube = self
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certs.issued(address))
        if client_ca:
            self.context.verify_mode = ssl.CERT_OPTIONAL
            self.context.load_verify_locations(client_ca)
        self.tokens, self.subjects = [], []  # of each request
        # The handshake is the handler's: one that hangs holds nobody up.
        self._server.socket = self.context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.address, self.port = address, self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._write_account(certs)
        self._thread.start()

    def _write_account(self, certs):
        with open(certs.ca) as f:
            ca = f.read()
        for name, text in (("ca.crt", ca), ("namespace", NAMESPACE), ("token", self.token)):
            self.write(name, text)

    def write(self, name, text):
        """As the kubelet does: a new file, then a swap."""
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def rotate(self, token):
        self.token = token
        self.write("token", token)

    def env(self):
        return {"KUBERNETES_SERVICE_HOST": self.address, "KUBERNETES_SERVICE_PORT": str(self.port)}

    def config(self):
        return {"pods": "kubernetes", "deployment": DEPLOYMENT, "serviceaccount_dir": self.folder, "static": None,
                "scrape_interval": 1000}

    def answer(self, request):
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        parts = url.path.strip("/").split("/")
        watch = query.get("watch") == "true"
        step = "deployment" if "deployments" in parts[-2:] else parts[-1]
        (self.watched if watch else self.asked).append((step, query.get("resourceVersion", "")) if watch else step)
        self.agents.add(request.headers["User-Agent"])
        if not self._knows(request):
            request.reply(401, recording("pods-list-401.json"))
        elif watch:
            self.watch_faults.get(step, self.answer_watch)(request)
        elif step in self.faults:
            self.faults[step](request)
        elif step != "deployment" and query.get("labelSelector") != self.selector(step):
            request.reply(400, b"{}")
        elif step == "deployment" and self.objects and not self.objects[step]:
            request.reply(404, recording("deployment-get-404.json"))
        else:
            self._answer_recorded(request, step, query)

    def _knows(self, request):
        """The token's bearer, or who has a certificate of the CA for clients."""
        token, cert = request.headers["Authorization"], request.connection.getpeercert()
        self.tokens.append((token or "").removeprefix("Bearer "))
        self.subjects.append(dict(entry[0] for entry in cert["subject"])["commonName"] if cert else None)
        return token == f"Bearer {self.token}" or cert

    def _answer_recorded(self, request, step, query):
        with self._changed:  # a list and its version belong together
            body = self._body(step)
        if self.page and step != "deployment":
            whole, at = json.loads(body), int(query.get("continue", "0"))
            more = at + self.page < len(whole["items"])
            whole["items"] = whole["items"][at:at + self.page]
            whole["metadata"]["continue"] = str(at + self.page) if more else ""
            body = json.dumps(whole).encode()
        request.reply(200, body, chunks=self.chunks)

    def _body(self, step):
        if not self.objects:
            return recording(f"{self.phase}-{step}.json")
        objects = list(self.objects[step].values())
        if step == "deployment":
            return json.dumps(objects[0]).encode()
        if step == "endpointslices":
            whole = {"kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1", "metadata": {}}
        else:
            whole = json.loads(recording(f"{self.phase}-{step}.json"))
        whole["items"], whole["metadata"]["resourceVersion"] = objects, str(self.version)
        return json.dumps(whole).encode()

    # ---- a cluster that changes ----

    def live(self):
        """From now on the objects of the phase are a beginning, which put() and delete() change."""
        self.objects = {"endpointslices": {}}
        for step in ("deployment", "replicasets", "pods"):
            whole = json.loads(recording(f"{self.phase}-{step}.json"))
            items = whole.get("items", [whole] if step == "deployment" else [])
            self.objects[step] = {item["metadata"]["uid"]: item for item in items}
            self.version = max([self.version, int(whole["metadata"]["resourceVersion"])])

    def put(self, step, obj, tell=True):
        """Adds or changes an object. `tell`: the watches get it."""
        with self._changed:
            self.version += 1
            obj["metadata"]["resourceVersion"] = str(self.version)
            known = obj["metadata"]["uid"] in self.objects[step]
            self.objects[step][obj["metadata"]["uid"]] = obj
            if tell:
                self.push(step, "MODIFIED" if known else "ADDED", obj)

    def delete(self, step, uid, tell=True):
        with self._changed:
            self.version += 1
            obj = self.objects[step].pop(uid)
            obj["metadata"]["resourceVersion"] = str(self.version)
            if tell:
                self.push(step, "DELETED", obj)

    def replay(self):
        """The recorded rollout of v1.36 (a rollout and its undo), one event at a time; after each the names of
        the pods that should count."""
        events = []
        for step in ("deployment", "replicasets", "pods"):
            for line in recording(f"v1.36-watch-{step}.json").splitlines():
                event = json.loads(line)
                if event["type"] != "BOOKMARK":
                    events.append((int(event["object"]["metadata"]["resourceVersion"]), step, event))
        for version, step, event in sorted(events, key=lambda e: e[0]):
            with self._changed:
                self.version, obj = version, event["object"]
                self.objects[step].pop(obj["metadata"]["uid"], None)
                if event["type"] != "DELETED":
                    self.objects[step][obj["metadata"]["uid"]] = obj
                self.push(step, event["type"], obj)
            yield sorted(pod["metadata"]["name"] for pod in self.objects["pods"].values() if serves(pod))

    def pod(self, name, ip, state="ready", owner=None, labels=None):
        """A pod as put() takes it, of the ReplicaSet `owner`, else of the first. `state`: ready, unready, terminating."""
        phase = json.loads(recording("v1.36-1-settled-pods.json"))
        pod = copy.deepcopy(phase["items"][0])
        uid = owner or next(iter(self.objects["replicasets"]))
        pod["metadata"].update(name=name, uid=f"uid-{name}")
        pod["metadata"]["ownerReferences"][0]["uid"] = uid
        if labels:
            pod["metadata"]["labels"] = labels
        pod["status"].update(podIP=ip, podIPs=[{"ip": ip}])
        for condition in pod["status"]["conditions"]:
            if condition["type"] == "Ready":
                condition["status"] = "False" if state == "unready" else "True"
        if state == "terminating":
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        return pod

    def slice(self, name, kind, *endpoints):
        """An EndpointSlice as put() takes it; each endpoint is "POD=ADDRESS=CONDITION", POD empty for none."""
        conditions = {"ready": {"ready": True, "serving": True, "terminating": False}, "unready": {"ready": False, "serving": False},
                      "terminating": {"ready": False, "serving": True, "terminating": True}, "unknown": {},
                      "published": {"ready": True, "serving": False, "terminating": False}}
        whole = []
        for pod, address, condition in (endpoint.split("=") for endpoint in endpoints):
            whole.append({"addresses": [address], "conditions": conditions[condition], "nodeName": "n1"})
            if pod:
                whole[-1]["targetRef"] = {"kind": "Pod", "namespace": NAMESPACE, "name": pod, "uid": f"uid-{pod}"}
        return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": kind,
                "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"},
                "endpoints": whole or None, "ports": [{"name": "https", "port": 8443, "protocol": "TCP"}]}

    def again(self, uid, app=DEPLOYMENT):
        """A Deployment made again: another uid, perhaps another selector, one ReplicaSet and no pod."""
        deployment = json.loads(recording("v1.36-1-settled-deployment.json"))
        replicaset = json.loads(recording("v1.36-1-settled-replicasets.json"))["items"][0]
        deployment["metadata"]["uid"] = uid
        deployment["spec"]["selector"]["matchLabels"] = {"app": app}
        replicaset["metadata"]["uid"] = f"set-of-{uid}"
        replicaset["metadata"]["ownerReferences"][0]["uid"] = uid
        return deployment, replicaset

    # ---- watches ----

    def push(self, step, kind, obj):
        """An event for all watches of that step, now and later."""
        line = json.dumps({"type": kind, "object": obj}, separators=(",", ":")).encode() + b"\n"
        self._push(step, int(obj["metadata"]["resourceVersion"]), line)

    def push_bytes(self, step, data):
        """For the watches that run now."""
        self._push(step, None, data)

    def _push(self, step, version, data):
        with self._changed:
            self._events.append((step, version, data))
            self._changed.notify_all()

    def end_watches(self, step, cut=False):
        """Those that run now: well, or without an end."""
        with self._changed:
            self._ends.append((step, cut))
            self._changed.notify_all()

    def answer_watch(self, request):
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        parts = url.path.strip("/").split("/")
        step = "deployment" if parts[-1] == "deployments" else parts[-1]
        wanted = {"fieldSelector": f"metadata.name={DEPLOYMENT}"} if step == "deployment" else {"labelSelector": self.selector(step)}
        if any(query.get(name) != value for name, value in wanted.items()) or query.get("allowWatchBookmarks") != "true":
            request.reply(400, b"{}")
            return
        with self._changed:
            version, at, ends = int(query.get("resourceVersion") or self.version), len(self._events), len(self._ends)
            lines = [data for name, number, data in self._events if name == step and number and number > version]
            if "resourceVersion" not in query and self.objects:  # as a real one: all that is there is told first
                lines = [json.dumps({"type": "ADDED", "object": obj}).encode() + b"\n" for obj in self.objects[step].values()]
            self.watching[step] = self.watching.get(step, 0) + 1
        try:
            request.begin_stream()
            self._stream(request, b"".join(lines))
            self._run_watch(request, step, at, ends)
        finally:
            with self._changed:
                self.watching[step] -= 1

    def _stream(self, request, data):
        size = self.chunks or len(data)
        for i in range(0, len(data), size or 1):
            request.stream(data[i:i + size])

    def selector(self, step):
        if step == "endpointslices":
            return f"kubernetes.io/service-name={SERVICE}"
        app = DEPLOYMENT
        if self.objects and self.objects["deployment"]:
            app = next(iter(self.objects["deployment"].values()))["spec"]["selector"]["matchLabels"]["app"]
        return f"app={app}"

    def _run_watch(self, request, step, at, ends):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or len(self._events) > at or len(self._ends) > ends)
                lines = [data for name, _, data in self._events[at:] if name == step]
                over = [cut for name, cut in self._ends[ends:] if name == step]
                at, ends = len(self._events), len(self._ends)
            self._stream(request, b"".join(lines))
            if over or self._closed:
                (request.cut_stream if over and over[0] else request.end_stream)()
                return

    def close(self):
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
