#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What syncer answers to a check, by real pods in every mixture."""
import sys

from harness import fakepod, tap

QUICK = {"sync_timeout": 50, "retries": 3}  # patience 150 ms: for verdicts that are not Synced
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def verdict(answer, status, pods, code=200):
    assert (answer.status, answer.verdict, answer.pods) == (code, status, pods), str(answer)


def test_synced(t):
    pods = t.cluster(4, one_process=True)
    server = t.syncer(pods)
    pods.put("t")
    got = server.check("t", "gw-1")
    verdict(got, "Synced", "3/3")
    assert got.headers["content-length"] == "0" and got.body == b""
    assert got.headers["cache-control"] == "no-store"
    assert 0 <= int(got.headers["x-token-sync-ms"]) < 1000
    assert got.headers["x-request-id"]
    assert got.error is None


def test_the_origin_is_not_asked(t):
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods)
    pods.put("t", None, 0, 0)
    before = pods[0].counters()["probes"]
    verdict(server.check("t", "gw-1"), "Synced", "2/2")
    verdict(server.check("t", pods[0].address), "Synced", "2/2")
    assert pods[0].counters()["probes"] == before


def test_without_an_origin_all_are_asked(t):
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, **QUICK)
    pods.put("t", None, 0, 0)
    verdict(server.check("t", "-"), "Partialy", "2/3")
    pods[0].put("t")
    verdict(server.check("t", "-"), "Synced", "3/3")
    verdict(server.check("t", "gw-unknown"), "Synced", "3/3")


def test_it_waits_for_the_last_pod(t):
    pods = t.cluster(4, one_process=True)
    server = t.syncer(pods)
    pods.put("t", 0, 0, 200, 600)
    got = server.check("t", "gw-1")
    verdict(got, "Synced", "3/3")
    # The pod's clock began some ms before the check's.
    assert 500 < got.ms < 1450, got.ms
    assert pods[1].counters()["probes"] < pods[3].counters()["probes"], "a pod that has it is not asked again"


def test_partialy_and_not_synced(t):
    pods = t.cluster(6, one_process=True)
    server = t.syncer(pods, **QUICK)
    pods.put("most", 0, 0, 0, 0, None, None)
    verdict(server.check("most", "gw-1"), "Partialy", "3/5")
    verdict(server.check("most", "gw-6"), "Partialy", "4/5")
    pods.put("half", 0, 0, 0, None, None, 0)
    verdict(server.check("half", "gw-1"), "Partialy", "3/5")
    verdict(server.check("half", "-"), "Partialy", "4/6")
    pods[1].drop("half")
    verdict(server.check("half", "-"), "NotSynced", "3/6")  # half is not more than half
    verdict(server.check("nowhere", "-"), "NotSynced", "0/6")


def test_patience_is_as_long_as_configured(t):
    pods = t.cluster(2, one_process=True)
    server = t.syncer(pods, sync_timeout=100, retries=4)
    got = server.check("never", "gw-1")
    verdict(got, "NotSynced", "0/1")
    assert 400 <= got.ms < 900, got.ms
    pods.put("late", 0, 360)  # the last question comes at the end of patience
    verdict(server.check("late", "gw-1"), "Synced", "1/1")


def test_timeout(t):
    pods = t.cluster(3)
    server = t.syncer(pods, request_deadline=400, connection_timeout=3000)
    pods.put("t")
    pods[2].order("hang")
    got = server.check("t", "gw-1")
    verdict(got, "Timeout", "1/2")
    assert 400 <= got.ms < 900, got.ms


def test_a_hanging_pod_fails_within_the_deadline(t):
    pods = t.cluster(3)
    server = t.syncer(pods, connection_timeout=200)
    pods.put("t")
    pods[2].order("hang")
    got = server.check("t", "gw-1")
    verdict(got, "NotSynced", "1/2")
    assert got.ms < 2000, got.ms


def test_strict(t):
    pods = t.cluster(4, one_process=True)
    server = t.syncer(pods, **QUICK)
    pods.put("all")
    pods.put("most", 0, 0, 0, None)
    for query, codes in (("strict=0", (200, 200, 200)), ("strict=1", (200, 403, 403)),
                         ("strict=majority", (200, 200, 403))):
        verdict(server.check("all", "gw-1", query), "Synced", "3/3", codes[0])
        verdict(server.check("most", "gw-1", query), "Partialy", "2/3", codes[1])
        verdict(server.check("none", "gw-1", query), "NotSynced", "0/3", codes[2])


def test_verbose(t):
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, **QUICK)
    pods.put("t", 0, 0, None)
    got = server.check("t", "gw-1", "verbose=1")
    verdict(got, "NotSynced", "1/2")
    assert got.headers["content-type"] == "application/json"
    body = got.json()
    assert (body["status"], body["peers"], body["expected"]) == ("NotSynced", 2, 1), body
    by_name = {pod["name"]: pod for pod in body["pods"]}
    assert set(by_name) == {"gw-2", "gw-3"}
    assert by_name["gw-2"]["result"] == "present" and by_name["gw-2"]["code"] == 200
    assert by_name["gw-2"]["attempts"] == 1 and by_name["gw-2"]["ms"] >= 0 and by_name["gw-2"]["reason"] == ""
    assert by_name["gw-3"]["result"] == "absent" and by_name["gw-3"]["code"] == 401
    assert by_name["gw-3"]["attempts"] >= 3 and by_name["gw-3"]["ms"] is None and "401" in by_name["gw-3"]["reason"]


def test_expect_absent(t):
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, **QUICK)
    pods.put("t")
    verdict(server.check("t", "gw-1", "expect=absent"), "NotSynced", "0/2")
    pods[1].drop("t")
    pods[2].drop("t")
    got = server.check("t", "gw-1", "expect=absent&verbose=1")
    verdict(got, "Synced", "2/2")
    assert [pod["proven"] for pod in got.json()["pods"]] == [True, True], got.body


def test_head(t):
    pods = t.cluster(2, one_process=True)
    server = t.syncer(pods)
    pods.put("t")
    got = server.check("t", "gw-1", method="HEAD")
    verdict(got, "Synced", "1/1")
    assert got.body == b""


def test_ids_go_through_and_nothing_else(t):
    pods = t.cluster(1)
    fake = t.fake(pods, fakepod.always(fakepod.answer(200)))
    server = t.syncer(pods, [fake])
    got = server.check("t", "gw-1", headers=[("X-Request-ID", "abc.1"), ("traceparent", TRACE), ("X-Evil", "e"),
                                             ("Accept", "text/evil")])
    verdict(got, "Synced", "1/1")
    assert got.headers["x-request-id"] == "abc.1"
    head = fake.head.decode().lower().split("\r\n")
    assert head[0] == "get /_synced http/1.1"
    assert "x-request-id: abc.1" in head and f"traceparent: {TRACE}" in head
    assert f"host: {pods.host}" in head and "cookie: auth_token=t" in head
    assert "evil" not in fake.head.decode()
    got = server.check("t", "gw-1", headers=[("X-Request-ID", "no blank"), ("traceparent", "01-x")])
    assert len(got.headers["x-request-id"]) == 32
    assert b"traceparent" not in fake.head.lower()


def test_every_token_that_a_cookie_may_carry(t):
    pods = t.cluster(1)
    fake = t.fake(pods, fakepod.always(fakepod.answer(200)))
    server = t.syncer(pods, [fake])
    odd = "".join(chr(c) for c in range(0x21, 0x7f) if chr(c) not in '",;\\')
    for token in ("x", odd, "x" * 4096):
        verdict(server.check(token, "gw-1"), "Synced", "1/1")
        assert f"Cookie: auth_token={token}\r\n" in fake.head.decode() + "\r\n"


def test_an_origin_without_the_token(t):
    """origin_check: nothing can come from it, so nobody is waited for."""
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, origin_check="on", retries=100, connection_timeout=5000, request_deadline=20000)
    got = server.check("nowhere", "gw-1", "verbose=1")
    verdict(got, "NotSynced", "0/2")
    assert got.json()["reason"] == "origin-without-token" and got.ms < 10000, str(got)
    pods.put("late", 0, 300, 300)
    got = server.check("late", "gw-1", "verbose=1")
    verdict(got, "Synced", "2/2")
    assert got.json()["reason"] == ""


def test_no_token_in_what_it_writes(t):
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, access_log=True, **QUICK)
    secret = "0123456789-a-secret-9876543210"
    got = [server.check(secret, "gw-1", "verbose=1"), server.check(secret, "a b"), server.check(secret + '"', "gw-1"),
           server.get("/v1/pods"), server.get("/v1/status")]
    server.stop()
    assert not any(b"a-secret" in g.body or "a-secret" in str(g.headers) for g in got)
    assert "a-secret" not in server.log()
    assert "NotSynced" in server.log()


if __name__ == "__main__":
    sys.exit(tap.main())
