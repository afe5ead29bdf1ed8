# SPDX-License-Identifier: MIT
"""All that a run consists of, and its calm points: everything is mended, and what syncer says must then be exactly right."""
import os
import re
import signal

from harness import cluster, kube, proc, relay, syncer

import actors
import badserver
import clients
import facts
import gate
import growth
import journal
import listing
import observer
import realserver
import watcher

REAL, BAD, CLIENTS = 4, 4, 12
CALM_S = 120.0  # until all is well again: far more than it takes on a busy machine
# At calm points a pod that answers late has answered.
CALM = {"workers": 2, "sync_timeout": 50, "retries": 10, "shutdown_grace": 10000, "log_level": "info", "watch_files": False,
        "retry_mode": "scout", "connection_timeout": 5000, "request_deadline": 15000, "control_probe": "warn",
        "host_keepalives": 16, "max_keepalives": "auto", "max_probe_rate": 0, "access_log": False, "log_format": "logfmt"}
STORM = {"connection_timeout": 500, "request_deadline": 2000}


class World:
    """`t` is a harness.tap.Test, which ends what is started here. `traitor`: the observer is told of one pod that it never has
    a token, though it says yes to all: the checks must then be found wrong."""

    def __init__(self, t, seed, traitor=False, hang=True, out=print):
        self.seed, self.gate, self.journal = seed, gate.Gate(), journal.Journal(out)
        self.excused, self.ended_by_us = {}, set()  # far ports by when they were excused; pids
        pods = t.cluster(REAL)
        self._certs, self._block, self._port = t.certs, pods.block, pods[0].port
        self.servers = [realserver.RealServer(pod) for pod in pods]
        for server in self.servers:
            server.adopt()
        self.servers += [t.keep(self._bad(i, pods.host)) for i in range(BAD)]
        for server in self.servers[REAL:]:
            server.start()
        self._api(t)
        self.syncer = t.keep(syncer.Syncer(os.path.join(t.folder, "syncer"), pods.block.address(253),
                                           {**pods.config(), **self.kube.config(), **CALM}))
        t.logs.append(self.syncer.log_path)
        self.syncer.env = {**self.kube.env(), "KUBERNETES_SERVICE_PORT": str(self.relay.port)}
        self.sanitized = self.syncer.is_sanitized()
        self.observer = observer.Observer(self.listing, self.journal)
        self.tokens, self.log, self.watcher = clients.Tokens(self, seed), watcher.Log(self), watcher.Watcher(self)
        self.traitor = self._betray(self.servers[-1]) if traitor else None
        self.actors = [self.watcher, *self._actors(hang)]
        self.samples = []

    def _bad(self, i, host):
        certificates = {"right": self._certs.issued(host), "other": self._certs.issued("other.test"),
                        "self-signed": self._certs.self_signed(host)}
        return badserver.BadServer(self._block.address(101 + i), self._port, certificates, f"{self.seed} server {i}")

    def _api(self, t):
        address = self._block.address(200)
        self.kube = t.keep(kube.Kube(t.folder, t.certs, address))
        self.kube.live()
        self.kube.objects["pods"].clear()
        self.relay = t.keep(relay.Relay(address, (address, self.kube.port)))
        self.listing = listing.Listing(self.kube)
        for server in self.servers:
            self.listing.add(server)

    @staticmethod
    def _betray(server):
        server.behave("says yes")
        server.history.set_mode(facts.now(), facts.SILENT)
        return server

    def _actors(self, hang):
        for number in range(CLIENTS):
            yield clients.Client(self, number)
        for server in self.servers[:REAL]:
            yield actors.RealPod(self, server)
        for server in self.servers[REAL:]:
            if server is not self.traitor:
                yield actors.BadPod(self, server)
        if not self.traitor:
            yield from (actors.List(self), actors.ApiServer(self), actors.Killer(self, hang), actors.Reloader(self))

    # ---- the run ----

    def start(self):
        self.syncer.start()
        self.gate.start(self.actors)
        self.calm()

    def storm(self, enough, seconds):
        """Lets them all go until enough() is true, at least `seconds`; then comes a calm."""
        begin = facts.now()
        self.syncer.write(**STORM)
        self.syncer.process.send_signal(signal.SIGHUP)
        self.gate.open()
        proc.wait_until(lambda: proc.spawn_ordered() or (facts.now() - begin >= seconds and enough()), seconds + 3600, 0.02)
        self.calm()

    def calm(self):
        if not self.gate.shut(180):
            self.journal.wrong("fault of the test itself", "somebody does not come to rest")
            return
        self.journal.detail("calm")
        self.syncer.write(**CALM)
        self._settle()
        self.watcher.rest()
        self._idle()
        self.samples.append(growth.Sample(self.syncer.process.pid))
        self.journal.detail(f"calm: {self.samples[-1]}")

    def _settle(self):
        """The table is as the list, by at least two reads of now, and the verdicts are exact."""
        for server in self.servers:
            server.start()
        old = self.syncer.workers()
        self.syncer.process.send_signal(signal.SIGHUP)
        self._until(lambda: not any(map(proc.alive, old)), f"of {old} not all leave")
        reads = self._reads()
        self._until(lambda: self._reads() >= reads + 2, "the list is not read")
        names = {identity.name for identity in self.listing.counting()}
        self._until(lambda: self.watcher.look() == names, "the table is not as the list")
        self.listing.settle()
        self.watcher.look()
        if not self.traitor:
            self._exact(names)

    def _reads(self):
        return self.syncer.get("/v1/status").json()["table"]["reads_ok"]

    def _until(self, what, why):
        try:
            proc.wait_until(what, CALM_S, 0.05, why)
        except TimeoutError:
            self.journal.wrong("not calm", f"{why}: {self.watcher.look()}, and there are "
                               f"{sorted(i.name for i in self.listing.counting())}")

    def _exact(self, names):
        """Tokens that are everywhere, nowhere, and on all but one."""
        n, tokens = len(names), [f"{self.tokens.prefix}calm-{len(self.samples)}-{what}" for what in ("all", "none", "most")]
        absent = self.listing.counting()[0].server
        for server in self.servers:
            self._until(lambda s=server: s.put(tokens[0], 0) and (s is absent or s.put(tokens[2], 0)), "a pod takes no token")
        most = f"{n - 1}/{n}"
        for token, how, right in ((tokens[0], False, ("Synced", f"{n}/{n}")), (tokens[1], False, ("NotSynced", f"0/{n}")),
                                  (tokens[1], True, ("Synced", f"{n}/{n}")), (tokens[0], True, ("NotSynced", f"0/{n}")),
                                  (tokens[2], False, ("Partialy" if n > 2 else "NotSynced", most))):
            self._until(lambda t=token, h=how, r=right: self._asked(t, h) == r, f"{token}, absent={how}, should be {right}")

    def _asked(self, token, absent):
        check = observer.Check(token, "-", absent=absent, request_id="calm")
        self.observer.begin(check)
        answer = self.syncer.check(token, "-", "expect=absent" if absent else "")
        self.observer.end(check, answer)
        return answer.verdict, answer.pods

    def _idle(self):
        """Until only the workers of now are there, and no client's connection."""
        self._until(lambda: len(self.syncer.workers()) == CALM["workers"], "there are too many workers")
        self._until(lambda: self._reads() and self._connections() <= 1, "connections of clients are left")

    def _connections(self):
        """The one that asks is one of them."""
        text = self.syncer.get("/metrics").body.decode()
        return int(re.search(r"^syncer_connections_open (\d+)$", text, re.M)[1])

    def end(self):
        """The storm is over: everything ends in good order. What is left of syncer is told."""
        self.gate.end()
        for actor in self.actors:
            actor.join(30)
        for text in growth.grown(self.samples[0], self.samples[-1], memory=not self.sanitized):
            self.journal.wrong("growth", text)
        code = self.syncer.stop()
        self.log.follow()
        if code != 0:
            self.journal.wrong("end", f"the master ended with {code}")
        if facts.clock_moved():
            self.journal.wrong("fault of the test itself", "the clock has been set: what was found proves nothing")


missing = cluster.missing
