# SPDX-License-Identifier: MIT
"""What a container runtime does, as far as syncer sees it: own mounts, processes and shared memory, the image as a read-only
root, /proc, /dev with nothing but the usual devices, a UID without a capability, and the environment of the image alone. The
network is the machine's. Called by itself within new namespaces, see command()."""
import ctypes
import os
import subprocess
import sys

DEVICES = ("null", "zero", "random", "urandom")
PR_SET_NO_NEW_PRIVS = 38


def command(root, uid, mounts, arguments, env):
    """The command line that runs `arguments` as pid 1 of a container. `mounts`: path in the container -> folder, read-only."""
    return ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child=KILL", sys.executable, os.path.abspath(__file__),
            root, str(uid), *(f"{to}={folder}" for to, folder in mounts.items()), "--", *(f"{k}={v}" for k, v in env.items()),
            "--", *arguments]


def split(words, mark="--"):
    i = words.index(mark)
    return words[:i], words[i + 1:]


def mount(*args):
    subprocess.run(["mount", *args], check=True)


def lay_out(root, mounts):
    """`root` is of this mount namespace alone: nothing of it is left afterwards."""
    mount("--make-rprivate", "/")
    mount("--bind", root, root)
    mount("-t", "proc", "proc", root + "/proc")
    mount("-t", "tmpfs", "-o", "mode=755", "dev", root + "/dev")
    os.mkdir(root + "/dev/shm")
    mount("-t", "tmpfs", "-o", "mode=1777,size=64m", "shm", root + "/dev/shm")
    for name in DEVICES:
        with open(f"{root}/dev/{name}", "w"):
            mount("--bind", f"/dev/{name}", f"{root}/dev/{name}")
    for to, folder in mounts:
        mount("--bind", "-o", "ro", folder, root + to)
        mount("-o", "remount,bind,ro", root + to)
    mount("-o", "remount,bind,ro", root)


def main(root, uid, *words):
    mounts, rest = split(words)
    env, arguments = split(rest)
    lay_out(root, [m.split("=", 1) for m in mounts])
    os.chroot(root)
    os.chdir("/")
    os.setgroups([])
    os.setgid(0)
    os.setuid(int(uid))  # with the UID root's capabilities go
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    os.execve(arguments[0], arguments, dict(pair.split("=", 1) for pair in env))


if __name__ == "__main__":
    main(*sys.argv[1:])
