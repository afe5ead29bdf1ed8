#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""HTTPS on `listen`: what clients may be and see, client certificates, and certificates that are read again."""
import http.client
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading

from harness import proc, tap

FIELDS = {"X-Auth-Token": "t", "X-Nginx-Origin": "-"}


def start(t, **config):
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    cert, key = t.certs.issued(pods.block.address(253))
    server = t.syncer(pods, start=False, listen_tls_cert=cert, listen_tls_key=key, **config)
    server.start(ready=False)
    return pods, server


def context(t, client=None, **versions):
    made = ssl.create_default_context(cafile=t.certs.ca)
    for name, value in versions.items():
        setattr(made, name, value)
    if client:
        made.load_cert_chain(*client)
    return made


def get(server, tls, path="/v1/synced", link=None):
    own = link is None
    link = link or http.client.HTTPSConnection(server.address, server.port, timeout=10, context=tls)
    try:
        link.request("GET", path, headers=FIELDS)
        got = link.getresponse()
        return got.status, got.read(), got.getheader("X-Token-Status")
    finally:
        if own:
            link.close()


def until_ready(server, tls):
    proc.wait_until(lambda: get(server, tls, "/readyz")[0] == 200, 10)


def test_checks_over_tls_1_2_and_1_3(t):
    _, server = start(t)
    until_ready(server, context(t))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        tls = context(t, minimum_version=version, maximum_version=version)
        link = http.client.HTTPSConnection(server.address, server.port, timeout=10, context=tls)
        for _ in range(3):
            assert get(server, tls, link=link)[2] == "Synced"
        assert link.sock.version() == version.name.replace("_", ".")
        assert link.sock.getpeercert()["subject"]
        link.close()


def test_older_versions_are_refused(t):
    _, server = start(t)
    until_ready(server, context(t))
    done = subprocess.run(["openssl", "s_client", "-connect", f"{server.address}:{server.port}", "-tls1_1", "-cipher",
                           "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
    assert done.returncode != 0 and "Cipher is (NONE)" in done.stdout, done
    proc.wait_until(lambda: "no TLS connection came about" in server.log(), why="the log says nothing")


def test_only_http_1_1_by_alpn(t):
    _, server = start(t)
    until_ready(server, context(t))
    for offered, agreed in ((["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), ([], None)):
        tls = context(t)
        if offered:
            tls.set_alpn_protocols(offered)
        with tls.wrap_socket(socket.create_connection((server.address, server.port), 10), server_hostname=server.address) as sock:
            assert sock.selected_alpn_protocol() == agreed, offered
    tls = context(t)
    tls.set_alpn_protocols(["h2"])
    try:
        with tls.wrap_socket(socket.create_connection((server.address, server.port), 10), server_hostname=server.address):
            raise AssertionError("a client that wants HTTP/2 alone came in")
    except ssl.SSLError as e:
        assert "NO_APPLICATION_PROTOCOL" in str(e).upper().replace(" ", "_"), e


def test_large_answers_and_pipelining(t):
    pods = t.cluster(2, one_process=True)
    cert, key = t.certs.issued(pods.block.address(253))
    many = [{"name": f"far-{i}", "address": f"127.255.{i // 250}.{i % 250 + 1}", "port": 9} for i in range(400)]
    server = t.syncer(pods, start=False, listen_tls_cert=cert, listen_tls_key=key, workers=1, static=many)
    server.start(ready=False)
    until_ready(server, context(t))
    body = get(server, context(t), "/v1/pods")[1]
    assert body.count(b"far-") == 400, len(body)
    with context(t).wrap_socket(socket.create_connection((server.address, server.port), 10), server_hostname=server.address) as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" * 40 + b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        got = b"".join(iter(lambda: sock.recv(65536), b""))
    assert got.count(b"HTTP/1.1 200 ") == 41, got.count(b"HTTP/1.1 200 ")


def test_a_body_is_drained_and_an_error_arrives(t):
    _, server = start(t)
    until_ready(server, context(t))
    with context(t).wrap_socket(socket.create_connection((server.address, server.port), 10), server_hostname=server.address) as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n" + b"x" * 100000)
        got = b""
        try:
            for chunk in iter(lambda: sock.recv(65536), b""):
                got += chunk
        except ConnectionResetError:
            pass
    assert got.startswith(b"HTTP/1.1 400 ") and b"Connection: close" in got, got


def test_who_never_shakes_hands_is_let_go(t):
    _, server = start(t, client_timeout=300, keepalive_timeout=60000)
    for sent in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"):
        with socket.create_connection((server.address, server.port), 5) as sock:
            sock.sendall(sent)
            sock.settimeout(10)
            try:
                assert b"HTTP" not in b"".join(iter(lambda: sock.recv(4096), b""))
            except ConnectionResetError:
                pass
    until_ready(server, context(t))


def test_a_handshake_that_trickles_is_let_go(t):
    """It has the time of a request, all of it together, however often a byte comes."""
    _, server = start(t, client_timeout=500, keepalive_timeout=60000)
    until_ready(server, context(t))
    hello, pace = client_hello(t), threading.Event()
    for drip in (hello, hello[:5] * 100):  # well formed, and records that never end
        with socket.create_connection((server.address, server.port), 5) as sock:
            try:
                for i in range(0, len(drip)):
                    sock.send(drip[i:i + 1])
                    pace.wait(0.1)
                raise AssertionError("it was listened to until the end")
            except (ConnectionResetError, BrokenPipeError):
                pass
    until_ready(server, context(t))


def client_hello(t):
    """The first bytes of a handshake."""
    sent = ssl.MemoryBIO()
    try:
        context(t).wrap_bio(ssl.MemoryBIO(), sent, server_hostname="a.test").do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()


def answered_before(t, worker, admin, address):
    """How many of 300 handshakes that begin at once are answered before a question at admin_listen that comes behind them."""
    flood = [socket.create_connection((address, 8080), 10) for _ in range(300)]
    with socket.create_connection((admin, 9090), 10) as probe:
        proc.wait_until(lambda: b"\nsyncer_connections_open 302\n" in http_get(admin, "/metrics"), why="not all are accepted")
        os.kill(worker, signal.SIGSTOP)
        proc.wait_until(lambda: proc.stopped(worker))
        for sock in flood:
            sock.sendall(client_hello(t))
        probe.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        os.kill(worker, signal.SIGCONT)
        assert probe.recv(4096).startswith(b"HTTP/1.1 200 ")
        answered = sum(bool(select.select([sock], [], [], 0)[0]) for sock in flood)
    for sock in flood:
        sock.close()
    return answered


def http_get(address, path):
    with socket.create_connection((address, 9090), 10) as sock:
        sock.sendall(b"GET %b HTTP/1.0\r\n\r\n" % path.encode())
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_a_flood_of_handshakes_keeps_no_health_probe_waiting(t):
    pods = t.cluster(2, one_process=True)
    cert, key = t.certs.issued(pods.block.address(253))
    admin = pods.block.address(252)
    server = t.syncer(pods, start=False, listen_tls_cert=cert, listen_tls_key=key, admin_listen=f"{admin}:9090", workers=1)
    server.start(ready=False)
    until_ready(server, context(t))
    # Those that are answered between the answer and the count are counted, too: a busy machine gets more than one try.
    counts = []
    proc.wait_until(lambda: counts.append(answered_before(t, server.workers()[0], admin, server.address)) or min(counts) < 150,
                    30, why="all of them came first")


def test_client_certificates(t):
    good = t.certs.signed("client", "/CN=gateway", "extendedKeyUsage=clientAuth")
    stranger = t.certs.self_signed("stranger")
    pods, server = start(t, listen_tls_client_ca=t.certs.ca, workers=1)
    until_ready(server, context(t, good))
    assert get(server, context(t, good))[2] == "Synced"
    for client in (None, stranger):
        try:
            got = get(server, context(t, client))
            raise AssertionError(f"{client} came in: {got}")
        except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
            pass
    proc.wait_until(lambda: server.log().count("no TLS connection came about") >= 2, why="the log says nothing")
    assert "certificate" in server.log().split("no TLS connection came about")[1].split("\n")[0], "with the reason"


def test_a_new_certificate_is_taken_without_a_restart(t):
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    address = pods.block.address(253)
    folder = os.path.join(t.folder, "tls")
    os.makedirs(folder)
    paths = [os.path.join(folder, name) for name in ("cert.pem", "key.pem")]

    def install(serial):
        for source, target in zip(t.certs.signed(f"own-{serial}", f"/CN=own-{serial}", f"subjectAltName=IP:{address}"), paths):
            shutil.copy(source, target + ".new")
            os.rename(target + ".new", target)

    def subject():
        with context(t).wrap_socket(socket.create_connection((address, server.port), 10), server_hostname=address) as sock:
            return sock.getpeercert()["subject"][0][0][1]

    install(1)
    server = t.syncer(pods, start=False, listen_tls_cert=paths[0], listen_tls_key=paths[1]).start(ready=False)
    until_ready(server, context(t))
    assert subject() == "own-1"
    install(2)
    proc.wait_until(lambda: subject() == "own-2", 10, why="the new certificate is not shown")


def test_unix_and_admin_stay_plain(t):
    pods = t.cluster(2, one_process=True)
    cert, key = t.certs.issued(pods.block.address(253))
    path, admin = os.path.join(t.folder, "socket"), pods.block.address(252)
    server = t.syncer(pods, start=False, listen_tls_cert=cert, listen_tls_key=key, admin_listen=f"{admin}:9090",
                      listen=[f"{pods.block.address(253)}:8080", f"unix:{path}"]).start(ready=False)
    until_ready(server, context(t))
    for family, target in ((socket.AF_UNIX, path), (socket.AF_INET, (admin, 9090))):
        with socket.socket(family) as sock:
            sock.settimeout(10)
            sock.connect(target)
            sock.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert b"".join(iter(lambda: sock.recv(4096), b"")).startswith(b"HTTP/1.1 200 "), target


def test_what_is_wrong_is_said(t):
    pods = t.cluster(1, one_process=True)
    cert, key = t.certs.issued("a.example")
    other = t.certs.issued("b.example")[1]
    server = t.syncer(pods, start=False)
    for config, said in (({"listen_tls_cert": cert}, "listen_tls_key: is required beside listen_tls_cert"),
                         ({"listen_tls_cert": cert, "listen_tls_key": other}, f"listen_tls_key: {other}: key values mismatch"),
                         ({"listen_tls_cert": "/nowhere", "listen_tls_key": key}, "listen_tls_cert: /nowhere: No such file"),
                         ({"listen_tls_cert": key, "listen_tls_key": key}, f"listen_tls_cert: {key}: "),
                         ({"listen_tls_client_ca": cert}, "listen_tls_cert: is required beside listen_tls_client_ca"),
                         ({"listen_tls_cert": cert, "listen_tls_key": key, "listen_tls_client_ca": key}, "listen_tls_client_ca: "),
                         ({"tls_ca": "/nowhere"}, "tls_ca: /nowhere: ")):
        server.write(**{"listen_tls_cert": None, "listen_tls_key": None, "listen_tls_client_ca": None, **config})
        done = subprocess.run([server.binary, "-c", server.config_path, "-t"], capture_output=True, text=True, timeout=10)
        assert done.returncode == 78 and said in done.stderr, (config, done)


if __name__ == "__main__":
    sys.exit(tap.main())
