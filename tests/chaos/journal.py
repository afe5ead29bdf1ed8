# SPDX-License-Identifier: MIT
"""What happens, in order: counted, and the last of it kept to be shown beside what went wrong."""
import collections
import threading
import time

import facts

KEPT, SHOWN = 400, 60
WRONGS_SHOWN = 10


class Journal:
    def __init__(self, out=print):
        self.counts, self.wrongs = collections.Counter(), collections.Counter()
        self._events, self._lock, self._out, self._began = collections.deque(maxlen=KEPT), threading.Lock(), out, facts.now()

    def note(self, kind, text=""):
        """Something that an actor did."""
        with self._lock:
            self.counts[kind] += 1
            self._events.append((facts.now(), f"{kind} {text}"))

    def detail(self, text):
        """Part of the timeline, not counted."""
        with self._lock:
            self._events.append((facts.now(), text))

    def wrong(self, kind, text, check=None):
        """A violation. The first ones are printed with all that has happened since a little before it began."""
        with self._lock:
            self.wrongs[kind] += 1
            if sum(self.wrongs.values()) > WRONGS_SHOWN:
                return
            self._out(f"WRONG ({kind}) at {self._time(facts.now())}: {text}")
            since = (check.since if check else facts.now()) - 5
            for at, what in [e for e in self._events if e[0] >= since][-SHOWN:]:
                mark = " <- the check begins" if check and 0 <= at - check.began < 0.01 else ""
                self._out(f"    {self._time(at)}  {what}{mark}")
            if check:
                self._out(f"    {self._time(check.began)} .. {self._time(check.ended)}  the check")

    def _time(self, at):
        return f"{at - self._began:8.3f} s ({time.strftime('%H:%M:%S', time.gmtime(at))}.{int(at * 1000) % 1000:03d})"
