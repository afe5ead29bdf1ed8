#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The source `kubernetes` against a real kube-apiserver: how it is found, tokens that change, expire and are revoked, pods
that change, and a server that is killed or hangs."""
import os
import signal
import sys
import threading
import time

from harness import incluster, kubeserver, proc, relay, tap


def three(t, **config):
    """Three ready pods, and a syncer that knows them: (pods, ns, names, server)."""
    pods, ns = t.cluster(1), incluster.namespace(t)
    names = ns.seed(*incluster.addresses(pods, 11, 12, 13))
    server = incluster.syncer(t, pods, ns, **config)
    incluster.wait_counting(server, incluster.addresses(pods, 11, 12, 13))
    return pods, ns, names, server


# --- where the server is ---

def test_by_address(t):
    pods, ns, names, server = three(t)
    assert sorted(incluster.counting(server)) == sorted(names)
    assert {asked.verb for asked in ns.server.audited(ns.user())} <= {"get", "list", "watch"}


def test_by_name(t):
    through = t.keep(relay.Relay("127.0.0.1", (kubeserver.shared().address, kubeserver.PORT)))
    three(t, at=("localhost", through.port))


def test_by_ipv6(t):
    through = t.keep(relay.Relay("::1", (kubeserver.shared().address, kubeserver.PORT)))
    three(t, at=("::1", through.port))


def test_a_server_whose_certificate_has_another_address(t):
    pods, ns = t.cluster(1), incluster.namespace(t)
    ns.seed(pods.block.address(11))
    through = t.keep(relay.Relay(pods.block.address(200), (ns.server.address, ns.server.port)))
    server = incluster.syncer(t, pods, ns, at=(through.address, through.port), ready=False)
    server.wait_log("could not be read", through.address)
    assert server.check("t").error == "no-pod-list" and not ns.server.audited(ns.user())


# --- tokens ---

def test_a_day_of_tokens(t):
    """A kubelet swaps them each 48 minutes. Each is taken away as soon as the next is there."""
    pods, ns = t.cluster(1), incluster.namespace(t)
    ns.seed(pods.block.address(11))
    first = ns.secret_token("token-0")
    mount = ns.mount(token=first)
    server = incluster.syncer(t, pods, ns, mount)
    for i in range(1, 31):
        mount.write(token=ns.secret_token(f"token-{i}"))
        ns.revoke(f"token-{i - 1}")
        time.sleep(0.3)  # a day's time, as it were
    ns.server.wait_refused(first)
    incluster.wait_reads(server)
    assert incluster.reads(server, "failed") == 0
    assert not [asked for asked in ns.server.audited(ns.user()) if asked.status not in (200, None)]


def in_memory(pid, wanted):
    """Whether a process has these bytes anywhere that can be read."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            area, rights = line.split()[:2]
            start, end = (int(x, 16) for x in area.split("-"))
            if "r" not in rights or line.rstrip().endswith("[vsyscall]"):
                continue
            memory.seek(start)
            try:
                if wanted in memory.read(end - start):
                    return True
            except OSError:  # the kernel's own page, or behind the end of a file
                pass
    return False


def test_no_worker_ever_holds_the_token(t):
    pods, ns = t.cluster(1), incluster.namespace(t)
    ns.seed(pods.block.address(11))
    token = ns.token()
    server = incluster.syncer(t, pods, ns, ns.mount(token=token))
    incluster.wait_reads(server, 3)
    old = server.workers()
    os.kill(old[0], signal.SIGKILL)
    new = proc.wait_until(lambda: [pid for pid in server.workers() if pid not in old], why="no new worker")
    proc.wait_until(lambda: server.log().count("worker is ready") >= 3, why="it is not ready")
    secret = token.rpartition(".")[2].encode()
    assert in_memory(server.process.pid, secret), "the search finds nothing"
    assert not any(in_memory(pid, secret) for pid in [*new, old[1]])
    assert secret.decode() not in server.log()


def test_a_token_that_is_revoked_and_one_that_has_expired(t):
    pods, ns = t.cluster(1), incluster.namespace(t)
    account = ns.api.get(ns.core + "serviceaccounts/syncer")["metadata"]["uid"]
    known = incluster.addresses(pods, 11, 12)
    ns.seed(*known)
    mount = ns.mount(token=ns.secret_token("old"))
    server = incluster.syncer(t, pods, ns, mount)
    ns.revoke("old")
    server.wait_log("could not be read", "401")
    mount.write(token=ns.expired_token("syncer", account))
    incluster.wait_reads(server, result="failed")
    incluster.wait_counting(server, known, 0)
    mount.write(token=ns.token())
    server.wait_log("can be read again")
    incluster.wait_counting(server, known, 0)


# --- pods ---

def test_pods_that_change(t):
    pods, ns, names, server = three(t)
    at = lambda *numbers: incluster.wait_counting(server, incluster.addresses(pods, *numbers))
    ns.report(names[0], pods.block.address(14))  # as after a restart of its sandbox
    at(14, 12, 13)
    ns.report(names[1], pods.block.address(12), ready=False)
    at(14, 13)
    ns.report(names[1], pods.block.address(12))
    at(12, 13, 14)
    ns.label(names[2], app="something-else")
    at(12, 14)
    ns.pod("q1", pods.block.address(15))
    ns.pod("q2", None, ready=False)
    at(12, 14, 15)
    ns.delete_pod(names[1], grace_s=30)  # still Running and Ready, with its address
    at(14, 15)
    ns.report(names[0], pods.block.address(14), phase="Failed")
    at(15)
    ns.delete_pod(names[1])
    incluster.wait_reads(server)
    assert names[1] not in {pod["name"] for pod in incluster.table(server)["pods"]}


def test_a_deployment_that_is_not_there(t):
    pods, ns = t.cluster(1), incluster.namespace(t)
    server = incluster.syncer(t, pods, ns, ready=False)
    server.wait_log("404", "there is no such Deployment")
    assert server.check("t").error == "no-pod-list"
    ns.seed(pods.block.address(11))
    incluster.wait_counting(server, [pods.block.address(11)])


# --- a server that is away ---

class Always:
    """Looks at the table all the time, from a thread of its own: what should be true in every instant."""

    def __init__(self, server, holds):
        self.looks, self.broken = 0, []
        self._server, self._holds, self._end = server, holds, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        link = self._server.connect()
        while not self._end.wait(0.003):
            now = incluster.counting(self._server, link)
            self.looks += 1
            if not self._holds(now):
                self.broken.append(now)
        link.close()

    def close(self):
        self._end.set()
        self._thread.join()
        assert self.looks > 10 and not self.broken, (self.looks, self.broken[:3])


@tap.limit(180)
def test_a_server_that_is_killed_and_comes_back(t):
    pods, ns, names, server = three(t)
    always = t.keep(Always(server, lambda now: len(now) == 3 or set(incluster.addresses(pods, 14)) <= set(now.values())))
    for _ in range(2):
        ns.server.kill_apiserver()
        incluster.wait_reads(server, 1, "failed")
        ns.server.start_apiserver()
        incluster.wait_reads(server, 1)
    ns.server.kill_apiserver()
    incluster.wait_reads(server, 1, "failed")
    ns.server.start_apiserver(wait=False)  # syncer asks while it still refuses everything
    ns.server.wait_ready()
    ready = time.monotonic()
    ns.pod("q1", pods.block.address(14))
    incluster.wait_counting(server, incluster.addresses(pods, 11, 12, 13, 14), 5)
    print(f"# right again {time.monotonic() - ready:.1f} s after the API server was ready")
    assert always.looks > 100


@tap.limit(120)
def test_a_server_that_is_stopped_and_goes_on(t):
    pods, ns, names, server = three(t)
    t.keep(Always(server, lambda now: len(now) >= 3))
    ns.server.apiserver.send_signal(signal.SIGSTOP)
    incluster.wait_reads(server, 1, "failed", seconds=30)
    ns.server.apiserver.send_signal(signal.SIGCONT)
    ns.server.wait_ready()
    ns.pod("q1", pods.block.address(14))
    incluster.wait_counting(server, incluster.addresses(pods, 11, 12, 13, 14), 5)


def test_a_server_that_hangs_holds_nobody_up(t):
    pods, ns, names, server = three(t)
    ns.server.etcd.send_signal(signal.SIGSTOP)
    proc.wait_until(lambda: server.get("/v1/status").json()["table"]["age_ms"] > 2000, 15, why="the server does not hang")
    workers = server.workers()
    os.kill(workers[0], signal.SIGKILL)
    killed = time.monotonic()
    proc.wait_until(lambda: server.log().count("worker is ready") >= 3, 3, why="no new worker")
    respawned = time.monotonic() - killed
    assert len(incluster.counting(server)) == 3
    begun = time.monotonic()
    assert server.stop() == 0
    ended = time.monotonic() - begun
    print(f"# a worker is replaced in {respawned * 1000:.0f} ms and SIGTERM obeyed in {ended * 1000:.0f} ms while a list hangs")
    assert ended < 2, ended


if __name__ == "__main__":
    sys.exit(tap.main(kubeserver.missing))
