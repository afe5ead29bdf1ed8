#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Started as root: all processes become the user that is set, and what they need later they can still reach."""
import os
import shutil
import signal
import subprocess
import sys

from harness import proc, tap

UID = 65533


def open_up(path):
    """Readable by everybody, as a package would install it."""
    for folder, _, files in os.walk(path):
        os.chmod(folder, 0o755)
        for name in files:
            os.chmod(os.path.join(folder, name), 0o644)


def make(t, **config):
    if os.getuid() != 0:
        raise tap.Skip("only root can become another user")
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    server = t.syncer(pods, start=False, user=str(UID), **config)
    open_up(t.folder)
    open_up(t.certs.folder)
    # Where the build is may be closed to others.
    binary = os.path.join(t.folder, "syncer.bin")
    shutil.copy(server.binary, binary)
    os.chmod(binary, 0o755)
    server.binary = binary
    return server


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def assert_harmless(pid):
    got = status(pid)
    for field in ("Uid", "Gid"):
        assert got[field].split() == [str(UID)] * 4, (pid, field, got[field])
    assert got["Groups"].split() == [], got["Groups"]
    for field in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        assert int(got[field], 16) == 0, (pid, field, got[field])
    assert got["NoNewPrivs"] == "1"


def test_all_processes_are_the_users(t):
    server = make(t).start()
    assert server.check("t").verdict == "Synced"
    for pid in [server.process.pid, *server.workers()]:
        assert_harmless(pid)


def test_new_workers_are_too(t):
    server = make(t).start()
    proc.wait_until(lambda: server.log().count("worker is ready") == 2, 10)
    old = server.workers()
    os.kill(old[0], signal.SIGKILL)
    proc.wait_until(lambda: len(server.workers()) == 2 and old[0] not in server.workers(), why="no new worker")
    proc.wait_until(lambda: server.log().count("worker is ready") == 3, 10)
    for pid in server.workers():
        assert_harmless(pid)


def test_a_reload_still_works(t):
    server = make(t, watch_files=False).start()
    server.write(retries=7)
    os.chmod(server.config_path, 0o644)
    server.reload()
    assert "reload is done" in server.log()
    assert server.check("t").verdict == "Synced"


def test_a_privileged_port_and_a_unix_socket(t):
    folder = os.path.join(t.folder, "run")
    os.makedirs(folder)
    server = make(t)
    server.write(listen=[f"{server.address}:8080", f"{server.address}:81", f"unix:{folder}/s"])
    os.chmod(server.config_path, 0o644)
    server.start()
    proc.wait_connect((server.address, 81))


def refused(server, said):
    done = subprocess.run([server.binary, "-c", server.config_path], capture_output=True, text=True, timeout=20)
    assert done.returncode == 78 and said in done.stderr, done


def test_files_that_the_user_cannot_read(t):
    server = make(t)
    ca = os.path.join(t.folder, "closed.pem")
    shutil.copy(t.certs.ca, ca)
    os.chmod(ca, 0o600)
    server.write(tls_ca=ca)
    os.chmod(server.config_path, 0o644)
    refused(server, f"user: {UID} cannot read {ca}, as new workers and reloads must: Permission denied")


def test_who_is_no_user(t):
    server = make(t)
    for user, said in (("no-such-user", "user: there is no user"), ("nobody:no-such-group", "user: there is no group"),
                       ("root", "should not be root"), ("0", "should not be root"), ("nobody:0", "should not be root"),
                       (":nogroup", "should be a user")):
        server.write(user=user)
        os.chmod(server.config_path, 0o644)
        refused(server, said)


if __name__ == "__main__":
    sys.exit(tap.main())
