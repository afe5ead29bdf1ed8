#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What init systems get: the unit is one that systemd takes without a word, the sysv script does what the LSB wants of it,
and as pid 1 of a container syncer ends when told and leaves no zombie."""
import os
import resource
import shutil
import signal
import subprocess
import sys

from harness import proc, seccomp, tap

SOURCE = os.environ.get("SYNCER_SRCDIR", ".")


def fill(name, folder, **places):
    """The template with its places put in, as `make` does."""
    with open(os.path.join(SOURCE, "contrib/init", name + ".in")) as f:
        text = f.read()
    for key, value in places.items():
        text = text.replace(f"@{key}@", value)
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def need(program):
    if not shutil.which(program):
        raise tap.Skip(f"{program} is not installed")


def place(t):
    """A prefix of its own with the binary and a configuration that runs."""
    pods = t.cluster(2, one_process=True)
    server = t.syncer(pods, start=False)
    bindir, sysconfdir = os.path.join(t.folder, "bin"), os.path.join(t.folder, "etc")
    os.makedirs(bindir), os.makedirs(os.path.join(sysconfdir, "syncer"))
    shutil.copy(server.binary, os.path.join(bindir, "syncer"))
    shutil.copy(server.config_path, os.path.join(sysconfdir, "syncer", "config.yaml"))
    return server, {"bindir": bindir, "sysconfdir": sysconfdir}


def test_systemd_takes_the_unit(t):
    need("systemd-analyze")
    server, places = place(t)
    unit = fill("syncer.service", t.folder, **places)
    manuals = os.path.join(t.folder, "man")
    for page in ("syncer.8", "syncer.yaml.5"):
        os.makedirs(os.path.join(manuals, f"man{page[-1]}"))
        source = os.path.join(SOURCE, "contrib/man", page)
        shutil.copy(source if os.path.exists(source) else source + ".in", os.path.join(manuals, f"man{page[-1]}", page))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "MANPATH": manuals})
    assert (done.returncode, done.stdout + done.stderr) == (0, ""), done


def test_the_units_filter_of_system_calls(t):
    """It allows all that syncer does in its life, raising the limit of descriptors too (prlimit64 is in @default), and it is
    in force: setpriority is not for it."""
    need("systemd-analyze")
    if not seccomp.library():
        raise tap.Skip("libseccomp is not installed")
    server, places = place(t)
    if server.is_sanitized():
        raise tap.Skip("AddressSanitizer has calls of its own")
    unit = fill("syncer.service", t.folder, **places)
    filtered = [sys.executable, os.path.abspath(seccomp.__file__), unit]
    assert subprocess.run([*filtered, shutil.which("nice"), "true"], timeout=30).returncode == -signal.SIGSYS
    wrapper = os.path.join(t.folder, "filtered")
    with open(wrapper, "w") as f:
        f.write(f'#!/bin/sh\nexec prlimit --nofile=64:4096 {" ".join(filtered)} {server.binary} "$@"\n')
    os.chmod(wrapper, 0o755)
    server.binary = wrapper
    server.start()
    proc.wait_until(lambda: server.log().count("worker is ready") == 2)
    for pid in [server.process.pid, *server.workers()]:
        with open(f"/proc/{pid}/status") as f:
            assert "Seccomp:\t2\n" in f.read()
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (4096, 4096)
    assert server.check("nobody-has-this").verdict == "NotSynced"
    os.kill(server.workers()[0], signal.SIGKILL)
    proc.wait_until(lambda: server.log().count("worker is ready") == 3, why="it was not replaced")
    server.reload()
    assert server.get("/metrics").status == 200 and server.check("nobody-has-this").verdict == "NotSynced"
    assert server.stop() == 0 and "signal=SYS" not in server.log()


class SysV:
    """The script, its settings in a file of the test's."""

    def __init__(self, t):
        self.server, places = place(t)
        self.script = fill("syncer.init", t.folder, **places)
        self.config = os.path.join(places["sysconfdir"], "syncer", "config.yaml")
        self.pidfile, self.log = os.path.join(t.folder, "pid"), os.path.join(t.folder, "log")
        self.defaults = os.path.join(t.folder, "defaults")
        with open(self.defaults, "w") as f:
            f.write(f"PIDFILE={self.pidfile}\nLOGFILE={self.log}\nSTOP_SECONDS=10\n")
        t.keep(self)

    def run(self, *args):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEFAULTS": self.defaults}
        done = subprocess.run(["sh", self.script, *args], capture_output=True, text=True, timeout=30, env=env)
        return done.returncode, done.stdout + done.stderr

    def pid(self):
        with open(self.pidfile) as f:
            return int(f.read())

    def close(self):
        self.run("stop")


def test_the_sysv_script(t):
    need("start-stop-daemon")
    sysv = SysV(t)
    assert sysv.run("status") == (3, "syncer does not run\n")
    assert sysv.run("start")[0] == 0, sysv.run("start")
    proc.wait_connect((sysv.server.address, sysv.server.port), 10)
    pid = sysv.pid()
    assert sysv.run("status") == (0, "syncer runs\n")
    assert sysv.run("start") == (0, "syncer runs already\n") and sysv.pid() == pid
    proc.wait_until(lambda: sysv.server.get("/readyz").status == 200, 10)
    assert sysv.run("reload")[0] == 0
    proc.wait_until(lambda: "reload is done" in open(sysv.log).read(), 10, why="it was not reloaded")
    assert sysv.pid() == pid
    assert sysv.run("restart")[0] == 0 and sysv.pid() != pid
    proc.wait_connect((sysv.server.address, sysv.server.port), 10)
    pid = sysv.pid()
    stopped = sysv.run("stop")
    assert stopped == (0, ""), stopped
    proc.wait_until(lambda: not proc.alive(pid))
    assert not os.path.exists(sysv.pidfile)
    assert sysv.run("stop") == (0, ""), "it is stopped already"
    assert sysv.run("nonsense")[0] == 2


def test_the_sysv_script_says_what_is_wrong_with_the_configuration(t):
    need("start-stop-daemon")
    sysv = SysV(t)
    with open(sysv.config, "a") as f:
        f.write("retrys: 3\n")
    code, said = sysv.run("start")
    assert code == 6 and "retrys" in said and sysv.run("status")[0] == 3, said
    assert not os.path.exists(sysv.pidfile)


def test_pid_1_reaps_and_ends(t):
    pods = t.cluster(2, one_process=True)
    server = t.syncer(pods, start=False)
    probe = subprocess.run(["unshare", "--map-root-user", "--user", "--pid", "--fork", "true"], capture_output=True)
    if probe.returncode:
        raise tap.Skip("no namespaces of one's own here")
    # Its shell leaves an orphan behind, which pid 1 inherits; its end is the event that is waited for.
    script = f'sh -c "sleep 0.1 &"; exec "{server.binary}" -c "{server.config_path}"'
    with open(server.log_path, "ab") as log:
        server.process = proc.spawn(["unshare", "--map-root-user", "--user", "--pid", "--fork", "--mount-proc",
                                     "--kill-child=KILL", "sh", "-c", script], stdout=log, stderr=log)
    proc.wait_connect((server.address, server.port), 10, process=server.process)
    proc.wait_until(lambda: server.get("/readyz").status == 200, 10)
    init = proc.children(server.process.pid)[0]
    proc.wait_until(lambda: sorted(map(comm, proc.children(init))) == ["syncer", "syncer"], 10,
                    why="the orphan is still there")
    os.kill(init, signal.SIGTERM)
    assert server.process.wait(10) == 0


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    sys.exit(tap.main())
