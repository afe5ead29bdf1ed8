#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""syncerctl doctor on set-ups that are broken, one thing at a time: it names it, says what to do, and ends with 1; on one that
is not, with 0. Against the API server of the harness; test_kube_doctor.py has a real one."""
import json
import sys

from harness import ctl, fakepod, kube, proc, tap
from harness.ctl import doctor, expect, texts

ABSENT = fakepod.always(fakepod.answer(401))


def only_bad(findings, topic):
    """Nothing else must change."""
    assert {f["topic"] for f in findings if f["level"] == "bad"} == {topic}, json.dumps(findings, indent=1)


def start(t, n=3, more=(), **config):
    pods = t.cluster(n)
    server = t.syncer(pods, more=more(pods) if more else (), control_probe="warn", **config)
    return pods, server


def wait_pods(server, key, value, n=1):
    """Until so many pods have that in /v1/pods."""
    proc.wait_until(lambda: sum(pod[key] == value for pod in server.get("/v1/pods").json()["pods"]) >= n, 10,
                    why=f"{n} pods should be {key}={value}")


def test_all_is_well(t):
    pods, server = start(t)
    wait_pods(server, "location", "protected", 3)
    found = doctor("--url", server.url)
    expect(found, "ok", "server", "syncer 1.", "2 workers")
    expect(found, "ok", "source", "static: 3 pods")
    expect(found, "ok", "pods", "3 of 3 pods count")
    expect(found, "ok", "patience", "1450 ms", "1000 ms")
    expect(found, "ok", "probes", "all 3 pods answer 401")
    expect(found, "ok", "certificates", "good until")
    assert server.get("/v1/status").json()["checks"]["NotSynced"] == 0, "no statistics of failures grow"
    found = doctor("-c", server.config_path)
    expect(found, "ok", "configuration", server.config_path)
    expect(found, "ok", "server", server.url)
    expect(found, "ok", "own list", "static: 3 pods")
    expect(found, "ok", "own probes", "all 3 pods answer 401")


def test_a_certificate_for_another_name(t):
    pods, server = start(t, tls_server_name="other.test")
    for found, topic in ((doctor("--url", server.url), "probes"), (doctor("-c", server.config_path), "own probes")):
        expect(found, "bad", topic, "gw-1, gw-2, gw-3 fail in TLS", "gateway.test", "other.test", "set tls_server_name")


def test_certificates_that_end(t):
    def more(pods):
        soon = t.certs.signed("soon", f"/CN={pods.host}", f"subjectAltName=DNS:{pods.host}", days=5)
        return [t.fake(pods, ABSENT, soon), t.fake(pods, ABSENT, t.certs.expired(pods.host))]
    pods, server = start(t, more=more)
    wait_pods(server, "certificate_expires_at", "2020-02-01T00:00:00.000Z")
    soon = [p["certificate_expires_at"] for p in server.get("/v1/pods").json()["pods"] if p["name"] == "fake-1"][0]
    for found in (doctor("--url", server.url), doctor("-c", server.config_path)):
        expect(found, "bad", "certificates", "less than 14 days left: fake-1", soon[:10], "renew it")
        expect(found, "bad", "certificates", "expired: fake-2", "renew it")
        expect(found, "bad", "probes", "pod fake-2 fails in TLS", "has expired")
    m = {line.split()[0]: float(line.split()[1]) for line in server.get("/metrics").body.decode().splitlines()
         if line.startswith("syncer_pod_certificate_expiry_timestamp_seconds{")}
    assert len(m) == 5 and m['syncer_pod_certificate_expiry_timestamp_seconds{pod="fake-2"}'] == 1580515200, m
    said = ctl.run("pods", "--url", server.url)
    assert said.code == 0 and "2020-02-01" in said.out and soon[:10] in said.out, said


def test_certificates_that_nobody_verifies(t):
    pods, server = start(t, tls_verify=False)
    found = doctor("--url", server.url)
    expect(found, "warn", "tls", "not verified", "tls_verify: true")
    expect(found, "ok", "certificates", "good until")


def test_a_probe_location_that_is_open(t):
    pods, server = start(t, more=lambda pods: [t.fake(pods, fakepod.always(fakepod.answer(200)))])
    wait_pods(server, "location", "unprotected")
    found = doctor("--url", server.url)
    expect(found, "bad", "control probe", "pod fake-1 says 200 to any token", "auth_jwt")
    expect(found, "bad", "probes", "pod fake-1 says 200 to any token")
    expect(doctor("-c", server.config_path), "bad", "own probes", "pod fake-1 says 200 to any token")


def test_error_page_401(t):
    pods, server = start(t)
    for pod in pods:
        pod.order("status 302")
    for found, topic in ((doctor("--url", server.url), "probes"), (doctor("-c", server.config_path), "own probes")):
        expect(found, "bad", topic, "gw-1, gw-2, gw-3 answer 302", "still has error_page 401", "contrib/nginx/probe.conf")


def test_patience(t):
    pods, server = start(t, retries=7)
    found = doctor("--url", server.url)
    only_bad(found, "patience")
    expect(found, "bad", "patience", "1050 ms, less than 1.2 x zone_sync_interval (1000 ms)", "raise retries")
    only_bad(doctor("-c", server.config_path), "patience")


def test_a_pod_that_is_gone(t):
    pods, server = start(t)
    pods[1].stop()
    expect(doctor("--url", server.url), "bad", "probes", "gw-2", "no connection")
    expect(doctor("-c", server.config_path), "bad", "own probes", "gw-2 takes no connection", "refused")


def test_a_reload_that_failed(t):
    pods, server = start(t, watch_files=False)
    server.write(retries=-1)
    server.process.send_signal(1)
    proc.wait_until(lambda: not server.get("/v1/status").json()["last_reload_successful"], 10)
    expect(doctor("--url", server.url), "bad", "configuration", "the last reload failed")
    expect(doctor("-c", server.config_path), "bad", "configuration", "retries", "config.yaml:")


def test_who_may_ask(t):
    pods = t.cluster(2)
    admin = f"{pods.block.address(252)}:9090"
    server = t.syncer(pods, admin_listen=admin, allow="10.255.255.1")
    found = doctor("--url", server.url)
    expect(found, "bad", "server", "has no /v1/status", "--admin-url")
    found = doctor("--url", f"http://{admin}")
    expect(found, "note", "checks", "answers no checks")
    found = doctor("-c", server.config_path)
    expect(found, "ok", "server", admin)
    expect(found, "note", "checks", "not allowed from here")
    assert server.stop() == 0
    expect(doctor("-c", server.config_path), "note", "server", "Does syncer run")
    expect(doctor("-c", server.config_path, "--url", server.url), "bad", "server", "Does syncer run")


# ---- Kubernetes ----

def cluster(t, setup=None, **config):
    """As syncer sees it whose pods are recordings; they have no probe location."""
    pods = t.cluster(1)
    api = t.keep(kube.Kube(t.folder, t.certs, pods.block.address(200)))
    if setup:
        setup(api)
    server = t.syncer(pods, start=False, **{**api.config(), "connection_timeout": 100, **config})
    server.env = api.env()
    return api, server.start(ready=False)


def forbid(step, watch=False):
    def setup(api):
        name = "pods-watch-403" if watch else {"deployment": "deployment-get-403"}.get(step, f"{step}-list-403")
        faults = api.watch_faults if watch else api.faults
        faults[step] = lambda request: request.reply(403, kube.recording(f"{name}.json"))
    return setup


def test_rbac(t):
    for step in ("deployment", "replicasets", "pods"):
        api, server = cluster(t, forbid(step))
        ctl.wait_status(server, lambda s: s["table"]["error"])
        resource = {"deployment": "deployments"}.get(step, step)
        verb = "get" if step == "deployment" else "list"
        for found, topic in ((doctor("--url", server.url), "source"), (doctor("-c", server.config_path, **api.env()), "own list"),
                             (doctor("-c", server.config_path, **api.env()), "own rights")):
            expect(found, "bad", topic, f"verb {verb} on resource {resource}", "roles/")
            assert not texts(found, "bad", "pods"), "a list that was never read is not an empty one"
        server.close()


def test_an_api_server_that_is_ill(t):
    api, server = cluster(t, lambda api: api.faults.update(pods=lambda request: request.reply(500, b"{}")))
    ctl.wait_status(server, lambda s: s["table"]["error"])
    found = doctor("--url", server.url)
    expect(found, "bad", "source", "status 500", "does syncer reach")


def test_all_rights_that_are_missing(t):
    """Each in one go, and not the first alone."""
    def setup(api):
        for step in ("replicasets", "pods"):
            forbid(step)(api)
        forbid("deployment", watch=True)(api)
    api, server = cluster(t, setup)
    ctl.wait_status(server, lambda s: s["table"]["error"] and s["watch_error"])  # both of doctor's runs find the same
    found = doctor("-c", server.config_path, **api.env())
    assert len(texts(found, "bad", "own rights")) == 3, json.dumps(found, indent=1)
    for verb, resource in (("watch", "deployments"), ("list", "replicasets"), ("list", "pods")):
        expect(found, "bad", "own rights", f"verb {verb} on resource {resource} ")
    expect(found, "ok", "own rights", "get deployments, watch replicasets, watch pods")


def test_rbac_watch(t):
    api, server = cluster(t, forbid("pods", watch=True))
    ctl.wait_status(server, lambda s: s["watch_error"])
    for found, topic in ((doctor("--url", server.url), "watch"), (doctor("-c", server.config_path, **api.env()), "own rights")):
        expect(found, "bad", topic, "verb watch on resource pods", "roles/")


def test_an_error_is_over_when_it_is(t):
    api, server = cluster(t, forbid("pods"))
    ctl.wait_status(server, lambda s: s["table"]["error"])
    api.faults.clear()
    ctl.wait_status(server, lambda s: s["table"]["error"] is None and s["table"]["pods"] == 3)


def test_pods_that_do_not_count(t):
    api, server = cluster(t, lambda api: setattr(api, "phase", "v1.36-2-rolling"))
    ctl.wait_status(server, lambda s: s["table"]["pods"] > 0)
    for found, topic in ((doctor("--url", server.url), "pods"), (doctor("-c", server.config_path, **api.env()), "own list")):
        expect(found, "warn", topic, "left out: ", "is not ready", "kubectl describe pod")
        expect(found, "note", topic, "left out: ", "is being deleted")
    api.phase = "v1.36-5-zero"
    ctl.wait_status(server, lambda s: s["table"]["counting"] == 0)
    for found, topic in ((doctor("--url", server.url), "pods"), (doctor("-c", server.config_path, **api.env()), "own list")):
        expect(found, "bad", topic, "the list of pods is empty", "selector")


def test_no_way_to_the_api_server(t):
    api, server = cluster(t)
    found = doctor("-c", server.config_path, HOME="/nonexistent")
    expect(found, "bad", "own list", "no way to the API server")


if __name__ == "__main__":
    sys.exit(tap.main())
