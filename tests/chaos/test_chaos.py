#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make chaos` for some seconds, with a seed that is always the same; and the proof that it would find something."""
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "system")]
from harness import tap  # noqa: E402

import report  # noqa: E402
import world as worlds  # noqa: E402

ENOUGH = {"worker killed": 1, "reload": 1, "pod fails": 3}  # what must have happened, however slow the machine


@tap.limit(400)
def test_some_seconds_of_chaos(t):
    world = worlds.World(t, "check", hang=False)
    counts = world.journal.counts
    world.start()
    world.storm(lambda: all(counts[what] >= n for what, n in ENOUGH.items()) and world.observer.verdicts["Synced"] > 5, 8)
    world.end()
    print("".join(f"# {line}\n" for line in report.table(world, 0)))
    assert not world.journal.wrongs, world.journal.wrongs


@tap.limit(400)
def test_a_pod_that_lies_unknown_to_the_observer_is_found_out(t):
    said = []
    world = worlds.World(t, "traitor", traitor=True, out=said.append)
    world.start()
    world.storm(lambda: world.journal.wrongs["synced"] and world.journal.wrongs["pods said"], 0)
    world.end()
    assert set(world.journal.wrongs) == {"synced", "pods said"}, said
    assert any("cannot have answered" in text for text in said), said


if __name__ == "__main__":
    sys.exit(tap.main(worlds.missing))
