# SPDX-License-Identifier: MIT
"""What the benchmarks in Python have in common: pods that cost little, programs that ask them, CPU and memory of processes,
and the line that each figure is."""
import os
import re
import statistics
import subprocess
import sys

BUILD = os.environ.get("BENCH_BUILDDIR") or os.getcwd()
SOURCE = os.environ.get("SYNCER_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(SOURCE, "tests", "system"))
from harness import certs, cluster, proc, syncer  # noqa: E402

HOST, PATH, TOKEN = "gateway.test", "/_synced", "6f1d2c3b4a5968778695a4b3c2d1e0f00f1e2d3c4b5a6978"


# Where cost is measured and not time: no probe ends for want of it on a busy machine.
PATIENT = {"connection_timeout": 10000, "request_deadline": 30000, "log_level": "warn"}


def figure(name, value, unit, goal="", **beside):
    """One line of the table: see run.py."""
    words = [f"{k}={v:.4g}" for k, v in beside.items() if v is not None]
    print("=", name, f"{value:.4g}", unit, *([goal] if goal else []), *words, flush=True)


def say(text):
    print(text, flush=True)


# ---- pods ----

LEAN = """\
{user}daemon off;
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    keepalive_requests 1000000000;
{http}
}}
"""

PODS = """\
    keepalive_timeout 1h;
    server {{
{listens}
        ssl_certificate {cert};
        ssl_certificate_key {key};
        location = {path} {{ return 200 ""; }}
    }}
"""


def lean_nginx(folder, http, workers, connections):
    """An nginx that does nothing but what `http` says; to be started."""
    return cluster.Nginx(folder, LEAN.format(user="user root;\n" if os.geteuid() == 0 else "", dir=folder, http=http,
                                             workers=workers, connections=connections))


class LeanPods:
    """n pods of one nginx that know every token: what they cost is not what is measured."""

    def __init__(self, folder, issuer, n):
        self.block = proc.Block()
        self.pods = [cluster.Pod(f"gw-{i + 1}", self.block.address(1 + i % 250), self.block.port + i // 250)
                     for i in range(n)]
        self.ca = issuer.ca
        cert, key = issuer.issued(HOST)
        listens = "\n".join(f"        listen {p.address}:{p.port} ssl backlog=1024;" for p in self.pods)
        self.nginx = lean_nginx(os.path.join(folder, f"lean-{n}"), PODS.format(listens=listens, cert=cert, key=key, path=PATH),
                                workers=1, connections=19000)
        self.nginx.start([(self.pods[-1].address, self.pods[-1].port)])

    def config(self):
        return {"pods": "static", "static": [p.entry() for p in self.pods], "host": HOST, "path": PATH, "tls_ca": self.ca}

    def close(self):
        self.nginx.stop()
        self.block.close()


# ---- programs ----

def pairs(text):
    """"key value" lines, numbers where they are."""
    return {k: float(v) if re.fullmatch(r"[0-9.]+", v) else v for k, v in re.findall(r"^(\w+) (.*)$", text, re.M)}


def tool(name, *args, pods=None, wrap=()):
    """The figures that a program of tests/bench prints; `pods` are those it asks, `wrap` what it runs under."""
    text = "".join(f"{p.address} {p.port}\n" for p in pods or [])
    done = subprocess.run([*wrap, os.path.join(BUILD, "tests", "bench", name), *map(str, args)], input=text,
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr.strip()[-2000:]}")
    return pairs(done.stdout)


def raw(lanes, checks, pods, path=PATH, token=TOKEN):
    return tool("raw_client", lanes, checks, HOST, path, token, pods=pods)


def load(server, lanes, requests, path, expect, *fields, may_be_wrong=False):
    got = tool("load", lanes, requests, server.address, server.port, path, expect, *fields)
    if got["wrong"] and not may_be_wrong:
        raise RuntimeError(f"{path}: {got['wrong']:.0f} of {requests} answers are wrong: {got['first_wrong']}")
    return got


def checks(server, lanes, requests, origin="-", **kwargs):
    """Each connection has a token of its own, so none of the checks share probes."""
    return load(server, lanes, requests, "/v1/synced", "X-Token-Status: Synced", f"X-Auth-Token: {TOKEN}-{{lane}}",
                f"X-Nginx-Origin: {origin}", **kwargs)


# ---- processes ----

def cpu_us(pids):
    """CPU time so far, exact: the clock ticks of /proc/PID/stat are 10 ms."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    return total / 1000


def pss_kb(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            total += int(re.search(r"^Pss: +(\d+)", f.read(), re.M)[1])
    return total


def all_pids(server):
    return [server.process.pid, *server.workers()]


def counter(server, family):
    """A family of /metrics, summed over its labels."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in server.get("/metrics").body.decode().splitlines()
               if re.match(rf"{family}(\{{| )", line))


def turns(server):
    """(turns of the workers' loops so far, those of them that took more than 1 ms by the clock)"""
    text = server.get("/metrics").body.decode()
    total, short = (int(re.search(rf"^syncer_worker_turn_seconds_{what} (\d+)$", text, re.M)[1])
                    for what in ("count", r'bucket\{le="0.001"\}'))
    return total, total - short


def warm(server, pods):
    """Waits until each worker has a connection to each pod: it accepts before, if they are many."""
    wanted = len(server.workers()) * len(pods)
    proc.wait_until(lambda: counter(server, "syncer_pod_connections_open") >= wanted, 60, 0.1, "not all pods were connected to")


def median(values):
    return statistics.median(values)
