# SPDX-License-Identifier: MIT
"""Name servers: a real dnsmasq, and one that does what dnsmasq cannot be made to do."""
import os
import shutil
import signal
import socket
import struct
import threading

from . import proc

PORT = 5353
A, AAAA = 1, 28


def program():
    return shutil.which("dnsmasq", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class Resolver:
    """dnsmasq that knows the names below `test` which put() gives it, and no others."""

    def __init__(self, folder, address, ttl=0, options=()):
        self.folder, self.address, self.process = folder, address, None
        self.server = f"{address}:{PORT}"
        self._hosts, self._options = os.path.join(folder, "hosts"), [f"--local-ttl={ttl}", *options]
        self._puts = 0
        os.makedirs(folder, exist_ok=True)
        self.put()

    def put(self, **names):
        """All names anew; `__` stands for a dot. In force at once."""
        lines = [f"{address} {name.replace('__', '.')}\n" for name, addresses in names.items() for address in addresses]
        self._puts += 1
        lines.append(f"127.0.0.1 put-{self._puts}.test\n")
        with open(self._hosts + ".new", "w") as f:
            f.writelines(lines)
        os.rename(self._hosts + ".new", self._hosts)
        if self.process:
            self.process.send_signal(signal.SIGHUP)
            proc.wait_until(lambda: self._knows(f"put-{self._puts}"), why="dnsmasq has not read its file")

    def _knows(self, label):
        """Does it have an address for LABEL.test?"""
        question = bytes([len(label)]) + label.encode() + b"\4test\0\0\1\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.connect((self.address, PORT))
            sock.send(struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + question)
            try:
                return sock.recv(512)[3] & 15 == 0
            except TimeoutError:
                return False

    def start(self):
        user = ["--user=root"] if os.geteuid() == 0 else []
        with open(os.path.join(self.folder, "dnsmasq.log"), "ab") as log:
            self.process = proc.spawn([program(), "--keep-in-foreground", "--conf-file=/dev/null", f"--port={PORT}",
                                       f"--listen-address={self.address}", "--bind-interfaces", "--no-resolv", "--no-hosts",
                                       f"--addn-hosts={self._hosts}", "--local=/test/", "--pid-file=", *user,
                                       *self._options], stdout=log, stderr=log)
        proc.wait_connect((self.address, PORT), process=self.process)
        return self

    def stop(self):
        if self.process:
            proc.end(self.process)
            self.process = None

    close = stop


class FakeResolver:
    """Answers by UDP as `behaviour(name, type)` says: an RCODE, a list of addresses as text, or None for silence."""

    def __init__(self, address, behaviour):
        self.server, self.behaviour, self.asked = f"{address}:{PORT}", behaviour, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, PORT))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            query, peer = self._socket.recvfrom(4096)
            if not query:
                return
            answer = self._answer(query)
            self.asked += 1
            if answer:
                self._socket.sendto(answer, peer)

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        what = self.behaviour(".".join(labels), kind)
        if what is None:
            return None
        rcode, addresses = (what, []) if isinstance(what, int) else (0, what)
        family = socket.AF_INET if kind == A else socket.AF_INET6
        records = [struct.pack(">HHHIH", 0xc00c, kind, 1, 0, 4 if kind == A else 16) + socket.inet_pton(family, a)
                   for a in addresses]
        return query[:2] + struct.pack(">HHHHH", 0x8180 | rcode, 1, len(records), 0, 0) + query[12:at + 5] + b"".join(records)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()
