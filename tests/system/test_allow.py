#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may ask for a check: `allow`, by the address that the client comes from."""
import http.client
import os
import socket
import subprocess
import sys

from harness import tap


def ask(server, source):
    """Status, X-Token-Error and X-Token-Status of a check from this address."""
    link = http.client.HTTPConnection(server.address, server.port, timeout=10, source_address=(source, 0))
    link.request("GET", "/v1/synced", headers={"X-Auth-Token": "t", "X-Nginx-Origin": "-"})
    got = link.getresponse()
    got.read()
    link.close()
    return got.status, got.getheader("X-Token-Error"), got.getheader("X-Token-Status")


REFUSED, SYNCED = (403, "not-allowed", None), (200, None, "Synced")


def test_pods_and_nobody_else(t):
    pods = t.cluster(3, one_process=True)
    pods.put("t")
    server = t.syncer(pods, allow="pods")
    for pod in pods:
        assert ask(server, pod.address) == SYNCED, pod.name
    assert ask(server, pods.block.address(77)) == REFUSED
    assert server.get("/readyz").status == 200, "other paths are open"


def test_ranges(t):
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    inside, outside = pods.block.address(65), pods.block.address(63)
    server = t.syncer(pods, allow=[pods.block.address(64) + "/26", "fd00::/8"])
    assert ask(server, inside) == SYNCED
    assert ask(server, outside) == REFUSED
    assert ask(server, pods[0].address) == REFUSED, "a pod alone is not enough"


def test_a_unix_socket_is_its_own_rule(t):
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    path = os.path.join(t.folder, "socket")
    server = t.syncer(pods, allow="10.255.255.1", listen=[f"{pods.block.address(253)}:8080", f"unix:{path}"])
    assert ask(server, pods[0].address) == REFUSED
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(path)
        sock.sendall(b"GET /v1/synced HTTP/1.1\r\nHost: a\r\nX-Auth-Token: t\r\nX-Nginx-Origin: -\r\nConnection: close\r\n\r\n")
        got = b"".join(iter(lambda: sock.recv(4096), b""))
    assert b"X-Token-Status: Synced" in got, got


def test_a_reload_changes_it(t):
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    server = t.syncer(pods, allow="pods", watch_files=False)
    stranger = pods.block.address(77)
    assert ask(server, stranger) == REFUSED
    server.write(allow=[stranger])
    server.reload()
    assert ask(server, stranger) == SYNCED
    assert ask(server, pods[0].address) == REFUSED


def test_what_is_wrong_is_said(t):
    pods = t.cluster(1, one_process=True)
    server = t.syncer(pods, start=False)
    for allow, said in ((["any", "pods"], "allow: any leaves nothing"), ("10.0.0.1/8", "bits behind the prefix should be zero"),
                        ("gateways", "should be any, pods, an address or a CIDR"), ([], "should have at least one value")):
        server.write(allow=allow)
        done = subprocess.run([server.binary, "-c", server.config_path, "-t"], capture_output=True, text=True, timeout=10)
        assert done.returncode == 78 and said in done.stdout + done.stderr, (allow, done)


if __name__ == "__main__":
    sys.exit(tap.main())
