# SPDX-License-Identifier: MIT
"""The gateway's own side, as documented: a cluster whose pods log users in and ask syncer by the sample files in
contrib/nginx, those very files but for syncer's address."""
import http.client
import os
import shutil
import socket
import ssl

from . import cluster

SAMPLES = os.path.join(cluster.HERE, "..", "..", "..", "contrib", "nginx")

LOCATIONS = """\
        set $syncer_origin {name};
        include syncer/login-njs.conf;
        include syncer/auth-request.conf;
        include syncer/auth-request-strict.conf;
        include syncer/auth-request-cached.conf;
        include syncer/server.conf;
        access_log {log} syncer;
        location = /_login {{ internal; content_by_lua_block {{ require("pod").login() }} }}
        location = /login-alone {{ content_by_lua_block {{ require("pod").login() }} }}
        location = /page {{ content_by_lua_block {{ require("pod").page() }} }}
        location @app {{ content_by_lua_block {{ require("pod").page() }} }}
"""


def wiring(folder, syncer_address):
    """Arguments of cluster.Cluster for pods that ask the syncer at `syncer_address`, "IP:PORT"."""
    include = os.path.join(folder, "nginx-samples")
    shutil.copytree(SAMPLES, include)
    replace(os.path.join(include, "http.conf"), "127.0.0.1:8080", syncer_address)
    replace(os.path.join(include, "cache-http.conf"), "/var/cache/nginx/syncer", "cache")  # in each nginx's own folder
    log = os.path.join(folder, "access.log")
    return {"include": include, "http": "include syncer/http.conf; include syncer/cache-http.conf;",
            "locations": lambda n: LOCATIONS.format(name=n, log=log)}


def replace(path, old, new):
    """What a user would edit in a sample file."""
    with open(path) as f:
        text = f.read()
    assert old in text, f"{path}: {old} is not in it"
    with open(path, "w") as f:
        f.write(text.replace(old, new))


class User:
    """A browser: keeps its cookie, and comes to whichever pod the load balancer gives it."""

    def __init__(self, pods):
        self.pods, self.cookie = pods, None
        self._context = ssl.create_default_context(cafile=pods.certs.ca)

    @property
    def token(self):
        return self.cookie and self.cookie.partition("=")[2]

    def get(self, pod, target):
        """(status, headers in lower case, body)"""
        link = http.client.HTTPConnection(self.pods.host)
        link.sock = self._context.wrap_socket(socket.create_connection((pod.address, pod.port), 10),
                                              server_hostname=self.pods.host)
        try:
            link.request("GET", target, headers={"Cookie": self.cookie} if self.cookie else {})
            answer = link.getresponse()
            headers = {k.lower(): v for k, v in answer.getheaders()}
            if "set-cookie" in headers:
                self.cookie = headers["set-cookie"].partition(";")[0]
            return answer.status, headers, answer.read().decode()
        finally:
            link.close()
