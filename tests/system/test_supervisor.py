#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an init system is told by the protocol of sd_notify(3): the socket here stands in for systemd's."""
import os
import re
import signal
import socket
import sys
import time

from harness import proc, tap


class Init:
    """The receiving end; `seen` holds every message until now."""

    def __init__(self, name):
        self.name, self.seen = name, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.setblocking(False)

    def messages(self):
        try:
            while True:
                self.seen.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return self.seen

    def wait(self, pattern, after=0, seconds=10):
        """The index of the first message from `after` on that matches."""
        def find():
            return next((i + 1 for i, m in enumerate(self.messages()) if i >= after and re.search(pattern, m)), 0)
        return proc.wait_until(find, seconds, why=f"no {pattern!r} was received") - 1

    def close(self):
        self.socket.close()


def start(t, name=None, **variables):
    init = t.keep(Init(name or os.path.join(t.folder, "notify")))
    server = t.syncer(t.cluster(2, one_process=True), start=False)
    server.env = {"NOTIFY_SOCKET": init.name, **variables}
    return init, server.start()


def test_ready_and_stopping(t):
    init, server = start(t)
    ready = init.wait("^READY=1$")
    init.wait(r"^STATUS=2 of 2 workers ready, 2 pods$")
    assert server.stop() == 0
    stopping = init.wait("^STOPPING=1$")
    assert stopping > ready
    assert [m for m in init.messages() if "READY=1" in m] == ["READY=1"], init.seen


def test_an_abstract_name(t):
    init, _ = start(t, f"@syncer-test-{os.getpid()}")
    init.wait("^READY=1$")


def test_a_reload_is_told_with_its_time(t):
    init, server = start(t)
    ready = init.wait("^READY=1$")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    server.process.send_signal(signal.SIGHUP)
    reloading = init.wait(r"^RELOADING=1\nMONOTONIC_USEC=\d+$", ready + 1)
    usec = int(init.seen[reloading].rsplit("=", 1)[1])
    assert before <= usec <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000, (before, init.seen)
    init.wait("^READY=1$", reloading + 1)


def test_a_reload_that_fails_is_over_too(t):
    init, server = start(t)
    ready = init.wait("^READY=1$")
    server.write(retries="many")
    server.process.send_signal(signal.SIGHUP)
    init.wait("^READY=1$", init.wait("^RELOADING=1", ready + 1) + 1)


def test_the_status_follows_the_table(t):
    init, server = start(t)
    two = init.wait("^STATUS=2 of 2 workers ready, 2 pods$")
    server.write(static=server.config["static"][:1])
    server.process.send_signal(signal.SIGHUP)
    init.wait("^STATUS=2 of 2 workers ready, 1 pods$", two + 1)


def test_the_watchdog_is_fed_until_the_end(t):
    init, _ = start(t, WATCHDOG_USEC="300000")
    for _ in range(3):
        init.wait("^WATCHDOG=1$", len(init.seen))


def test_somebody_elses_watchdog_is_not_fed(t):
    init, server = start(t, WATCHDOG_USEC="30000", WATCHDOG_PID="1")
    init.wait("^STATUS=2 of 2 workers ready")
    server.stop()
    assert "WATCHDOG=1" not in init.messages()


def test_the_variables_go_no_further(t):
    _, server = start(t, WATCHDOG_USEC="30000000")
    for pid in server.workers():
        with open(f"/proc/{pid}/environ") as f:
            assert "NOTIFY_SOCKET" not in f.read()


def test_without_a_receiver_it_runs_all_the_same(t):
    server = t.syncer(t.cluster(2, one_process=True), start=False)
    for name in (os.path.join(t.folder, "nobody"), "relative/path", "@"):
        server.env = {"NOTIFY_SOCKET": name}
        server.start()
        assert "the init system cannot be told anything" in server.log()
        assert server.stop() == 0
        os.truncate(server.log_path, 0)


if __name__ == "__main__":
    sys.exit(tap.main())
