# SPDX-License-Identifier: MIT
"""Where all actors stand still at a calm point, and where they end. The main thread holds it, and starts processes for them."""
import random
import threading
import traceback

from harness import proc


class Gate:
    def __init__(self):
        self._changed, self._shut, self._over, self._inside = threading.Condition(), True, False, 0
        self._hurry = threading.Event()  # ends pauses

    def enter(self, actor):
        """Called by an actor before each of its actions; waits while the gate is shut. False: the end. While it waits, and
        before it ends, actor.rest() has left nothing open."""
        with self._changed:
            if not self._shut and not self._over:
                return True
        actor.rest()
        with self._changed:
            self._inside -= 1
            self._changed.wait_for(lambda: self._over or not self._shut)
            self._inside += not self._over
            return not self._over

    def pause(self, seconds):
        """Sleeps; not while all others wait for us."""
        self._hurry.wait(seconds)

    def start(self, actors):
        self._inside = len(actors)
        for actor in actors:
            actor.start()
        self.shut()

    def shut(self, seconds=120):
        """Waits until everybody stands. False: somebody does not."""
        with self._changed:
            self._shut = True
            self._hurry.set()
        try:
            proc.wait_until(self._empty, seconds)
            return True
        except TimeoutError:
            return False

    def _empty(self):
        proc.spawn_ordered()
        with self._changed:
            return self._inside <= 0

    def open(self):
        with self._changed:
            self._shut = False
            self._hurry.clear()
            self._changed.notify_all()

    def end(self):
        """shut() comes before."""
        with self._changed:
            self._over = True
            self._changed.notify_all()


class Actor:
    """Acts again and again, `every_s` apart on average, with a random number generator of its own: what it draws depends on
    the seed alone."""

    def __init__(self, world, name, every_s):
        self.world, self.name, self.every_s, self.rng = world, name, every_s, random.Random(f"{world.seed} {name}")
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self):
        self._thread.start()

    def join(self, seconds):
        self._thread.join(seconds)

    def _run(self):
        while self.world.gate.enter(self):
            try:
                self.act()
            except Exception:
                self.world.journal.wrong("fault of the test itself", f"{self.name}: {traceback.format_exc()}")
            self.world.gate.pause(self.rng.expovariate(1 / self.every_s))

    def act(self):
        raise NotImplementedError

    def rest(self):
        """At the gate: nothing of it may be open."""
