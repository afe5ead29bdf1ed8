# SPDX-License-Identifier: MIT
"""What a run has found, as a table."""


def table(world, seconds):
    journal, observer = world.journal, world.observer
    checks = sum(observer.verdicts.values())
    yield f"seed {world.seed}, {seconds:.0f} s, {checks} answers to checks"
    yield from _part("answers", observer.verdicts)
    yield from _part("what was done", journal.counts)
    yield from _part("looked at", {"tables of pods": world.listing.dumps, "lines of the log": world.log.lines,
                                   "calm points": len(world.samples)})
    for name, sample in (("first calm", world.samples[0]), ("last calm", world.samples[-1])) if world.samples else ():
        yield f"{name + ':':14}{sample}"
    wrong = {"wrong Synced and the like": 0, "lost reply": 0, "growth": 0}
    for kind, n in journal.wrongs.items():
        name = "wrong Synced and the like" if kind in ("synced", "pods said", "consistent", "without verdict", "table") else kind
        wrong[name] = wrong.get(name, 0) + n
    yield from _part("wrong", wrong)


def _part(title, counts):
    yield f"{title}:"
    for name, n in sorted(counts.items(), key=lambda item: -item[1]):
        yield f"    {n:8}  {name}"
