#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What happens when this machine gives no more: descriptors, memory, /dev/shm, somebody who reads the log. It is said, it
is never taken for a failure of the pods, and it is over when the shortage is."""
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys

from harness import prometheus, proc, tap
from harness.clients import Clients


def limit(pids, what, soft):
    """Sets the soft limit of running processes; None: as high as the hard one."""
    for pid in pids:
        hard = resource.prlimit(pid, what)[1]
        resource.prlimit(pid, what, (hard if soft is None else soft, hard))


def start(t, n=3, **config):
    pods = t.cluster(n)
    pods.put("t")
    syncer = t.syncer(pods, **config)
    proc.wait_until(lambda: syncer.check("t").verdict == "Synced", why="the token is not seen")
    proc.wait_until(lambda: syncer.log().count("worker is ready") == len(syncer.workers()), why="not all workers are ready")
    return pods, syncer


def skip_if_sanitized(syncer):
    if syncer.is_sanitized():
        raise tap.Skip("AddressSanitizer takes more address space than there is")


# ---- descriptors ----

def test_the_limit_is_raised_and_checked(t):
    pods = t.cluster(1)
    syncer = t.syncer(pods, start=False, max_connections=100)
    binary = syncer.binary
    wrapper = os.path.join(t.folder, "limited")

    def start_with(soft, hard):
        with open(wrapper, "w") as f:
            f.write(f'#!/bin/sh\nexec prlimit --nofile={soft}:{hard} {binary} "$@"\n')
        os.chmod(wrapper, 0o755)
        syncer.binary = wrapper
        if os.path.exists(syncer.log_path):
            os.truncate(syncer.log_path, 0)
        syncer.start()
        proc.wait_until(lambda: len(syncer.workers()) == 2)
        syncer.wait_log("connections to pods")
        for pid in [syncer.process.pid, *syncer.workers()]:
            proc.wait_until(lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE) == (hard, hard), why="it is not raised")
        text = syncer.log()
        assert syncer.stop() == 0
        return text

    assert "too few descriptors" not in start_with(32, 166)
    text = start_with(32, 165)
    assert "too few descriptors" in text and "limit=165 needed=166 max_connections=100 pods=1" in text, text
    assert "LimitNOFILE" in text and "max_connections" in text


def test_no_descriptors_in_the_workers(t):
    pods, syncer = start(t, log_level="info")
    link = syncer.connect()
    assert syncer.check("t", link=link).verdict == "Synced"
    workers = syncer.workers()
    limit(workers, resource.RLIMIT_NOFILE, 3)
    pods[0].stop()
    pods[0].start()  # what was open is gone; another connection is needed
    pods[0].put("t")
    answer = syncer.check("t", query="verbose=1", link=link)
    assert answer.verdict == "Timeout" and answer.pods == "2/3", answer
    peer = next(p for p in answer.json()["pods"] if p["name"] == "gw-1")
    assert peer["result"] == "short" and "Too many open files" in peer["reason"] and not peer["finished"], peer
    waiting = socket.create_connection((syncer.address, syncer.port))
    waiting.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    syncer.wait_log('clients wait or are let go: something is missing here" reason="Too many open files"')
    limit(workers, resource.RLIMIT_NOFILE, None)
    with waiting:
        waiting.settimeout(10)
        assert waiting.recv(100).startswith(b"HTTP/1.1 200 "), "who waited is not served"
    assert syncer.check("t", link=link).verdict == "Synced"
    link.close()
    assert syncer.workers() == workers
    assert prometheus.scrape(syncer)['syncer_probes_total{result="connect"}'] == 0


def test_no_descriptors_in_the_master(t):
    _, syncer = start(t)
    master = [syncer.process.pid]
    limit(master, resource.RLIMIT_NOFILE, 3)
    syncer.process.send_signal(signal.SIGHUP)
    syncer.wait_log("keeping the old configuration")
    victim = syncer.workers()[0]
    os.kill(victim, signal.SIGKILL)
    syncer.wait_log('worker cannot be started" reason="control socket: Too many open files"')
    syncer.wait_log("worker starts again later")
    assert syncer.check("t").verdict == "Synced"  # by the other one
    limit(master, resource.RLIMIT_NOFILE, None)
    proc.wait_until(lambda: len(syncer.workers()) == 2, 40, why="the worker was not replaced")
    syncer.reload()
    assert syncer.check("t").verdict == "Synced"


# ---- memory ----

def sizes(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmSize"))


def test_no_memory_in_the_workers(t):
    """The token is everywhere: whoever gets an answer that is a verdict must not be told that a pod lacks it."""
    _, syncer = start(t, log_level="info", keepalive_timeout=60000)
    skip_if_sanitized(syncer)
    workers = syncer.workers()
    for pid in workers:
        limit([pid], resource.RLIMIT_AS, sizes(pid))
    clients = t.keep(Clients(syncer, 80))
    proc.wait_until(lambda: len(clients.bad) >= 80, 30, why="nothing is missing")
    clients.stop()
    syncer.wait_log('something is missing here" reason="Cannot allocate memory"')
    limit(workers, resource.RLIMIT_AS, None)
    proc.wait_until(lambda: syncer.check("t").verdict == "Synced", 10, why="it does not recover")
    assert set(clients.bad) <= {(200, "Timeout", None), (503, None, "overloaded")}, set(clients.bad)
    assert syncer.workers() == workers, "a worker died of it"
    assert "tls_ca and" not in syncer.log(), "the pods are blamed"


def test_no_memory_in_the_master(t):
    _, syncer = start(t)
    skip_if_sanitized(syncer)
    master = [syncer.process.pid]
    limit(master, resource.RLIMIT_AS, 1 << 20)  # less than it has
    syncer.write(static=syncer.config["static"] + [{"name": f"more-{i}", "address": "127.0.0.9", "port": i + 1}
                                                   for i in range(8000)])
    syncer.process.send_signal(signal.SIGHUP)
    syncer.wait_log("keeping the old configuration")
    os.kill(syncer.workers()[0], signal.SIGKILL)
    syncer.wait_log("worker starts again later")
    assert syncer.check("t").verdict == "Synced"
    limit(master, resource.RLIMIT_AS, None)
    proc.wait_until(lambda: len(syncer.workers()) == 2, 40, why="the worker was not replaced")
    syncer.write(static=syncer.config["static"][:3])
    syncer.reload()
    assert syncer.check("t").verdict == "Synced" and syncer.process.poll() is None


# ---- /dev/shm ----

def in_its_own_shm(t, syncer, size):
    """The binary, started with a /dev/shm of `size`."""
    wrapper = os.path.join(t.folder, "own-shm")
    with open(wrapper, "w") as f:
        f.write(f'#!/bin/sh\nexec unshare -m sh -c \'mount -t tmpfs -o size={size} tmpfs /dev/shm && exec "$@"\' '
                f'sh {syncer.binary} "$@"\n')
    os.chmod(wrapper, 0o755)
    if subprocess.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /dev/shm"], capture_output=True).returncode:
        raise tap.Skip("no mount namespaces here")
    syncer.binary = wrapper


def test_dev_shm_is_too_small(t):
    syncer = t.syncer(t.cluster(1), start=False)
    in_its_own_shm(t, syncer, "64k")
    done = subprocess.run([syncer.binary, "-c", syncer.config_path], capture_output=True, text=True, timeout=20)
    assert done.returncode == 71, done
    assert "bytes (is /dev/shm too small?): No space left on device" in done.stderr, done.stderr


def test_dev_shm_is_filled_by_others_later(t):
    """All that is needed was taken at the start."""
    pods = t.cluster(2)
    pods.put("t")
    syncer = t.syncer(pods, start=False)
    in_its_own_shm(t, syncer, "64m")
    syncer.start()
    filler = f"/proc/{syncer.process.pid}/root/dev/shm/filler"
    try:
        with open(filler, "wb", buffering=0) as f:
            while f.write(bytes(65536)):
                pass
    except OSError:
        pass
    assert shutil.disk_usage(os.path.dirname(filler)).free == 0
    proc.wait_until(lambda: syncer.check("t").verdict == "Synced", why="the token is not seen")
    victim = syncer.workers()[0]
    os.kill(victim, signal.SIGKILL)
    proc.wait_until(lambda: len(syncer.workers()) == 2 and victim not in syncer.workers(), why="it was not replaced")
    syncer.reload()
    assert syncer.check("t").verdict == "Synced" and "reload is done" in syncer.log()


# ---- the log ----

def test_a_log_that_nobody_reads(t):
    pods = t.cluster(2)
    pods.put("t")
    syncer = t.syncer(pods, start=False, access_log=True, log_level="debug")
    reader, writer = os.pipe()
    try:
        syncer.process = proc.spawn([syncer.binary, "-c", syncer.config_path], stderr=writer, cwd=syncer.folder)
        os.close(writer)
        proc.wait_connect((syncer.address, syncer.port), process=syncer.process)
        proc.wait_until(lambda: syncer.get("/readyz").status == 200)
        proc.wait_until(lambda: syncer.check("t").verdict == "Synced")
        dropped = lambda: prometheus.scrape(syncer)["syncer_log_lines_dropped_total"]
        clients = t.keep(Clients(syncer))
        proc.wait_until(lambda: dropped() > 100, 60, why="no line was dropped")
        syncer.reload()
        before = dropped()
        proc.wait_until(lambda: dropped() > before + 100, 60, why="the new workers drop no line")
        clients.stop()
        assert not clients.bad and not clients.lost, (clients.bad[:5], clients.lost[:5])
        os.set_blocking(reader, False)
        seen = b""

        def told():
            nonlocal seen
            try:
                seen += os.read(reader, 1 << 20)
            except BlockingIOError:
                pass
            return b"log lines dropped: reader too slow" in seen
        proc.wait_until(lambda: told() or not syncer.get("/livez"), 20, why="it does not tell of the dropped lines")
        assert syncer.stop() == 0
    finally:
        os.close(reader)


if __name__ == "__main__":
    sys.exit(tap.main())
