#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Everything around syncer goes wrong for some time, under constant checks, and an observer that knows which pod had what when
judges every answer: no wrong Synced, no reply lost but a killed worker's own, no growth, and nothing is left at the end.
`make chaos [CHAOS_SECONDS=600] [CHAOS_SEED=...]`; exit code 1 if anything was wrong."""
import argparse
import os
import random
import shutil
import sys
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "system")]
from harness import tap  # noqa: E402

import report  # noqa: E402
import world as worlds  # noqa: E402

STORM_S = 60  # between two calm points


def _say(text):
    print(text, flush=True)


def _run(t, seed, seconds):
    world = worlds.World(t, seed, out=_say)
    world.start()
    begin = time.monotonic()
    while (left := begin + seconds - time.monotonic()) > 0:
        world.storm(lambda: True, min(left, STORM_S))
        _say(f"{time.monotonic() - begin:6.0f} s: {sum(world.observer.verdicts.values())} answers, "
             f"{sum(world.journal.wrongs.values())} wrong; {world.samples[-1]}")
    world.end()
    return world


def _outcome(seed, seconds, folder_kept):
    """True if nothing was wrong. Whatever comes, what was started is ended."""
    t, world, errors, begin, segments = tap.Test(), None, [], time.monotonic(), tap.segments()
    try:
        world = _run(t, seed, seconds)
    except Exception:
        errors.append(traceback.format_exc())
    finally:
        errors += t.close()
    if tap.segments() - segments:
        errors.append(f"in /dev/shm: {tap.segments() - segments}")
    for line in report.table(world, time.monotonic() - begin) if world else ():
        _say(line)
    for error in errors:
        _say(f"afterwards: {error}")
    if folder_kept:
        _say(f"kept: {t.folder}")
    else:
        shutil.rmtree(t.folder)
    return world and not errors and not world.journal.wrongs


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=600)
    options.add_argument("--seed", default="")
    options.add_argument("--keep", action="store_true", help="keeps the folder with syncer's log")
    given = options.parse_args()
    if lacking := worlds.missing():
        sys.exit(lacking)
    seed = given.seed or str(random.randrange(10 ** 6))
    _say(f"seed {seed}")
    with tap.house():
        sys.exit(0 if _outcome(seed, given.seconds, given.keep) else 1)


if __name__ == "__main__":
    main()
