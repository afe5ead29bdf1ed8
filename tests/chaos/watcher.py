# SPDX-License-Identifier: MIT
"""Looks on: at the table as syncer shows it, and at what it logs."""
import re
import threading

import asker
import facts

DEATH = re.compile(r'msg="?worker (was ended by a signal|has failed|hangs: it is ended)"?.*?\bworker=(\d+)|'
                   r'"msg":"worker (was ended by a signal|has failed|hangs: it is ended)".*?"worker":(\d+)')
REFUSED = "reload has failed"


class Log:
    """Only what is new is read each time."""

    def __init__(self, world):
        self.world, self._at, self.refused, self.lines, self._lock = world, 0, 0, 0, threading.Lock()

    def follow(self):
        """How many reloads have been refused."""
        with self._lock, open(self.world.syncer.log_path, "rb") as f:
            f.seek(self._at)
            for line in f:
                if not line.endswith(b"\n"):
                    break
                self._at += len(line)
                self._take(line.decode(errors="replace"))
            return self.refused

    def _take(self, line):
        self.lines += 1
        self.refused += REFUSED in line
        death = DEATH.search(line)
        if death and int(death[2] or death[4]) not in self.world.ended_by_us:
            self.world.journal.wrong("a worker died of itself", line.strip())
        if self.world.tokens.prefix in line:
            self.world.journal.wrong("token in the log", line.strip())


class Watcher(asker.Asker):
    def __init__(self, world):
        super().__init__(world, "watcher", 0.15)

    def act(self):
        self.look()
        self.world.log.follow()
        self.world.tokens.forget()

    def look(self):
        """The pods that count, as syncer says."""
        asked = facts.now()
        answer = self.exchange(lambda link: self.world.syncer.request("GET", "/v1/pods", (), link), "/v1/pods")
        if not answer:
            return None
        pods = answer.json()["pods"]
        for text in self.world.listing.learn(asked, facts.now(), pods):
            self.world.journal.wrong("table", text)
        return {pod["name"] for pod in pods if pod["counts"]}
