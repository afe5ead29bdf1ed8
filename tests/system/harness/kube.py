# SPDX-License-Identifier: MIT
"""An API server of Kubernetes that answers with recordings of real ones (tests/fixtures/kube), and, when told, as none
should: for what a real one can't be made to do at will."""
import http.server
import json
import os
import ssl
import sys
import tempfile
import threading
import urllib.parse

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "..", "fixtures", "kube")
NAMESPACE, DEPLOYMENT = "apigwp-cz", "ng-plus-apigw"  # of the recordings


def recording(name):
    with open(os.path.join(FIXTURES, name), "rb") as f:
        return f.read()


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


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that ends the connection, or does not trust us, is no error of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Kube:
    """`phase` is a set of recordings such as "v1.36-1-settled". `faults` maps a step (deployment, replicasets, pods) to a
    function that answers in its place; `page` cuts lists into pages of so many items."""

    def __init__(self, folder, certs, address):
        self.token, self.phase, self.faults, self.page, self.chunks = "token-of-the-account-1", "v1.36-1-settled", {}, 0, 0
        self.asked, self.agents = [], set()
        self.folder = tempfile.mkdtemp(prefix="serviceaccount.", dir=folder)
        self._server = _Server((address, 0), _Handler)
        self._server.kube = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certs.issued(address))
        # The handshake is the handler's: one that hangs holds nobody up.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
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
        step = "deployment" if parts[-2] == "deployments" else parts[-1]
        self.asked.append(step)
        self.agents.add(request.headers["User-Agent"])
        if request.headers["Authorization"] != f"Bearer {self.token}":
            request.reply(401, recording("pods-list-401.json"))
        elif step in self.faults:
            self.faults[step](request)
        elif step != "deployment" and query.get("labelSelector") != f"app={DEPLOYMENT}":
            request.reply(400, b"{}")
        else:
            self._answer_recorded(request, step, query)

    def _answer_recorded(self, request, step, query):
        body = recording(f"{self.phase}-{step}.json")
        if self.page and step != "deployment":
            whole, at = json.loads(body), int(query.get("continue", "0"))
            more = at + self.page < len(whole["items"])
            whole["items"] = whole["items"][at:at + self.page]
            whole["metadata"]["continue"] = str(at + self.page) if more else ""
            body = json.dumps(whole).encode()
        request.reply(200, body, chunks=self.chunks)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
