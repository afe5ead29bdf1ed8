# SPDX-License-Identifier: MIT
"""A client of syncer as the README wants it: keeps its connection, and gives it up when told. A reply may be lost only by a
connection that a killed worker had accepted."""
import http.client
import time

import facts
import gate

IDLE_S = 2.0  # an idle connection is not used after so long: shutdown_grace may be over for it
ANSWER_S = 60.0  # far beyond every deadline of syncer, however busy the machine is


class Asker(gate.Actor):
    def __init__(self, world, name, every_s):
        super().__init__(world, name, every_s)
        self.link, self.opened, self.used = None, 0.0, 0.0

    def rest(self):
        self._close()

    def exchange(self, exchange, what):
        """The answer; None if a killed worker had the connection, or, which is wrong, if it was lost."""
        if self.link and (time.monotonic() - self.used > IDLE_S or self.rng.random() < 0.1):
            self._close()
        port = None
        try:
            if not self.link:
                self.opened = facts.now()
                self.link = self.world.syncer.connect()
                self.link.sock.settimeout(ANSWER_S)
            port = self.link.sock.getsockname()[1]
            answer = exchange(self.link)
        except (OSError, http.client.HTTPException) as e:
            self._close()
            self._lost(port, what, e)
            return None
        self.used = time.monotonic()
        if answer.headers.get("connection") == "close":
            self._close()
        return answer

    def _lost(self, port, what, error):
        if self.world.excused.get(port, 0) >= self.opened:
            self.world.journal.note("reply lost with its worker", f"port {port}: {what}")
        else:
            self.world.journal.wrong("lost reply", f"{what} on port {port}: {error!r}")

    def _close(self):
        if self.link:
            self.link.close()
            self.link = None
