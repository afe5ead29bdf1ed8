#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nothing grows with the number of workers that have died and of reloads: descriptors, memory, mappings, names in /dev/shm,
zombies. A few of each in `make check`; `make endure` takes 1,000 and 200 and prints what it has seen."""
import collections
import os
import signal
import sys

from harness import proc, tap
from harness.clients import Clients

RESPAWNS, RELOADS = int(os.environ.get("SYNCER_RESPAWNS", 24)), int(os.environ.get("SYNCER_RELOADS", 6))
WARM_UP = 3  # reloads with their respawns, before what is compared is first looked at
# What may differ, in KB and pieces: the heap has its own ways, and a worker keeps the connections that load had it open. PSS is
# shown only, since it moves with whatever else on the machine has the same libraries mapped.
MAY_GROW = {"master's RSS": 256, "master's own memory": 256, "own memory of all": 1024, "PSS of all": float("inf"),
            "master's mappings": 2, "workers' descriptors": 8}


def memory_kb(pid, field):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(field + ":"))


def lines_of(pid, name):
    with open(f"/proc/{pid}/{name}") as f:
        return f.read().splitlines()


def offspring(pid):
    """All children, zombies too."""
    return [int(child) for line in lines_of(pid, f"task/{pid}/children") for child in line.split()]


def footprint(syncer):
    master, workers = syncer.process.pid, syncer.workers()
    return {
        "children": len(offspring(master)),
        "zombies": len(offspring(master)) - len(workers),
        "master's descriptors": len(os.listdir(f"/proc/{master}/fd")),
        "master's mappings": len(lines_of(master, "maps")),
        "master's shared memory": sum("syncer-" in line for line in lines_of(master, "maps")),
        "workers' descriptors": max(len(os.listdir(f"/proc/{pid}/fd")) for pid in workers),
        "names in /dev/shm": sum(name.startswith("syncer-") for name in os.listdir("/dev/shm")),
        "master's RSS": memory_kb(master, "Rss"),
        "master's own memory": memory_kb(master, "Anonymous"),
        "own memory of all": sum(memory_kb(pid, "Anonymous") for pid in [master, *workers]),
        "PSS of all": sum(memory_kb(pid, "Pss") for pid in [master, *workers]),
    }


def one_generation(syncer, deaths):
    """Some workers die, one after the other, and then comes a reload, with which the count of deaths begins anew: else
    they would be replaced ever more slowly."""
    for n in range(deaths):
        victim = syncer.workers()[n % 2]
        ready = syncer.log().count("worker is ready")
        os.kill(victim, (signal.SIGKILL, signal.SIGABRT)[n % 2])
        proc.wait_until(lambda: syncer.log().count("worker is ready") > ready, 30, why="it was not replaced")
    os.truncate(syncer.log_path, 0)
    syncer.process.send_signal(signal.SIGHUP)
    proc.wait_until(lambda: "reload is done" in syncer.log(), 30, why="no reload")
    proc.wait_until(lambda: len(offspring(syncer.process.pid)) == 2, 30, why="old workers stay")


def settled(syncer, seen):
    """The footprint once it is as small as it was, or after a while."""
    try:
        proc.wait_until(lambda: all(footprint(syncer)[k] <= v for k, v in seen.items() if k not in MAY_GROW), 10, 0.1)
    except TimeoutError:
        pass
    return footprint(syncer)


@tap.limit(3600)
def test_nothing_grows(t):
    pods = t.cluster(4, one_process=True)
    pods.put("t")
    syncer = t.syncer(pods, log_level="info", connection_timeout=5000, request_deadline=15000, shutdown_grace=200)
    proc.wait_until(lambda: syncer.check("t").verdict == "Synced")
    proc.wait_until(lambda: syncer.log().count("worker is ready") == 2)
    for _ in range(WARM_UP):
        one_generation(syncer, 2)
    clients = t.keep(Clients(syncer, 2))
    clients.wait_for(200)
    before = footprint(syncer)
    done = 0
    for n in range(1, RELOADS + 1):
        deaths = RESPAWNS * n // RELOADS - done
        one_generation(syncer, deaths)
        done += deaths
    clients.wait_for(200)
    after = settled(syncer, before)
    clients.stop()
    text = "".join(f"\n{k}: {before[k]} -> {after[k]}" for k in before)
    print(f"# {RESPAWNS} respawns, {RELOADS} reloads, {clients.done} checks, {len(clients.lost)} lost".replace("\n", "\n# ")
          + text.replace("\n", "\n# "), flush=True)
    compared = [k for k in before if not (syncer.is_sanitized() and ("own memory" in k or "SS" in k))]
    assert all(after[k] <= before[k] + MAY_GROW.get(k, 0) for k in compared), text
    assert not clients.bad, collections.Counter(clients.bad)
    assert len(clients.lost) <= 2 * RESPAWNS, f"{len(clients.lost)} requests were lost by {RESPAWNS} deaths"
    status = syncer.get("/v1/status").json()
    assert status["reloads_ok"] == RELOADS + WARM_UP, status


if __name__ == "__main__":
    sys.exit(tap.main())
