#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a person reads in the log: who is missing and why, which pod fails and recovers, what is set wrongly; each said
once, and never so often that it buries the rest."""
import collections
import json
import os
import signal
import sys

from harness import fakepod, proc, tap

QUICK = {"sync_timeout": 50, "retries": 4, "connection_timeout": 300, "request_deadline": 1000, "zone_sync_interval": 100,
         "log_format": "json"}


def lines(server, msg=None, **fields):
    """The lines of that message, with these values."""
    found = [json.loads(text) for text in server.log().splitlines()]
    return [line for line in found if (msg is None or line["msg"] == msg)
            and all(line.get(key) == value for key, value in fields.items())]


def line(server, msg, seconds=5, **fields):
    """The one line that comes of it."""
    proc.wait_until(lambda: lines(server, msg, **fields), seconds, why=f"no line \"{msg}\" {fields}")
    found = lines(server, msg, **fields)
    assert len(found) == 1, found
    return found[0]


# --- checks ---

def test_a_check_that_is_not_synced(t):
    pods = t.cluster(3)
    pods.put("t", 0, 0, None)
    fakes = [t.fake(pods, fakepod.always(fakepod.answer(status))) for status in (302, 404, 429)]
    server = t.syncer(pods, fakes, **QUICK)
    got = server.check("t", "gw-1", headers=[("X-Request-ID", "login-7")])
    said = line(server, "the token is not on all pods")
    assert (said["level"], said["status"], said["pods"]) == ("warn", got.verdict, "1/5"), said
    assert (said["origin"], said["request_id"], said["client"]) == ("gw-1", "login-7", "127.0.0.1"), said
    assert abs(said["ms"] - int(got.headers["x-token-sync-ms"])) <= 1, (said, got.headers)
    assert said["missing"] == "fake-1: 302; fake-2: 404; fake-3: 429; gw-3: absent", said
    assert "error_page 401" in said["hint"], said
    pods.put("t2")
    got = server.check("t2", "gw-1", "expect=absent", headers=[("X-Request-ID", "logout-7")])
    said = line(server, "the token is still on some pods", request_id="logout-7")
    assert (said["expect"], said["missing"].count("present")) == ("absent", 2), said


def test_many_missing_pods_are_bounded(t):
    pods = t.cluster(12, one_process=True)
    server = t.syncer(pods, **QUICK)
    server.check("nobody-has-it", "gw-1")
    said = line(server, "the token is not on all pods")
    assert said["missing"].count("absent") == 5 and said["missing"].endswith("; and 6 more"), said
    assert "zone_sync" in said["hint"], said


def test_a_synced_check_says_nothing(t):
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    server = t.syncer(pods, **{**QUICK, "log_level": "info"})
    assert server.check("t", "gw-1").verdict == "Synced"
    server.stop()
    assert not [said for said in lines(server) if said["proc"] == "worker"], server.log()


def test_an_answer_without_a_verdict(t):
    pods = t.cluster(2, one_process=True)
    server = t.syncer(pods, **QUICK)
    server.check("t", "A B", headers=[("X-Request-ID", "r-1")])
    said = line(server, "no verdict", request_id="r-1")
    assert (said["level"], said["error"], said["client"]) == ("info", "bad-request", "127.0.0.1"), said
    assert "X-Nginx-Origin" in said["reason"], said
    server.request("PUT", "/v1/synced")
    assert line(server, "no verdict", reason="the method should be GET or HEAD")["error"] == "bad-request"


def test_lines_are_limited_and_then_counted(t):
    pods = t.cluster(1)
    fake = t.fake(pods, fakepod.always(fakepod.answer(500)))
    server = t.syncer(pods, [fake], workers=2, **QUICK)
    links, sent = [server.connect() for _ in range(4)], {"NotSynced": 0, "bad-request": 0}
    for i in range(200):
        assert server.check("t", "gw-1", link=links[i % 4]).verdict == "NotSynced"
        server.check("t", "A B", link=links[i % 4])
        sent["NotSynced"] += 1
        sent["bad-request"] += 1
    for link in links:
        link.close()

    def told(status):
        return (lines(server, "the token is not on all pods") if status == "NotSynced" else
                lines(server, "no verdict", error=status))

    def all_counted():  # no further check follows
        held = collections.Counter()
        for said in lines(server, "more checks like these in this second"):
            held[said["status"]] += said["lines_held_back"]
        return all(held[status] + len(told(status)) == n for status, n in sent.items())
    proc.wait_until(all_counted, 3, why="the lines held back were not counted")
    for status in sent:
        times = sorted(proc.wall_ms(said["ts"]) for said in told(status))
        assert times and len(told(status)) < 200
        for i, start in enumerate(times):
            assert sum(start <= other < start + 1000 for other in times[i:]) <= 20, times  # two seconds may touch


# --- pods ---

def test_a_pod_that_is_gone_and_comes_back(t):
    pods = t.cluster(3)
    pods.put("t")
    server = t.syncer(pods, workers=3, **QUICK)
    pods[2].stop()
    said = line(server, "pod fails", 10, pod="gw-3")  # without a single check
    assert (said["proc"], said["level"], said["result"]) == ("master", "warn", "down"), said
    assert "refused" in said["reason"] and said["address"] == pods[2].address and said["hint"], said
    pods[2].start()
    said = line(server, "pod answers again", 15, pod="gw-3")
    assert said["after_ms"] > 0, said
    assert len(lines(server, "pod fails")) == 1, lines(server)  # each worker has found it out


def test_a_pod_with_a_wrong_certificate(t):
    pods = t.cluster(2)
    fake = t.fake(pods, fakepod.always(fakepod.answer(200)), t.certs.issued("other.test"))
    server = t.syncer(pods, [fake], **QUICK)
    said = line(server, "pod fails", 10, pod=fake.name)
    assert "other.test" in said["reason"] and "gateway.test" in said["reason"], said
    assert "tls_server_name" in said["hint"], said


def test_a_pod_that_answers_otherwise(t):
    pods = t.cluster(3)
    pods.put("t")
    server = t.syncer(pods, **QUICK)
    pods[1].order("status 302")
    server.check("t", "gw-1")
    said = line(server, "pod fails", 10, pod="gw-2")
    assert (said["result"], said["code"]) == ("status", 302) and "error_page" in said["hint"], said
    pods[1].order()
    assert server.check("t", "gw-1").verdict == "Synced"
    line(server, "pod answers again", 15, pod="gw-2")


def test_a_pod_that_lags(t):
    pods = t.cluster(4, one_process=True)
    server = t.syncer(pods, **QUICK)
    pods.put("t", 0, 0, 0, None)
    assert server.check("t", "gw-1").verdict == "Partialy"
    said = line(server, "pod lags: a token that others had did not come in time", 10)
    assert said["pod"] == "gw-4" and "zone_sync" in said["hint"], said
    server.check("nobody-has-it", "gw-1")  # that is no pod's fault, and no sign of health
    pods.put("t2")
    assert server.check("t2", "gw-1").verdict == "Synced"
    assert line(server, "pod has caught up", 15)["pod"] == "gw-4"
    assert len(lines(server, "pod lags: a token that others had did not come in time")) == 1


# --- start, reload, end ---

def test_what_is_set_wrongly_is_said_once_at_start_and_at_reload(t):
    pods = t.cluster(2, one_process=True)
    server = t.syncer(pods, **{**QUICK, "tls_verify": False, "core_dumps": True, "retries": 1})

    first = [said["note"] for said in lines(server, "configuration")]
    for word in ("tls_verify", "core_dumps", "zone_sync_interval"):
        assert sum(word in note for note in first) == 1, first
    server.write(tls_verify=True, scheme="http")
    server.process.send_signal(signal.SIGHUP)
    line(server, "reload is done", 10)
    for word, times in (("scheme is http", 1), ("core_dumps", 1), ("tls_verify", 0)):
        assert sum(word in said["note"] for said in lines(server, "configuration")[len(first):]) == times, lines(server)


def test_how_many_connections_and_how_much_memory(t):
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, workers=2, host_keepalives=10, **QUICK)
    said = line(server, "connections to pods: one each is kept, more are opened under load")
    assert (said["workers"], said["pods"], said["kept"], said["most"]) == (2, 3, 6, 60), said
    assert 5 <= said["memory_mb"] <= said["memory_mb_most"] <= 20, said


def test_two_signals_that_were_pending_together_are_one(t):
    pods = t.cluster(2)
    server = t.syncer(pods, **{**QUICK, "connection_timeout": 900})
    pods[1].order("hang")
    answer = server.during("t", "gw-1")
    os.kill(server.process.pid, signal.SIGSTOP)
    proc.wait_until(lambda: proc.stopped(server.process.pid), why="the master was not stopped")
    os.kill(server.process.pid, signal.SIGINT)
    os.kill(server.process.pid, signal.SIGTERM)
    os.kill(server.process.pid, signal.SIGCONT)
    assert answer().verdict in ("NotSynced", "Timeout")  # it was finished
    assert server.process.wait(10) == 0
    assert lines(server, "draining") and not lines(server, "second signal: ending at once")


if __name__ == "__main__":
    sys.exit(tap.main())
