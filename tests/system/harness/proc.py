# SPDX-License-Identifier: MIT
"""Processes and loopback addresses of a test: nothing outlives it, and no two tests that run at once meet."""
import concurrent.futures
import ctypes
import datetime
import errno
import os
import queue
import signal
import socket
import subprocess
import threading
import time

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def adopt_orphans():
    """Children of children that lose their parent become ours, so that children() sees all that is left."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


_orders = queue.SimpleQueue()  # of other threads for spawn_ordered()


def spawn(argv, **kwargs):
    """A child that is told to end if this process dies in whatever way. The kernel looks at the thread that made it: so the
    main thread does it, and other threads wait for it to call spawn_ordered(), as wait_until() and finish() do."""
    if threading.current_thread() is not threading.main_thread():
        order = concurrent.futures.Future()
        _orders.put((order, argv, kwargs))
        return order.result(60)

    def die_with_parent():
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    return subprocess.Popen(argv, preexec_fn=die_with_parent, stdin=subprocess.DEVNULL, **kwargs)


def spawn_ordered():
    """What other threads wait for."""
    while not _orders.empty():
        order, argv, kwargs = _orders.get()
        try:
            order.set_result(spawn(argv, **kwargs))
        except Exception as e:
            order.set_exception(e)


def finish(argv, text=None, seconds=60.0, **kwargs):
    """A program that is waited for by the main thread, while others may need children. Exit code, output, errors."""
    end = time.monotonic() + seconds
    with subprocess.Popen(argv, stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **kwargs) as child:
        while True:
            try:
                out, err = child.communicate(text, timeout=0.05)
                return child.returncode, out, err
            except subprocess.TimeoutExpired:
                text = None  # communicate() has it
                spawn_ordered()
                if time.monotonic() >= end:
                    child.kill()
                    raise


def reap(pid):
    """An orphan that has become ours and has ended."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def children(pid=None):
    """Pids of the direct children that are alive: zombies are none."""
    found = []
    for task in os.listdir(f"/proc/{pid or os.getpid()}/task"):
        try:
            with open(f"/proc/{pid or os.getpid()}/task/{task}/children") as f:
                found += [int(p) for p in f.read().split()]
        except FileNotFoundError:
            pass
    return [p for p in found if _state(p) not in (None, "Z")]


def _state(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def stopped(pid):
    return _state(pid) == "T"


def alive(pid):
    return _state(pid) not in (None, "Z")


def wait_until(what, seconds=20.0, step=0.005, why="it did not happen"):
    """Calls what() until it returns something true, which is returned; TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    main = threading.current_thread() is threading.main_thread()
    while True:
        if main:
            spawn_ordered()
        got = what()
        if got:
            return got
        if time.monotonic() >= end:
            raise TimeoutError(f"{why} within {seconds:g} s")
        time.sleep(step)


def wall_ms(timestamp):
    """ms since 1970 of a log line's `ts`."""
    return datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp() * 1000


def wait_connect(address, seconds=20.0, process=None):
    """Waits until something accepts at (ip, port)."""
    def attempt():
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
        try:
            socket.create_connection(address, timeout=1).close()
            return True
        except OSError as e:
            if e.errno not in (errno.ECONNREFUSED, errno.ETIMEDOUT, errno.ECONNRESET):
                raise
            return False
    wait_until(attempt, seconds, why=f"nothing listens at {address[0]}:{address[1]}")


def end(process, sig=signal.SIGTERM, seconds=15.0):
    """Ends a child, hard if it does not end by itself; its exit code."""
    if process.poll() is None:
        process.send_signal(sig)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


class Block:
    """The addresses 127.A.B.1 to .253, all to ourselves: a socket bound to 127.A.B.254 is the claim on them and ends
    with the process. The claim is at the pods' port, so that somebody's 0.0.0.0:PORT is noticed as well."""

    def __init__(self, port=8443):
        for i in range(os.getpid(), os.getpid() + 4096):
            self.net = f"127.{64 + (i >> 8) % 64}.{i & 255}"
            self._claim = socket.socket()
            try:
                self._claim.bind((self.net + ".254", port))
                self.port = port
                return
            except OSError:
                self._claim.close()
        raise RuntimeError(f"port {port} is taken on all of 127.64.0.0/10")

    def address(self, n):
        return f"{self.net}.{n}"

    def close(self):
        self._claim.close()
