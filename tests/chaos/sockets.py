# SPDX-License-Identifier: MIT
"""What a process has open, from /proc."""
import os


def _inodes(pid):
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            what = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if what.startswith("socket:["):
            found.add(what[8:-1])
    return found


def accepted(pid):
    """The far ends' ports of its IPv4 connections, accepted or made."""
    inodes, ports = _inodes(pid), set()
    with open("/proc/net/tcp") as f:
        for line in list(f)[1:]:
            fields = line.split()
            if fields[9] in inodes and fields[3] != "0A":  # LISTEN
                ports.add(int(fields[2].rpartition(":")[2], 16))
    return ports
