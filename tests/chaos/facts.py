# SPDX-License-Identifier: MIT
"""What is known of a pod, and from when to when: which answers a probe may have had in a stretch of time. What isn't known for
certain (a request to nginx is under way, a pod lies on purpose) may be either, and proves nothing.

All times are seconds of the wall clock, since nginx knows no other; clock_moved() says whether it can be relied on."""
import bisect
import threading
import time

NO, MAYBE, YES = "no", "maybe", "yes"  # of a token
TRUTH, SILENT, LIES = "truth", "silent", "lies"  # of a pod: SILENT gives no answer that could count


def now():
    return time.time()


_offset = time.time() - time.monotonic()


def clock_moved():
    """Whether the wall clock has been set since the start, by more than a run's drift."""
    return abs(time.time() - time.monotonic() - _offset) > 0.5


class Track:
    """A value over time: it holds from its point to the next one."""

    def __init__(self, value, at=0.0):
        self._times, self._values = [at], [value]

    def set(self, at, value):
        """From `at` on; what had been foretold for later is void."""
        n = bisect.bisect_left(self._times, at)
        del self._times[n:], self._values[n:]
        if not self._values or self._values[-1] != value:
            self._times.append(at)
            self._values.append(value)

    def add(self, at, value):
        """Foretells: `at` is after all points."""
        self._times.append(at)
        self._values.append(value)

    def at(self, when):
        return self._values[max(bisect.bisect_right(self._times, when) - 1, 0)]

    def pieces(self, begin, end):
        """(from, to, value) of all that holds at some moment from `begin` to `end`, both included."""
        n = max(bisect.bisect_right(self._times, begin) - 1, 0)
        while n < len(self._times) and self._times[n] <= end:
            to = self._times[n + 1] if n + 1 < len(self._times) else float("inf")
            yield max(self._times[n], begin), min(to, end), self._values[n]
            n += 1

    def always(self, begin, end, value):
        return all(v == value for _, _, v in self.pieces(begin, end))

    def forget(self, before):
        """Points that no question will be about."""
        n = bisect.bisect_right(self._times, before) - 1
        if n > 0:
            del self._times[:n], self._values[:n]


class History:
    """Of one server. Each call is by whoever makes the change, at the moment he makes it."""

    def __init__(self):
        self.mode, self._tokens, self._lock = Track(SILENT), {}, threading.Lock()

    def set_mode(self, at, mode):
        with self._lock:
            self.mode.set(at, mode)

    def token(self, token, *points):
        """`points`: (from when, state), in their order."""
        with self._lock:
            track = self._tokens.setdefault(token, Track(NO))
            track.set(*points[0])
            for point in points[1:]:
                track.add(*point)

    def wipe(self, at):
        """It begins anew, with nothing."""
        with self._lock:
            for track in self._tokens.values():
                track.set(at, NO)

    def forget(self, tokens, before):
        with self._lock:
            for token in tokens:
                self._tokens.pop(token, None)
            self.mode.forget(before)

    def answers(self, token, begin, end):
        """The answers {200, 401} that a probe may have had from `begin` to `end`."""
        found = set()
        with self._lock:
            track = self._tokens.get(token) or Track(NO)
            for a, b, mode in self.mode.pieces(begin, end):
                if mode == LIES:
                    return {200, 401}
                if mode == TRUTH:
                    found.update(*({YES: {200}, NO: {401}, MAYBE: {200, 401}}[v] for _, _, v in track.pieces(a, b)))
        return found
