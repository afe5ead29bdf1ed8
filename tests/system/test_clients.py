#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that are many, slow, or gone: limits, floods of resets, who gets which connection, and sockets of each kind at once.
Single clients that break the rules of HTTP are test_http's."""
import contextlib
import os
import signal
import socket
import ssl
import struct
import sys
import threading

from harness import proc, tap

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /v1/synced HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000
CHECK = b"GET /v1/synced HTTP/1.1\r\nHost: a\r\nX-Auth-Token: t\r\nX-Nginx-Origin: -\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"


def connect(server, source=None):
    return socket.create_connection((server.address, server.port), 20, (source, 0) if source else None)


def ask(sock, raw=LIVEZ):
    """The head of one answer without a body to speak of: all of it comes in one piece."""
    sock.sendall(raw)
    return sock.recv(65536)


def rest(sock):
    """All until the end: a reset is an error."""
    return b"".join(iter(lambda: sock.recv(65536), b""))


def reset(sock):
    """RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def is_refused(answer):
    head = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return head[0].startswith(b"HTTP/1.1 503 ") and {b"Connection: close", b"X-Token-Error: overloaded",
                                                     b"Retry-After: 1"} <= set(head) and answer.count(b"HTTP/1.1 ") == 1


def test_who_is_too_many_is_told_at_once(t):
    """While all places are taken and stay so: by clients that say nothing, ask, or have a body under way."""
    server = t.syncer(t.cluster(2, one_process=True), workers=1, max_connections=8)
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(connect(server)) for _ in range(8)]
        assert all(ask(sock).startswith(b"HTTP/1.1 200 ") for sock in kept)
        for sent in (b"", LIVEZ, POST):
            more = [stack.enter_context(connect(server)) for _ in range(100)]
            for sock in more:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    sock.sendall(sent)  # it may have been refused, and let go, before the last byte
                assert is_refused(rest(sock)), sent[:40]
                sock.close()
        assert all(ask(sock).startswith(b"HTTP/1.1 200 ") for sock in kept), "who was let in is served"
    proc.wait_until(lambda: server.get("/livez").status == 200, why="there is room again")


def test_a_full_worker_leaves_clients_to_those_that_have_room(t):
    server = t.syncer(t.cluster(2, one_process=True), workers=2, max_connections=20)
    proc.wait_until(lambda: states(server) == ["ready"] * 2)
    proc.wait_until(lambda: sum(connections_of(server)) == 0)
    idle = server.workers()[1]
    with contextlib.ExitStack() as stack:
        os.kill(idle, signal.SIGSTOP)
        proc.wait_until(lambda: proc.stopped(idle))
        for _ in range(20):
            assert ask(stack.enter_context(connect(server))).startswith(b"HTTP/1.1 200 ")
        assert sorted(connections_of(server)) == [0, 20]
        os.kill(idle, signal.SIGCONT)
        for _ in range(20):
            assert ask(stack.enter_context(connect(server))).startswith(b"HTTP/1.1 200 "), connections_of(server)
        assert is_refused(rest(connect(server))), "now all are full"
    proc.wait_until(lambda: server.get("/livez").status == 200, why="there is room again")


def test_too_many_over_tls_are_told_as_well(t):
    pods = t.cluster(2, one_process=True)
    cert, key = t.certs.issued(pods.block.address(253))
    server = t.syncer(pods, start=False, workers=1, max_connections=2, listen_tls_cert=cert, listen_tls_key=key).start(ready=False)
    tls = ssl.create_default_context(cafile=t.certs.ca)
    wrapped = lambda: tls.wrap_socket(connect(server), server_hostname=server.address)

    def two_in():
        pair = [wrapped(), wrapped()]
        if all(ask(sock).startswith(b"HTTP/1.1 200 ") for sock in pair):
            return pair
        for sock in pair:
            sock.close()
        return None
    kept = proc.wait_until(two_in, why="the connections of the start are not over")
    for _ in range(20):
        with wrapped() as sock:
            sock.sendall(LIVEZ)
            assert is_refused(rest(sock))
    for sock in kept:
        assert ask(sock).startswith(b"HTTP/1.1 200 ")
        sock.close()


def resets(server, worker):
    """Connections that are reset at each stage of their life."""
    os.kill(worker, signal.SIGSTOP)  # before they are accepted, and before what they have asked is read
    proc.wait_until(lambda: proc.stopped(worker))
    for sent in (b"", LIVEZ, CHECK, METRICS * 50, b"GET /livez HT") * 20:
        sock = connect(server)
        sock.sendall(sent)
        reset(sock)
    os.kill(worker, signal.SIGCONT)
    for sent in (LIVEZ, METRICS, CHECK, METRICS * 200, b"GET /livez HTTP/1.1\r\n", POST) * 20:
        sock = connect(server)
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.send(sent)
        reset(sock)  # whatever has been done about it by now
        sock = connect(server)
        sock.sendall(LIVEZ + sent)
        assert sock.recv(20).startswith(b"HTTP/1.1 200 ")
        reset(sock)  # in the middle of an answer


def test_floods_of_resets_leave_nothing(t):
    pods = t.cluster(2, one_process=True)  # without the token: a check lasts as long as its patience
    server = t.syncer(pods, workers=1, log_level="info")
    worker, = server.workers()

    def is_quiet():
        status = server.get("/v1/status").json()
        return status["checks"]["running"] == 0 and open_connections(server) == 1
    resets(server, worker)
    proc.wait_until(is_quiet)
    before = others(server, worker)
    for _ in range(5):
        resets(server, worker)
    proc.wait_until(is_quiet, why="connections or checks are left")
    proc.wait_until(lambda: others(server, worker) <= before, why="descriptors are left")
    assert server.workers() == [worker] and server.get("/v1/status").json()["workers_crashed"] == 0


def gauge(server, name):
    text = server.get("/metrics").body.decode()
    return int(text.split(f"\n{name} ")[1].split("\n")[0])


def open_connections(server):
    return gauge(server, "syncer_connections_open")


def others(server, worker):
    """Its descriptors but the connections to pods, which are kept."""
    return len(os.listdir(f"/proc/{worker}/fd")) - gauge(server, "syncer_pod_connections_open")


# ---- who gets which connection ----

def connections_of(server):
    """How many of its clients' connections each worker has."""
    local = "%02X%02X%02X%02X:%04X" % (*reversed(socket.inet_aton(server.address)), server.port)
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f.readlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[1] == local and row[3] == "01"}

    def links(pid):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                yield os.readlink(f"/proc/{pid}/fd/{fd}")
    return [len(inodes.intersection(links(pid))) for pid in server.workers()]


def states(server):
    return [worker["state"] for worker in server.get("/v1/status").json()["workers"]]


def spread(server, at_once):
    with contextlib.ExitStack() as stack:
        kept = []
        for _ in range(64):
            kept.append(stack.enter_context(connect(server)))
            if not at_once:
                assert ask(kept[-1]).startswith(b"HTTP/1.1 200 ")
        for sock in kept:
            assert ask(sock).startswith(b"HTTP/1.1 200 ")
        counts = connections_of(server)
    assert sum(counts) == 64, counts
    proc.wait_until(lambda: sum(connections_of(server)) == 0)
    return counts


def test_64_kept_connections_are_spread_over_the_workers(t):
    pods = t.cluster(2, one_process=True)
    for workers in (2, 4):
        server = t.syncer(pods, workers=workers)
        proc.wait_until(lambda: len(states(server)) == workers and set(states(server)) == {"ready"})
        is_even = lambda counts: 32 / workers <= min(counts) and max(counts) <= 96 / workers
        counts = spread(server, at_once=False)
        assert len(counts) == workers and is_even(counts), counts
        # A burst is over in 2 ms: a worker that a busy machine lets wait for longer misses it.
        proc.wait_until(lambda: is_even(spread(server, at_once=True)), why="a burst stays where it came")
        server.stop()


# ---- sockets of each kind ----

def free_port(host):
    with socket.socket(socket.AF_INET6) as sock:
        sock.bind((host, 0))
        return sock.getsockname()[1]


def test_sockets_of_each_kind_at_once(t):
    try:
        v6, admin_v6 = free_port("::1"), free_port("::1")
    except OSError:
        raise tap.Skip("no IPv6 on this machine") from None
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    paths = [os.path.join(t.folder, name) for name in ("a.sock", "b.sock")]
    server = t.syncer(pods, access_log=True, admin_listen=[f"[::1]:{admin_v6}", f"unix:{paths[1]}"], watch_files=False,
                      listen=[f"{pods.block.address(253)}:8080", f"{pods.block.address(252)}:8081", f"[::1]:{v6}",
                              f"unix:{paths[0]}"])
    public = [(socket.AF_INET, (server.address, 8080)), (socket.AF_INET, (pods.block.address(252), 8081)),
              (socket.AF_INET6, ("::1", v6)), (socket.AF_UNIX, paths[0])]
    admin = [(socket.AF_INET6, ("::1", admin_v6)), (socket.AF_UNIX, paths[1])]

    def answer(family, address, raw):
        with socket.socket(family) as sock:
            sock.settimeout(20)
            sock.connect(address)
            return ask(sock, raw)
    for _ in range(2):  # again after a reload
        for where in public:
            assert b"\r\nX-Token-Status: Synced\r\n" in answer(*where, CHECK), where
        for where in admin:
            assert answer(*where, CHECK).startswith(b"HTTP/1.1 404 ") and answer(*where, METRICS).startswith(b"HTTP/1.1 200 ")
        server.reload()
    clients = {line.split("client=")[1].split()[0].strip('"') for line in server.log().split("\n") if "client=" in line}
    assert {"::1", "unix"} <= clients, clients
    assert server.stop() == 0 and not any(map(os.path.exists, paths)), "the files are gone"


# ---- slow ones ----

def test_who_reads_a_long_answer_drop_by_drop_is_let_go(t):
    """One limit for the whole answer, however steadily it is taken."""
    pods = t.cluster(2, one_process=True)
    many = [{"name": f"far-{i}", "address": f"127.200.{i // 250}.{i % 250 + 1}", "port": 9} for i in range(1000)]
    server = t.syncer(pods, static=many, workers=1, client_timeout="1s", log_level="error")
    whole = len(server.get("/v1/pods").body)
    assert whole > 50000
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(20)
        sock.connect((server.address, server.port))
        sock.sendall(b"GET /v1/pods HTTP/1.1\r\nHost: a\r\n\r\n" * 400)  # more than the kernel takes in advance
        got, pace = 0, threading.Event()
        with contextlib.suppress(ConnectionResetError):
            while data := sock.recv(512):
                got += len(data)
                pace.wait(0.02)
                assert got < 20 * whole, "it is let read on and on"
    proc.wait_until(lambda: open_connections(server) == 1)


def test_a_refused_body_that_trickles_is_not_read_for_ever(t):
    """The answer is out: what comes afterwards is thrown away for a while, so that no reset takes it back."""
    server = t.syncer(t.cluster(2, one_process=True), workers=1)
    with connect(server) as sock:
        sock.sendall(POST[:100])
        head = sock.recv(65536)
        assert head.startswith(b"HTTP/1.1 405 ") and b"\r\nConnection: close\r\n" in head
        pace = threading.Event()
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(300):
                sock.send(b"x")
                pace.wait(0.05)
            raise AssertionError("it was read for 15 s")
    proc.wait_until(lambda: open_connections(server) == 1)


# ---- floods from many sides ----

class Flood:
    """Threads that do `once` again and again, until they are stopped; what may happen to a client of a flood is no error."""

    def __init__(self, once, threads=6):
        self.over, self.done = threading.Event(), 0
        self.threads = [threading.Thread(target=self._run, args=(once,)) for _ in range(threads)]

    def _run(self, once):
        while not self.over.is_set():
            with contextlib.suppress(ConnectionError, TimeoutError):
                once()
                self.done += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def test_no_flood_on_listen_starves_a_health_probe(t):
    """New connections, kept ones that ask without a pause, and resets, beyond all limits: each probe on admin_listen is
    answered on a new connection, while the flood goes on."""
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    admin = pods.block.address(252)
    server = t.syncer(pods, workers=2, max_connections=20, max_checks=4, admin_listen=f"{admin}:9090", log_level="info")

    def once():
        with connect(server) as sock:
            sock.sendall((LIVEZ + CHECK) * 20)
            sock.recv(65536)
            reset(sock)

    def probe():
        with socket.create_connection((admin, 9090), 20) as sock:
            assert ask(sock).startswith(b"HTTP/1.1 200 ")
    with contextlib.ExitStack() as stack:
        for _ in range(60):  # more than there is room for: who is let in stays
            stack.enter_context(connect(server))
        flood = stack.enter_context(Flood(once))
        probes = 0
        while probes < 200 or flood.done < 2000:
            probe()
            probes += 1
    proc.wait_until(lambda: server.get("/livez").status == 200, why="the flood is over")
    assert len(server.workers()) == 2


def test_strangers_cannot_take_the_checks_of_pods(t):
    """Who may not ask is refused before a check begins: max_checks is for the others."""
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    server = t.syncer(pods, workers=1, allow="pods", max_checks=1, log_level="info")
    stranger = pods.block.address(77)

    def once():
        with connect(server, stranger) as sock:
            assert ask(sock, CHECK * 10).startswith(b"HTTP/1.1 403 ")
    with Flood(once) as flood:
        asked = 0
        while asked < 50 or flood.done < 300:
            with connect(server, pods[0].address) as sock:
                assert b"\r\nX-Token-Status: Synced\r\n" in ask(sock, CHECK)
            asked += 1


if __name__ == "__main__":
    sys.exit(tap.main())
