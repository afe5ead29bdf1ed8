#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The way to the API server: kubeconfigs and a pod's mount, what is rotated, what is refused at the start, and that no
worker ever holds any of it."""
import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading

from harness import certs, kube, proc, relay, tap

TOKEN = "token-of-the-account-1"  # what the API server begins with


def b64(path):
    with open(path, "rb") as f:
        return base64.b64encode(f.read()).decode()


def write_kubeconfig(path, api, cluster, user, namespace=kube.NAMESPACE):
    host = f"[{api.address}]" if ":" in api.address else api.address
    with open(path + ".new", "w") as f:  # a value of JSON is one of YAML
        f.write("apiVersion: v1\nkind: Config\ncurrent-context: here\n")
        f.write("contexts:\n- {name: elsewhere, context: {cluster: other, user: other}}\n")
        f.write("- name: here\n  context: " + json.dumps({"cluster": "c", "user": "u", "namespace": namespace}) + "\n")
        f.write("users:\n- {name: other, user: {exec: {command: none}}}\n")
        f.write("- name: u\n  user: " + json.dumps(user) + "\n")
        server = {"server": f"https://{host}:{api.port}", **cluster}
        f.write("clusters:\n- name: c\n  cluster: " + json.dumps(server) + "\n")
    os.rename(path + ".new", path)
    return path


class Setting:
    """A cluster's API server, a folder for a kubeconfig, and a syncer that is not started yet."""

    def __init__(self, t, address=None, client_ca=None, **config):
        self.t, self.pods = t, t.cluster(1)
        self.api = t.keep(kube.Kube(t.folder, t.certs, address or self.pods.block.address(200), client_ca))
        self.folder = os.path.join(t.folder, "kubeconfig")
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, "config")
        self.syncer = t.syncer(self.pods, start=False, **{
            "pods": "auto", "static": None, "deployment": kube.DEPLOYMENT, "kubeconfig": self.path, "scrape_interval": 1000,
            "connection_timeout": 100, **config})
        self.syncer.env = {"HOME": self.folder}

    def write(self, cluster, user, **kwargs):
        return write_kubeconfig(self.path, self.api, cluster, user, **kwargs)

    def with_token(self, **cluster):
        self.write({"certificate-authority-data": b64(self.t.certs.ca), **cluster}, {"token": TOKEN})
        return self

    def start(self, ready=True):
        self.syncer.start(ready=ready)
        return self.api, self.syncer

    def refused(self):
        """What it says when it ends at once, for the configuration."""
        done = subprocess.run([self.syncer.binary, "-c", self.syncer.config_path], capture_output=True, text=True, timeout=20,
                              env={"PATH": os.environ["PATH"], **self.syncer.env})
        assert done.returncode == 78, (done.returncode, done.stderr)
        assert TOKEN not in done.stderr, done.stderr
        return done.stderr


def failed_reads(syncer):
    return syncer.get("/v1/status").json()["table"]["reads_failed"]


def wait_reads(api, n=1):
    """`n` reads that begin from now on have come to their end."""
    before = len(api.asked)
    proc.wait_until(lambda: api.asked[before:].count("pods") > n, 15, why="no read came to its end")


def authority(t, name):
    """A CA of its own."""
    folder = os.path.join(t.folder, name)
    os.mkdir(folder)
    return certs.Certs(folder)


def swap(path, source):
    """As the kubelet does: one rename."""
    with open(source) as f, open(path + ".new", "w") as to:
        to.write(f.read())
    os.rename(path + ".new", path)


# ---- kubeconfigs ----

def test_inline_data(t):
    api, syncer = Setting(t).with_token().start()
    assert len(syncer.get("/v1/pods").json()["pods"]) == 3
    assert set(api.tokens) == {TOKEN}


def test_the_variable_with_several_files(t):
    one = Setting(t, kubeconfig=None, pods="kubernetes")
    first = os.path.join(one.folder, "first")
    with open(first, "w") as f:  # another way to the same user
        f.write("users: [{name: u, user: {tokenFile: secrets/token}}]\n")
    os.mkdir(os.path.join(one.folder, "secrets"))
    with open(os.path.join(one.folder, "secrets", "token"), "w") as f:
        f.write(TOKEN + "\n")
    with open(os.path.join(one.folder, "ca.pem"), "w") as f, open(t.certs.ca) as ca:
        f.write(ca.read())
    one.write({"certificate-authority": "ca.pem"}, {"token": "not this one"})
    one.syncer.env["KUBECONFIG"] = f"{first}:{one.folder}/none:{one.path}"
    api, syncer = one.start()
    assert set(api.tokens) == {TOKEN}


def test_the_one_at_home(t):
    one = Setting(t, kubeconfig=None, pods="kubernetes").with_token()
    os.mkdir(os.path.join(one.folder, ".kube"))
    os.rename(one.path, os.path.join(one.folder, ".kube", "config"))
    one.start()


def test_a_client_certificate(t):
    clients = authority(t, "clients")
    cert, key = clients.signed("me-1", "/CN=me-1", "extendedKeyUsage=clientAuth")
    one = Setting(t, client_ca=clients.ca)
    for name, path in (("me.crt", cert), ("me.key", key)):
        swap(os.path.join(one.folder, name), path)
    one.write({"certificate-authority": t.certs.ca}, {"client-certificate": "me.crt", "client-key": "me.key"})
    api, syncer = one.start()
    assert set(api.subjects) == {"me-1"} and set(api.tokens) == {""}
    cert, key = clients.signed("me-2", "/CN=me-2", "extendedKeyUsage=clientAuth")
    for name, path in (("me.key", key), ("me.crt", cert)):  # between the two they do not match: then no request is made
        swap(os.path.join(one.folder, name), path)
    proc.wait_until(lambda: api.subjects[-1] == "me-2", 15, why="the new certificate was not shown")
    wait_reads(api)
    assert api.subjects[-3:] == ["me-2"] * 3


def test_a_client_certificate_inline(t):
    clients = authority(t, "clients")
    cert, key = clients.signed("me", "/CN=me", "extendedKeyUsage=clientAuth")
    one = Setting(t, client_ca=clients.ca)
    one.write({"certificate-authority": t.certs.ca}, {"client-certificate-data": b64(cert), "client-key-data": b64(key)})
    api, syncer = one.start()
    assert set(api.subjects) == {"me"}


def test_a_server_by_ipv6(t):
    one = Setting(t, address="::1").with_token()
    api, syncer = one.start()
    assert f"https://[::1]:{api.port}" in syncer.log(), syncer.log()
    syncer.stop()
    syncer.write(kubeconfig=None, pods="kubernetes", serviceaccount_dir=api.folder)
    syncer.env.update(api.env())
    syncer.start()


def test_a_server_by_name_and_by_another_name(t):
    one = Setting(t)
    one.api.context.load_cert_chain(*t.certs.issued("kubernetes.default"))
    one.with_token(**{"tls-server-name": "kubernetes.default"}).start()
    one.syncer.stop()
    one.api.context.load_cert_chain(*t.certs.issued("localhost"))
    door = t.keep(relay.Relay("127.0.0.1", (one.api.address, one.api.port)))  # that is where the name leads
    one.with_token(server=f"https://localhost:{door.port}").start()


def test_a_server_that_nothing_proves(t):
    other = authority(t, "other")
    one = Setting(t)
    one.api.context.load_cert_chain(*other.issued("elsewhere"))
    one.write({"insecure-skip-tls-verify": True}, {"token": TOKEN})
    api, syncer = one.start()
    syncer.wait_log("level=warn", "insecure-skip-tls-verify", "nothing proves")


# ---- what is refused ----

def test_a_ca_that_does_not_know_the_server(t):
    other = authority(t, "other")
    one = Setting(t)
    one.write({"certificate-authority": other.ca}, {"token": TOKEN})
    api, syncer = one.start(ready=False)
    syncer.wait_log("level=error", f"certificate for {api.address}", "expected: one for https://" + api.address, other.ca)
    assert not api.tokens, "the token went to a server that is not proven"
    assert syncer.check("t").error == "no-pod-list"


def test_a_certificate_for_another_name(t):
    one = Setting(t)
    one.api.context.load_cert_chain(*t.certs.issued("elsewhere"))
    api, syncer = one.with_token().start(ready=False)
    syncer.wait_log("level=error", "certificate for elsewhere", "expected: one for https://" + api.address)
    assert not api.tokens


def test_what_can_not_be_honoured_ends_it_at_the_start(t):
    one = Setting(t)
    for cluster, user, texts in (
            ({}, {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "aws"}}, ("exec", "create token")),
            ({}, {"auth-provider": {"name": "gcp"}}, ("auth-provider",)),
            ({}, {"username": "me", "password": "mine"}, ("username",)),
            ({"proxy-url": "http://proxy:3128"}, {"token": TOKEN}, ("proxy-url",)),
            ({}, {"tokenFile": "none"}, ("tokenFile", "none: No such file")),
            ({"certificate-authority-data": "eA=="}, {"token": TOKEN}, ("certificate-authority-data",)),
            ({}, {"client-certificate": "a.crt"}, ("client-certificate", "client-key")),
            ({}, {"token": TOKEN + " "}, ("token", "one word"))):
        one.write(cluster, user)
        said = one.refused()
        assert all(text in said for text in texts) and re.search(r"kubeconfig/config:\d+: ", said), (texts, said)
    one.write({}, {"token": TOKEN}, namespace="")
    assert "namespace: should be set" in one.refused()
    os.unlink(one.path)
    assert "config: No such file" in one.refused()
    one.syncer.write(kubeconfig=None, pods="kubernetes")
    assert "no way to the API server" in one.refused()


# ---- what changes ----

class Mount:
    """A folder as the kubelet makes it: files are links through ..data, which is swapped."""

    def __init__(self, api):
        self.folder, self.n = os.path.join(api.folder, "mounted"), 0
        os.mkdir(self.folder)
        self.files = {}
        for name in ("token", "ca.crt", "namespace"):
            with open(os.path.join(api.folder, name)) as f:
                self.files[name] = f.read()
            os.symlink(os.path.join("..data", name), os.path.join(self.folder, name))
        self.put()

    def put(self, **files):
        self.files.update({name.replace("_", "."): text for name, text in files.items()})
        self.n += 1
        made = f"..{self.n}"
        os.mkdir(os.path.join(self.folder, made))
        for name, text in self.files.items():
            with open(os.path.join(self.folder, made, name), "w") as f:
                f.write(text)
        os.symlink(made, os.path.join(self.folder, "..new"))
        os.rename(os.path.join(self.folder, "..new"), os.path.join(self.folder, "..data"))


def mounted(t):
    one = Setting(t, kubeconfig=None)
    mount = Mount(one.api)
    one.syncer.write(serviceaccount_dir=mount.folder)
    one.syncer.env.update(one.api.env())
    api, syncer = one.start()
    return api, syncer, mount


def test_a_swapped_token(t):
    api, syncer, mount = mounted(t)
    accepted = {TOKEN, "token-2"}  # the kubelet swaps long before the old one ends
    api._knows = lambda request: api.tokens.append(request.headers["Authorization"][7:]) or api.tokens[-1] in accepted
    mount.put(token="token-2\n")
    proc.wait_until(lambda: api.tokens[-1] == "token-2", 15, why="a token that was swapped is not used")
    accepted.clear()  # and this one ended before
    before = len(api.tokens)
    proc.wait_until(lambda: len(api.tokens) >= before + 4, 15, why="a refused token is not read again")
    accepted.add("token-3")
    mount.put(token="token-3")
    proc.wait_until(lambda: api.tokens[-1] == "token-3", 15, why="a token is not read again after a 401")
    wait_reads(api)
    assert api.tokens[-1] == "token-3"


def test_a_swapped_ca(t):
    api, syncer, mount = mounted(t)
    other = authority(t, "other")
    with open(other.ca) as f, open(t.certs.ca) as old:
        new, both = f.read(), old.read()
    mount.put(ca_crt=both + new)
    wait_reads(api)
    api.context.load_cert_chain(*other.issued(api.address))
    mount.put(ca_crt=new)
    failed = failed_reads(syncer)
    wait_reads(api, 2)
    assert failed_reads(syncer) == failed, syncer.log()
    mount.put(ca_crt=both)  # nothing of the server is known by this one
    syncer.wait_log("level=error", "certificate for", "expected:")


def test_a_new_token_in_the_kubeconfig(t):
    one = Setting(t, watch_files=False).with_token()
    api, syncer = one.start()
    api.token = "token-2"
    one.write({"certificate-authority-data": b64(t.certs.ca)}, {"token": "token-2"})
    proc.wait_until(lambda: api.tokens[-1] == "token-2", 15, why="the kubeconfig is not read again after a 401")
    wait_reads(api)
    assert failed_reads(syncer) == 0, "nothing failed"


class Gate:
    """A fault: requests wait until it opens, and then end without an answer."""

    def __init__(self):
        self.opened, self.reached = threading.Event(), threading.Event()

    def __call__(self, request):
        self.reached.set()
        self.opened.wait()
        request.close_connection = True

    def close(self):
        self.opened.set()


def test_another_cluster_in_the_kubeconfig(t):
    one = Setting(t).with_token()
    api, syncer = one.start()
    here = [pod["name"] for pod in syncer.get("/v1/pods").json()["pods"]]
    other = t.keep(kube.Kube(t.folder, t.certs, one.pods.block.address(201)))
    other.phase, gate = "v1.20-1-settled", t.keep(Gate())
    other.faults["deployment"] = gate
    write_kubeconfig(one.path, other, {"certificate-authority": t.certs.ca}, {"token": TOKEN})
    assert gate.reached.wait(15), "a changed kubeconfig is not read"
    proc.wait_until(lambda: len(syncer.workers()) == 4, 15, why="the new workers did not start")
    assert [pod["name"] for pod in syncer.get("/v1/pods").json()["pods"]] == here
    assert "reload is done" not in syncer.log(), "another cluster's pods are in force before they are known"
    del other.faults["deployment"]
    gate.close()
    proc.wait_until(lambda: "reload is done" in syncer.log(), 15, why="the reload did not end")
    there = [pod["name"] for pod in syncer.get("/v1/pods").json()["pods"]]
    assert there and not set(there) & set(here), there


# ---- who holds what ----

def readable(pid):
    """All memory of a process, and what its descriptors hold that have bytes of their own."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            begin, end = (int(n, 16) for n in line.split()[0].split("-"))
            if line.split()[1].startswith("r") and "[v" not in line and end - begin < 1 << 30:  # more: a sanitizer's shadow
                mem.seek(begin)
                try:
                    found.append(mem.read(end - begin))
                except OSError:  # behind the end of a mapped file
                    pass
    with open(f"/proc/{pid}/environ", "rb") as f:
        found.append(f.read())
    for fd in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{fd}"
        target = os.readlink(path)
        found.append(target.encode())
        if target.startswith("/") and os.path.isfile(path) or "memfd:" in target:
            with open(path, "rb") as f:
                found.append(f.read())
    return b"\0".join(found)


def sockets_to(port, pid):
    """Connections of a process to a local port."""
    inodes = set()
    with open("/proc/net/tcp") as f:
        for line in f.readlines()[1:]:
            parts = line.split()
            if int(parts[2].split(":")[1], 16) == port:
                inodes.add(f"socket:[{parts[9]}]")
    return [fd for fd in os.listdir(f"/proc/{pid}/fd") if os.readlink(f"/proc/{pid}/fd/{fd}") in inodes]


def key_forms(path):
    """The PEM's middle, its base64 as a kubeconfig has it, and the number itself in both orders of its bytes."""
    with open(path) as f:
        pem = f.read()
    der = base64.b64decode("".join(pem.splitlines()[1:-1]))
    at = der.index(b"\x02\x01\x01\x04\x20") + 5  # RFC 5915: version 1, then the octets of the private key
    number = der[at:at + 32]
    return {"PEM": pem.splitlines()[1].encode(), "base64": b64(path)[80:140].encode(), "number": number,
            "reversed": number[::-1]}


def test_no_worker_ever_holds_a_secret(t):
    clients = authority(t, "clients")
    cert, key = clients.signed("me", "/CN=me", "extendedKeyUsage=clientAuth")
    one = Setting(t, client_ca=clients.ca, core_dumps=True)
    one.write({"certificate-authority-data": b64(t.certs.ca)},
              {"token": TOKEN, "client-certificate-data": b64(cert), "client-key-data": b64(key)})
    api, syncer = one.start()
    wait_reads(api, 2)
    api.faults["pods"] = gate = t.keep(Gate())
    assert gate.reached.wait(15) and api.watching, "neither a list nor a watch is open"
    victim = syncer.workers()[0]
    os.kill(victim, signal.SIGKILL)
    proc.wait_until(lambda: syncer.log().count("worker is ready") == 3, 15, why="no successor came")
    assert victim not in syncer.workers() and len(syncer.workers()) == 2
    secrets = {"token": TOKEN.encode(), **key_forms(key)}
    master = readable(syncer.process.pid)
    assert secrets["token"] in master and secrets["PEM"] in master, "the search finds nothing"
    assert secrets["number"] in master or secrets["reversed"] in master, "the search finds no number"
    assert sockets_to(api.port, syncer.process.pid)
    for pid in syncer.workers():
        memory = readable(pid)
        assert one.path.encode() in memory, "the search finds nothing"
        for name, secret in secrets.items():
            assert secret not in memory, f"worker {pid} holds the {name}"
        assert not sockets_to(api.port, pid), "a worker has a connection to the API server"
    gate.close()
    printed = subprocess.run([syncer.binary, "-c", syncer.config_path, "--print-config"], capture_output=True, check=True)
    said = printed.stdout + syncer.log().encode() + syncer.get("/v1/status").body
    assert one.path.encode() in printed.stdout
    assert not [name for name, secret in secrets.items() if secret in said]


if __name__ == "__main__":
    sys.exit(tap.main())
