# SPDX-License-Identifier: MIT
"""Who makes it hard: pods that misbehave, a list of pods that changes, an API server that comes and goes, workers that are
killed, and reloads. Each undoes what it did before its next action, so a calm point finds nothing of it."""
import os
import signal
import sys

from harness import proc

import badserver
import facts
import gate
import realserver
import sockets

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fakes"))
import kube_api  # noqa: E402


class BadPod(gate.Actor):
    """One misbehaving server."""

    def __init__(self, world, server):
        super().__init__(world, f"pod {world.servers.index(server)}", 4.0)
        self.server = server

    def act(self):
        if self.rng.random() < 0.12:
            self.world.journal.note("pod vanishes", self.server.address)
            self.server.kill()
            self.world.gate.pause(self.rng.uniform(0.2, 3))
            self.server.start()
            self.world.journal.detail(f"pod is back, empty: {self.server.address}")
            self.world.tokens.join(self.server, self.rng)
            return
        way = self.rng.choice([name for name in badserver.WAYS if name != "well"])
        says = badserver.WAYS[way].says
        self.world.journal.note({facts.TRUTH: "pod is odd", facts.SILENT: "pod fails", facts.LIES: "pod lies"}[says],
                                f"{self.server.address}: {way}")
        self.server.behave(way)
        self.world.gate.pause(self.rng.uniform(0.2, 2.5))
        self.server.behave("well")
        self.world.journal.detail(f"pod is well: {self.server.address}")


class RealPod(gate.Actor):
    """One nginx."""

    def __init__(self, world, server):
        super().__init__(world, f"pod {world.servers.index(server)}", 5.0)
        self.server = server

    def act(self):
        what = self.rng.choices(("reload", "crash", "freeze", "order", "kill", "stop"), (4, 2, 2, 4, 1, 1))[0]
        getattr(self, "_" + what)()

    def _reload(self):
        self.world.journal.note("nginx reload", self.server.address)
        self.server.reload()

    def _crash(self):
        self.world.journal.note("nginx worker killed", self.server.address)
        self.server.crash()

    def _freeze(self):
        self.world.journal.note("nginx frozen", self.server.address)
        self.server.freeze(True)
        self.world.gate.pause(self.rng.uniform(0.1, 2))
        self.server.freeze(False)
        self.world.journal.detail(f"nginx goes on: {self.server.address}")

    def _order(self):
        order = self.rng.choice(list(realserver.ORDERS))
        self.world.journal.note("pod fails" if realserver.ORDERS[order] == facts.SILENT else "pod is odd",
                                f"{self.server.address}: {order}")
        self.server.order(order)
        self.world.gate.pause(self.rng.uniform(0.2, 2))
        self.server.order("")
        self.world.journal.detail(f"pod is well: {self.server.address}")

    def _kill(self, how="kill"):
        self.world.journal.note("pod vanishes", f"{self.server.address}: nginx, {how}")
        getattr(self.server, how)()
        self.world.gate.pause(self.rng.uniform(0.1, 2))
        self.server.start()
        self.world.journal.detail(f"pod is back, empty: {self.server.address}")
        self.world.tokens.join(self.server, self.rng)

    def _stop(self):
        self._kill("stop")


class List(gate.Actor):
    """Pods that are added, replaced, removed, and change their state. Now and then there is none at all."""

    def __init__(self, world):
        super().__init__(world, "list", 0.7)

    def act(self):
        what = self.rng.choices(("add", "remove", "replace", "flap", "none"), (4, 3, 3, 3, 0.2))[0]
        getattr(self, "_" + what)()

    def _tell(self):
        return self.rng.random() < 0.7  # else it is found by the next full read

    def _free(self):
        taken = {identity.server for identity in self.world.listing.current()}
        return [server for server in self.world.servers if server not in taken]

    def _add(self, server=None):
        servers = [server] if server else self._free()
        if servers:
            identity = self.world.listing.add(self.rng.choice(servers), self._tell())
            self.world.journal.note("pod added", f"{identity.name} at {identity.address}")

    def _take(self):
        """One to be removed, after some time of its being deleted, or not."""
        identity = self.rng.choice(self.world.listing.current())
        if self.rng.random() < 0.5:
            self.world.journal.detail(f"pod terminates: {identity.name}")
            self.world.listing.change(identity, "terminating", self._tell())
            self.world.gate.pause(self.rng.uniform(0, 1))
        self.world.listing.remove(identity, self._tell())
        self.world.journal.note("pod removed", f"{identity.name} at {identity.address}")
        return identity.server

    def _remove(self):
        if len(self.world.listing.current()) > 3:
            self._take()

    def _replace(self):
        """Another pod gets the address of one that has gone, and has none of its tokens."""
        if len(self.world.listing.current()) > 3:
            server = self._take()
            server.renew()
            self._add(server)
            self.world.tokens.join(server, self.rng)

    def _flap(self):
        identity = self.rng.choice(self.world.listing.current())
        self.world.journal.note("pod unready", identity.name)
        self.world.listing.change(identity, "unready", self._tell())
        self.world.gate.pause(self.rng.uniform(0, 3))
        self.world.listing.change(identity, "ready", self._tell())
        self.world.journal.detail(f"pod ready: {identity.name}")

    def _none(self):
        """Scaled to zero, and back."""
        servers = [self._take() for _ in self.world.listing.current()]
        self.world.gate.pause(self.rng.uniform(0, 2))
        for server in servers:
            self._add(server)


class ApiServer(gate.Actor):
    def __init__(self, world):
        super().__init__(world, "API server", 1.5)

    def act(self):
        what = self.rng.choices(("lists", "watches", "end", "vanish", "chunks", "rotate"), (5, 4, 3, 2, 1, 1))[0]
        getattr(self, "_" + what)()

    def _fault(self, table, name, how, kinds):
        step, kind = self.rng.choice(("deployment", "replicasets", "pods", "pods", "pods")), self.rng.choice(kinds)
        self.world.journal.note(f"API {name} fail", f"{step}: {kind}")
        table[step] = lambda request: how(self.world.kube, request, step, kind)
        self.world.gate.pause(self.rng.uniform(0.5, 4))
        del table[step]
        self.world.journal.detail(f"API {name} well: {step}")

    def _lists(self):
        self._fault(self.world.kube.faults, "lists", self._list_badly,
                    ("500", "403", "401", "429", "404", "garbage", "hang", "half", "empty"))

    @staticmethod
    def _list_badly(kube, request, step, kind):
        """As kube_api does, and lists as they are at this moment that come by half."""
        if kind == "half":
            whole = kube._body(step)
            request.reply(200, whole, cut=len(whole) // 2)
        elif kind == "empty":
            request.reply(200, b"")
        else:
            kube_api.misbehave(kube, request, step, kind)

    def _watches(self):
        self._fault(self.world.kube.watch_faults, "watches", kube_api.watch_badly,
                    ("500", "403", "429", "gone", "410", "error", "zero", "drop", "silent", "hang"))

    def _end(self):
        step, cut = self.rng.choice(("deployment", "replicasets", "pods")), self.rng.random() < 0.5
        self.world.journal.note("API watch ended", f"{step}, {'cut' if cut else 'well'}")
        self.world.kube.end_watches(step, cut)

    def _vanish(self):
        self.world.journal.note("API vanishes")
        self.world.relay.shut = True
        self.world.relay.cut()
        self.world.gate.pause(self.rng.uniform(0.2, 5))
        self.world.relay.shut = False
        self.world.journal.detail("API is back")

    def _chunks(self):
        self.world.journal.note("API cuts its answers up")
        self.world.kube.chunks = self.rng.choice((1, 7, 1000))
        self.world.gate.pause(self.rng.uniform(0.5, 3))
        self.world.kube.chunks = 0

    def _rotate(self):
        self.world.journal.note("API token rotated")
        self.world.kube.rotate(f"token-of-the-account-{self.rng.randrange(10 ** 9)}")


class Killer(gate.Actor):
    """Kills and stops workers. What they had accepted is excused, no more: they stand still while their sockets are read."""

    def __init__(self, world, hang):
        super().__init__(world, "killer", 2.0)
        self.hang = hang

    def act(self):
        what = self.rng.choices(("kill", "pause", "hang"), (6, 3, 0.7 if self.hang else 0))[0]
        pids = self.world.syncer.workers()
        self.rng.shuffle(pids)
        getattr(self, "_" + what)(pids[:self.rng.choice((1, 1, 1, 2))])

    def _stop(self, pid):
        """False: it has ended by itself."""
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return False
        proc.wait_until(lambda: proc.stopped(pid) or not proc.alive(pid), why="a worker does not stop")
        return proc.alive(pid)

    def _excuse(self, pid):
        self.world.ended_by_us.add(pid)
        self.world.excused.update(dict.fromkeys(sockets.accepted(pid), facts.now()))

    def _kill(self, pids):
        sig = self.rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGTERM))
        if sig == signal.SIGSEGV and self.world.sanitized:
            sig = signal.SIGKILL  # AddressSanitizer would report it
        for pid in filter(self._stop, pids):
            self._excuse(pid)
            self.world.journal.note("worker killed", f"{pid} by {sig.name}")
            os.kill(pid, sig)
            if sig != signal.SIGKILL:
                os.kill(pid, signal.SIGCONT)

    def _pause(self, pids):
        pids = [pid for pid in pids if self._stop(pid)]
        self.world.journal.note("worker stopped for a while", str(pids))
        self.world.gate.pause(self.rng.uniform(0.05, 1.5))
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def _hang(self, pids):
        """Until the master has had enough."""
        for pid in filter(self._stop, pids[:1]):
            self._excuse(pid)
            self.world.journal.note("worker hangs", str(pid))
            proc.wait_until(lambda p=pid: not proc.alive(p), 90, 0.05, why="the master does not end a worker that hangs")
            self.world.journal.detail(f"the master has ended {pid}")


class Reloader(gate.Actor):
    """SIGHUP: alone, in storms, with other settings, and with a file that is wrong."""

    def __init__(self, world):
        super().__init__(world, "reloader", 3.0)

    def act(self):
        what = self.rng.choices(("same", "changed", "wrong", "storm"), (2, 4, 1, 1))[0]
        refused = self.world.log.follow()
        if what == "changed":
            self.world.syncer.write(**self._settings())
        elif what == "wrong":
            self.world.syncer.write(nonsense=1)
        times = self.rng.randrange(3, 12) if what == "storm" else 1
        self.world.journal.note("reload", f"{what}: {times}")
        for _ in range(times):
            self.world.syncer.process.send_signal(signal.SIGHUP)
            self.world.gate.pause(self.rng.choice((0, 0.01, 0.1)))
        if what == "wrong":
            proc.wait_until(lambda: self.world.log.follow() > refused, 60, 0.05, why="a wrong file is not spoken of")
            self.world.syncer.write(nonsense=None)

    def _settings(self):
        rng = self.rng
        return {"workers": rng.choice((1, 2, 2, 3)), "retry_mode": rng.choice(("scout", "parallel")),
                "sync_timeout": rng.choice((20, 50, 100)), "retries": rng.choice((0, 3, 10, 10, 20)),
                "connection_timeout": rng.choice((300, 500)), "request_deadline": rng.choice((1000, 1500, 2000)),
                "control_probe": rng.choice(("off", "warn", "fail")), "host_keepalives": rng.choice((1, 4, 16)),
                "max_keepalives": rng.choice(("auto", 8, 100)), "max_probe_rate": rng.choice((0, 0, 20, 1000)),
                "access_log": rng.random() < 0.3, "log_format": rng.choice(("logfmt", "json"))}
