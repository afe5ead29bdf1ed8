#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Alert rules and dashboard, judged by promtool and a real Prometheus that scrapes a real syncer."""
import json
import os
import re
import subprocess
import sys

from harness import cluster, proc, prometheus, tap

SOURCE = os.environ.get("SYNCER_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
RULES = os.path.join(SOURCE, "helm", "ng-apigw-syncer", "files", "alerts.yaml")
RULE_TESTS = os.path.join(SOURCE, "tests", "alerts", "alerts_test.yaml")
DASHBOARD = os.path.join(SOURCE, "contrib", "grafana", "syncer.json")
FAMILY = re.compile(r"\b(?:syncer|process)_[a-z_]+")
QUICK = {"sync_timeout": 50, "retries": 1}


def text(*path):
    with open(os.path.join(SOURCE, *path)) as f:
        return f.read()


def promtool(*args):
    done = subprocess.run(["promtool", *args], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_promtool_takes_the_rules(t):
    code, said = promtool("check", "rules", RULES)
    assert code == 0, said


def test_each_rule_fires_when_it_should(t):
    code, said = promtool("test", "rules", RULE_TESTS)
    assert code == 0, said


def test_each_alert_has_a_test_and_a_runbook(t):
    rules, tests, runbooks = text(RULES), text(RULE_TESTS), text("contrib", "doc", "runbooks.md")
    alerts = re.findall(r"alert: (\w+)", rules)
    assert len(alerts) == len(set(alerts)) >= 12
    assert re.findall(r"^## (\w+)", runbooks, re.M) == alerts, "in the order of the rules"
    for alert in alerts:
        assert alert in tests, f"{alert} is not tested"
        assert f"runbooks.md#{alert.lower()}\n" in rules, f"{alert} has no runbook"


def families(server):
    known = set(prometheus.scrape(server).types)
    return known | {f"{name}_bucket" for name in known}


def test_rules_and_dashboard_ask_for_what_there_is(t):
    pods = t.cluster(2, one_process=True)
    server = t.syncer(pods)
    asked = set(FAMILY.findall(text(RULES).split("groups:")[1]) + FAMILY.findall(text(DASHBOARD)))
    missing = asked - families(server)
    # Families of single pods come with the first result.
    documented = set(FAMILY.findall(text("README.md")))
    assert missing <= {name for name in documented if name.startswith("syncer_pod_")}, missing


def test_prometheus_answers_every_panel(t):
    if prometheus.missing():
        raise tap.Skip(prometheus.missing())
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, control_probe=None, sync_timeout=20, retries=200, connection_timeout=5000, request_deadline=20000)
    prom = t.keep(prometheus.Prometheus(os.path.join(t.folder, "prometheus"), pods.block.address(252),
                                         f"{server.address}:{server.port}")).start()
    pods.put("late", 0, 0, 300)
    assert server.check("late", "gw-1").verdict == "Synced"
    proc.wait_until(lambda: prom.value("min_over_time(syncer_checks_total{status=\"Synced\"}[10s])") == 1, 30, step=0.1,
                    why="it was not scraped twice")
    pods.put("late2", 0, 0, 300)
    assert server.check("late2", "gw-1").verdict == "Synced"
    queries = [(panel["title"], target["expr"]) for panel in json.loads(text(DASHBOARD))["panels"] for target in panel["targets"]]
    assert len(queries) > 25
    for title, query in queries:
        for name, value in (("$job", ".*"), ("$instance", ".*"), ("$__rate_interval", "1m")):
            query = query.replace(name, value)
        assert "$" not in query, f"{title}: {query}"
        # What only shows trouble is empty in health.
        if title != "Pods that need a look":
            proc.wait_until(lambda: prom.query(query), 20, step=0.2, why=f"{title}: nothing for {query}")
        else:
            prom.query(query)


def test_a_pod_that_never_gets_a_token_is_late(t):
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, **QUICK)

    def late():
        return prometheus.scrape(server).pods("syncer_pod_late")
    for i in range(3):
        pods.put(f"t{i}", 0, 0, None)
        assert server.check(f"t{i}").verdict == "Partialy"
    assert late() == {"gw-1": 0, "gw-2": 0, "gw-3": 1}
    assert [p["late"] for p in server.get("/v1/pods").json()["pods"]] == [False, False, True]
    pods.put("everywhere")
    assert server.check("everywhere").verdict == "Synced"
    assert late() == {"gw-1": 0, "gw-2": 0, "gw-3": 0}


if __name__ == "__main__":
    sys.exit(tap.main(lambda: cluster.missing() or prometheus.missing()))
