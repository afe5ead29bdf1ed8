#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What can be seen of it: /metrics as Prometheus reads it, /v1/pods and /v1/status."""
import datetime
import json
import os
import re
import signal
import socket
import sys
import time

from harness import proc, prometheus, tap
from harness.prometheus import scrape

QUICK = {"connection_timeout": 5000, "request_deadline": 20000}  # a busy machine is not what is looked for


def test_what_checks_find_is_counted(t):
    pods = t.cluster(4, one_process=True)
    server = t.syncer(pods, sync_timeout=20, retries=200, **QUICK)
    pods.put("everywhere")
    assert server.check("everywhere", "gw-1").verdict == "Synced"
    pods.put("late", 0, 0, 0, 400)
    assert server.check("late", "gw-1").verdict == "Synced"
    assert server.check("a b").error == "bad-request"
    server.write(sync_timeout=1, retries=1)
    server.reload()
    pods.put("some", 0, 0, 0, None)
    assert server.check("some", "gw-1").verdict == "Partialy"
    assert server.check("none", "gw-1").verdict == "NotSynced"
    m = scrape(server)
    assert [m[f'syncer_checks_total{{status="{s}"}}'] for s in ("Synced", "Partialy", "NotSynced", "Timeout")] == [2, 1, 1, 0]
    assert m['syncer_check_errors_total{error="bad-request"}'] == 1
    assert m["syncer_check_duration_seconds_count"] == 4
    assert m["syncer_check_duration_seconds_sum"] > 0.3
    # Only gw-4 was late: it alone has a lag, and a histogram of one.
    assert m["syncer_replication_lag_seconds_count"] == 1
    assert 0.3 < m["syncer_replication_lag_seconds_sum"] < 5
    assert m['syncer_replication_lag_seconds_bucket{le="0.3"}'] == 0
    assert m['syncer_replication_lag_seconds_bucket{le="+Inf"}'] == 1
    lags, longest = m.pods("syncer_pod_replication_lag_seconds"), m.pods("syncer_pod_replication_lag_max_seconds")
    assert list(lags) == ["gw-4"] == list(longest) and 0 <= longest["gw-4"] - lags["gw-4"] <= 0.002, (lags, longest)
    assert m.pods("syncer_pod_up") == {"gw-2": 1, "gw-3": 1, "gw-4": 1}
    found = {k: v for k, v in m.items() if k.startswith("syncer_probes_total")}
    assert found['syncer_probes_total{result="present"}'] == 3 + 3 + 2, found
    assert m["syncer_probe_duration_seconds_count"] == sum(found.values())
    assert m['syncer_pods{state="ready"}'] == m["syncer_pods_counting"] == 4
    assert m["syncer_pods_generation"] == 1


def test_the_program_itself_shows(t):
    pods = t.cluster(2, one_process=True)
    begun = time.time()
    server = t.syncer(pods, **QUICK)
    pods.put("t")
    assert server.check("t", "gw-1").verdict == "Synced"
    proc.wait_until(lambda: scrape(server)['syncer_workers{state="ready"}'] == 2, 20, why="there are two workers")
    proc.wait_until(lambda: scrape(server)["syncer_pod_connections_open"] >= 4, 20, why="two workers, two pods")
    m = scrape(server)
    assert m['syncer_workers{state="ready"}'] == m["syncer_workers_started_total"] == 2
    assert begun - 1 < m["process_start_time_seconds"] < time.time() + 1
    assert begun - 1 < m["syncer_pods_last_update_timestamp_seconds"] < time.time() + 1
    assert m["syncer_config_last_reload_successful"] == 1
    assert m["syncer_config_last_reload_success_timestamp_seconds"] == m["process_start_time_seconds"]
    assert m['syncer_scrapes_total{result="ok"}'] == 1
    assert len([k for k in m if k.startswith("syncer_build_info{version=")]) == 1
    assert m["syncer_connections_open"] >= 1
    assert m["syncer_worker_turn_seconds_count"] > 0 and m["syncer_master_turn_seconds_count"] > 0
    pids = [server.process.pid, *server.workers()]
    assert m["process_cpu_seconds_total"] > 0 and m["process_max_fds"] >= 3 * 256
    if not any("asan" in open(f"/proc/{pid}/maps").read() for pid in pids):
        resident = sum(int(open(f"/proc/{pid}/statm").read().split()[1]) for pid in pids) * os.sysconf("SC_PAGESIZE")
        assert 0.5 * resident < m["process_resident_memory_bytes"] < 1.5 * resident, resident
    fds = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
    proc.wait_until(lambda: abs(scrape(server)["process_open_fds"] - fds) <= 2, 10,
                    why=f"{fds} descriptors are not what is told")
    before, server.config["retries"] = m, 0
    server.write(port=-1)
    server.process.send_signal(signal.SIGHUP)
    proc.wait_until(lambda: scrape(server)["syncer_config_last_reload_successful"] == 0, 10)
    m = scrape(server)
    assert m['syncer_reloads_total{result="failed"}'] == 1
    key = "syncer_config_last_reload_success_timestamp_seconds"
    assert m[key] == before[key]
    server.write(port=pods.block.port, retries=3)
    server.reload()
    m = scrape(server)
    assert (m["syncer_config_last_reload_successful"], m['syncer_reloads_total{result="ok"}']) == (1, 1) and m[key] > before[key]


@tap.limit(120)
def test_sums_never_go_back(t):
    """Over worker deaths and reloads, with traffic, whichever worker answers."""
    pods = t.cluster(3, one_process=True)
    pods.put("t")
    server = t.syncer(pods, **QUICK)
    last = {}

    def look():
        for _ in range(4):  # new connections: now this worker, now that one
            now = scrape(server).counters()
            back = {k: (v, now.get(k)) for k, v in last.items() if now.get(k, -1) < v}
            assert not back, back
            last.update(now)

    checks = 0
    for i in range(8):
        for _ in range(10):
            assert server.check("t", "gw-1").verdict == "Synced"
        checks += 10
        look()
        if i % 2 == 0:
            victim = server.workers()[0]
            os.kill(victim, signal.SIGKILL)
            proc.wait_until(lambda v=victim: not proc.alive(v) and len(server.workers()) == 2, 10)
            proc.wait_until(lambda: server.get("/readyz").status == 200, 10)
        else:
            server.reload()
        look()
    m = scrape(server)
    assert m['syncer_checks_total{status="Synced"}'] == checks, m['syncer_checks_total{status="Synced"}']
    assert m["syncer_workers_crashed_total"] == 4 and m['syncer_reloads_total{result="ok"}'] == 4
    assert m["syncer_check_duration_seconds_count"] == checks


def reload_with(server, static):
    """Other pods: the new workers may serve an instant before these are in force."""
    server.write(static=static)
    server.reload()
    names = sorted(entry["name"] for entry in static)
    proc.wait_until(lambda: sorted(pod["name"] for pod in server.get("/v1/pods").json()["pods"]) == names, 10)


def test_what_is_shown_of_a_pod_goes_with_it(t):
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, sync_timeout=20, retries=200, **QUICK)
    pods.put("t", 0, 200, 300)
    assert server.check("t", "gw-1").verdict == "Synced"
    assert set(scrape(server).pods("syncer_pod_replication_lag_seconds")) == {"gw-2", "gw-3"}
    reload_with(server, [pods[0].entry(), pods[1].entry()])
    m = scrape(server)
    for family in ("syncer_pod_replication_lag_seconds", "syncer_pod_replication_lag_max_seconds", "syncer_pod_up"):
        assert set(m.pods(family)) == {"gw-2"}, (family, m.pods(family))
    assert m["syncer_pods_counting"] == 2 and m["syncer_pods_generation"] == 2
    # Another pod of the same name begins anew.
    reload_with(server, [pods[0].entry(), {**pods[2].entry(), "name": "gw-2"}])
    proc.wait_until(lambda: scrape(server)["syncer_pods_generation"] == 3, 10)
    assert scrape(server).pods("syncer_pod_replication_lag_seconds") == {}


def test_a_pod_that_does_not_answer_is_not_up(t):
    pods = t.cluster(3)
    server = t.syncer(pods, sync_timeout=20, retries=2)
    pods.put("t")
    assert server.check("t", "gw-1").verdict == "Synced"
    assert scrape(server).pods("syncer_pod_up") == {"gw-2": 1, "gw-3": 1}
    pods[2].kill()
    assert server.check("t", "gw-1").pods == "1/2"
    m = scrape(server)
    assert m.pods("syncer_pod_up") == {"gw-2": 1, "gw-3": 0}
    assert m['syncer_probes_total{result="connect"}'] + m['syncer_probes_total{result="broken"}'] >= 1


def many(pods, n=700):
    """Entries of pods that nobody answers for."""
    return [{"name": f"nobody-{i:04d}", "address": pods.block.address(200), "port": 20000 + i} for i in range(n)]


def raw(server, request):
    with socket.create_connection((server.address, server.port), 10) as sock:
        sock.sendall(request.encode())
        return b"".join(iter(lambda: sock.recv(65536), b"")).decode()


def test_long_answers_come_in_slices(t):
    pods = t.cluster(2, one_process=True)
    pods.put("t")
    server = t.syncer(pods, connection_timeout=200, request_deadline=1000, sync_timeout=20, retries=2)
    reload_with(server, pods.config()["static"] + many(pods))
    verbose = server.check("t", "gw-1", "verbose=1")
    assert verbose.headers["transfer-encoding"] == "chunked" and "content-length" not in verbose.headers
    body = verbose.json()
    assert (body["peers"], len(body["pods"]), body["expected"]) == (701, 701, 1), str(verbose)[:300]
    assert len({pod["name"] for pod in body["pods"]}) == 701
    link = server.connect()
    for _ in range(2):  # on one connection: the framing holds
        answer = server.request("GET", "/v1/pods", link=link)
        body = answer.json()
        assert answer.headers["transfer-encoding"] == "chunked"
        assert (body["count"], len(body["pods"]), body["generation"]) == (702, 702, 2)
        assert server.request("GET", "/metrics", link=link).status == 200
    link.close()
    m = scrape(server)
    assert len(m.pods("syncer_pod_up")) == 701 and m['syncer_pods{state="ready"}'] == 702
    assert prometheus.missing() or prometheus.lint(server.get("/metrics").body) == ""
    for target in ("/v1/pods", "/metrics"):
        old = raw(server, f"GET {target} HTTP/1.0\r\n\r\n")
        head, _, body = old.partition("\r\n\r\n")
        assert "chunked" not in head and "Connection: close" in head and len(body) > 30000, head
        assert body.endswith("]}" if target == "/v1/pods" else "\n"), body[-100:]
        head = server.request("HEAD", target)
        assert (head.status, head.body, head.headers["transfer-encoding"]) == (200, b"", "chunked")


def test_a_list_that_changes_under_a_reader(t):
    """An answer is of one generation, whatever happens while it is read."""
    pods = t.cluster(2, one_process=True)
    server = t.syncer(pods, shutdown_grace=30000, client_timeout=30000)
    reload_with(server, pods.config()["static"] + many(pods, 3000))
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # else the server's buffer takes all of it at once
        slow.settimeout(20)
        slow.connect((server.address, server.port))
        slow.sendall(b"GET /v1/pods HTTP/1.0\r\n\r\n")
        got = slow.recv(1000)
        for i in range(1, 4):  # as often as a reader has copies, and once more
            server.write(static=pods.config()["static"] + many(pods, i))
            server.process.send_signal(signal.SIGHUP)
            proc.wait_until(lambda n=i: f'"count":{n + 2},' in server.get("/v1/pods").body.decode(), 10)
        got += b"".join(iter(lambda: slow.recv(65536), b""))
    body = json.loads(got.partition(b"\r\n\r\n")[2])
    assert (body["generation"], body["count"], len(body["pods"])) == (2, 3002, 3002), str(body)[:200]
    assert {pod["name"] for pod in body["pods"]} == {e["name"] for e in pods.config()["static"] + many(pods, 3000)}


def test_methods_and_head(t):
    server = t.syncer(t.cluster(1))
    head = server.request("HEAD", "/metrics")
    assert (head.status, head.body) == (200, b"")
    # The length of a page that is one slice; a longer one is sent in chunks.
    assert int(head.headers.get("content-length", 0)) > 1000 or head.headers["transfer-encoding"] == "chunked", head.headers
    assert head.headers["content-type"].startswith("text/plain; version=0.0.4")
    for method in ("POST", "DELETE"):
        answer = server.request(method, "/metrics", [("Content-Length", "0")])
        assert (answer.status, answer.headers["allow"], answer.error) == (405, "GET, HEAD", None)
    m = scrape(server)
    assert m['syncer_check_errors_total{error="bad-request"}'] == 0 and m['syncer_http_requests_total{class="4xx"}'] == 2
    assert server.request("POST", "/v1/synced", [("Content-Length", "0")]).error == "bad-request"
    assert scrape(server)['syncer_check_errors_total{error="bad-request"}'] == 1


def test_no_token_is_shown(t):
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, sync_timeout=20, retries=3)
    tokens = ["SECRET-present", "SECRET-absent", "SECRET-'~!"]
    pods.put(tokens[0])
    for token in tokens:
        server.check(token, "gw-1")
        server.check(token, "gw-9", "verbose=1&strict=1")
    server.request("GET", "/v1/synced?SECRET-query", [("X-Auth-Token", "SECRET b")])
    for target in ("/metrics", "/v1/pods", "/v1/status"):
        assert "SECRET" not in server.get(target).body.decode()


def test_promtool_has_nothing_to_say(t):
    if prometheus.missing():
        raise tap.Skip(prometheus.missing())
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, sync_timeout=20, retries=200, **QUICK)
    pods.put("t", 0, 0, 200)
    assert server.check("t", "gw-1").verdict == "Synced"
    page = server.get("/metrics").body
    assert prometheus.lint(page) == ""
    assert prometheus.lint(page.replace(b"_total", b"_ms_count")) != ""  # it would say something


@tap.limit(120)
def test_prometheus_scrapes_it(t):
    if prometheus.missing():
        raise tap.Skip(prometheus.missing())
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, sync_timeout=20, retries=200, **QUICK)
    prom = t.keep(prometheus.Prometheus(os.path.join(t.folder, "prometheus"), pods.block.address(252),
                                         f"{server.address}:{server.port}")).start()
    proc.wait_until(lambda: prom.value('up{job="syncer"}') == 1, 30, step=0.1, why="it was not scraped")
    for i in range(10):
        pods.put(f"t{i}", 0, 0, 100 + 30 * i)
        assert server.check(f"t{i}", "gw-1").verdict == "Synced"
    proc.wait_until(lambda: prom.value('sum(syncer_checks_total)') == 10, 20, step=0.1, why="the checks are not seen")
    assert prom.value('syncer_checks_total{status="Synced"}') == 10
    quantile = prom.value("histogram_quantile(0.5, syncer_replication_lag_seconds_bucket)")
    assert 0.05 < quantile < 5, quantile
    assert prom.value("histogram_quantile(0.99, sum by (le) (syncer_check_duration_seconds_bucket))") >= quantile
    assert prom.value("sum(syncer_pods)") == 3 and prom.value('syncer_workers{state="ready"}') == 2
    assert set(prom.query("syncer_pod_replication_lag_max_seconds")) == {
        '{"__name__": "syncer_pod_replication_lag_max_seconds", "pod": "gw-3"}'}
    assert prom.value("time() - process_start_time_seconds") < 120
    assert prom.value('scrape_samples_scraped{job="syncer"}') == len(scrape(server))
    os.kill(server.workers()[0], signal.SIGKILL)
    proc.wait_until(lambda: prom.value("syncer_workers_crashed_total") == 1, 20, step=0.1)
    assert prom.value("resets(syncer_checks_total{status=\"Synced\"}[1m])") == 0


def test_status(t):
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, **QUICK)
    pods.put("t")
    assert server.check("t", "gw-1").verdict == "Synced"
    status = server.get("/v1/status").json()
    assert status["master_pid"] == server.process.pid
    proc.wait_until(lambda: sorted(worker["pid"] for worker in server.get("/v1/status").json()["workers"]) ==
                    sorted(server.workers()), 20, why="not all workers are shown")
    assert re.fullmatch("static: .*", status["source"]), status["source"]
    assert status["checks"]["Synced"] == 1 and status["configuration_generation"] == 1
    m = scrape(server)
    for at, family in ((status["started_at"], "process_start_time_seconds"),
                       (status["table"]["read_at"], "syncer_pods_last_update_timestamp_seconds"),
                       (status["configuration_loaded_at"], "syncer_config_last_reload_success_timestamp_seconds")):
        assert abs(datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() - m[family]) < 0.002, (at, family)
    assert status["last_reload_successful"] is True
    server.write(port=-1)
    server.process.send_signal(signal.SIGHUP)
    proc.wait_until(lambda: server.get("/v1/status").json()["last_reload_successful"] is False, 10)


def test_the_readme_lists_every_family(t):
    server = t.syncer(t.cluster(1))
    page = server.get("/metrics").body.decode()
    helps = dict(re.findall("^# HELP ([a-z_]+) (.*)$", page, re.M))
    types = prometheus.Metrics(page).types
    with open(os.path.join(os.environ.get("SYNCER_SRCDIR", "../.."), "README.md")) as f:
        rows = re.findall(r"^\| `((?:syncer|process)_[a-z_]+)(?:\{[a-z]+\})?` \| ([a-z]+) \| (.*) \|$", f.read(), re.M)
    assert {name: (kind, text) for name, kind, text in rows} == {name: (types[name], helps[name]) for name in helps}


if __name__ == "__main__":
    sys.exit(tap.main())
