#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The demo tells the truth, ends by itself and leaves nothing behind (the runner looks for processes)."""
import os
import re
import signal
import subprocess
import sys

from harness import cluster, proc, tap

DEMO = os.path.join(cluster.HERE, "..", "..", "..", "contrib", "demo")


def demo(t, *arguments):
    environment = {**os.environ, "TMPDIR": t.folder, "LC_ALL": "C.UTF-8"}
    return proc.spawn([DEMO, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def left(t):
    return [name for name in os.listdir(t.folder) if name.startswith("syncer-demo")]


def test_it_shows_the_three_ways_and_ends(t):
    process = demo(t)
    text, _ = process.communicate(timeout=50)
    assert process.returncode == 0, text
    assert len(re.findall(r"Synced after \d+ ms", text)) == 3, text
    assert len(re.findall(r"gw-\d: 200 welcome", text)) >= 3, text
    assert "\x1b" not in text, "colours where there is no terminal"
    assert max(map(len, text.splitlines())) <= 80, text
    assert left(t) == []


def test_it_is_kept_until_a_signal(t):
    process = demo(t, "--keep")
    text = ""
    while "A login, as a browser sees it" not in text:
        line = process.stdout.readline()
        assert line, f"it ended: {text}"
        text += line
    assert re.search(r"kill \d+; curl ", text), text
    proc.end(process, signal.SIGTERM, 20)
    process.stdout.close()
    assert left(t) == []


if __name__ == "__main__":
    sys.exit(tap.main())
