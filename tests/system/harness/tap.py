# SPDX-License-Identifier: MIT
"""The runner: each function test_* of a script is one TAP line, with a limit of time, an own folder and an own set of
pods; what it started is ended whatever happens, and what is left after that is a failure."""
import contextlib
import functools
import os
import re
import shutil
import signal
import stat
import sys
import tempfile
import time
import traceback

from . import certs, cluster, fakepod, gateway as wired, proc, syncer

LIMIT_S = 120


class Skip(Exception):
    pass


def limit(seconds):
    """Decorator: another limit than LIMIT_S."""
    def mark(function):
        function.limit_s = seconds
        return function
    return mark


_shared = []


def share(thing):
    """Something that lives as long as the script. It has pids() and close()."""
    _shared.append(thing)
    return thing


def _left():
    """Children that no test may leave."""
    return set(proc.children()) - {pid for thing in _shared for pid in thing.pids()}


@functools.cache
def _certs():
    """One CA for the whole script: keys are no secret between tests."""
    return certs.Certs(tempfile.mkdtemp(prefix="syncer-test-ca."))


class Test:
    """What a test function gets: makers of what it needs, ended in reverse order."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="syncer-test.")
        self.certs = _certs()
        self._things, self.logs = [], []

    def keep(self, thing):
        """It has a close(), which will be called."""
        self._things.append(thing)
        return thing

    def cluster(self, n=4, gateway=False, **kwargs):
        """Pods; with `gateway` they also log users in and ask the syncer of t.syncer(), by the documented wiring."""
        block = self.keep(proc.Block())
        if gateway:
            kwargs.update(wired.wiring(self.folder, f"{block.address(253)}:{syncer.PORT}"))
        made = self.keep(cluster.Cluster(self.folder, self.certs, block, n, **kwargs))
        self.logs += [nginx.log_path() for nginx, _ in made._groups]
        return made.start()

    def fake(self, pods, behaviour, certificate="issued"):
        """A fake pod beside those of a cluster, at the next free address."""
        n = 101 + sum(isinstance(thing, (fakepod.FakePod, fakepod.DeafPod)) for thing in self._things)
        certificate = self.certs.issued(pods.host) if certificate == "issued" else certificate
        return self.keep(fakepod.FakePod(f"fake-{n - 100}", pods.block.address(n), pods.block.port, behaviour,
                                          certificate))

    def deaf(self, pods):
        return self.keep(fakepod.DeafPod("deaf", pods.block.address(100), pods.block.port))

    def syncer(self, pods, /, more=(), start=True, **config):
        """syncer that knows the pods of the cluster and `more`."""
        settings = pods.config()
        settings["static"] += [pod.entry() for pod in more]
        made = syncer.Syncer(os.path.join(self.folder, "syncer"), pods.block.address(253), {**settings, **config})
        self.keep(made)
        self.logs.append(made.log_path)
        return made.start() if start else made

    def close(self):
        errors = []
        for thing in reversed(self._things):
            try:
                thing.close()
            except Exception as e:  # the others must be ended all the same
                errors.append(f"{type(thing).__name__}: {e}")
        try:
            proc.wait_until(lambda: not _left(), 2)
        except TimeoutError:
            for pid in _left():
                errors.append(f"process {pid} was left")
                os.kill(pid, signal.SIGKILL)
        while True:  # orphans are ours to reap
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        return errors


def segments():
    """Names in /dev/shm: none may be left."""
    return {name for name in os.listdir("/dev/shm") if name.startswith("syncer-")}


_BROKEN = re.compile(rb"\]: broken invariant: |ERROR: \w+Sanitizer: |: runtime error: |ERROR: Can't open file: ")


def _broken(folder):
    """What processes of ours have said of themselves in the logs there, and no test may pass over: the master starts another
    worker, and all goes on. Without a sanitizer's log_path, its reports are there as well."""
    found = []
    for path in (os.path.join(where, name) for where, _, names in os.walk(folder) for name in names):
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode) and not mode & stat.S_IXUSR:  # a copy of the program has these words in it
            with open(path, "rb") as f:
                found += [line.decode(errors="replace").rstrip() for line in f if _BROKEN.search(line)]
    return found


def _on_alarm(*_):
    raise TimeoutError("the test took too long")


def _run(function):
    """'' if it passed, else why not. Skip goes through."""
    shm = segments()
    test, why = Test(), ""
    signal.alarm(getattr(function, "limit_s", LIMIT_S))
    try:
        function(test)
    except (Skip, KeyboardInterrupt):
        raise
    except BaseException:
        why = traceback.format_exc()
    finally:
        signal.alarm(0)
        why += "".join(f"afterwards: {e}\n" for e in test.close())
        try:  # another test that runs at this moment has names there for an instant
            proc.wait_until(lambda: not segments() - shm, 2, why="/dev/shm is not empty")
        except TimeoutError as e:
            why += f"afterwards: {e}\n"
        why += "".join(f"afterwards: {line}\n" for line in _broken(test.folder))
        if why:
            for path in test.logs:
                if os.path.exists(path):
                    with open(path, errors="replace") as f:
                        why += f"--- {path}\n" + "".join(f.readlines()[-60:])
        shutil.rmtree(test.folder)
    return why


@contextlib.contextmanager
def house():
    """Around a program's tests: orphans are ours, and what is shared is ended, also by SIGTERM."""
    proc.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        yield
    finally:
        for thing in reversed(_shared):
            thing.close()
        if _certs.cache_info().currsize:
            shutil.rmtree(_certs().folder)


def main(missing=cluster.missing):
    """Runs the tests of the script in the order written; names as arguments choose some. `missing` says what this machine
    lacks for them."""
    tests = {k: v for k, v in vars(sys.modules["__main__"]).items() if k.startswith("test_") and callable(v)}
    chosen = {k: tests[k] for k in sys.argv[1:]} or tests
    failed, lacking = 0, missing()
    if lacking:
        print(f"1..0 # SKIP {lacking}")
        return 0
    signal.signal(signal.SIGALRM, _on_alarm)
    print(f"1..{len(chosen)}", flush=True)
    with house():
        for i, (name, function) in enumerate(chosen.items(), 1):
            label, start = name[5:].replace("_", " "), time.monotonic()
            try:
                why = _run(function)
            except Skip as e:
                print(f"ok {i} - {label} # SKIP {e}", flush=True)
                continue
            failed += bool(why)
            print("".join(f"# {line}\n" for line in why.splitlines()), end="")
            print(f"{'not ok' if why else 'ok'} {i} - {label}", flush=True)
            print(f"# {time.monotonic() - start:.1f} s", flush=True)
    return 1 if failed else 0
