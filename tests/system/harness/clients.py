# SPDX-License-Identifier: MIT
"""Many clients at once in a closed loop, for tests of what is lost while something happens."""
import http.client
import threading

from . import proc


class Clients:
    """Clients on kept connections, which they give up when the answer says `Connection: close`. What is not `Synced` is
    noted in `bad`; a connection that broke in the middle in `lost`."""

    def __init__(self, syncer, n=8, token="t", port=None):
        self.syncer, self.token, self.port, self.stopping = syncer, token, port or syncer.port, False
        self.done, self.bad, self.lost, self.lock = 0, [], [], threading.Lock()
        self.threads = [threading.Thread(target=self._run) for _ in range(n)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        link = None
        while not self.stopping:
            if link is None:
                link = http.client.HTTPConnection(self.syncer.address, self.port, timeout=10)
            try:
                link.request("GET", "/v1/synced", headers={"X-Auth-Token": self.token, "X-Nginx-Origin": "-"})
                answer = link.getresponse()
                answer.read()
                with self.lock:
                    self.done += 1
                    if answer.status != 200 or answer.getheader("X-Token-Status") != "Synced":
                        self.bad.append((answer.status, answer.getheader("X-Token-Status"),
                                         answer.getheader("X-Token-Error")))
                if answer.getheader("Connection") == "close":
                    link.close()
                    link = None
            except (OSError, http.client.HTTPException) as e:
                with self.lock:
                    self.lost.append(repr(e))
                link.close()
                link = None
        if link:
            link.close()

    def wait_for(self, n):
        target = self.done + n
        proc.wait_until(lambda: self.done >= target, 20, why=f"only {self.done} of {target} checks were answered")

    def stop(self):
        if not self.stopping:
            self.stopping = True
            for thread in self.threads:
                thread.join()

    close = stop
