# SPDX-License-Identifier: MIT
"""Passes connections on, byte by byte: another address for a server that has only one."""
import socket
import threading


def pump(source, sink):
    """Bytes of one direction, to its end."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def end(socks):
    """Ends sockets under the threads that wait on them."""
    for sock in socks:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        sock.close()


class Relay:
    """Listens at (address, a free port); TLS goes through untouched."""

    def __init__(self, address, target):
        self._target, self._socks, self._threads = target, [], []
        self.shut = False  # new connections are closed at once
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family)
        self.address, self.port = address, self._listener.getsockname()[1]
        self._run(self._accept)

    def _run(self, function, *args):
        self._threads.append(threading.Thread(target=function, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.shut:
                    raise ConnectionRefusedError
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            self._socks += [near, far]
            self._run(pump, near, far)
            self._run(pump, far, near)

    def cut(self):
        """Ends all connections as they are."""
        socks, self._socks = self._socks, []
        end(socks)

    def close(self):
        self.shut = True
        end([self._listener])
        self.cut()
        for thread in self._threads:
            thread.join(2)
