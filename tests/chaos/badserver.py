# SPDX-License-Identifier: MIT
"""A pod's server that misbehaves on demand. It decides each answer under a lock, and every change of what it has or does is
noted under the same lock, so its history is exact."""
import random
import socket
import ssl
import threading

from harness import fakepod

import facts

YES, NO = fakepod.answer(200), fakepod.answer(401)
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n"


class Way:
    """One way to misbehave. `says` is what the observer must think of it. run(link, right): `right` is the answer that would
    be true; what it returns ends the connection if it is false. `certificate`: another than the right one, or plain."""

    def __init__(self, says, run, certificate="right"):
        self.says, self.run, self.certificate = says, run, certificate


def _bytes(data, goes_on=False):
    def run(link, _):
        link.send(data)
        return goes_on
    return run


def _right(link, right):
    link.send(right)
    return True


def _slow(link, right):
    link.server.pause(link.random.uniform(0.01, 0.4))
    return _right(link, right)


def _trickle(link, right):
    for i in range(len(right)):
        link.send(right[i:i + 1])
        link.server.pause(0.002)
    return True


def _hang(link, _):
    link.until_closed()


def _reset(link, _):
    link.reset()


def _cut_with_reset(link, _):
    link.send(WHOLE[:-2])
    link.reset()


def _endless(link, _):
    link.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        link.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")


def _sometimes(link, right):
    return link.random.random() < 0.5 and _right(link, right)


def _surplus(link, right):
    """The second answer, which nobody has asked for, comes with the first."""
    link.send(right + YES)
    return True


def _early_hints(link, right):
    link.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + right)
    return True


WAYS = {
    "well": Way(facts.TRUTH, _right),
    "slow": Way(facts.TRUTH, _slow),
    "trickle": Way(facts.TRUTH, _trickle),
    "sometimes cut": Way(facts.TRUTH, _sometimes),
    "early hints": Way(facts.TRUTH, _early_hints),
    "surplus": Way(facts.TRUTH, _surplus),
    "hang": Way(facts.SILENT, _hang),
    "reset": Way(facts.SILENT, _reset),
    "close": Way(facts.SILENT, lambda *_: False),
    "status 500": Way(facts.SILENT, _bytes(fakepod.answer(500), True)),
    "status 302": Way(facts.SILENT, _bytes(fakepod.answer(302, headers=["Location: /login"]), True)),
    "status 429": Way(facts.SILENT, _bytes(fakepod.answer(429), True)),
    # Impostors: something like a 200 that is none.
    "status 204": Way(facts.SILENT, _bytes(b"HTTP/1.1 204 No Content\r\n\r\n", True)),
    "status 206": Way(facts.SILENT, _bytes(fakepod.answer(206, b"part"), True)),
    "200 cut": Way(facts.SILENT, _bytes(WHOLE[:-2])),
    "200 cut by a reset": Way(facts.SILENT, _cut_with_reset),
    "200 without the last chunk": Way(facts.SILENT, _bytes(CHUNKED)),
    "half a head": Way(facts.SILENT, _bytes(b"HTTP/1.1 200 OK\r\nContent-Le")),
    "two lengths": Way(facts.SILENT, _bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\nno\r\n")),
    "length and chunks": Way(facts.SILENT, _bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
    "code of four digits": Way(facts.SILENT, _bytes(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n")),
    "no status line": Way(facts.SILENT, _bytes(b"200 OK\r\nContent-Length: 0\r\n\r\n")),
    "endless": Way(facts.SILENT, _endless),
    "another's certificate": Way(facts.SILENT, _bytes(YES, True), "other"),
    "self-signed": Way(facts.SILENT, _bytes(YES, True), "self-signed"),
    "no TLS": Way(facts.SILENT, None, "none"),
    # Nobody could tell: what syncer says while this goes on proves nothing.
    "says yes": Way(facts.LIES, _bytes(YES, True)),
    "says no": Way(facts.LIES, _bytes(NO, True)),
}


class Link(fakepod.Link):
    """fakepod's, with where it belongs."""

    def __init__(self, server, sock):
        super().__init__(server, sock)
        self.server, self.random = server, random.Random(server.random.random())


class BadServer:
    def __init__(self, address, port, certificates, seed):
        """`certificates`: (certificate, key) by the names of Way.certificate."""
        self.address, self.port, self.random = address, port, random.Random(seed)
        self.history, self.lock = facts.History(), threading.RLock()
        self.head, self.probes = b"", 0
        self._contexts = {"none": None, **{name: self._context(*files) for name, files in certificates.items()}}
        self._tokens, self._way, self._listener, self._links = {}, "well", None, set()
        self._closing = threading.Event()

    @staticmethod
    def _context(certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    # ---- what the world does with it ----

    def start(self):
        with self.lock:
            if self._listener:
                return
            self._closing.clear()
            self._tokens = {}
            self._listener = socket.create_server((self.address, self.port), backlog=128)
            self.history.wipe(facts.now())
            self.history.set_mode(facts.now(), WAYS[self._way].says)
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self):
        """As one that is killed: connections and tokens are lost."""
        with self.lock:
            listener, self._listener = self._listener, None
            self._closing.set()
            if listener:
                listener.shutdown(socket.SHUT_RDWR)
                listener.close()
            self._cut()
            self.history.set_mode(facts.now(), facts.SILENT)

    kill = stop

    def renew(self):
        """Another one in its place."""
        with self.lock:
            self.stop()
            self.start()

    def put(self, token, at):
        """It has the token from `at` on."""
        with self.lock:
            if self._listener and token not in self._tokens:
                at = max(at, facts.now())
                self._tokens[token] = at
                self.history.token(token, (at, facts.YES))
            return token in self._tokens

    def drop(self, token):
        with self.lock:
            self._tokens.pop(token, None)
            self.history.token(token, (facts.now(), facts.NO))

    def forget(self, tokens, before):
        """They will never be asked for again."""
        with self.lock:
            for token in tokens:
                self._tokens.pop(token, None)
        self.history.forget(tokens, before)

    def behave(self, way):
        with self.lock:
            if WAYS[way].certificate != WAYS[self._way].certificate:
                self._cut()  # who got in by one certificate is not answered under another
            self._way = way
            if self._listener:
                self.history.set_mode(facts.now(), WAYS[way].says)

    def pause(self, seconds):
        self._closing.wait(seconds)

    def count(self, _):
        self.probes += 1

    close = stop

    # ---- connections ----

    def _cut(self):
        for sock in self._links:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._links.clear()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, raw):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            if self._closing.is_set():
                raw.close()
                return
            self._links.add(raw)
            context = self._contexts[WAYS[self._way].certificate]
        sock = raw
        try:
            raw.settimeout(60)
            if not context:
                raw.sendall(YES)  # nobody waits for a request that would be a ClientHello
                raw.recv(65536)
            else:
                sock = context.wrap_socket(raw, server_side=True)
                with self.lock:  # the wrapped one is what can be cut from now on
                    if raw not in self._links:
                        return
                    self._links.discard(raw)
                    self._links.add(sock)
                self._answer(Link(self, sock), sock)
        except (OSError, ValueError):  # the other side went away, or we cut it ourselves
            pass
        finally:
            with self.lock:
                self._links.discard(raw)
                self._links.discard(sock)
            sock.close()

    def _answer(self, link, sock):
        while link.request():
            with self.lock:
                if sock not in self._links:
                    return
                way, at = WAYS[self._way], self._tokens.get(self._token(link.head))
                right = YES if at is not None and at <= facts.now() else NO
            if not way.run(link, right):
                return

    @staticmethod
    def _token(head):
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"cookie: auth_token="):
                return line.split(b"=", 1)[1].decode()
        return None
