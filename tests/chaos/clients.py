# SPDX-License-Identifier: MIT
"""Users: they log in, so that pods get tokens at times that are drawn, and ask syncer about them in every way there is."""
import threading

import asker
import facts
import observer

LIVE, JOINS, FORGET_S = 60, 20, 30.0


class Tokens:
    """The tokens that are asked for, newest last."""

    def __init__(self, world, seed):
        self.world, self.prefix = world, f"chaos-{seed}-"
        self._live, self._old, self._n, self._lock = [], [], 0, threading.Lock()

    def login(self, rng):
        """A new token: who gets it, and when."""
        with self._lock:
            self._n += 1
            token = f"{self.prefix}{self._n}"
        servers = list(self.world.servers)
        kind = rng.choices(("tick", "late one", "never one", "half", "none", "spread"), (10, 2, 4, 1, 1, 2))[0]
        tick, odd = facts.now() + rng.uniform(0, 0.3), rng.choice(servers)
        for server in servers:
            at = tick + rng.uniform(0, 0.03 if kind != "spread" else 1.5)
            if kind == "none" or (kind == "never one" and server is odd) or (kind == "half" and rng.random() < 0.5):
                continue
            server.put(token, at + (rng.uniform(0.5, 3) if kind == "late one" and server is odd else 0))
        with self._lock:
            self._live.append(token)
            if len(self._live) > LIVE:
                self._old.append((facts.now(), self._live.pop(0)))
        return token

    def join(self, server, rng):
        """A pod that begins with nothing gets what the others have, or most of it."""
        with self._lock:
            live = self._live[-JOINS:]
        for token in live:
            if rng.random() < 0.9:
                server.put(token, facts.now() + rng.uniform(0, 0.3))

    def logout(self, rng):
        """A token goes from all pods, or nearly all, one after the other."""
        token = self.some(rng)
        for server in self.world.servers:
            if rng.random() < 0.9:
                server.drop(token)
        return token

    def some(self, rng):
        with self._lock:
            live = self._live[-LIVE:]
        return rng.choice(live[-12:] if rng.random() < 0.7 else live) if live else f"{self.prefix}0"

    def forget(self):
        """What nobody asks for any more."""
        limit = facts.now() - FORGET_S
        with self._lock:
            old = {token for at, token in self._old if at < limit}
            self._old = [entry for entry in self._old if entry[1] not in old]
        for server in self.world.servers:
            server.forget(old, limit)
        self.world.observer.forget(old)
        self.world.listing.forget(limit)


class Client(asker.Asker):
    def __init__(self, world, number):
        super().__init__(world, f"client {number}", 0.05)
        self.number, self.asked = number, 0

    def act(self):
        what = self.rng.choices(("ask", "log in", "log out", "go away", "page", "nonsense"), (70, 20, 4, 3, 3, 3))[0]
        if what == "log in":
            self._ask(self.world.tokens.login(self.rng), recent=True)
        elif what == "log out":
            self._ask(self.world.tokens.logout(self.rng), absent=True)
        elif what == "go away":
            self._go_away()
        elif what == "page":
            self._simple(self.rng.choice(("/metrics", "/v1/status", "/v1/pods", "/readyz", "/livez", "/health")), (200, 503))
        elif what == "nonsense":
            self._simple(self.rng.choice(("/v1/synced", "/v1/synced?strict=2", "/no-such-path", "/v1/synced?expect=")), (400, 404))
        else:
            self._ask(self.world.tokens.some(self.rng))

    def _origin(self):
        known = self.world.listing.current()
        identity = self.rng.choice(known) if known else None
        return self.rng.choices(("-", identity and identity.name or "-", identity and identity.address or "-",
                                 f"gw-{self.rng.randrange(10 ** 9, 10 ** 10)}", "192.0.2.1"), (4, 5, 2, 0.3, 0.3))[0]

    def _check(self, token, recent=False, absent=None):
        self.asked += 1
        rng = self.rng
        return observer.Check(token, self._origin(), rng.choice(("0", "0", "1", "majority")), rng.random() < 0.4,
                              rng.random() < 0.1 if absent is None else absent,
                              "HEAD" if rng.random() < 0.1 else "GET", f"c{self.number}-{self.asked}")

    def _query(self, check):
        parts = [f"strict={check.strict}"] if check.strict != "0" or self.rng.random() < 0.3 else []
        parts += ["verbose=1"] if check.verbose else ["verbose=0"] * (self.rng.random() < 0.2)
        parts += ["expect=absent"] if check.absent else ["expect=present"] * (self.rng.random() < 0.2)
        self.rng.shuffle(parts)
        return "&".join(parts)

    def _ask(self, token, **how):
        check = self._check(token, **how)
        query, answer = self._query(check), None
        self.world.observer.begin(check)
        try:
            answer = self.exchange(lambda link: self.world.syncer.check(
                check.token, check.origin, query, [("X-Request-ID", check.request_id)], check.method, link), str(check))
        finally:
            self.world.observer.end(check, answer)
        if answer and answer.headers.get("x-request-id") != check.request_id:
            self.world.journal.wrong("another's answer", f"{check}: {answer.headers}", check)

    def _simple(self, target, statuses):
        answer = self.exchange(lambda link: self.world.syncer.request("GET", target, (), link), target)
        if answer and answer.status not in statuses:
            self.world.journal.wrong("odd answer", f"{target}: {answer}")

    def _go_away(self):
        """Asks, and does not wait for the answer."""
        check = self._check(self.world.tokens.some(self.rng))
        self.world.observer.begin(check)
        try:
            link = self.world.syncer.connect()
            link.sock.sendall(f"GET /v1/synced HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {check.token}\r\n"
                              f"X-Nginx-Origin: {check.origin}\r\n\r\n"[:self.rng.choice((None, 60))].encode())
            self.world.gate.pause(self.rng.uniform(0, 0.2))
            link.close()
            self.world.journal.note("client goes away")
        except ConnectionRefusedError as e:
            self.world.journal.wrong("refused", repr(e))
        except OSError:  # of a worker that was killed: it would not have been read anyway
            pass
        finally:
            self.world.observer.end(check)
