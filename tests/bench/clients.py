#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What clients cost: a request on a kept connection, beside nginx; a line of the access log; an idle connection. CPU is that of
all processes of the server, user and system; what is compared runs in turn, and the median of the pairs counts."""
import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

import benchlib as b

LANES, REQUESTS, PAIRS = 16, 10000, 21
IDLE, IDLE_TLS = 10000, 1000
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: syncer\r\n\r\n"

LIVEZ_HTTP = """\
    default_type application/json;
    server {{
        listen {address}:{port};
        location = /livez {{ return 200 '{{"status":"live"}}'; }}
    }}
"""


class Nginx:
    def __init__(self, folder, address, port=8080):
        self.address, self.port = address, port
        self.nginx = b.lean_nginx(os.path.join(folder, "nginx"), LIVEZ_HTTP.format(address=address, port=port), workers=2,
                                  connections=9000)
        self.nginx.start([(address, port)])

    def pids(self):
        pid = self.nginx.process.pid
        return [pid, *b.proc.children(pid)]


def cost_us(server, pids):
    """CPU of the server a request."""
    before = b.cpu_us(pids)
    b.load(server, LANES, REQUESTS, "/livez", "Content-Length: 17")
    return (b.cpu_us(pids) - before) / REQUESTS


def in_turn(ours, theirs):
    """[(cost, cost) ...], after a round that does not count."""
    return [(cost_us(*ours), cost_us(*theirs)) for _ in range(PAIRS + 1)][1:]


def measure_livez(server, nginx):
    pairs = in_turn((server, b.all_pids(server)), (nginx, nginx.pids()))
    b.figure("livez_cpu", b.median([o for o, _ in pairs]), "us", nginx=b.median([t for _, t in pairs]))
    b.figure("livez_cpu_over_nginx", b.median([o / t for o, t in pairs]), "ratio", "<=1.25")


def traced(pid):
    with open(f"/proc/{pid}/status") as f:
        return re.search(r"^TracerPid:\t(\d+)", f.read(), re.M)[1] != "0"


def calls(folder, server, pids, requests):
    """System calls of the server while it answers so many, one after another."""
    out = f"{folder}/strace"
    tracer = b.proc.spawn(["strace", "-c", "-U", "calls,name", "-o", out, *(f"-p{pid}" for pid in pids)],
                          stderr=subprocess.DEVNULL)
    b.proc.wait_until(lambda: all(map(traced, pids)))
    b.load(server, 1, requests, "/livez", "Content-Length: 17")
    b.proc.end(tracer, signal.SIGINT)
    with open(out) as f:
        return int(re.search(r"^ *(\d+) total", f.read(), re.M)[1])


def measure_calls(folder, server, nginx, n=1000):
    """Exact, but for what a second brings: the difference of two lengths leaves out the beginning and the end."""
    if not shutil.which("strace"):
        return
    ours, theirs = ((calls(folder, s, pids, 3 * n) - calls(folder, s, pids, n)) / (2 * n)
                    for s, pids in ((server, server.workers()), (nginx, nginx.pids())))
    b.figure("livez_calls", ours, "calls", nginx=theirs)


def measure_access_log(server, logging):
    pairs = in_turn((logging, b.all_pids(logging)), (server, b.all_pids(server)))
    b.figure("access_log_cpu", b.median([o - t for o, t in pairs]), "us", "<=2", with_it=b.median([o for o, _ in pairs]))


def slab_kb():
    with open("/proc/meminfo") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Slab:"))


def idle_bytes(server, n, connect):
    """(memory of the server's processes, of the kernel for both ends), each a connection that has been served and is kept."""
    with contextlib.ExitStack() as stack:
        for _ in range(64):  # what is made with the first ones and stays
            stack.enter_context(connect())
        pids = b.all_pids(server)
        before, slab = b.pss_kb(pids), slab_kb()
        for _ in range(n):
            stack.enter_context(connect())
        after = b.pss_kb(pids), slab_kb()
    return (after[0] - before) * 1024 / n, (after[1] - slab) * 1024 / n


def ask(sock):
    sock.sendall(LIVEZ)
    assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    return sock


def measure_idle(server, secure, ca):
    tls = ssl.create_default_context(cafile=ca)
    plain = lambda: ask(socket.create_connection((server.address, server.port), 20))
    shaken = lambda: ask(tls.wrap_socket(socket.create_connection((secure.address, secure.port), 20),
                                         server_hostname=secure.address))
    own, kernel = idle_bytes(server, IDLE, plain)
    b.figure("idle_client", own / 1024, "KB", "<=2", kernel_both_ends=kernel / 1024)
    b.figure("idle_tls_client", idle_bytes(secure, IDLE_TLS, shaken)[0] / 1024, "KB")


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    folder = tempfile.mkdtemp(prefix="syncer-bench.")
    b.proc.adopt_orphans()
    started = []
    try:
        issuer = b.certs.Certs(folder)
        pods = b.LeanPods(folder, issuer, 2)
        started.append(pods.close)
        nginx = Nginx(folder, pods.block.address(250))
        started.append(nginx.nginx.stop)

        def syncer(name, number, **config):
            made = b.syncer.Syncer(f"{folder}/{name}", pods.block.address(number),
                                   {**pods.config(), "log_level": "info", "max_connections": 9000, **config})
            started.append(made.close)
            return made.start(ready=False)
        cert, key = issuer.issued(pods.block.address(253))
        server, logging = syncer("plain", 251), syncer("logging", 252, access_log=True)
        secure = syncer("secure", 253, listen_tls_cert=cert, listen_tls_key=key)
        measure_idle(server, secure, issuer.ca)  # first: what load leaves behind would be used again
        measure_livez(server, nginx)
        measure_access_log(server, logging)
        measure_calls(folder, server, nginx)
    finally:
        for close in reversed(started):
            close()
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
