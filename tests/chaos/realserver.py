# SPDX-License-Identifier: MIT
"""A pod's server that is a real nginx (harness.cluster), with the same calls as BadServer. Its state changes somewhere between
the moment a call to it begins and the moment it has ended: until then the history says "maybe"."""
import http.client
import os
import signal
import threading

import facts

CLOCK_S = 0.003  # nginx rounds its clock to ms
ORDERS = {"status 503": facts.SILENT, "status 404": facts.SILENT, "delay 200": facts.TRUTH, "hang": facts.SILENT}


class RealServer:
    """`pod` is one of harness.cluster, with an nginx of its own."""

    def __init__(self, pod):
        self.pod, self.address, self.port, self.history = pod, pod.address, pod.port, facts.History()
        self.lock, self._up, self._frozen, self._tokens = threading.RLock(), False, False, set()

    def start(self):
        with self.lock:
            if not self._up:
                self.history.wipe(facts.now())
                self.history.set_mode(facts.now(), facts.TRUTH)
                self._tokens.clear()
                self.pod.start()
                self._up, self._frozen = True, False

    def adopt(self):
        """It runs already, and has nothing."""
        self.history.set_mode(facts.now(), facts.TRUTH)
        self._up = True

    def stop(self):
        self._end(self.pod.stop)

    def kill(self):
        self._end(self.pod.kill)

    def renew(self):
        """Another one in its place."""
        with self.lock:
            self.kill()
            self.start()

    def _end(self, end):
        with self.lock:
            if self._up:
                self._up = False
                end()
                self.history.set_mode(facts.now(), facts.SILENT)

    def reload(self):
        """The zone outlasts it."""
        with self.lock:
            self.pod.reload()

    def freeze(self, on):
        """Its workers stand still; whoever waits goes on waiting, and no token reaches it."""
        with self.lock:
            self._frozen = on
            self._signal(signal.SIGSTOP if on else signal.SIGCONT)

    def crash(self):
        """Its workers die, and nginx starts others."""
        with self.lock:
            self._signal(signal.SIGKILL)

    def _signal(self, sig):
        for pid in self.pod.nginx.workers():
            os.kill(pid, sig)

    def order(self, order):
        """What its location does instead; "" is as ever."""
        with self.lock:
            if not order:
                self.history.set_mode(facts.now(), facts.TRUTH)
            self.pod.order(order)
            if order:
                self.history.set_mode(facts.now(), ORDERS[order])

    def put(self, token, at):
        """True if it has the token from `at` on, or had it before."""
        with self.lock:
            if not self._up or self._frozen:
                return False
            if token in self._tokens:
                return True
            self.history.token(token, (max(at, facts.now()), facts.MAYBE))
            if self._call(self.pod.put_at, token, at * 1000):
                self.history.token(token, (max(at, facts.now()) + CLOCK_S, facts.YES))
                self._tokens.add(token)
            return token in self._tokens

    def drop(self, token):
        with self.lock:
            if not self._up or self._frozen or token not in self._tokens:
                return
            self._tokens.discard(token)
            self.history.token(token, (facts.now(), facts.MAYBE))
            if self._call(self.pod.drop, token):
                self.history.token(token, (facts.now(), facts.NO))

    @staticmethod
    def _call(call, *args):
        """False: nobody knows what has come of it, and "maybe" stays."""
        try:
            call(*args)
            return True
        except (OSError, http.client.HTTPException):
            return False

    def forget(self, tokens, before):
        with self.lock:
            for token in self._tokens.intersection(tokens):
                self._tokens.discard(token)
                if self._up and not self._frozen:
                    self._call(self.pod.drop, token)
        self.history.forget(tokens, before)

    def close(self):
        """The nginx is ended by the cluster it came from."""
        with self.lock:
            self._up = False
