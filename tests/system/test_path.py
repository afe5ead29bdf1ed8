#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The whole path of a person who installs syncer, step by step as the README has it, on a real kube-apiserver with its
controllers: from `helm install` to a login that waits, a browser that shows it, an update that nobody notices, and
`helm uninstall`. `make check-install` runs it with what `make install` has installed."""
import json
import os
import re
import subprocess
import sys

from harness import browser, ctl, gateway, helm, node, proc, release, tap
from harness.release import RELEASE, Place, Users

TOKEN = "a-token-of-somebody"
# The machine itself may ask, too; in a cluster it would be syncerctl in syncer's own pod.
MAY_ASK = "config.allow={pods,127.0.0.1/32}"
KINDS = ("deployment,replicaset,pod,service,endpoints,configmap,secret,serviceaccount,role,rolebinding,networkpolicy,"
         "poddisruptionbudget")


class Path:
    """What the steps share."""

    def __init__(self, t):
        self.t, self.program, self.place = t, helm.each()[-1], Place(t)
        self.pods = self.place.gateways
        self.url = f"http://{self.place.service_address}:8080"
        self.admin = f"http://{self.place.service_address}:9090"
        self.reloads = 0

    def syncers(self):
        """Without the container of `helm test`."""
        return [c for c in self.place.node.containers() if c.pod["metadata"]["labels"]["app.kubernetes.io/component"] == "syncer"]

    def say(self, what):
        print(f"# {what}", flush=True)

    def change(self, *settings):
        """helm upgrade; each pod takes the values as a new configuration, without a restart."""
        self.say("helm upgrade " + " ".join(f"--set {s}" for s in settings))
        pids = {c.name: c.process.pid for c in self.syncers()}
        self.place.helm(self.program, "upgrade", *(word for s in settings for word in ("--set", s)))
        self.reloads += 1
        for container in self.syncers():
            proc.wait_until(lambda c=container: json.loads(c.get("/v1/status")[1])["reloads_ok"] == self.reloads, 30, 0.05,
                            why="the new configuration is not in force")
        assert {c.name: c.process.pid for c in self.syncers()} == pids

    def check(self, code, word):
        said = ctl.run("check", "--url", self.url, token=TOKEN)
        first = (said.out + said.err).splitlines()[0]
        assert said.code == code and word in first, said
        self.say(f"syncerctl check: {code}, {first}")


def install(path):
    path.say(f"helm {path.program.major} install {RELEASE}")
    said = path.place.helm(path.program, "install")
    assert f"server {RELEASE}.{path.place.ns.name}.svc:8080;" in said, said
    path.place.wait_serving(2)


def the_configuration_is_good(path):
    """By the program's own word; in the cluster the files of the CA are there, here their folder is another."""
    data = path.place.ns.api.get(path.place.ns.core + f"configmaps/{RELEASE}")["data"]["config.yaml"]
    file = os.path.join(path.t.folder, "config.yaml")
    with open(file, "w") as f:
        f.write(data.replace(node.TLS_CA, path.t.certs.ca))
    server = path.place.ns.server
    env = {"KUBERNETES_SERVICE_HOST": server.address, "KUBERNETES_SERVICE_PORT": str(server.port)}
    done = subprocess.run([os.environ["SYNCER"], "-t", "-c", file], capture_output=True, text=True, timeout=10, env=env)
    assert done.returncode == 0, done.stderr
    path.say("syncer -t on the rendered ConfigMap: " + done.stdout.strip())


def doctor_says_all_is_well(path):
    for container in path.syncers():  # one after the other: the Service chooses any
        url = f"http://{container.address}:{container.port('admin')}"
        said = ctl.run("wait", "--url", url, "--ready", f"--pods={len(path.pods.pods)}", "--timeout=30s")
        assert said.code == 0, said
    path.say(f"syncerctl wait --ready --pods={len(path.pods.pods)}: 0")
    said = ctl.run("doctor", "--url", path.admin)
    assert said.code == 0 and "0 must change" in said.lines()[-1], said
    path.say(f"syncerctl doctor: {said.lines()[-1]}")
    said = path.program.run("test", RELEASE, "-n", path.place.ns.name, "--timeout=60s", kubeconfig=path.place.ns.server.kubeconfig,
                            seconds=90)
    assert "Succeeded" in said, said
    path.say("helm test: Succeeded")


def all_four_verdicts(path):
    path.check(4, "not-allowed")
    path.change(MAY_ASK)
    pods = list(path.pods)
    path.pods.put(TOKEN)
    path.check(0, "Synced")
    pods[3].drop(TOKEN)
    path.check(1, "Partialy")
    pods[1].drop(TOKEN), pods[2].drop(TOKEN)
    path.check(2, "NotSynced")
    path.change(MAY_ASK, "config.request_deadline=400", "config.connection_timeout=3000")
    pods[2].order("hang")
    path.check(3, "Timeout")
    pods[2].order("")
    path.change(MAY_ASK)


def a_login_is_everywhere(path):
    user = gateway.User(path.pods)
    status, headers, _ = user.get(path.pods[0], "/login")
    assert (status, headers.get("x-token-status")) == (303, "Synced"), (status, headers)
    assert [user.get(pod, "/page")[0] for pod in path.pods] == [200] * len(path.pods.pods)
    path.say(f"login through nginx: {headers['x-token-status']}, and every pod knows the user")


def the_page_shows_the_pods(path):
    if browser.missing():
        path.say(f"SKIP the page: {browser.missing()}")
        return
    container = path.syncers()[0]
    page = path.t.keep(browser.Browser())
    page.open(f"http://{container.address}:{container.port('admin')}/ui/")
    wanted = {pod["metadata"]["name"] for pod in path.place.ns.pods() if pod["metadata"]["labels"].get("app") == "gateway"}
    assert len(wanted) == len(path.pods.pods)
    page.wait(lambda: set(page.texts("#pods-table tbody td:first-child")) == wanted, "the pods are not shown")
    page.wait(lambda: page.text("#state") == "ready" and "kubernetes" in page.text("#source"), "it does not say that it is ready")
    if container.get("/ui/uplot.js")[0] == 200:
        page.wait(lambda: page.run("return document.querySelectorAll('.plot canvas').length") == 3, "no plots")
        page.wait(lambda: page.complaints() == [], "the console complains")
    if "SYNCER_SCREENSHOT" in os.environ:
        page.screenshot(os.environ["SYNCER_SCREENSHOT"])
    path.say(f"{container.name}/ui/ shows {', '.join(sorted(wanted))}")


def an_update_that_nobody_notices(path):
    place, old = path.place, path.place.syncers()
    users = path.t.keep(Users(path.pods, 2))
    users.wait(10)
    before = users.logins
    place.helm(path.program, "upgrade", "--set", "podAnnotations.turn=second")
    proc.wait_until(lambda: not old & place.syncers() and len(place.serving()) == 2, 60, 0.05, why="the old pods stay")
    during = users.logins - before
    users.wait(10)
    users.close()
    assert not users.wrong, (len(users.wrong), users.wrong[:5])
    assert during > 0 and place.service.turned_away == 0
    path.say(f"rolling update: {users.logins} logins, {during} of them meanwhile, none failed")


def uninstall(path):
    place = path.place
    path.program.run("uninstall", RELEASE, "-n", place.ns.name, "--wait", "--timeout=60s", kubeconfig=place.ns.server.kubeconfig,
                     seconds=90)
    proc.wait_until(lambda: not place.syncers(), 60, 0.05, why="pods stay")
    left = [line for line in place.ns.server.kubectl("get", KINDS, "-n", place.ns.name, "-o", "name").split()
            if re.search(f"/.*{RELEASE}", line)]
    assert not left, left
    ends = [c.process.returncode for c in place.node.past if isinstance(c, node.Container)]
    assert set(ends) == {0}, ends
    place.verify()
    path.say(f"helm uninstall: nothing is left, {len(ends)} containers ended with 0")


@tap.limit(400)
def test_the_whole_path(t):
    path = Path(t)
    path.place.provide_ca()
    for step in (install, the_configuration_is_good, doctor_says_all_is_well, all_four_verdicts, a_login_is_everywhere,
                 the_page_shows_the_pods, an_update_that_nobody_notices, uninstall):
        step(path)


if __name__ == "__main__":
    sys.exit(tap.main(release.missing))
