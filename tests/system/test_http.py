#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""HTTP/1.1 by the text of RFC 9110 and RFC 9112, on raw sockets: what attackers send, and what proxies rely on. Most tests
are tables: each line is a connection of its own, and all lines that fail are named. Behind what is tried comes a marker, a
request whose 404 shows that the server read on at the right byte."""
import concurrent.futures
import re
import select
import shutil
import socket
import sys
import threading
import time

from harness import cluster, proc, tap

HOST = b"Host: gateway.test\r\n"
MARKER = b"GET /v1/marker HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
TCHARS = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CONTROLS = [c for c in (*range(32), 127) if c not in b"\t\n\r"]
CLIENT_TIMEOUT_S, KEEPALIVE_TIMEOUT_S = 2, 4
GOES_ON, BAD = (200, 404), (400,)

server = None  # one for the whole script


class Shared:
    def __init__(self):
        global server
        self.test = tap.Test()
        self.pods = self.test.cluster(1, one_process=True)
        self.pods.put("secret")
        server = self.test.syncer(self.pods, workers=1, log_level="info", client_timeout=f"{CLIENT_TIMEOUT_S}s",
                                  keepalive_timeout=f"{KEEPALIVE_TIMEOUT_S}s")

    def pids(self):
        return [server.process.pid, self.pods[0].nginx.process.pid]

    def close(self):
        errors = self.test.close()
        shutil.rmtree(self.test.folder)
        assert not errors, errors


class Reply:
    def __init__(self, stream, head):
        """Reads one answer as strictly as it should be written."""
        line = stream.readline()
        self.status = int(re.fullmatch(rb"HTTP/1\.1 ([2-5]\d\d) [ -~]+\r\n", line)[1])
        self.fields = {}
        while (line := stream.readline()) != b"\r\n":
            name, value = re.fullmatch(rb"([!-9;-~]+): ([ -~]*)\r\n", line).groups()
            assert name.lower() not in self.fields, f"two {name}"
            self.fields[name.lower().decode()] = value.decode()
        self.closes = self.fields.get("connection") == "close"
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", self.fields["date"]), self.fields
        assert (self.status == 204) != ("content-length" in self.fields), self.fields
        assert self.status < 400 or self.fields["content-type"] == "application/problem+json", self.fields
        self.body = b"" if head or self.status == 204 else stream.read(int(self.fields["content-length"]))
        assert head or self.status == 204 or len(self.body) == int(self.fields["content-length"]), "the body is cut short"


def connect():
    sock = socket.create_connection((server.address, server.port), timeout=10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def replies(sock, raw=b""):
    """All answers until the server closes. `raw`: what was sent, whose method the first answer belongs to."""
    found = []
    with sock, sock.makefile("rb") as stream:
        while stream.peek(1):
            assert not (found and found[-1].closes), "an answer behind Connection: close"
            found.append(Reply(stream, not found and raw.lstrip().startswith(b"HEAD ")))
    return found


def talk(raw):
    sock = connect()
    sock.sendall(raw)
    return replies(sock, raw)


def request(*lines, method=b"GET", target=b"/livez", version=b"HTTP/1.1", host=HOST, body=b""):
    """Lines are put in without their CRLF."""
    return b"%b %b %b\r\n%b%b\r\n%b" % (method, target, version, host, b"".join(line + b"\r\n" for line in lines), body)


def check(table):
    """Lines: what is sent, and the statuses that must come, the marker's too; several tuples: one of them."""
    failures = []
    for raw, *expected in table:
        try:
            got = talk(raw + MARKER)
            statuses = tuple(reply.status for reply in got)
            if statuses not in expected:
                failures.append(f"{raw[:120]!r}: {statuses} instead of {expected}")
            elif not got[-1].closes:
                failures.append(f"{raw[:120]!r}: closed without saying so")
        except (AssertionError, OSError, TypeError, ValueError, KeyError) as e:
            failures.append(f"{raw[:120]!r}: {type(e).__name__} {e}")
    assert not failures, f"{len(failures)} of {len(table)}:\n" + "\n".join(failures)


def chunked(body, *lines, **kwargs):
    return request(b"Transfer-Encoding: chunked", *lines, body=body, **kwargs)


def test_transfer_encoding(t):
    body = b"3\r\nabc\r\n0\r\n\r\n"
    coded = lambda value: request(b"Transfer-Encoding:" + value, body=body)
    check([(coded(value), GOES_ON) for value in (b" chunked", b"chunked", b"\tchunked\t", b"  Chunked ", b" CHUNKED",
                b" cHuNkEd")] + [(coded(value), BAD) for value in (b" chunked, chunked", b" chunked, identity",
                b" chunked, gzip", b" chunked,", b" ,chunked,,", b"", b" ", b" ,", b' "chunked"', b" chunked;",
                b" chunked chunked", b" chunked\tx", b" \x0bchunked", b" chunked\x0c", b" chunked\x00", b" chunk\xe9d",
                b" chunked\r\n , identity", b" chunked\r\nTransfer-Encoding: chunked", b" chunked\r\n\tx",
                b" chunked\r\nTransfer-Encoding: identity", b" chunked\r\nContent-Length: 3",
                b" chunked\r\nContent-Length: 0", b" chunked\rX: y", b" chunked\nX: y", b" identity\r\nContent-Length: 13",
                b" xchunked\r\nContent-Length: 13")] + [(coded(value), (501,)) for value in (
                b" xchunked", b" chunkedx", b" identity", b" gzip", b" gzip, chunked", b" deflate", b" compress",
                b" trailers", b" br", b" identity, chunked", b" chunked1", b" identity\r\nTransfer-Encoding: chunked")] +
        [(request(b"Content-Length: 3", b"Transfer-Encoding: chunked", body=body), BAD),
            (request(b"Transfer-Encoding : chunked", body=body), BAD), (request(b" Transfer-Encoding: chunked", body=body),
                BAD), (request(b"X: y", b" Transfer-Encoding: chunked", body=body), BAD),
            (request(b"Transfer-Encoding", body=body), BAD), (request(b"Transfer\xadEncoding: chunked", body=body), BAD),
            (request(b"Transfer-Encoding\x00: chunked", body=body), BAD), (request(b"TRANSFER-ENCODING: chunked", body=body),
                GOES_ON), (request(b"transfer-encoding: chunked", body=body), GOES_ON),
            (request(b"Transfer_Encoding: chunked"), GOES_ON), (request(b"X-Transfer-Encoding: chunked"), GOES_ON),
            (request(b"TE: trailers, chunked"), GOES_ON)] + [(request(b"Transfer-Encoding: chunked", *more,
                version=b"HTTP/1.0", body=body), BAD) for more in ((), (b"Connection: keep-alive",),
                (b"Content-Length: 3",))])


def test_content_length(t):
    check([(request(b"Content-Length:" + value, body=b"hello"), GOES_ON) for value in (
                b" 5", b"5", b"\t5 ", b" 05", b" 0000000000000000000000005")] +
        [(request(b"Content-Length:" + value, body=b"hello"), BAD) for value in (
                b" +5", b" -5", b" 5 5", b" 5,5", b" 5, 5", b" 5,", b",5", b" 0x5", b" 5h", b" 5.0", b" 5e0", b" '5'",
                b' "5"', b"", b" ", b" five", b" 5;", b" 5\x00", b" 5\x0b", b" \xef\xbc\x95", b" 18446744073709551616",
                b" 18446744073709551621", b" 99999999999999999999999999", b" 36893488147419103237", b" 0x", b" --5",
                b" 5\r\nContent-Length: 5", b" 5\r\nContent-Length: 6", b" 5\r\nX: y\r\ncontent-length: 5", b" 5\r\n 5",
                b" 5_0", b" 0b101", b" 5-", b" \xc2\xb25", b" 5\r\nContent-Length:", b"\r\nContent-Length: 5", b" 1\t5")] +
        [(request(b"Content-Length: 0"), GOES_ON), (request(b"content-length: 5", body=b"hello"), GOES_ON),
            (request(b"Content-Length : 5", body=b"hello"), BAD), (request(b"Content-Length", body=b"hello"), BAD),
            (request(b"Content-Length: 5", version=b"HTTP/1.0", body=b"hello"), (200,)),
            (request(b"Content-Length: 5", b"Connection: keep-alive", version=b"HTTP/1.0", body=b"hello"), GOES_ON),
            (request(b"Content-Length: 0", b"Content-Length: 0"), BAD)])
    for length in (2**63, 2**64 - 1):  # a body that never comes: answered, and nothing is read as a request
        got = talk(request(b"Content-Length: %d" % length) + MARKER)
        assert [reply.status for reply in got] == [200] and got[0].closes


def test_chunks(t):
    end = b"0\r\n\r\n"
    good = [b"", b"5\r\nhello\r\n", b"5\r\nhello\r\n1\r\n!\r\n", b"05\r\nhello\r\n",
        b"00000000000000000000000005\r\nhello\r\n", b"A\r\n0123456789\r\n", b"a\r\n0123456789\r\n", b"5;a\r\nhello\r\n",
        b"5;a=b\r\nhello\r\n", b"5;a=b;c=d\r\nhello\r\n", b'5;a="b;\\"c"\r\nhello\r\n', b"5 ; a = b\r\nhello\r\n",
        b"5\t;\ta=b\r\nhello\r\n", b'5;a=""\r\nhello\r\n', b"2\r\n\r\n\r\n", b"5\r\n0\r\n\r\n\r\n",
        b'5;a="\xe9\t"\r\nhello\r\n', b"5;" + b"a" * 500 + b"\r\nhello\r\n"]
    bad = [b"0x5\r\nhello\r\n", b"+5\r\nhello\r\n", b"-5\r\nhello\r\n", b" 5\r\nhello\r\n", b"5 x\r\nhello\r\n",
        b"\r\nhello\r\n", b"5h\r\nhello\r\n", b"5\nhello\r\n", b"5\rhello\r\n", b"5\r\nhello", b"5\r\nhello\n",
        b"5\r\nhello\r", b"5\r\nhell\r\n", b"5\r\nhelloo\r\n", b"5\r\nhello\r\r\n", b"5\r\nhello\n\r",
        b"10000000000000005\r\nhello\r\n", b"ffffffffffffffffff\r\nhello\r\n", b"5;\x00\r\nhello\r\n",
        b"5;a\x00b\r\nhello\r\n", b"5;a=\x0b\r\nhello\r\n", b"5;a\nX\r\nhello\r\n", b"5;a\rX\r\nhello\r\n",
        b"5,5\r\nhello\r\n", b'5;a="b\r\nhello\r\n', b"5;a=b c\r\nhello\r\n", b"5;=b\r\nhello\r\n", b"5;a==b\r\nhello\r\n",
        b"5.\r\nhello\r\n", b"g\r\nhello\r\n", b"5\x00\r\nhello\r\n", b"5\x0b\r\nhello\r\n", b"5;" + b"a" * 20000 +
        b"\r\nhello\r\n", (b"1;" + b"a" * 900 + b"\r\nx\r\n") * 20, b"\xef\xbc\x95\r\nhello\r\n", b"0" * 20000 +
        b"5\r\nhello\r\n"]
    trailers = [b"X: y\r\n", b"X: y\r\nZ:\r\n", b"X:\t\xe9\r\n", b"X-Auth-Token: secret\r\n", b"Content-Length: 9\r\n",
        b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n"]
    bad_trailers = [b" X: y\r\n", b"X : y\r\n", b"X\r\n", b": y\r\n", b"X: y\n", b"X: y\rZ: z\r\n", b"X: \x00\r\n",
        b"X: y\r\n z\r\n", b"X\x0b: y\r\n", b"X: \x7f\r\n", b"X: " + b"y" * 9000 +
        b"\r\n", b"X: y\r\n" * 2000, b"\n", b"GET / HTTP/1.1\r\n"]
    check([(chunked(part + end), GOES_ON) for part in good] + [(chunked(part + end), BAD) for part in bad] +
        [(chunked(last + b"\r\n\r\n"), GOES_ON) for last in (b"00", b"000000", b"0;a", b"0;a=b")] +
        [(chunked(b"0\r\n" + part + b"\r\n"), GOES_ON) for part in trailers] +
        [(chunked(b"0\r\n" + part + b"\r\n"), BAD) for part in bad_trailers] +
        [(chunked(b"0\r\n\rX\r\n\r\n"), BAD), (chunked(b"0\n\n"), BAD), (chunked(b"0\r\n\n"), BAD),
            (chunked(b"\r\n0\r\n\r\n"), BAD), (chunked(b"80000000\r\n"), (413,)), (chunked(b"ffffffffffffffff\r\n"), (413,)),
            (chunked(b"7fffffffffffffff\r\n"), (413,))])


def test_bodies_are_drained_exactly(t):
    inner = b"GET /v1/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    by_length = request(b"Content-Length: %d" % len(inner), body=inner)
    by_chunks = chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner))
    check([(by_length, GOES_ON), (by_chunks, GOES_ON), (by_length * 3, (200, 200, 200, 404)),
            (by_chunks * 3, (200, 200, 200, 404))] + [(request(b"Content-Length: %d" % len(inner), method=method,
                body=inner), (405, 404)) for method in (b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE")] +
        [(request(b"Content-Length: %d" % len(inner), method=b"PURGE", body=inner), (501, 404)),
            (request(b"Content-Length: %d" % len(inner), target=b"/v1/none", body=inner), (404, 404)),
            (request(b"Content-Length: 20000", body=b"x" * 20000), GOES_ON, (200,)),
            (chunked(b"10000\r\n" + b"x" * 65536 + b"\r\n0\r\n\r\n"), GOES_ON)])
    raw = by_chunks + request() + MARKER  # however it is cut
    for step in (1, 7, 50):
        sock = connect()
        for at in range(0, len(raw), step):
            sock.sendall(raw[at:at + step])
        assert [reply.status for reply in replies(sock)] == [200, 200, 404], step
    sock = connect()  # a body that comes late is either waited for, or the connection ends
    sock.sendall(request(b"Content-Length: %d" % len(inner)))
    with sock.makefile("rb") as stream:
        first = Reply(stream, False)
    assert first.closes
    sock.sendall(inner + MARKER)
    assert not replies(sock)


def test_request_line(t):
    line = lambda text: text + b"\r\n" + HOST + b"\r\n"
    check([(line(text), BAD) for text in (b"GET", b"GET ", b"GET /livez", b"GET /livez ", b"/livez HTTP/1.1",
                b" GET /livez HTTP/1.1", b"\tGET /livez HTTP/1.1", b"GET  /livez HTTP/1.1", b"GET\t/livez HTTP/1.1",
                b"GET /livez\tHTTP/1.1", b"GET /livez  HTTP/1.1", b"GET /livez HTTP/1.1 ", b"GET /livez HTTP/1.1\t",
                b"GET /livez HTTP/1.1 x", b"GET /li vez HTTP/1.1", b"GET /livez\x00 HTTP/1.1", b"GET /livez\x0b HTTP/1.1",
                b"GET /livez\rHTTP/1.1", b"GET /livez HTTP/1.1\r", b"GET\x0b/livez HTTP/1.1", b"GET /livez HTTP",
                b"GET /livez HTTP/", b"GET /livez HTTP/1", b"GET /livez HTTP/1.", b"GET /livez HTTP/.1",
                b"GET /livez HTTP/1.10", b"GET /livez HTTP/1.01", b"GET /livez HTTP/01.1", b"GET /livez HTTP/10.1",
                b"GET /livez HTTP/1,1", b"GET /livez HTTP/a.b", b"GET /livez HTTP/1.x", b"GET /livez http/1.1",
                b"GET /livez Http/1.1", b"GET /livez HTTPS/1.1", b"GET /livez XTTP/1.1", b"GET /livez HTTP/-1.1",
                b"GET /livez HTTP/1.-1", b"GET /livez HTTP/ 1.1", b"GET /livez HTTP /1.1", b"GET /livez HTTP/1 .1",
                b"GET /livez HTTP/0.9", b"GET /livez HTTP/0.0", b"GET /livez HTTP/0.1", b"G@T /livez HTTP/1.1",
                b"G(T /livez HTTP/1.1", b"G\xe9T /livez HTTP/1.1", b"G\x00T /livez HTTP/1.1", b"GE:T /livez HTTP/1.1",
                b"GET/livez HTTP/1.1", b"\x16\x03\x01\x02\x00\x01")] + [(b"GET /livez HTTP/1.1\n" + HOST + b"\r\n", BAD),
            (b"GET /livez HTTP/1.1\r\nHost: a\n\r\n", BAD), (b"GET /livez HTTP/1.1\r\nHost: a\r\n\n", BAD),
            (b"GET /livez HTTP/1.1\n\n", BAD), (b"\n" + request(), BAD), (b"\r" + request(), BAD),
            (b" \r\n" + request(), BAD)] + [(b"\r\n" + request(), GOES_ON), (b"\r\n" + request() + b"\r\n", GOES_ON),
            (request(b"Content-Length: 2", body=b"ab") + b"\r\n", GOES_ON)] +
        [(line(b"GET /livez HTTP/1.%d" % minor), GOES_ON) for minor in range(1, 10)] +
        [(line(b"GET /livez HTTP/1.0"), (200, ))] + [(line(b"GET /livez HTTP/%d.%d" % (major, minor)),
                (505,)) for major in range(2, 10) for minor in (0, 1)] + [(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (505,)),
            (b"HEAD /livez HTTP/2.0\r\n\r\n", (505,))])


def test_methods(t):
    check([(request(method=b"HEAD"), GOES_ON)] + [(request(method=method), (501, 404)) for method in (
                b"get", b"Get", b"head", b"GETT", b"GE", b"G", b"GET1", b"PROPFIND", b"PURGE", b"LINK", b"QUERY", b"HEADER",
                b"X-M", TCHARS, b"A" * 200, b"options", b"connect", b"TRACK")] +
        [(request(method=method), (405, 404)) for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH")] +
        [(request(method=method, target=b"/v1/none"), (404, 404)) for method in (
                b"GET", b"HEAD", b"POST", b"DELETE", b"TRACE")] + [(request(method=b"OPTIONS", target=b"*"), (204, 404)),
            (request(target=b"*"), BAD), (request(method=b"HEAD", target=b"*"), BAD),
            (request(method=b"POST", target=b"*"), BAD), (request(method=b"OPTIONS", target=b"**"), BAD),
            (request(method=b"CONNECT", target=b"gateway.test:443"), (405,)),
            (request(method=b"CONNECT", target=b"[::1]:443"), (405,)), (request(method=b"CONNECT"), BAD),
            (request(method=b"CONNECT", target=b"gateway.test"), BAD), (request(method=b"CONNECT", target=b"a:b"), BAD),
            (request(method=b"CONNECT", target=b"http://a:443/"), BAD), (request(method=b"CONNECT", target=b":443"), BAD)])
    for method, target in ((b"POST", b"/livez"), (b"OPTIONS", b"/livez"), (b"TRACE", b"/v1/synced"), (b"OPTIONS", b"*"),
        (b"CONNECT", b"a:443")):
        first = talk(request(b"X-Secret: mirrored", method=method, target=target) + MARKER)[0]
        assert first.fields["allow"].split(", ") == ["GET", "HEAD"] and b"mirrored" not in first.body, (method, target)


def test_targets(t):
    get = lambda target: request(target=target)
    check([(get(target), GOES_ON) for target in (b"/livez?", b"/livez?a", b"/livez?a=b&c=d", b"/livez??", b"/livez?/",
                b"/livez?%41", b"/livez?a:@!$'()*+,;-._~", b"/%6civez", b"/%6Civez", b"/%6c%69%76%65%7a",
                b"http://gateway.test/livez", b"HTTP://gateway.test/livez", b"http://other/livez",
                b"http://gateway.test:8080/livez", b"https://gateway.test/livez", b"http://[::1]/livez",
                b"http://[::1]:80/livez?x", b"/livez?" + b"x" * 7500)] + [(get(target), (404, 404)) for target in (
                b"/v1%2fsynced", b"/v1%2Fsynced", b"/livez/", b"//livez", b"/livez%00", b"/livez%00x", b"/%00", b"/LIVEZ",
                b"/live", b"/livezz", b"/livez;a",
                b"/livez%20", b"/livez%3f", b"/livez%23", b"/livez%0d%0a", b"/livez/.", b"/%2e%2e/%2e%2e/etc/passwd",
                b"/../../etc/passwd", b"/..", b"/v1//synced", b"/v1/../../livez", b"/livez%2500", b"/v1/synced%00", b"/%ff",
                b"/livez.", b"/" + b"x" * 7900, b"http://gateway.test/none")] +
        [(get(target), BAD) for target in (b"livez", b"livez/", b"?", b"?a", b"#", b".", b"/livez#", b"/livez#a",
                b"/livez?#", b"/livez?a#b", b"/livez%", b"/livez%0", b"/livez%zz", b"/livez%0g", b"/livez%%30", b"/livez?%",
                b"/livez?%4", b"/livez?%gg", b"/livez\xe9", b"/livez\xc0\x80", b"/livez\x7f", b"/livez\x01", b"/livez\"",
                b"/livez<", b"/livez>", b"/livez\\", b"/livez^", b"/livez`", b"/livez{", b"/livez|", b"/livez}", b"/livez[",
                b"/livez]", b"/livez?\"", b"/livez?<", b"/livez?\x00", b"/livez?\xe9", b"http://", b"http:///livez",
                b"http:/livez", b"http:livez", b"http//gateway.test/", b"http://user@gateway.test/livez",
                b"http://user:secret@gateway.test/livez", b"http://a:b/livez", b"http://a:99999/livez", b"http://[::1/livez",
                b"http://[x]/livez", b"http://a b/livez", b"http://:80/livez", b"ftp://a/livez", b"file:///etc/passwd",
                b"gateway.test:80", b"http://a/#b", b"http://a%zz/")])
    for target in (b"/", b"http://gateway.test", b"http://gateway.test?x"):  # all the same path
        assert talk(get(target) + MARKER)[0].status == talk(get(b"http://gateway.test/") + MARKER)[0].status, target


def test_limits(t):
    room = 8000 - len(b"GET / HTTP/1.1")
    huge = b"x" * 300_000
    check([(request(target=b"/" + b"x" * room), (404, 404)), (request(target=b"/livez?" + b"x" * (room - 6)), GOES_ON),
            (request(target=b"/" + b"x" * 8192), (414,)), (request(target=b"/" + huge), (414,)),
            (request(method=b"A" * 9000), (414,)), (b"A" * 9000, (414,)), (request(target=b"/" + b"x" * 8192)[:8300],
                (414,)), (request(*[b"X-%d: y" % i for i in range(90)]), GOES_ON),
            (request(*[b"X-%d: y" % i for i in range(101)]), (431,)), (request(*[b"X: y"] * 5000), (431,)),
            (request(*[b"X:"] * 101), (431,)), (request(b"X: " + b"y" * 15000), GOES_ON),
            (request(*[b"X: " + b"y" * 1000] * 15), GOES_ON), (request(b"X: " + b"y" * 40000), (431,)),
            (request(b"X: " + huge), (431,)), (request(b"Y" * 40000 + b": y"), (431,)),
            (request(*[b"X: " + b"y" * 4000] * 20), (431,)), (request(b"Cookie: " + b"a=b; " * 20000), (431,)),
            (request(b"X-Auth-Token: " + b"a" * 4096), GOES_ON)])
    for start in (b"GET /" + b"x" * 9000, b"GET / HTTP/1.1\r\nX: " + b"y" * 40000):  # refused early, not when it is complete
        sock = connect()
        sock.sendall(start)
        assert [reply.status for reply in replies(sock)] in ([414], [431])


def test_fields(t):
    head = lambda *lines: request(*lines)
    check([(head(b"X" + bytes([c]) + b"Y: z"), GOES_ON if c in TCHARS else BAD) for c in range(256) if c not in b"\r\n:"] +
        [(head(b"X: a" + bytes([c]) + b"b"), BAD) for c in CONTROLS] + [(head(b"X: " + bytes([c])), BAD) for c in CONTROLS] +
        [(head(b"X: a" + bytes([c]) + b"b"), GOES_ON) for c in (*range(0x20, 0x7f), *range(0x80, 0x100), 9)] +
        [(head(line), GOES_ON) for line in (b"X:", b"X: ", b"X:y", b"X:\ty", b"X: y\t ", b"X::", b"X: :", b"X: y: z",
                b"X_Y: z", b"0: 1", b"X: \"", TCHARS + b": x", b"X:   ")] + [
            (head(line), BAD) for line in (b": y", b":", b"X", b"X y", b"X : y", b"X\t: y", b" X: y", b"\tX: y",
                b"X: y\r\n z", b"X: y\r\n\tz", b"X: y\r\n ", b"X: y\rZ: z", b"X: y\nZ: z", b"X: y\r", b"X: y\r\r", b"\r",
                b"X\r: y", b"X\n: y", b"X: \r", b"X Y: z", b"X\x00: y", b"X: y\r\n: z", b"GET / HTTP/1.1", b"X: y\r\n \r\n",
                b"\x00", b"X\x7f: y", b"\xc3\xa9: y")] + [(b"GET /livez HTTP/1.1\r\n " + HOST + b"\r\n", BAD),
            (b"GET /livez HTTP/1.1\r\n\t\r\n" + HOST + b"\r\n", BAD)])


def test_host(t):
    host = lambda value, **kwargs: request(host=b"Host:" + value + b"\r\n", **kwargs)
    check([(host(value), GOES_ON) for value in (b" a", b"a", b"\ta\t", b" gateway.test:80", b" a:", b" a:0", b" a:65535",
                b" 127.0.0.1", b" 127.0.0.1:8080", b" [::1]", b" [::1]:8080", b" [fd00::1]:", b" syncer_upstream", b" _",
                b" A.B.", b" a-b", b" -", b" a!$&'()*+,;=b", b" %61", b" a..b", b" xn--bcher-kva.example",
                b" " + b"a" * 255)] + [(host(value), BAD) for value in (b"", b" ", b" a b", b" a\tb", b" a/b", b" a/",
                b" http://a", b" a@b", b" user:x@a", b" a?b", b" a#b", b" a:b", b" a:80x", b" a:-1", b" a:+80", b" a:65536",
                b" a:99999999999999999999", b" a:80:80", b" :80", b" :", b" ::1", b" [::1", b" ::1]", b" []", b" [", b" ]",
                b" [a]", b" [127.0.0.1]", b" [::1]x", b" [::1]:x", b" [::1]80", b" [::g]", b" [fe80::1%25eth0]", b" a%",
                b" a%4", b" a%zz", b" a\\b", b" a\"b", b" <a>", b" a^b", b" a`b", b" {a}", b" a|b", b" a\xe9", b" a\x00",
                b" a\x7f", b" a,b/c", b" a\r\nHost: a", b" a\r\nHost: b", b" a\r\nHost:", b" a\r\nX: y\r\nhOST: a",
                b" a\r\n b")] + [(request(host=b""), BAD), (request(host=b"Host : a\r\n"), BAD),
            (request(host=b"host: a\r\n"), GOES_ON), (request(host=b"HOST: a\r\n"), GOES_ON),
            (request(host=b"X-Host: a\r\n"), BAD), (request(host=b"", version=b"HTTP/1.0"), (200,)),
            (host(b" a", version=b"HTTP/1.0"), (200,)), (host(b" a\r\nHost: a", version=b"HTTP/1.0"), BAD),
            (host(b" a/b", version=b"HTTP/1.0"), BAD), (host(b"", version=b"HTTP/1.0"), BAD),
            (request(host=b"", version=b"HTTP/1.2"), BAD), (request(host=b"", target=b"http://a/livez"), BAD),
            (host(b" b", target=b"http://a/livez"), GOES_ON), (host(b" b/c", target=b"http://a/livez"), BAD),
            (host(b" a\r\nHost: a", target=b"http://a/livez"), BAD), (request(host=b"", method=b"HEAD"), BAD),
            (request(host=b"", method=b"OPTIONS", target=b"*"), BAD)])


def test_connection(t):
    with_ = lambda *values, **kwargs: request(*[b"Connection:" + value for value in values], **kwargs)
    ten = dict(version=b"HTTP/1.0")
    check([(with_(*values), (200,)) for values in ((b" close",), (b" Close",), (b" CLOSE",), (b"close",), (b"\tclose\t",),
                (b" close, x",), (b" x, close",), (b" x,close ,y",), (b" ,close,",), (b" keep-alive, close",),
                (b" close, keep-alive",), (b" x", b" close"), (b" close", b" x"), (b" keep-alive", b" close"),
                (b"", b" close"), (b" upgrade, close",))] + [(with_(*values), GOES_ON) for values in (
                (b"",), (b" keep-alive",), (b" Keep-Alive",), (b" closed",), (b" xclose",), (b" not-close",), (b" close-x",),
                (b' "close"',), (b" x",), (b" x", b" y"), (b" upgrade",), (b" ,,",), (b" clos", b" e"))] +
        [(with_(*values, **ten), (200,)) for values in ((), (b" x",), (b" close",), (b" keep-alive, close",),
                (b" keep-alive", b" close"), (b" keep-alivex",))] + [(with_(*values, **ten), GOES_ON) for values in (
                (b" keep-alive",), (b" Keep-Alive",), (b" x, keep-alive",), (b" x", b" keep-alive"))] +
        [(request(b"Proxy-Connection: close"), GOES_ON), (request(b"Keep-Alive: timeout=5"), GOES_ON),
            (request(b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AA"), GOES_ON),
            (request(b"Connection: upgrade", b"Upgrade: websocket"), GOES_ON)])
    first = talk(with_(b" keep-alive", **ten) + MARKER)[0]
    assert first.fields["connection"] == "keep-alive"
    assert "connection" not in talk(request() + MARKER)[0].fields


def test_pipelines(t):
    paths = [(b"/livez", 200), (b"/v1/none", 404), (b"/health", 200), (b"/livez?x", 200), (b"/v1/synced", 400)]
    raw = b"".join(request(target=paths[i % len(paths)][0]) for i in range(50)) + MARKER
    expected = [paths[i % len(paths)][1] for i in range(50)] + [404]
    assert [reply.status for reply in talk(raw)] == expected
    sock = connect()  # and cut anywhere
    for at in range(0, len(raw), 97):
        sock.sendall(raw[at:at + 97])
    assert [reply.status for reply in replies(sock)] == expected
    assert [reply.status for reply in talk(request() + request(b"X : y") + request())] == [200, 400]
    assert [reply.status for reply in talk(request() + request(b"Connection: close") + request())] == [200, 200]
    for end in (b"", request()):  # a client that ends its sending gets its answers, and then the end
        sock = connect()
        sock.sendall(end * 3)
        sock.shutdown(socket.SHUT_WR)
        assert [reply.status for reply in replies(sock)] == [200] * (3 if end else 0)
    sock = connect()
    sock.sendall(request(b"X-Auth-Token: secret", b"X-Nginx-Origin: -", target=b"/v1/synced"))
    sock.shutdown(socket.SHUT_WR)
    assert [reply.fields["x-token-status"] for reply in replies(sock)] == ["Synced"]
    for part in (b"GET", b"GET /livez HTTP/1.1\r\n", request()[:-2], chunked(b"5\r\nhe"), chunked(b"0\r\n")):
        sock = connect()
        sock.sendall(part)
        sock.shutdown(socket.SHUT_WR)
        assert [reply.status for reply in replies(sock)] == [400], part
    sock = connect()  # an empty line is no request
    sock.sendall(request() + b"\r\n")
    sock.shutdown(socket.SHUT_WR)
    assert [reply.status for reply in replies(sock)] == [200]


def test_expect(t):
    wants = b"Expect: 100-continue"
    check([(request(wants), GOES_ON), (request(b"Expect: 100-CONTINUE"), GOES_ON),
            (request(wants, b"Content-Length: 0"), GOES_ON), (request(wants, b"Content-Length: 2", body=b"ab"), GOES_ON,
                (200,)), (chunked(b"0\r\n\r\n", wants), GOES_ON, (200,)), (request(wants, version=b"HTTP/1.0"), (200,)),
            (request(wants, b"Content-Length: 2", b"Connection: keep-alive", version=b"HTTP/1.0", body=b"ab"), GOES_ON)])
    for raw in (request(wants, b"Content-Length: 5"), request(wants, b"Transfer-Encoding: chunked"), request(wants,
        b"Content-Length: 5", method=b"POST"),
                request(wants, b"Content-Length: 5", version=b"HTTP/1.0"), request(wants, b"Content-Length: 5",
                b"Connection: keep-alive", version=b"HTTP/1.0")):
        sock = connect()  # a client that waits for a 100 is answered at once, and nothing it sends is read as a request
        sock.sendall(raw)
        with sock.makefile("rb") as stream:
            first = Reply(stream, False)
        assert first.status in (200, 405) and first.closes, raw
        sock.sendall(b"hello" + MARKER)
        assert not replies(sock)


def test_head(t):
    for raw in (request(), request(target=b"/health"), request(target=b"/v1/none"), request(target=b"/v1/synced"),
        request(b"X : y"), request(host=b""), request(target=b"/%zz"), request(version=b"HTTP/3.0"),
                request(target=b"/" + b"x" * 9000), request(b"X: " + b"y" * 40000), request(b"Content-Length: x"),
                request(target=b"/metrics"), request(target=b"/v1/status"), request(target=b"/v1/pods"),
                request(b"X-Auth-Token: secret", b"X-Nginx-Origin: -", target=b"/v1/synced")):
        get, head = talk(raw + MARKER)[0], talk(raw.replace(b"GET", b"HEAD") + MARKER)[0]
        assert (get.status, set(get.fields)) == (head.status, set(head.fields)), raw[:60]
        if get.status >= 400:
            assert get.fields["content-length"] == head.fields["content-length"], raw[:60]


def test_tokens(t):
    def ask(*lines, origin=b"X-Nginx-Origin: -"):
        return request(*lines, origin, target=b"/v1/synced")
    token = b"X-Auth-Token: secret"
    check([(ask(token), GOES_ON), (ask(b"x-auth-token:secret"), GOES_ON), (ask(b"X-AUTH-TOKEN:\tsecret "), GOES_ON)] +
        [(ask(*lines), (400, 404)) for lines in ((), (token, token), (token, b"x-auth-token: other"), (b"X-Auth-Token:",),
                (b"X-Auth-Token:", token), (b"X-Auth-Token: a b",), (b"X-Auth-Token: a;b",), (b"X-Auth-Token: a,b",),
                (b'X-Auth-Token: "a"',), (b"X-Auth-Token: \xe9", ), (b"X-Auth-Token: " + b"a" * 4097,),
                (b"X_Auth_Token: secret",))] + [(ask(token) + ask(), (200, 400, 404)),
            (ask(token, b"Connection: X-Auth-Token") + ask(), (200, 400, 404)),
            (ask(token, b"X-Nginx-Origin: -"), (400, 404)), (chunked(b"0\r\nX-Auth-Token: secret\r\n\r\n",
                b"X-Nginx-Origin: -", b"Trailer: X-Auth-Token", target=b"/v1/synced"), (400, 404)),
            (chunked(b"0\r\nX-Auth-Token: secret\r\n\r\n", b"X-Nginx-Origin: -", target=b"/v1/synced") + ask(),
                (400, 400, 404))])
    assert talk(ask(token) + MARKER)[0].fields["x-token-status"] == "Synced"


def test_an_answer_outlives_what_is_still_sent(t):
    for raw in (request(b"X : y"), request(target=b"/" + b"x" * 9000), request(b"Content-Length: 4000000"),
        request(b"Connection: close")):
        got = talk(raw + b"x" * 4_000_000)
        assert len(got) == 1 and got[0].closes, raw[:40]


def outlast(sent, trickle):
    """Sends, then a bit more now and then: when the server ends the connection, and the statuses that came."""
    sock, over, data, started = connect(), threading.Event(), b"", time.monotonic()

    def drip():
        while trickle and not over.wait(0.1):
            try:
                sock.send(trickle)
            except OSError:
                return
    sock.sendall(sent)
    dripping = threading.Thread(target=drip)
    dripping.start()
    with sock:
        while got := sock.recv(65536):
            data += got
        seconds = time.monotonic() - started
        over.set()
        dripping.join()
    return seconds, [int(status) for status in re.findall(rb"HTTP/1\.1 (\d\d\d) ", data)]


def never_read():
    """How long the server bears a client that takes no answer."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((server.address, server.port))
        sock.setblocking(False)
        started, left = time.monotonic(), request(target=b"/metrics") * 3000
        hung = select.poll()
        hung.register(sock, select.POLLOUT)
        while time.monotonic() < started + 10:
            events = hung.poll(1000)
            if events and events[0][1] & (select.POLLHUP | select.POLLERR):
                return time.monotonic() - started
            if events and left:
                left = left[sock.send(left):]
            else:
                hung.modify(sock, 0)  # only its end
    return None


def test_deadlines(t):
    """All clients at once; the server ends each wait."""
    head, idle = CLIENT_TIMEOUT_S, KEEPALIVE_TIMEOUT_S
    kinds = [
        (b"GET /livez HTTP/1.1\r\nX: ", b"y", [408], head), (b"GET /livez HTTP/1.1\r\n", b"X: y\r\n", [408], head),
        (request() + b"GET /livez", b"", [200, 408], head), (request() + b"GET /livez?", b"y", [200, 408], head),
        (chunked(b"ffff\r\n"), b"y", [408], head), (chunked(b"5;"), b"y", [408], head),
        (request() + b"\r\n", b"", [200], head),  # an empty line is no request: there is nothing to answer
        (b"", b"", [], idle), (request(), b"", [200], idle)]
    with concurrent.futures.ThreadPoolExecutor(len(kinds) + 1) as pool:
        deaf = pool.submit(never_read)
        ends = pool.map(lambda kind: outlast(*kind[:2]), kinds)
        for (sent, _, statuses, limit), (seconds, got) in zip(kinds, ends):
            assert got == statuses and limit - 0.1 <= seconds < limit + 3, (sent[-30:], seconds, got)
        assert deaf.result() and head <= deaf.result() < head + 4, deaf.result()


def test_idle_clients_delay_nobody(t):
    idle = [connect() for _ in range(500)]
    for sock in idle[:250]:
        sock.sendall(b"GET /livez HTTP/1.1\r\n")
    deaf = []  # they never read
    for _ in range(20):
        sock = connect()
        sock.setblocking(False)
        deaf.append(sock)
        try:
            sock.send(request(target=b"/metrics") * 200)
        except BlockingIOError:
            pass
    times = []
    for _ in range(50):
        start = time.monotonic()
        assert talk(request() + MARKER)[0].status == 200
        times.append(time.monotonic() - start)
    for sock in idle + deaf:
        sock.close()
    assert sorted(times)[25] < 0.2 and max(times) < 2, times
    proc.wait_until(lambda: server.get("/livez").status == 200)


if __name__ == "__main__":
    if not cluster.missing():
        proc.adopt_orphans()
        tap.share(Shared())
    sys.exit(tap.main())
