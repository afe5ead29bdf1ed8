#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The life of the processes: start, reload, crash, hang, end. Nothing may be lost beyond a killed worker's own requests, and
nothing may be left behind."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from harness import proc, tap
from harness.clients import Clients


def run(syncer, *args, env=None, cwd=None):
    """The binary to its end: exit code, and what it printed."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SYNCER")}
    done = subprocess.run([syncer.binary, *args], capture_output=True, text=True, timeout=20, cwd=cwd or syncer.folder,
                          env={**clean, **(env or {})})
    return done.returncode, done.stdout + done.stderr


def start(t, n=3, **config):
    """A probe that a busy machine holds up beyond connection_timeout is not what is looked for here."""
    pods = t.cluster(n)
    pods.put("t", *[0] * n)
    syncer = t.syncer(pods, **{"connection_timeout": 5000, "request_deadline": 15000, **config})
    proc.wait_until(lambda: syncer.check("t").verdict == "Synced", why="the token is not seen")
    return pods, syncer


def test_it_ends_with_0_on_sigterm_and_sigint(t):
    for sig in (signal.SIGTERM, signal.SIGINT):
        _, syncer = start(t)
        assert syncer.stop(sig) == 0


def test_a_second_signal_ends_it_at_once(t):
    pods, syncer = start(t, shutdown_grace=60000, drain_delay=60000)
    syncer.process.send_signal(signal.SIGTERM)
    proc.wait_until(lambda: syncer.get("/readyz").status == 503, 5, why="/readyz does not say that it drains")
    assert syncer.check("t").verdict == "Synced"  # drain_delay: it goes on serving
    syncer.process.send_signal(signal.SIGTERM)
    assert syncer.process.wait(5) == 0


def test_answers_say_close_while_it_drains(t):
    _, syncer = start(t, drain_delay=60000)
    assert syncer.get("/livez").headers.get("connection") is None
    syncer.process.send_signal(signal.SIGTERM)
    proc.wait_until(lambda: syncer.get("/readyz").status == 503, 5)
    assert syncer.get("/livez").headers["connection"] == "close"
    syncer.process.send_signal(signal.SIGTERM)


def test_a_check_under_way_is_finished_on_sigterm(t):
    pods, syncer = start(t)
    answers = []
    asked = pods[0].counters()
    thread = threading.Thread(target=lambda: answers.append(syncer.check("nobody-has-this")))
    thread.start()
    proc.wait_until(lambda: pods[0].counters() != asked, 5, why="no probe came")
    assert syncer.stop() == 0
    thread.join()
    assert answers[0].verdict == "NotSynced", answers[0]


def test_exit_codes(t):
    pods, syncer = start(t)
    assert run(syncer, "--no-such-option")[0] == 64
    assert run(syncer, "argument")[0] == 64
    for port in ("0", "65536", "http"):
        code, text = run(syncer, "--http-port", port, "-t", "-c", syncer.config_path)
        assert code == 64 and "--http-port" in text, (port, code, text)
    code, text = run(syncer, "-c", syncer.config_path)
    assert code == 69 and "in use" in text, (code, text)
    assert run(syncer, "-t", "-c", syncer.config_path)[0] == 0
    assert run(syncer, "-V")[1].startswith("syncer ")
    assert "usage" in run(syncer, "-h")[1]
    for bad, said in (({"nonsense": 1}, "nonsense"), ({"port": 70000}, "port"), ({"retries": "many"}, "retries"),
                      ({"listen": "here"}, "listen"), ({"host": None}, "host")):
        syncer.write(**bad)
        code, text = run(syncer, "-t", "-c", syncer.config_path)
        assert code == 78 and said in text and "config.yaml" in text, (bad, code, text)
        syncer.write(nonsense=None, port=pods[0].port, retries=10, listen=f"{syncer.address}:{syncer.port}",
                     host=pods.host)


def test_print_config_is_read_back(t):
    _, syncer = start(t)
    code, first = run(syncer, "--print-config", "-c", syncer.config_path)
    assert code == 0
    again = os.path.join(syncer.folder, "again.yaml")
    with open(again, "w") as f:
        f.write(first)
    assert run(syncer, "--print-config", "-c", again)[1] == first


def test_the_environment_stands_above_the_file(t):
    _, syncer = start(t)
    text = run(syncer, "--print-config", "-c", syncer.config_path, env={"SYNCER_RETRIES": "3"})[1]
    assert "retries: 3\n" in text, text


def test_reload_loses_nothing(t):
    _, syncer = start(t)
    clients = t.keep(Clients(syncer))
    clients.wait_for(100)
    for _ in range(3):
        syncer.reload()
        clients.wait_for(50)
    clients.stop()
    assert not clients.lost and not clients.bad, (clients.lost[:5], clients.bad[:5])
    status = syncer.get("/v1/status").json()
    assert status["reloads_ok"] == 3 and status["configuration_generation"] == 4, status


def test_reload_puts_new_values_into_force(t):
    _, syncer = start(t, shutdown_grace=500)
    assert syncer.check("nobody-has-this").headers["x-token-sync-ms"] >= "1"
    syncer.write(retries=0)
    syncer.reload()
    answer = syncer.check("nobody-has-this")
    assert answer.verdict == "NotSynced" and answer.ms < 1000, answer


def test_a_bad_file_changes_nothing(t):
    _, syncer = start(t)
    before = syncer.workers()
    syncer.write(retries="many")
    syncer.process.send_signal(signal.SIGHUP)
    syncer.wait_log("keeping the old configuration")
    assert syncer.workers() == before and syncer.check("t").verdict == "Synced"
    assert syncer.get("/v1/status").json()["reloads_failed"] == 1


def test_listeners_come_and_go(t):
    _, syncer = start(t, shutdown_grace=500)
    path = os.path.join(t.folder, "s.sock")
    syncer.write(listen=[f"{syncer.address}:{syncer.port}", f"unix:{path}"])
    syncer.reload()
    assert os.path.exists(path)
    syncer.write(listen=[f"{syncer.address}:{syncer.port}"])
    syncer.reload()
    assert not os.path.exists(path) and syncer.check("t").verdict == "Synced"


def test_listeners_come_and_go_under_load(t):
    """What is in the queue of a socket that goes is served; then clients are refused, and nobody is cut off."""
    _, syncer = start(t, shutdown_grace=500)
    other = syncer.port + 1
    both, one = [f"{syncer.address}:{syncer.port}", f"{syncer.address}:{other}"], f"{syncer.address}:{syncer.port}"
    stay = t.keep(Clients(syncer, 2))
    for _ in range(3):
        syncer.write(listen=both)
        syncer.reload()
        guests = t.keep(Clients(syncer, 6, port=other))
        guests.wait_for(50)
        syncer.write(listen=one)
        syncer.reload()
        proc.wait_until(lambda: guests.lost, 10, why="it still listens")
        guests.stop()
        assert not guests.bad and all("ConnectionRefused" in e for e in guests.lost), (guests.bad[:5], set(guests.lost))
    stay.wait_for(50)
    stay.stop()
    assert not stay.bad and not stay.lost, (stay.bad[:5], stay.lost[:5])


@tap.limit(180)
def test_a_storm_of_reloads_loses_nothing(t):
    """50 signals in a second: one reload at a time, and one that began after the last of them."""
    _, syncer = start(t, shutdown_grace=500)
    clients = t.keep(Clients(syncer))
    clients.wait_for(50)
    began, sent = time.monotonic(), 0
    while sent < 50:
        syncer.process.send_signal(signal.SIGHUP)
        sent += 1
        proc.wait_until(lambda: time.monotonic() >= began + sent / 50, 5)
    lines = lambda: re.findall("starting the new workers|reload is done", syncer.log())
    last = len(lines())  # what a reload that was under way then still says, and the one after it
    proc.wait_until(lambda: len(lines()) > last and len(lines()) % 2 == 0 and len(syncer.workers()) == 2, 60,
                    why="the storm does not settle")
    clients.wait_for(50)
    clients.stop()
    assert not clients.lost and not clients.bad, (clients.lost[:5], clients.bad[:5])
    assert lines() == ["starting the new workers", "reload is done"] * (len(lines()) // 2), "two at a time"
    status = syncer.get("/v1/status").json()
    assert status["reloads_ok"] == len(lines()) // 2 <= 50 and status["reloads_failed"] == 0, status


def test_signals_during_a_reload_are_one_more(t):
    _, syncer = start(t, shutdown_grace=500)
    for _ in range(20):
        syncer.process.send_signal(signal.SIGHUP)
    proc.wait_until(lambda: syncer.get("/v1/status").json()["reloads_ok"] >= 1, 10)
    proc.wait_until(lambda: len(syncer.workers()) == 2, 10, why="old workers stay")
    assert syncer.check("t").verdict == "Synced"


def test_sigterm_during_a_reload(t):
    _, syncer = start(t, shutdown_grace=500)
    old = syncer.workers()
    syncer.process.send_signal(signal.SIGHUP)
    proc.wait_until(lambda: len(syncer.workers()) > 2, 5, step=0.001, why="no new workers")
    for pid in set(syncer.workers()) - set(old):
        os.kill(pid, signal.SIGSTOP)  # the reload can't come to its end, and they can't leave by themselves
    assert syncer.stop() == 0


def test_sigterm_does_not_wait_for_idle_clients_of_workers_that_retire(t):
    _, syncer = start(t, shutdown_grace=60000)
    link = syncer.connect()
    syncer.request("GET", "/livez", link=link)
    syncer.process.send_signal(signal.SIGHUP)
    syncer.wait_log("reload is done")
    assert syncer.stop() == 0  # within its 15 s
    assert "signal=KILL" not in syncer.log()
    link.close()


def test_a_new_worker_that_dies_costs_the_reload_alone(t):
    _, syncer = start(t)
    before, ca = syncer.workers(), syncer.config["tls_ca"]
    syncer.write(tls_ca="/no/such/file")
    for n in range(2):
        syncer.process.send_signal(signal.SIGHUP)
        proc.wait_until(lambda: syncer.log().count("keeping the old configuration") > n, 10)
    proc.wait_until(lambda: syncer.workers() == before, 5, why="new workers stay")
    assert syncer.check("t").verdict == "Synced" and "reload is done" not in syncer.log()
    syncer.write(tls_ca=ca)
    syncer.reload()
    assert syncer.check("t").verdict == "Synced"


@tap.limit(120)
def test_a_reload_waits_for_room_when_nobody_leaves(t):
    """The master has 48 slots: three generations of 16 workers."""
    _, syncer = start(t, workers=16, hang_timeout=600000)
    stopped = []
    for n in range(3):
        stopped.append(syncer.workers() if not n else [pid for pid in syncer.workers() if pid not in sum(stopped, [])])
        for pid in stopped[-1]:
            os.kill(pid, signal.SIGSTOP)  # they won't leave
        syncer.process.send_signal(signal.SIGHUP)
        if n < 2:
            proc.wait_until(lambda: syncer.log().count("reload is done") == n + 1, 20)
    proc.wait_until(lambda: syncer.log().count("starting the new workers") == 3, 5)
    assert len(syncer.workers()) == 48 and syncer.log().count("reload is done") == 2
    for pid in stopped[0]:
        os.kill(pid, signal.SIGKILL)
    proc.wait_until(lambda: syncer.log().count("reload is done") == 3, 20, why="room was made, and not used")
    for pid in stopped[1] + stopped[2]:
        os.kill(pid, signal.SIGKILL)
    proc.wait_until(lambda: len(syncer.workers()) == 16, 10)
    assert syncer.check("t").verdict == "Synced"


@tap.limit(120)
def test_a_reload_gives_up_when_no_room_is_made(t):
    _, syncer = start(t, workers=16, hang_timeout=600000)
    for n in range(3):
        serving = [pid for pid in syncer.workers() if not proc.stopped(pid)]
        if n == 2:
            break
        for pid in serving:
            os.kill(pid, signal.SIGSTOP)  # they won't leave
        syncer.process.send_signal(signal.SIGHUP)
        proc.wait_until(lambda: syncer.log().count("reload is done") == n + 1, 20)
    syncer.process.send_signal(signal.SIGHUP)
    syncer.wait_log("keeping the old configuration", seconds=40)
    line = next(line for line in syncer.log().splitlines() if "keeping the old configuration" in line)
    assert "there was no room for the new workers: 32 of earlier configurations still finish" in line, line
    assert "shutdown_grace" in line
    assert [pid for pid in syncer.workers() if not proc.stopped(pid)] == serving
    assert syncer.check("t").verdict == "Synced"
    for pid in set(syncer.workers()) - set(serving):
        os.kill(pid, signal.SIGKILL)
    syncer.reload()
    assert syncer.check("t").verdict == "Synced"


def test_whoever_starts_it_may_ignore_sigchld(t):
    pods = t.cluster(1)
    pods.put("t", 0)
    syncer = t.syncer(pods, start=False)
    with open(syncer.log_path, "ab") as log:
        syncer.process = proc.spawn(["env", "--ignore-signal=CHLD", syncer.binary, "-c", syncer.config_path], stdout=log,
                                    stderr=log, cwd=syncer.folder)
    syncer.wait_log("worker is ready")
    proc.wait_until(lambda: len(syncer.workers()) == 2, 5)
    victim = syncer.workers()[0]
    os.kill(victim, signal.SIGKILL)
    proc.wait_until(lambda: len(syncer.workers()) == 2 and victim not in syncer.workers(), 5, why="it was not replaced")
    assert syncer.stop() == 0


def test_whoever_starts_it_may_have_closed_the_standard_descriptors(t):
    pods = t.cluster(1)
    pods.put("t", 0)
    syncer = t.syncer(pods, start=False)
    syncer.process = proc.spawn(["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', syncer.binary, syncer.config_path],
                                cwd=syncer.folder)
    proc.wait_connect((syncer.address, syncer.port), seconds=10, process=syncer.process)
    proc.wait_until(lambda: syncer.get("/readyz").status == 200, 10)
    for pid in [syncer.process.pid, *syncer.workers()]:
        assert {os.readlink(f"/proc/{pid}/fd/{n}") for n in range(3)} == {"/dev/null"}
    assert syncer.check("t").verdict == "Synced" and syncer.stop() == 0


def test_a_killed_worker_costs_its_own_requests_only(t):
    for sig in (signal.SIGSEGV, signal.SIGKILL):
        _, syncer = start(t)
        if sig == signal.SIGSEGV and syncer.is_sanitized():
            sig = signal.SIGABRT  # AddressSanitizer would report the other one as a finding
        clients = t.keep(Clients(syncer))
        clients.wait_for(50)
        victim = syncer.workers()[0]
        os.kill(victim, sig)
        syncer.wait_log(f"worker={victim}")
        proc.wait_until(lambda: len(syncer.workers()) == 2 and victim not in syncer.workers(), 5,
                        why="the worker was not replaced")
        clients.wait_for(200)
        clients.stop()
        assert not clients.bad and len(clients.lost) <= 8, (clients.bad[:5], clients.lost)
        syncer.wait_log(f"signal={sig.name[3:]}")
        syncer.stop()


def test_a_hung_worker_is_replaced(t):
    _, syncer = start(t, hang_timeout=1000)
    victim = syncer.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    proc.wait_until(lambda: not proc.alive(victim), 15, why="it was not ended")
    proc.wait_until(lambda: len(syncer.workers()) == 2, 5, why="it was not replaced")
    assert "worker hangs" in syncer.log()


def test_a_pause_of_all_is_no_hang(t):
    _, syncer = start(t, hang_timeout=1000)
    before = sorted(syncer.workers())
    for pid in [syncer.process.pid, *before]:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    proc.wait_until(lambda: time.monotonic() - began > 3, 5)
    for pid in [syncer.process.pid, *before]:
        os.kill(pid, signal.SIGCONT)
    clients = t.keep(Clients(syncer))
    clients.wait_for(100)
    clients.stop()
    assert sorted(syncer.workers()) == before and "worker hangs" not in syncer.log()


def test_workers_leave_when_the_master_dies(t):
    _, syncer = start(t, shutdown_grace=500)
    workers = syncer.workers()
    syncer.process.kill()
    syncer.process.wait(5)
    proc.wait_until(lambda: not any(map(proc.alive, workers)), 10, why="workers outlive a killed master")
    # A new one on the same port, at once.
    syncer.start()
    assert syncer.check("t").verdict == "Synced"


def test_a_worker_that_cannot_start_is_tried_again_ever_more_slowly(t):
    pods = t.cluster(1)
    ca = os.path.join(t.folder, "ca.pem")
    shutil.copy(pods.certs.ca, ca)
    syncer = t.syncer(pods, tls_ca=ca, watch_files=False)
    os.unlink(ca)  # at a start it would be noticed before
    for pid in syncer.workers():
        os.kill(pid, signal.SIGKILL)
    syncer.wait_log("No such file")
    proc.wait_until(lambda: syncer.log().count("worker starts again later") >= 4, 15)
    started = syncer.log().count("worker has failed")
    assert started < 20, started


def test_what_the_configuration_names_must_be_usable(t):
    _, syncer = start(t)
    syncer.write(pods="kubernetes", deployment="gw", serviceaccount_dir="/no/such/folder",
                 listen=f"{syncer.address}:{syncer.port + 1}")
    code, text = run(syncer, "-c", syncer.config_path, env={"KUBERNETES_SERVICE_HOST": "127.0.0.1",
                                                            "KUBERNETES_SERVICE_PORT": "1"})
    assert code == 78 and "/no/such/folder" in text, (code, text)
    syncer.process.send_signal(signal.SIGHUP)
    syncer.wait_log("keeping the old configuration")
    assert syncer.check("t").verdict == "Synced"


def test_other_static_pods_are_in_force_with_the_reload(t):
    pods, syncer = start(t, shutdown_grace=500)
    syncer.write(static=pods.config()["static"][:2])
    syncer.reload()
    answer = syncer.check("t")
    assert answer.pods == "2/2" and answer.verdict == "Synced", answer
    log = syncer.log()
    assert log.count("pod has come") == 3 and log.count("pod has left") == 1, "a pod that stays is the same pod"


def test_no_process_can_be_looked_into_or_leaves_a_core(t):
    pods = t.cluster(1)
    syncer = t.syncer(pods, start=False, static=None, pods="static", scheme="http", host="a", path="/p", tls_ca=None)
    account = {}
    folder = t.folder
    if os.geteuid() == 0:  # what root may look into says nothing
        folder = tempfile.mkdtemp(dir="/tmp")
        os.chmod(folder, 0o755)
        account = {"user": 65534, "group": 65534, "extra_groups": []}
    try:
        binary, config = os.path.join(folder, "syncer-copy"), os.path.join(folder, "hidden.yaml")
        shutil.copy(syncer.binary, binary)
        syncer.config["static"] = [{"name": "a", "address": pods[0].address, "port": 1}]
        syncer.write()
        shutil.copyfile(syncer.config_path, config)
        os.chmod(config, 0o644)
        with open(syncer.log_path, "ab") as log:
            syncer.process = proc.spawn([binary, "-c", config], stdout=log, stderr=log, cwd="/", **account)
        proc.wait_until(lambda: syncer.log().count("worker is ready") == 2, 10, why="no workers")
        for pid in [syncer.process.pid, *syncer.workers()]:
            # The kernel gives the files of a process that is not dumpable to root (proc(5)).
            assert os.stat(f"/proc/{pid}/environ").st_uid == 0, f"{pid} can be looked into"
            with open(f"/proc/{pid}/limits" if os.geteuid() == 0 else "/dev/null") as f:
                assert os.geteuid() or "Max core file size        0                    0" in f.read()
        assert syncer.stop() == 0
    finally:
        if folder != t.folder:
            shutil.rmtree(folder)


def test_descriptors_and_children_do_not_grow(t):
    _, syncer = start(t, shutdown_grace=200)
    fds = lambda: len(os.listdir(f"/proc/{syncer.process.pid}/fd"))
    syncer.reload()
    proc.wait_until(lambda: len(syncer.workers()) == 2, 5)
    before = fds()
    for _ in range(5):
        syncer.reload()
        os.kill(syncer.workers()[0], signal.SIGKILL)
        proc.wait_until(lambda: len(syncer.workers()) == 2 and syncer.get("/readyz").status == 200, 5)
    proc.wait_until(lambda: fds() <= before, 10, why=f"there were {before} descriptors, and then more")


def test_no_token_is_ever_written(t):
    pods, syncer = start(t, access_log=True, log_level="debug")
    token = "secret-token-0123456789"
    syncer.check(token)
    syncer.check(token, query="verbose=1&strict=1")
    syncer.check(token + " ", origin="bad origin")
    syncer.check(token, query="nonsense=1")
    syncer.stop()
    assert "secret-token" not in syncer.log()


if __name__ == "__main__":
    sys.exit(tap.main())
