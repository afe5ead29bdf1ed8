#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The image that contrib/container/check has built: what is in it, and how it runs with a read-only root, as its own user and as
any other, before real gateway pods."""
import json
import os
import re
import signal
import stat
import subprocess
import sys

from harness import cluster, container, proc, tap

ROOT = os.environ.get("SYNCER_IMAGE_ROOT", "")
NAME = os.environ.get("SYNCER_CONTAINER", "")
LIMIT_BYTES = 24 << 20
# What syncer itself is linked with, and what those stand on; all else comes with libcurl.
OWN = {"libcurl4", "libssl3", "libyaml-0-2", "libc6"}


def lacking():
    if not ROOT:
        return "no image: contrib/container/check builds one"
    return cluster.missing() or ("" if os.geteuid() == 0 else "only root can do what a container runtime does")


def image():
    """What the image says of how it is run."""
    said = subprocess.run(["buildah", "inspect", NAME], capture_output=True, text=True, timeout=30, check=True).stdout
    return json.loads(said)["OCIv1"]["config"]


def files():
    for folder, _, names in os.walk(ROOT):
        for name in names:
            yield os.path.join(folder, name)


def env():
    return dict(pair.split("=", 1) for pair in image()["Env"])


class Container:
    """syncer as the image starts it, with the configuration of `server` as its ConfigMap."""

    def __init__(self, t, server, uid):
        self._server, config = server, image()
        folder = os.path.join(t.folder, "etc")
        os.mkdir(folder)
        with open(server.config_path) as f:
            text = f.read()
        text = text.replace(t.certs.ca, "/etc/syncer/ca.crt")
        with open(t.certs.ca) as f:
            ca = f.read()
        for name, content in (("config.yaml", text), ("ca.crt", ca)):
            with open(os.path.join(folder, name), "w") as f:
                f.write(content)
        self._mounts, self.uid = {"/etc/syncer": folder}, uid
        with open(server.log_path, "ab") as log:
            server.process = proc.spawn(self.command(config["Entrypoint"] + config["Cmd"]), stdout=log, stderr=log)
        t.keep(self)
        proc.wait_until(lambda: self.answers("/readyz") == 200, 30, why="it does not become ready")

    def command(self, arguments):
        return container.command(ROOT, self.uid, self._mounts, arguments, env())

    def answers(self, target):
        try:
            return self._server.get(target).status
        except OSError:
            assert self._server.process.poll() is None, self._server.log()
            return None

    def run(self, *arguments, text=""):
        """Another program of the image, in a container beside it."""
        return subprocess.run(self.command(["/usr/bin/" + arguments[0], *arguments[1:]]), input=text, capture_output=True, text=True,
                              timeout=20)

    def init(self):
        return proc.children(self._server.process.pid)[0]

    def stop(self):
        os.kill(self.init(), signal.SIGTERM)
        return self._server.process.wait(10)

    def close(self):
        if self._server.process.poll() is None:
            self.stop()


def run_as(t, uid):
    pods = t.cluster(3)
    server = t.syncer(pods, start=False)
    made = Container(t, server, uid)
    for target in ("/livez", "/readyz", "/v1/pods", "/ui/", "/ui/uplot.js", "/swagger-ui/", "/openapi.json"):
        assert made.answers(target) == 200, target
    for pid in [made.init(), *proc.children(made.init())]:
        with open(f"/proc/{pid}/status") as f:
            status = {key: value.strip() for key, _, value in (line.partition(":") for line in f)}
        assert set(status["Uid"].split()) == {str(uid)} and set(status["Gid"].split()) == {"0"}, status
        assert int(status["CapEff"], 16) == 0 and status["NoNewPrivs"] == "1", status
    pods.put("everywhere")
    assert server.check("everywhere").verdict == "Synced"
    assert server.check("nowhere").verdict == "NotSynced"
    url = f"--url=http://{server.address}:{server.port}"
    done = made.run("syncerctl", "check", url, text="everywhere")
    assert (done.returncode, done.stdout[:6]) == (0, "Synced"), done
    done = made.run("syncerctl", "doctor", url)
    assert done.returncode == 0, done
    os.kill(proc.children(made.init())[0], signal.SIGKILL)
    proc.wait_until(lambda: server.log().count("worker is ready") == 3, 20, why="no new worker")
    assert made.stop() == 0, server.log()


def test_what_is_in_it(t):
    """Programs, libraries, records of where these are from; nothing else that can be run, and nothing that all may write. It comes
    first: `buildah run` leaves files behind."""
    programs = {os.path.relpath(path, ROOT) for path in files() if os.access(path, os.X_OK) and ".so" not in path}
    assert programs == {"usr/bin/syncer", "usr/bin/syncerctl"}, programs
    for path in files():
        mode = os.lstat(path).st_mode
        assert stat.S_ISLNK(mode) or not mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH | stat.S_IWGRP), path
    for name in ("syncer", "syncerctl"):
        with open(os.path.join(ROOT, "usr/bin", name), "rb") as f:
            assert b".debug_info" not in f.read(), name
    records = set(os.listdir(os.path.join(ROOT, "var/lib/dpkg/status.d")))
    assert records > OWN and all(os.path.exists(os.path.join(ROOT, "usr/share/doc", p, "copyright")) for p in records), records


def size_of(paths):
    return sum(os.lstat(path).st_size for path in paths)


def test_its_size(t):
    """The table of the README."""
    every = list(files())
    libraries = [p for p in every if ".so" in p]
    own = re.compile(r"/(libcurl|libssl|libcrypto|libyaml|libc|libresolv|ld-linux)[-.]")
    parts = {"programs, with the pages": size_of(p for p in every if "/usr/bin/" in p),
             "libcurl, OpenSSL, libyaml, C library": size_of(p for p in libraries if own.search(p)),
             "what libcurl is linked with": size_of(p for p in libraries if not own.search(p)),
             "CA certificates": size_of(p for p in every if "/etc/ssl/" in p)}
    parts["the rest"] = size_of(every) - sum(parts.values())
    for name, size in parts.items():
        print(f"# {name:40} {size / 1e6:6.1f} MB")
    print(f"# {'in all':40} {size_of(every) / 1e6:6.1f} MB")
    assert size_of(every) < LIMIT_BYTES


def test_as_its_own_user(t):
    uid, _, gid = image()["User"].partition(":")
    assert (uid, gid) == ("10001", "0")
    run_as(t, int(uid))


def test_as_any_other_user(t):
    """As OpenShift chooses them: no line of /etc/passwd is theirs."""
    run_as(t, 1000690000)


def test_what_the_image_says(t):
    config = image()
    assert config["Entrypoint"] == ["/usr/bin/syncer"] and config["Cmd"] == ["-c", "/etc/syncer/config.yaml"]
    assert "8080/tcp" in config["ExposedPorts"] and env()["PATH"] == "/usr/bin"
    labels = config["Labels"]
    said = subprocess.run(["buildah", "run", "--isolation", "chroot", NAME, "--", "/usr/bin/syncer", "-V"], capture_output=True,
                          text=True, timeout=60).stdout.split()
    assert labels["org.opencontainers.image.version"] == said[1] and labels["org.opencontainers.image.licenses"] == "MIT"


def test_by_buildah(t):
    """Its own way of running what it has built."""
    done = subprocess.run(["buildah", "run", "--isolation", "chroot", NAME, "--", "/usr/bin/syncer", "-V"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 and re.match(r"syncer \d", done.stdout), done
    done = subprocess.run(["buildah", "run", "--isolation", "chroot", "--user", "12345", NAME, "--", "/usr/bin/syncerctl", "check"],
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode not in (0, 126, 127) and "token" in done.stderr, done


if __name__ == "__main__":
    sys.exit(tap.main(lacking))
