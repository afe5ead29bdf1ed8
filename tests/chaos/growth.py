# SPDX-License-Identifier: MIT
"""What syncer's processes hold, taken at calm points: no client, no fault, the same number of workers. What is the same at each
of them does not grow."""
import collections
import os
import re

from harness import proc

PSS_SLACK = 1.25, 1024  # an allocator's play: times, plus KiB
LINKS_SLACK = 16  # kept connections of a worker, which is a new one each time: one or two a pod


class Sample:
    def __init__(self, master):
        workers = proc.children(master)
        self.fds = _kinds(master)
        self.worker_fds = max((sum(_kinds(pid).values()) for pid in workers), default=0)
        self.pss, self.worker_pss = _pss(master), max(map(_pss, workers), default=0)
        self.segments = _segments(master)
        self.workers, self.zombies = len(workers), _all_children(master) - len(workers)

    def __str__(self):
        return (f"{sum(self.fds.values())} descriptors, {self.pss} KiB, {self.segments} segments; {self.workers} workers of up to "
                f"{self.worker_fds} descriptors and {self.worker_pss} KiB; {self.zombies} zombies")


def grown(first, last, memory=True):
    """Texts: what is more in the last sample than in the first. AddressSanitizer keeps freed memory: there `memory` is False."""
    for kind in last.fds:
        if last.fds[kind] > first.fds[kind]:
            yield f"master: {kind}: {first.fds[kind]}, then {last.fds[kind]} descriptors"
    if last.worker_fds > first.worker_fds + LINKS_SLACK:
        yield f"workers: {first.worker_fds}, then {last.worker_fds} descriptors"
    for what, a, b in (("master", first.pss, last.pss), ("worker", first.worker_pss, last.worker_pss)):
        if memory and b > a * PSS_SLACK[0] + PSS_SLACK[1]:
            yield f"{what}: {a}, then {b} KiB (PSS)"
    if last.segments > first.segments:
        yield f"segments: {first.segments}, then {last.segments}"
    if last.zombies:
        yield f"{last.zombies} zombies"
    if last.workers != first.workers:
        yield f"workers: {first.workers}, then {last.workers}"


def _kinds(pid):
    """Descriptors by what they are: numbers within are of one object."""
    found = collections.Counter()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[re.sub(r"[0-9a-f]{6,}|\d+", "N", os.readlink(f"/proc/{pid}/fd/{fd}"))] += 1
        except FileNotFoundError:
            pass
    return found


def _pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def _segments(pid):
    """Shared mappings with a file behind them that has no name any more."""
    with open(f"/proc/{pid}/maps") as f:
        return len({line.split()[4] for line in f if " rw-s " in line or " r--s " in line})


def _all_children(pid):
    found = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as f:
            found += len(f.read().split())
    return found
