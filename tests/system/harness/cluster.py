# SPDX-License-Identifier: MIT
"""Gateway pods: real nginx on loopback addresses of its own, TLS, a probe location and a programmable replication lag
(pod.lua). One nginx may be all pods, or each pod is an nginx of its own that can be stopped, killed and reloaded."""
import http.client
import os
import shutil
import signal
import urllib.parse

from . import proc

HERE = os.path.dirname(os.path.abspath(__file__))
CONTROL_PORT = 8180
MODULES = [f"/usr/lib/nginx/modules/{m}_module.so" for m in ("ndk_http", "ngx_http_lua", "ngx_http_js")]

MAIN = """\
{modules}
{user}daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    keepalive_requests 1000000;
    client_body_buffer_size 64k;
    large_client_header_buffers 4 16k;
    lua_package_path "{here}/?.lua;;";
    lua_shared_dict pods 8m;
    lua_max_running_timers 4096;
    init_by_lua_block {{ require("pod").configure {{ tick_ms = {tick_ms}, spread_ms = {spread_ms}, peers = {{ {peers} }} }} }}
    init_worker_by_lua_block {{ math.randomseed(ngx.worker.pid() + ngx.now()) }}
    {http}
{servers}
}}
"""

SERVER = """\
    server {{
        listen {address}:{port} ssl backlog=1024;
        server_name {host};
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_client_hello_by_lua_block {{ require("pod").client_hello("{name}") }}
        set $pod {name};
        location = {path} {{ content_by_lua_block {{ require("pod").probe() }} }}
        {locations}
    }}
    server {{
        listen {address}:{control};
        location / {{ content_by_lua_block {{ require("pod").control() }} }}
    }}
"""


def missing():
    """What this machine lacks to run a pod, or ''."""
    lacking = [m for m in MODULES if not os.path.exists(m)]
    return f"{lacking[0]} is missing (Debian: libnginx-mod-http-lua, libnginx-mod-http-js)" if lacking else ""


class Nginx:
    """One nginx that serves some pods."""

    def __init__(self, folder, conf):
        self.folder, self.process = folder, None
        os.makedirs(folder, exist_ok=True)
        self.conf = os.path.join(folder, "nginx.conf")
        with open(self.conf, "w") as f:
            f.write(conf)

    def start(self, wait_for):
        path = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        with open(os.path.join(self.folder, "stderr"), "ab") as log:
            self.process = proc.spawn([path, "-p", self.folder, "-c", self.conf, "-e", self.log_path()], stderr=log)
        for address in wait_for:
            proc.wait_connect(address, process=self.process)

    def log_path(self):
        return os.path.join(self.folder, "error.log")

    def workers(self):
        return proc.children(self.process.pid)

    def reload(self):
        """nginx -s reload, and waits for the first worker of the new generation."""
        old = set(self.workers())
        self.process.send_signal(signal.SIGHUP)
        proc.wait_until(lambda: set(self.workers()) - old, why="no new nginx worker")

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            workers = self.workers() if self.process.poll() is None else []
            proc.end(self.process, sig)
            for pid in workers:  # SIGKILL of the master leaves them
                if proc.alive(pid):
                    os.kill(pid, signal.SIGKILL)
            proc.wait_until(lambda: not any(map(proc.alive, workers)), why="nginx workers did not end")
            for pid in workers:
                proc.reap(pid)


class Pod:
    """A gateway pod as a test handles it: where it is, and its control."""

    def __init__(self, name, address, port):
        self.name, self.address, self.port, self.nginx = name, address, port, None

    def entry(self):
        """As syncer's `static` list wants it."""
        return {"name": self.name, "address": self.address, "port": self.port}

    def _control(self, method, what, body="", **args):
        link = http.client.HTTPConnection(self.address, CONTROL_PORT, timeout=5)
        try:
            link.request(method, f"/{what}?{urllib.parse.urlencode({'pod': self.name, **args})}", body.encode())
            answer = link.getresponse()
            text = answer.read().decode()
            if answer.status not in (200, 404):
                raise RuntimeError(f"{self.name}: control answered {answer.status} to {method} {what}")
            return text if answer.status == 200 else None
        finally:
            link.close()

    def put(self, token, lag_ms=0):
        self._control("PUT", "token", token, lag=lag_ms)

    def put_at(self, token, at_ms):
        """It has the token from at_ms of the wall clock on."""
        self._control("PUT", "token", token, at=f"{at_ms:.3f}")

    def drop(self, token):
        self._control("DELETE", "token", token)

    def has_since(self, token):
        """ms of the wall clock from which the pod has the token, or None."""
        text = self._control("POST", "token", token)
        return float(text) if text else None

    def order(self, order=""):
        """What the probe location does instead: "status 302", "hang", "delay 300" (ms, then as ever); "" as ever."""
        self._control("PUT", "order", order)

    def counters(self):
        return {k: int(v) for k, v in (line.split() for line in self._control("GET", "counters").splitlines())}

    def start(self):
        self.nginx.start([(self.address, self.port), (self.address, CONTROL_PORT)])

    def stop(self):
        """SIGTERM: its connections end at once, its port refuses."""
        self.nginx.stop()

    def kill(self):
        self.nginx.stop(signal.SIGKILL)

    def reload(self):
        self.nginx.reload()


class Cluster:
    """n pods named gw-1 ... `one_process`: all are one nginx (cheaper; stop and reload are then for all of them).
    `http` and `locations` (a function of the pod's name) are added to the configuration, and the folder `include` is
    `syncer` beside it: see gateway.py."""

    def __init__(self, folder, certs, block, n=4, one_process=False, host="gateway.test", path="/_synced", http="",
                 locations=lambda name: "", include=None, tick_ms=1000, spread_ms=20):
        self.block = block
        self.folder, self.certs, self.host, self.path = folder, certs, host, path
        self.pods = [Pod(f"gw-{i}", self.block.address(i), self.block.port) for i in range(1, n + 1)]
        self._http, self._tick_ms, self._spread_ms = http, tick_ms, spread_ms
        self._locations, self._include = locations, include
        groups = [self.pods] if one_process else [[p] for p in self.pods]
        self._groups = [(self._nginx(group), group) for group in groups]

    def _server(self, pod):
        cert, key = self.certs.issued(self.host)
        return SERVER.format(address=pod.address, port=pod.port, host=self.host, cert=cert, key=key, name=pod.name,
                             path=self.path, control=CONTROL_PORT, locations=self._locations(pod.name))

    def _nginx(self, group):
        folder = os.path.join(self.folder, group[0].name if len(group) == 1 else "gateways")
        peers = ", ".join(f'{{ "{p.name}", "{p.address}", {CONTROL_PORT} }}' for p in self.pods)
        nginx = Nginx(folder, MAIN.format(
            modules="\n".join(f"load_module {m};" for m in MODULES),
            user="user root;\n" if os.geteuid() == 0 else "", dir=folder, here=HERE, http=self._http, peers=peers,
            tick_ms=self._tick_ms, spread_ms=self._spread_ms, servers="\n".join(map(self._server, group))))
        if self._include:
            os.symlink(self._include, os.path.join(folder, "syncer"))
        for pod in group:
            pod.nginx = nginx
        return nginx

    def __getitem__(self, i):
        return self.pods[i]

    def __iter__(self):
        return iter(self.pods)

    def start(self):
        for nginx, group in self._groups:
            nginx.start([(p.address, port) for p in group for port in (p.port, CONTROL_PORT)])
        return self

    def put(self, token, *lags_ms):
        """Stores a token: pod by pod with its lag, None = never; no lags at all = everywhere at once."""
        for pod, lag in zip(self.pods, lags_ms or [0] * len(self.pods)):
            if lag is not None:
                pod.put(token, lag)

    def config(self):
        """The keys of syncer's configuration that say where these pods are."""
        return {"pods": "static", "static": [p.entry() for p in self.pods], "host": self.host, "path": self.path,
                "tls_ca": self.certs.ca}

    def close(self):
        for nginx, _ in self._groups:
            nginx.stop()
