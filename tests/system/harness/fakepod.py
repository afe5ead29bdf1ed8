# SPDX-License-Identifier: MIT
"""Pods that do what nginx cannot: each behaviour is a function that gets one accepted connection, in a thread of its own.
Only what HTTP and TLS servers do wrong is here; everything right is done by a real nginx (cluster.py)."""
import socket
import ssl
import struct
import threading


def answer(status, body=b"", headers=()):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Link:
    """An accepted connection, TLS or plain."""

    def __init__(self, pod, sock):
        self.pod, self.sock, self._read = pod, sock, b""
        self.head = b""  # of the last request

    def request(self):
        """Reads one request head; False at the end of the connection."""
        while b"\r\n\r\n" not in self._read:
            got = self.sock.recv(65536)
            if not got:
                return False
            self._read += got
        self.head, _, self._read = self._read.partition(b"\r\n\r\n")
        self.pod.head = self.head
        self.pod.count("requests")
        return True

    def send(self, data):
        self.sock.sendall(data)

    def send_together(self, *parts):
        """Each a TLS record of its own, all in one segment."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        for part in parts:
            self.send(part)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def until_closed(self):
        """Waits for the other side to close."""
        while self.sock.recv(65536):
            pass

    def reset(self):
        """Closes with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


# --- behaviours ---

def always(data, close=False):
    """Every request gets these bytes."""
    def serve(link):
        while link.request():
            link.send(data)
            if close:
                return
    return serve


def then(*answers):
    """The n-th request to the pod gets the n-th answer, later ones the last."""
    def serve(link):
        while link.request():
            link.send(answers[min(link.pod.counters["requests"], len(answers)) - 1])
    return serve


def silent(link):
    link.request()
    link.until_closed()


def reset_after_request(link):
    if link.request():
        link.reset()


def endless(start, piece):
    """Goes on until the other side has had enough."""
    def serve(link):
        while link.request():
            link.send(start)
            while True:
                link.send(piece)
    return serve


def trickle(data, every_s):
    """One byte at a time."""
    def serve(link):
        while link.request():
            for i in range(len(data)):
                link.send(data[i:i + 1])
                link.pod.closing.wait(every_s)
    return serve


def close_kept(data):
    """Answers the first request of a connection and closes at the next one before the first byte of an answer."""
    def serve(link):
        if link.request():
            link.send(data)
            link.request()
    return serve


def surplus_when_told(data):
    """Answers well, and sends more, unasked, on the idle connection each time the test sets pod.go."""
    def serve(link):
        while link.request():
            link.send(answer(401))
            if link.pod.go.wait(10):
                link.pod.go.clear()
                link.send(data)
                link.pod.sent.set()
    return serve


def surplus_record(data):
    """Answers well, from the second question of a connection on with more in the same segment, in a TLS record of its own."""
    def serve(link):
        if link.request():
            link.send(answer(401))
        while link.request():
            link.send_together(answer(401), data)
    return serve


def surplus_in_parts(data, certificate):
    """For a pod without TLS of its own. Answers well; behind the second answer of a connection a part of a record with `data`,
    whose rest comes when the next question has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def serve(link):
        near, far = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(near, far, server_side=True)

        def call(function, *args):
            while True:
                try:
                    return function(*args)
                except ssl.SSLWantReadError:
                    link.send(far.read())
                    if not (got := link.sock.recv(65536)):
                        raise ConnectionResetError from None
                    near.write(got)

        def record(text):
            tls.write(text)
            return far.read()
        call(tls.do_handshake)
        link.send(far.read())
        rest = b""
        while call(tls.read, 65536):  # whole questions
            link.pod.count("requests")
            if rest:
                link.send(rest)
                return
            whole = record(answer(401))
            if link.pod.counters["requests"] > 1:
                stale = record(data)
                whole, rest = whole + stale[:9], stale[9:]
            link.send(whole)
    return serve


class FakePod:
    """A pod on (address, port) with a behaviour. certificate None: plain HTTP where TLS is expected."""

    def __init__(self, name, address, port, behaviour, certificate):
        self.name, self.address, self.port, self.behaviour = name, address, port, behaviour
        self.counters, self._lock = {"connections": 0, "requests": 0}, threading.Lock()
        self.head = b""  # of the last request
        self.go, self.sent, self.closing = threading.Event(), threading.Event(), threading.Event()
        self._links, self._threads, self._context = set(), [], None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificate)
        self._listener = socket.create_server((address, port), backlog=128)
        self._thread(self._accept)

    def entry(self):
        return {"name": self.name, "address": self.address, "port": self.port}

    def count(self, what):
        with self._lock:
            self.counters[what] += 1

    def _thread(self, run, *args):
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while not self.closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.count("connections")
            self._links.add(sock)
            self._thread(self._serve, sock)

    def _serve(self, sock):
        raw = sock
        # Else Nagle's algorithm keeps a second small piece back until the other side's next request acknowledges the first.
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._context:
                sock = self._context.wrap_socket(raw, server_side=True)
                self._links.add(sock)
            self.behaviour(Link(self, sock))
        except OSError:  # ssl.SSLError is one: the other side went away, which is what most behaviours are for
            pass
        finally:
            sock.close()

    def close(self):
        self.closing.set()
        self.go.set()
        for sock in [self._listener, *self._links]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        for thread in self._threads:
            thread.join(2)


class DeafPod:
    """A listener whose queue is full: the kernel drops every SYN, as a host that is gone would."""

    def __init__(self, name, address, port):
        self.name, self.address, self.port = name, address, port
        self._listener = socket.socket()
        self._listener.bind((address, port))
        self._listener.listen(0)
        self._fill = []
        for _ in range(4):  # one fits in the queue; the rest wait for ever
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((address, port))
            self._fill.append(sock)

    def entry(self):
        return {"name": self.name, "address": self.address, "port": self.port}

    def close(self):
        for sock in [self._listener, *self._fill]:
            sock.close()
