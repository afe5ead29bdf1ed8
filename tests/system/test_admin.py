#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""admin_listen: a door of its own for scrapers, people and health probes, that no flood at `listen` closes."""
import http.client
import socket
import subprocess
import sys

from harness import proc, tap

PUBLIC, HEALTH, ADMIN = ["/v1/synced"], ["/livez", "/readyz", "/health"], ["/v1/pods", "/v1/status", "/metrics"]


def start(t, **config):
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    server = t.syncer(pods, admin_listen=f"{pods.block.address(252)}:9090", **config)
    return server, pods.block.address(252)


def get(address, path, port=9090):
    link = http.client.HTTPConnection(address, port, timeout=10)
    try:
        link.request("GET", path, headers={"X-Auth-Token": "t", "X-Nginx-Origin": "-"})
        got = link.getresponse()
        got.read()
        return got.status
    finally:
        link.close()


def test_each_path_has_its_side(t):
    server, admin = start(t)
    for path in PUBLIC + HEALTH:
        assert get(server.address, path, 8080) == 200, path
    for path in ADMIN:
        assert get(server.address, path, 8080) == 404, path
    for path in HEALTH + ADMIN:
        assert get(admin, path) == 200, path
    for path in PUBLIC:
        assert get(admin, path) == 404, path


def test_without_it_all_paths_are_on_one(t):
    server = t.syncer(t.cluster(2, one_process=True))
    for path in HEALTH + ADMIN:
        assert get(server.address, path, 8080) == 200, path


def test_a_flood_leaves_it_open(t):
    server, admin = start(t, workers=2, max_connections=20)
    flood = [socket.create_connection((server.address, server.port), 5) for _ in range(400)]
    try:
        proc.wait_until(lambda: counted(admin, "syncer_connections_refused_total") >= 300, 10)
        for path in HEALTH + ADMIN:
            assert get(admin, path) == 200, path
    finally:
        for sock in flood:
            sock.close()
    proc.wait_until(lambda: get(server.address, "/livez", 8080) == 200, 10, why="the flood is over")


def counted(address, family):
    link = http.client.HTTPConnection(address, 9090, timeout=10)
    link.request("GET", "/metrics")
    text = link.getresponse().read().decode()
    link.close()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(family))


def test_a_reload_adds_and_removes_it(t):
    pods = t.cluster(2, one_process=True)
    server = t.syncer(pods, watch_files=False)
    admin = pods.block.address(252)
    server.write(admin_listen=f"{admin}:9090")
    server.reload()
    assert get(admin, "/metrics") == 200 and get(server.address, "/metrics", 8080) == 404
    server.write(admin_listen=None)
    server.reload()
    assert get(server.address, "/metrics", 8080) == 200
    try:
        socket.create_connection((admin, 9090), 5).close()
        raise AssertionError("admin_listen is still open")
    except ConnectionRefusedError:
        pass


def test_an_address_may_change_sides(t):
    pods = t.cluster(2, one_process=True)
    address = pods.block.address(252)
    server = t.syncer(pods, watch_files=False, listen=[f"{pods.block.address(253)}:8080", f"{address}:9090"])
    assert get(address, "/v1/pods") == 200
    server.write(listen=f"{pods.block.address(253)}:8080", admin_listen=f"{address}:9090")
    server.reload()
    assert get(address, "/v1/pods") == 200 and get(address, "/v1/synced") == 404


def test_an_address_on_both_sides_is_refused(t):
    pods = t.cluster(1, one_process=True)
    server = t.syncer(pods, start=False, admin_listen=f"{pods.block.address(253)}:8080")
    done = subprocess.run([server.binary, "-c", server.config_path], capture_output=True, text=True, timeout=10)
    assert done.returncode == 78 and "admin_listen: " in done.stderr and "is there twice" in done.stderr, done


if __name__ == "__main__":
    sys.exit(tap.main())
