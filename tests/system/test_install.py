#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make install` puts everything where it says and `make uninstall` takes it away; what was installed runs; nothing of the
tree is missing in the release archive."""
import os
import re
import shutil
import subprocess
import sys

from harness import tap

SOURCE = os.path.realpath(os.environ.get("SYNCER_SRCDIR", "."))
BUILD = os.path.dirname(os.path.realpath(os.environ.get("SYNCER") or "syncer"))
PREFIX = "/opt/syncer"
DOC = "share/doc/syncer"
WANTED = {
    "bin/syncer", "bin/syncerctl", "lib/systemd/system/syncer.service",
    "share/man/man8/syncer.8", "share/man/man1/syncerctl.1", "share/man/man5/syncer.yaml.5",
    "share/bash-completion/completions/syncerctl", "share/zsh/site-functions/_syncerctl",
    f"{DOC}/README.md", f"{DOC}/LICENSE", f"{DOC}/config.yaml",
    f"{DOC}/init/syncer.init", f"{DOC}/init/syncer.openrc",
    f"{DOC}/prometheus/alerts.yaml", f"{DOC}/grafana/syncer.json"}
# All of a folder of the tree, and where it goes.
FOLDERS = {"contrib/nginx": f"{DOC}/nginx", "contrib/doc": DOC, "roles": f"{DOC}/roles"}
# What only a git repository has a use for.
NOT_DISTRIBUTED = re.compile(r"^\.ci/")


def make(*args):
    """In the folder of the build, as a person calls it and not as a part of `make check`."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(["make", "-s", "-C", BUILD, *args], capture_output=True, text=True, timeout=100, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(top):
    return {os.path.relpath(os.path.join(folder, name), top) for folder, _, names in os.walk(top) for name in names}


def install(t):
    """The prefix below the DESTDIR."""
    make("install", f"DESTDIR={t.folder}/dest", f"prefix={PREFIX}")
    return t.folder + "/dest" + PREFIX


def test_what_is_installed(t):
    prefix = install(t)
    wanted = WANTED | {f"{to}/{name}" for folder, to in FOLDERS.items() for name in os.listdir(os.path.join(SOURCE, folder))}
    found = files(prefix)
    assert found == wanted, (sorted(found - wanted), sorted(wanted - found))
    assert files(t.folder + "/dest") == {os.path.join(PREFIX[1:], path) for path in wanted}, "something is beside the prefix"
    for path in ("bin/syncer", "bin/syncerctl", f"{DOC}/init/syncer.init"):
        assert os.access(os.path.join(prefix, path), os.X_OK), path
    with open(os.path.join(prefix, "lib/systemd/system/syncer.service")) as f:
        assert "/bin/syncer -c /" in f.read()
    make("uninstall", f"DESTDIR={t.folder}/dest", f"prefix={PREFIX}")
    assert not files(t.folder + "/dest"), files(t.folder + "/dest")


def test_what_is_installed_runs(t):
    prefix = install(t)
    syncer = os.path.join(prefix, "bin/syncer")
    said = subprocess.run([syncer, "-t", "-c", os.path.join(prefix, DOC, "config.yaml")], capture_output=True, text=True,
                          timeout=10, env={})
    assert said.returncode == 0 and "warn" not in said.stderr, said.stderr
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, start=False)
    server.binary = syncer
    server.start()
    pods.put("a-token")
    url = f"--url=http://{server.address}:{server.port}"
    done = subprocess.run([os.path.join(prefix, "bin/syncerctl"), "check", url], input="a-token", capture_output=True, text=True,
                          timeout=10)
    assert (done.returncode, done.stdout[:6]) == (0, "Synced"), done
    assert server.stop() == 0


def test_the_archive_has_the_whole_tree(t):
    if not (os.path.exists(os.path.join(SOURCE, ".git")) and shutil.which("git")):
        raise tap.Skip("no git repository")
    tracked = subprocess.run(["git", "-c", f"safe.directory={SOURCE}", "-C", SOURCE, "ls-files"], capture_output=True, text=True,
                             timeout=30, check=True).stdout
    # Automake looks for them beside the sources; some it names by the way there from the build.
    listed = {os.path.relpath(os.path.join(top, path), SOURCE) for path in make("list-dist").split() for top in (SOURCE, BUILD)}
    folders = tuple(path + "/" for path in listed if os.path.isdir(os.path.join(SOURCE, path)))
    missing = [path for path in tracked.split("\n") if path and path not in listed and not path.startswith(folders)
               and not NOT_DISTRIBUTED.match(path)]
    assert not missing, missing


def lacking():
    if not os.path.exists(os.path.join(BUILD, "Makefile")):
        return f"no build in {BUILD}"
    return "" if shutil.which("make") else "make is not installed"


if __name__ == "__main__":
    sys.exit(tap.main(lacking))
