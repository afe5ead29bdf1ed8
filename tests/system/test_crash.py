#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Processes that die, loop or are stopped, the master too: who is ended, who takes over, and what clients notice."""
import ctypes
import os
import platform
import re
import shutil
import signal
import socket
import sys
import time

from harness import proc, tap
from harness.clients import Clients

_libc = ctypes.CDLL(None, use_errno=True)
_PTRACE_ATTACH, _PTRACE_DETACH, _PTRACE_PEEKUSER = 16, 17, 3


def make_loop(pid):
    """Has a process run in an endless loop of one instruction, as a bug might: written over the next one, in its own copy
    of the page."""
    if platform.machine() != "x86_64":
        raise tap.Skip("knows the registers of x86_64 only")
    ptrace = _libc.ptrace
    ptrace.restype, ptrace.argtypes = ctypes.c_long, [ctypes.c_long] * 4
    if ptrace(_PTRACE_ATTACH, pid, 0, 0) != 0:
        raise tap.Skip(f"a worker can't be traced: {os.strerror(ctypes.get_errno())}")
    os.waitpid(pid, 0x40000000)  # __WALL: it is not our own child
    rip = ptrace(_PTRACE_PEEKUSER, pid, 16 * 8, 0)
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(rip - 2)  # a call to the kernel is begun again two bytes earlier
        memory.write(b"\xeb\xfe\xeb\xfe")
    ptrace(_PTRACE_DETACH, pid, 0, 0)


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        return int(f.read().rpartition(")")[2].split()[11])


def start(t, n=2, **config):
    """A probe that a busy machine holds up beyond connection_timeout is not what is looked for here."""
    pods = t.cluster(n)
    pods.put("t")
    syncer = t.syncer(pods, **{"connection_timeout": 5000, "request_deadline": 15000, **config})
    proc.wait_until(lambda: syncer.check("t").verdict == "Synced", why="the token is not seen")
    proc.wait_until(lambda: syncer.log().count("worker is ready") == len(syncer.workers()), why="not all workers are ready")
    return pods, syncer


def pass_time(seconds):
    began = time.monotonic()
    proc.wait_until(lambda: time.monotonic() - began > seconds, seconds + 5)


# ---- workers that die ----

def test_a_worker_that_cannot_start_leaves_the_others_alone(t):
    pods = t.cluster(1)
    pods.put("t")
    ca = os.path.join(t.folder, "ca.pem")
    shutil.copy(pods.certs.ca, ca)
    syncer = t.syncer(pods, tls_ca=ca, watch_files=False)
    proc.wait_until(lambda: syncer.log().count("worker is ready") == 2)
    other, victim = syncer.workers()
    os.unlink(ca)  # a start would notice it
    os.kill(victim, signal.SIGKILL)
    waits = lambda: [int(ms) for ms in re.findall(r'starts again later" ms=(\d+)', syncer.log())]
    clients = t.keep(Clients(syncer))
    proc.wait_until(lambda: len(waits()) >= 5, 30, why="it is not tried again")
    clients.stop()
    assert not clients.bad and len(clients.lost) <= 8, (clients.bad[:5], clients.lost[:9])
    assert all(100 * 2 ** n <= ms <= 100 * 2 ** n * 9 / 8 for n, ms in enumerate(waits())), waits()
    assert other in syncer.workers() and "ca.pem: No such file" in syncer.log()
    shutil.copy(pods.certs.ca, ca)
    proc.wait_until(lambda: len(syncer.workers()) == 2 and syncer.log().count("worker is ready") == 3, 30)


def test_no_worker_can_start(t):
    """The master lives, says that nobody serves, and they come back by themselves."""
    pods = t.cluster(1)
    pods.put("t")
    ca = os.path.join(t.folder, "ca.pem")
    shutil.copy(pods.certs.ca, ca)
    syncer = t.syncer(pods, tls_ca=ca, watch_files=False)
    proc.wait_until(lambda: syncer.log().count("worker is ready") == 2)
    os.unlink(ca)
    for pid in syncer.workers():
        os.kill(pid, signal.SIGKILL)
    syncer.wait_log("no worker is left: nothing is served until one can start")
    proc.wait_until(lambda: syncer.log().count("worker has failed") >= 4)
    assert syncer.log().count("no worker is left") == 1 and syncer.process.poll() is None
    shutil.copy(pods.certs.ca, ca)
    proc.wait_until(lambda: len(syncer.workers()) == 2 and syncer.log().count("worker is ready") == 4, 30)
    assert syncer.check("t").verdict == "Synced"


def test_a_worker_that_dies_on_every_request(t):
    """Whatever kills them is still there: they are not started ten times a second for ever."""
    _, syncer = start(t)
    for n in range(1, 9):  # 3 of each slot are replaced at once, then they wait
        victim = proc.wait_until(syncer.workers, 30)[0]
        os.kill(victim, signal.SIGKILL)
        proc.wait_until(lambda: syncer.log().count("worker was ended by a signal") == n, 30)
    syncer.wait_log("worker starts again later")
    proc.wait_until(lambda: len(syncer.workers()) == 2, 30)
    proc.wait_until(lambda: syncer.check("t").verdict == "Synced")


# ---- workers that loop ----

def test_a_worker_that_loops_is_ended(t):
    _, syncer = start(t, hang_timeout=1000, core_dumps=True)
    victim = syncer.workers()[0]
    make_loop(victim)
    proc.wait_until(lambda: not proc.alive(victim), 30, why="it was not ended")
    syncer.wait_log(f'worker was ended by a signal" worker={victim} signal=ABRT')
    assert f'worker hangs: it is ended" worker={victim} hang_timeout_ms=1000' in syncer.log()
    proc.wait_until(lambda: len(syncer.workers()) == 2, 10, why="it was not replaced")
    assert syncer.check("t").verdict == "Synced"


def test_a_worker_that_is_stopped_for_good_is_killed(t):
    """SIGABRT does not reach it."""
    _, syncer = start(t, hang_timeout=1000)
    victim = syncer.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    syncer.wait_log(f'worker was ended by a signal" worker={victim} signal=KILL', seconds=30)
    proc.wait_until(lambda: len(syncer.workers()) == 2, 10, why="it was not replaced")


def test_a_worker_that_is_stopped_and_continued_in_time(t):
    _, syncer = start(t, hang_timeout=60000)
    before = syncer.workers()
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
        proc.wait_until(lambda: proc.stopped(pid))
        pass_time(1)
        os.kill(pid, signal.SIGCONT)
        clients = t.keep(Clients(syncer))
        clients.wait_for(100)
        clients.stop()
        assert not clients.bad and not clients.lost
    assert syncer.workers() == before and "worker hangs" not in syncer.log()


def test_a_lid_that_is_closed_again_and_again(t):
    """All are stopped for longer than hang_timeout; the master goes on first, or the workers."""
    _, syncer = start(t, hang_timeout=1000)
    master, workers = syncer.process.pid, syncer.workers()
    for order in ([master, *workers], [*workers, master]):
        for pid in order:
            os.kill(pid, signal.SIGSTOP)
        pass_time(2.5)
        for pid in order:
            os.kill(pid, signal.SIGCONT)
        proc.wait_until(lambda: syncer.check("t").verdict == "Synced")
        pass_time(0.5)
    assert syncer.workers() == workers and "worker hangs" not in syncer.log()


# ---- a master that dies ----

def test_a_new_master_takes_over_at_once(t):
    """Whatever ended the old one, and whatever kind of socket: the new one waits for the port for as long as the old workers
    need to let go of it, and these finish what they serve."""
    pods = t.cluster(2)
    pods.put("t")
    path = os.path.join(t.folder, "s.sock")
    for sig in (signal.SIGKILL, signal.SIGSEGV):
        syncer = t.syncer(pods, shutdown_grace=3000)
        if sig == signal.SIGSEGV and syncer.is_sanitized():
            sig = signal.SIGABRT  # AddressSanitizer would report the other one as a finding
        syncer.write(listen=[f"{syncer.address}:{syncer.port}", f"unix:{path}"])
        syncer.reload()
        proc.wait_until(lambda: syncer.check("t").verdict == "Synced")
        workers = syncer.workers()
        answer = syncer.during("nobody-has-this")
        os.kill(syncer.process.pid, sig)
        syncer.process.wait()
        syncer.start()
        assert syncer.check("t").verdict == "Synced" and os.path.exists(path)
        assert answer().verdict == "NotSynced"  # by a worker of the old one
        proc.wait_until(lambda: not any(map(proc.alive, workers)), 15, why="old workers stay")
        assert os.path.exists(path), "the old ones took the new one's socket away"
        assert syncer.stop() == 0 and not os.path.exists(path)


def test_an_address_that_is_still_in_use_is_waited_for(t):
    pods = t.cluster(1)
    pods.put("t")
    syncer = t.syncer(pods, start=False)
    with socket.create_server((syncer.address, syncer.port)):
        with open(syncer.log_path, "ab") as log:
            syncer.process = proc.spawn([syncer.binary, "-c", syncer.config_path], stderr=log, cwd=syncer.folder)
        syncer.wait_log("address in use: trying again")
    proc.wait_connect((syncer.address, syncer.port), process=syncer.process)
    proc.wait_until(lambda: syncer.check("t").verdict == "Synced")


def test_a_looping_worker_does_not_outlive_its_master_for_long(t):
    """Its loop does not notice: the alarm does, 5 s after shutdown_grace and request_deadline."""
    _, syncer = start(t, core_dumps=True, shutdown_grace=0, request_deadline=1000, connection_timeout=500)
    victim = syncer.workers()[0]
    make_loop(victim)
    before = cpu_ticks(victim)
    proc.wait_until(lambda: cpu_ticks(victim) > before + 5, why="it does not loop")
    syncer.process.kill()
    syncer.process.wait()
    proc.wait_until(lambda: not proc.alive(victim), 30, why="it loops on")


if __name__ == "__main__":
    sys.exit(tap.main())
