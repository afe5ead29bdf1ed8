#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pods that are slow, gone, broken or hostile. Whatever they do, no check says Synced without a whole 200 from each pod,
none outlasts its deadline, and the other pods' answers count as ever."""
import sys

from harness import fakepod, proc, tap

OK, NO = fakepod.answer(200), fakepod.answer(401)

# Where the odd pod answers, or ends the connection: nothing depends on time, however busy the machine is.
PATIENT = {"sync_timeout": 50, "retries": 200, "connection_timeout": 10000, "request_deadline": 25000}
# Where it keeps its probe to the limit, or is absent to the end of patience (200 ms).
TIMED = {"sync_timeout": 50, "retries": 4, "connection_timeout": 2500, "request_deadline": 10000}


def chunked(status, *chunks):
    body = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    return b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status + body


def beside_two_good(t, behaviour, certificate="issued", **config):
    """gw-1 stores, gw-2 and gw-3 have the token at once, fake-1 is the odd one; (syncer, fake)."""
    pods = t.cluster(3, one_process=True)
    pods.put("t")
    fake = t.fake(pods, behaviour, certificate)
    return t.syncer(pods, [fake], **(config or PATIENT)), fake


def outcome(server, name="fake-1", verdict="Partialy", pods="2/3"):
    """Checks once; the entry of the odd pod."""
    got = server.check("t", "gw-1", "verbose=1")
    assert (got.status, got.verdict, got.pods) == (200, verdict, pods), str(got)
    assert got.ms < server.config["request_deadline"], got.ms
    return next(pod for pod in got.json()["pods"] if pod["name"] == name)


def never_synced(t, *behaviours):
    """None of these may count as having the token. Each as a pod of its own, all asked by one syncer."""
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    fakes = [t.fake(pods, behaviour) for behaviour in behaviours]
    server = t.syncer(pods, fakes, **TIMED)
    for _ in range(3):  # the first time on new connections, then on whatever was kept
        got = server.check("t", "gw-1", "verbose=1")
        assert got.verdict in ("NotSynced", "Partialy") and got.ms < TIMED["request_deadline"], str(got)
        present = {pod["name"] for pod in got.json()["pods"] if pod["ms"] is not None}
        assert present == {"gw-2"}, got.body
    assert server.get("/v1/status").json()["workers_crashed"] == 0
    return got.json()["pods"]


# --- slow, but right ---

def test_401_then_200(t):
    server, fake = beside_two_good(t, fakepod.then(NO, NO, OK))
    pod = outcome(server, verdict="Synced", pods="3/3")
    assert (pod["attempts"], fake.counters["requests"]) == (3, 3), (pod, fake.counters)
    assert fake.counters["connections"] <= 2, "a worker opened a second connection"


def test_answers_in_every_right_form(t):
    pods = t.cluster(1)
    fakes = [t.fake(pods, b) for b in (
        fakepod.always(chunked(200, b"a", b"b" * 1000)), fakepod.then(chunked(401, b"no"), chunked(200)),
        fakepod.always(fakepod.answer(200, b"x" * 1000)), fakepod.always(b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n" + OK),
        fakepod.always(fakepod.answer(200, headers=["Connection: close"]), close=True))]
    server = t.syncer(pods, fakes, **PATIENT)
    for _ in range(2):
        got = server.check("t", "gw-1", "verbose=1")
        assert (got.verdict, got.pods) == ("Synced", "5/5"), str(got)


def test_a_kept_connection_that_the_pod_closes_is_no_failure(t):
    server, fake = beside_two_good(t, fakepod.close_kept(OK))
    for _ in range(5):
        pod = outcome(server, verdict="Synced", pods="3/3")
        assert pod["attempts"] == 1, pod
    assert fake.counters["connections"] >= 5


def test_a_trickling_answer_in_time(t):
    server, _ = beside_two_good(t, fakepod.trickle(OK, 0.001))
    outcome(server, verdict="Synced", pods="3/3")


# --- other statuses ---

def test_another_status_is_final(t):
    hints = {302: "error_page", 404: "path or host", 429: "limit_req", 500: "neither", 204: "neither"}
    pods = t.cluster(1)
    fakes = [t.fake(pods, fakepod.always(b"HTTP/1.1 204 X\r\n\r\n" if status == 204 else fakepod.answer(status)))
             for status in hints]
    server = t.syncer(pods, fakes, **PATIENT)
    got = server.check("t", "gw-1", "verbose=1")
    assert (got.verdict, got.pods) == ("NotSynced", "0/5"), str(got)
    entries = {pod["name"]: pod for pod in got.json()["pods"]}
    for fake, (status, hint) in zip(fakes, hints.items()):
        entry = entries[fake.name]
        assert (entry["code"], entry["attempts"]) == (status, 1) and hint in entry["reason"], entry
        assert fake.counters["requests"] == 1, "it was asked again"


def test_statuses_of_nginx(t):
    pods = t.cluster(5)
    pods.put("t")
    server = t.syncer(pods, **PATIENT)
    for pod, status in zip(pods.pods[1:4], (302, 429, 500)):
        pod.order(f"status {status}")
    got = server.check("t", "gw-1", "verbose=1")
    assert (got.verdict, got.pods) == ("NotSynced", "1/4"), str(got)
    assert sorted(pod["code"] for pod in got.json()["pods"]) == [200, 302, 429, 500]
    for pod in pods:
        pod.order()
    assert server.check("t", "gw-1").verdict == "Synced"


# --- gone ---

def test_a_stopped_pod(t):
    pods = t.cluster(4)
    pods.put("t")
    server = t.syncer(pods, **PATIENT)
    assert server.check("t", "gw-1").verdict == "Synced"
    pods[3].stop()
    for _ in range(3):
        pod = outcome(server, "gw-4")
        assert "connect" in pod["reason"], pod
    pods[3].start()
    pods[3].put("t")
    proc.wait_until(lambda: server.check("t", "gw-1").verdict == "Synced", 20, why="the pod did not come back")


def test_a_killed_pod(t):
    pods = t.cluster(4)
    pods.put("t")
    server = t.syncer(pods, **PATIENT)
    assert server.check("t", "gw-1").verdict == "Synced"
    pods[3].kill()
    outcome(server, "gw-4")


def test_a_pod_that_takes_no_connection(t):
    pods = t.cluster(3)
    pods.put("t")
    server = t.syncer(pods, [t.deaf(pods)], **TIMED)
    assert outcome(server, "deaf")["result"] in ("timeout", "connect", "down")

    def is_not_waited_for():
        got = server.check("t", "gw-1", "verbose=1")
        assert got.pods == "2/3", str(got)
        entry = next(pod for pod in got.json()["pods"] if pod["name"] == "deaf")
        return (entry["result"], entry["attempts"]) == ("down", 0) and got.ms < TIMED["connection_timeout"]
    proc.wait_until(is_not_waited_for, 40, why="every check waits for it")


def test_silence(t):
    server, _ = beside_two_good(t, fakepod.silent, **TIMED)
    pod = outcome(server)
    assert pod["result"] == "timeout", pod


def test_a_reset_after_the_request(t):
    server, fake = beside_two_good(t, fakepod.reset_after_request)
    pod = outcome(server)
    assert pod["attempts"] == 2, pod  # once more on a new connection, then no more


# --- certificates ---

def test_a_wrong_name_in_the_certificate(t):
    wrong = t.certs.issued("other.test")
    server, fake = beside_two_good(t, fakepod.always(OK), wrong)
    pod = outcome(server)
    assert "gateway.test" in pod["reason"], pod
    assert fake.counters["requests"] == 0, "the token was sent to it"


def test_a_certificate_of_nobody(t):
    own = t.certs.self_signed("gateway.test")
    server, fake = beside_two_good(t, fakepod.always(OK), own)
    pod = outcome(server)
    assert "certificate" in pod["reason"], pod
    assert fake.counters["requests"] == 0, "the token was sent to it"


def test_plain_http_on_the_tls_port(t):
    server, fake = beside_two_good(t, fakepod.always(OK), None, **TIMED)
    outcome(server)
    assert fake.counters["requests"] == 0, "the token was sent in clear"


# --- answers that are no answers ---

def test_answers_that_do_not_end(t):
    never_synced(t,
                 fakepod.endless(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 500 + b"\r\n"),
                 fakepod.endless(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", b"x" * 4096),
                 fakepod.endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n"),
                 fakepod.endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 4096),
                 fakepod.endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
                 fakepod.endless(b"", b"x" * 4096),
                 fakepod.trickle(OK, 0.5))


def test_answers_that_are_cut(t):
    def cut(data):
        return fakepod.always(data, close=True)
    never_synced(t, cut(b""), cut(b"HTTP/1.1 200 OK\r\n"), cut(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"),
                 cut(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes."),
                 cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
                 cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"))


def test_answers_that_are_wrong(t):
    def wrong(head):
        return fakepod.always(head + b"\r\n\r\n", close=True)
    never_synced(t, wrong(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade"),
                 wrong(b"HTTP/2 200"), wrong(b"HTTP/1.1 2000 OK\r\nContent-Length: 0"), wrong(b"ICY 200 OK"),
                 wrong(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1"),
                 wrong(b"HTTP/1.1 200 OK\r\nContent-Length: -1"), wrong(b"HTTP/1.1 200 OK\r\nContent-Length: 1e1"),
                 wrong(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked"), wrong(b"\x16\x03\x01\x02\x00"))


# --- the false 200 ---

def test_surplus_bytes_with_the_answer(t):
    """A second answer right behind the first must not become the next probe's."""
    pods = never_synced(t, fakepod.always(NO + OK))
    fake = next(pod for pod in pods if pod["name"] == "fake-1")
    assert fake["code"] in (0, 401), fake


def test_a_surplus_record_with_the_answer(t):
    """TLS has it read by then, so no event of the socket tells of it: it is seen all the same, before another question."""
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    fake = t.fake(pods, fakepod.surplus_record(OK))
    server = t.syncer(pods, [fake], workers=1, **{**TIMED, "retries": 0})
    for _ in range(2):
        assert server.check("t", "gw-1").pods == "1/2"
    proc.wait_until(lambda: "syncer_pod_connections_unasked_total 1" in server.get("/metrics").body.decode(),
                    why="nobody has seen the surplus")


def test_a_part_of_a_surplus_record_with_the_answer(t):
    """The rest, which comes when another question is there, must not become its answer."""
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    fake = t.fake(pods, fakepod.surplus_in_parts(OK, t.certs.issued(pods.host)), certificate=None)
    server = t.syncer(pods, [fake], workers=1, **{**TIMED, "retries": 0})
    for _ in range(4):
        got = server.check("t", "gw-1", "verbose=1")
        assert (got.verdict, got.pods) == ("NotSynced", "1/2"), str(got)
    assert server.get("/v1/status").json()["workers_crashed"] == 0


def test_surplus_bytes_on_an_idle_connection(t):
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    fake = t.fake(pods, fakepod.surplus_when_told(OK))
    # One question a check, so that the connection is idle afterwards; one worker, so that it is the same connection.
    server = t.syncer(pods, [fake], workers=1, **{**TIMED, "retries": 0})
    assert server.check("t", "gw-1").pods == "1/2"
    for _ in range(5):
        # Only what has arrived before the next probe is sent can be told from its answer: hence one at a time.
        fake.go.set()
        assert fake.sent.wait(20), "the pod sent nothing"
        fake.sent.clear()
        got = server.check("t", "gw-1", "verbose=1")
        assert (got.verdict, got.pods) == ("NotSynced", "1/2"), str(got)


if __name__ == "__main__":
    sys.exit(tap.main())
