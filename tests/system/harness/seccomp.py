# SPDX-License-Identifier: MIT
"""What systemd does with SystemCallFilter= of a unit (systemd.exec(5)), by libseccomp and without systemd: as a program,
`seccomp.py UNIT COMMAND...` lays the filter on itself and becomes the command. What is not allowed ends the process, which
shows it better than the unit's EPERM."""
import ctypes
import os
import subprocess
import sys

_KILL_PROCESS, _ALLOW, _UNKNOWN = 0x80000000, 0x7FFF0000, -1


def library():
    """libseccomp, or None."""
    try:
        return ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None


def _groups():
    """{"@group": what it holds}, as this machine's systemd has it."""
    text = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter"], check=True, capture_output=True,
                          text=True).stdout
    groups = {}
    for line in text.splitlines():
        if line.startswith("@"):
            held = groups[line.strip()] = []
        elif line.startswith(" ") and not line.strip().startswith("#"):
            held.append(line.strip())
    return groups


def _expand(groups, names):
    """The system calls of a list of names and @groups."""
    calls = set()
    for name in names:
        calls |= _expand(groups, groups[name]) if name.startswith("@") else {name}
    return calls


def allowed(unit):
    """The system calls that a unit file allows. The first line decides that it is a list of these; `~` takes away."""
    calls, groups = set(), _groups()
    with open(unit) as f:
        lines = [line.rstrip("\n").partition("=")[2] for line in f if line.startswith("SystemCallFilter=")]
    for line in lines:
        if line.startswith("~"):
            calls -= _expand(groups, line[1:].split())
        else:
            calls |= _expand(groups, ["@default", *line.split()])
    return calls


def become(unit, command):
    seccomp = library()
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
    seccomp.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    context = seccomp.seccomp_init(_KILL_PROCESS)
    for name in allowed(unit):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number != _UNKNOWN:
            seccomp.seccomp_rule_add(context, _ALLOW, number, 0)  # one that this machine has not got is refused there
    if seccomp.seccomp_load(context) != 0:
        sys.exit("the filter cannot be loaded")
    os.execv(command[0], command)


if __name__ == "__main__":
    become(sys.argv[1], sys.argv[2:])
