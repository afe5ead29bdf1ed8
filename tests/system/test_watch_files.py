#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""watch_files: a changed file is a SIGHUP, once. The configuration's generation counts the reloads that came to be."""
import json
import os
import shutil
import signal
import subprocess
import sys

from harness import certs, proc, tap


class Mount:
    """A folder as the kubelet mounts a ConfigMap or Secret (pkg/volume/util/atomic_writer.go): the files are links
    through `..data`, which is swapped by a rename."""

    def __init__(self, folder):
        self.folder, self.number = folder, 0
        os.makedirs(folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def put(self, **texts):
        """All files anew; `_` stands for the dot of a name."""
        self.number += 1
        data, old = f"..2026_{self.number}", os.path.realpath(self.path("..data"))
        os.mkdir(self.path(data))
        for name, text in texts.items():
            with open(os.path.join(self.path(data), name.replace("_", ".")), "w") as f:
                f.write(text)
        os.symlink(data, self.path("..data_tmp"))
        os.rename(self.path("..data_tmp"), self.path("..data"))
        for name in texts:
            if not os.path.lexists(self.path(name.replace("_", "."))):
                os.symlink(os.path.join("..data", name.replace("_", ".")), self.path(name.replace("_", ".")))
        if self.number > 1:
            shutil.rmtree(old)


def text(syncer, **changes):
    syncer.config.update(changes)
    return "".join(f"{k}: {json.dumps(v)}\n" for k, v in syncer.config.items() if v is not None)


def read(path):
    with open(path) as f:
        return f.read()


def start(t, path=None, **config):
    """One pod with the token, and syncer; `path`: its configuration is there already."""
    pods = t.cluster(1)
    pods.put("t", 0)
    syncer = t.syncer(pods, start=False, shutdown_grace=200, **config)
    if path:
        syncer.config_path = path
    return pods, syncer


def generation(syncer):
    return syncer.get("/v1/status").json()["configuration_generation"]


def reloads(syncer):
    return syncer.log().count("reload is done")


def wait_reloads(syncer, n):
    """Exactly n until now."""
    proc.wait_until(lambda: reloads(syncer) >= n, 10, why=f"no reload came to be; {reloads(syncer)} did")
    assert reloads(syncer) == n, syncer.log()


def has_inotify(syncer):
    fds = f"/proc/{syncer.process.pid}/fd"
    return any(os.readlink(os.path.join(fds, fd)) == "anon_inode:inotify" for fd in os.listdir(fds))


def test_a_configmap_is_swapped(t):
    mount = Mount(os.path.join(t.folder, "mount"))
    _, syncer = start(t, mount.path("config.yaml"))
    mount.put(config_yaml=text(syncer), other="1")
    syncer.start()
    mount.put(config_yaml=text(syncer, retries=3), other="1")
    wait_reloads(syncer, 1)
    assert f'msg="a file has changed: reloading" file={mount.path("config.yaml")}' in syncer.log()
    mount.put(config_yaml=text(syncer), other="2")  # all its files are new, but it is another key that has changed
    mount.put(config_yaml=text(syncer, retries=4), other="2")
    wait_reloads(syncer, 2)
    assert syncer.check("t").verdict == "Synced"


def test_renamed_over_and_written_in_place(t):
    _, syncer = start(t)
    syncer.start()
    syncer.write(retries=3)
    wait_reloads(syncer, 1)
    with open(syncer.config_path, "w") as f:
        f.write(text(syncer, retries=4))
    wait_reloads(syncer, 2)
    with open(syncer.config_path, "a") as f:
        f.write("retries: 5\n")  # is there twice
    syncer.wait_log("keeping the old configuration")
    os.rename(syncer.config_path, syncer.config_path + ".old")
    syncer.wait_log("a watched file is gone")
    syncer.write(retries=5)
    wait_reloads(syncer, 3)


def test_a_bad_file_and_then_a_good_one(t):
    _, syncer = start(t)
    syncer.start()
    before = syncer.workers()
    syncer.write(retries="many")
    syncer.wait_log("keeping the old configuration")
    assert syncer.workers() == before and generation(syncer) == 1
    syncer.write(retries=3)
    wait_reloads(syncer, 1)
    assert syncer.log().count("keeping the old configuration") == 1


def test_a_file_that_a_failed_reload_names_is_tried_again_when_it_comes(t):
    pods, syncer = start(t)
    syncer.start()
    ca = os.path.join(t.folder, "later", "ca.pem")
    syncer.write(tls_ca=ca)
    syncer.wait_log("keeping the old configuration")
    os.mkdir(os.path.dirname(ca))
    shutil.copy(pods.certs.ca, ca)
    wait_reloads(syncer, 1)
    assert syncer.check("t").verdict == "Synced"


def test_the_ca_is_replaced(t):
    os.mkdir(os.path.join(t.folder, "another"))
    another = certs.Certs(os.path.join(t.folder, "another"))
    mount = Mount(os.path.join(t.folder, "mount"))
    mount.put(ca_pem=read(another.ca))
    pods, syncer = start(t, tls_ca=mount.path("ca.pem"))
    syncer.start()
    assert syncer.check("t").verdict == "NotSynced"
    mount.put(ca_pem=read(another.ca) + read(pods.certs.ca))  # as in a rotation: both for a while
    wait_reloads(syncer, 1)
    assert f"file={mount.path('ca.pem')}" in syncer.log()
    # The workers of before finish what they have accepted.
    proc.wait_until(lambda: syncer.check("t").verdict == "Synced", 10, why="the new CA is not in force")
    mount.put(ca_pem=read(pods.certs.ca))
    wait_reloads(syncer, 2)
    assert syncer.check("t").verdict == "Synced"


def test_client_certificate_and_key_are_one_reload(t):
    pods, syncer = start(t)
    (cert, key), (new_cert, new_key) = pods.certs.issued("client.test"), pods.certs.issued("new.client.test")
    mount = Mount(os.path.join(t.folder, "mount"))
    mount.put(tls_crt=read(cert), tls_key=read(key))
    syncer.write(tls_cert=mount.path("tls.crt"), tls_key=mount.path("tls.key"))
    syncer.start()
    mount.put(tls_crt=read(new_cert), tls_key=read(new_key))
    wait_reloads(syncer, 1)
    assert syncer.log().count("a file has changed") == 2 and syncer.check("t").verdict == "Synced"
    for name in (key, new_key):
        assert read(name).splitlines()[1] not in syncer.log()


def test_a_burst_of_changes_is_a_few_reloads(t):
    _, syncer = start(t)
    syncer.start()
    for n in range(50):
        syncer.write(retries=100 + n)
    proc.wait_until(lambda: reloads(syncer) >= 1, 10)
    syncer.write(request_deadline=2222)
    proc.wait_until(lambda: syncer.log().count("starting the new workers") == reloads(syncer) >= 2, 10)
    assert reloads(syncer) <= 4, syncer.log()


def test_the_folder_goes_and_comes_back(t):
    folder = os.path.join(t.folder, "etc", "syncer")
    _, syncer = start(t, os.path.join(folder, "config.yaml"))
    os.makedirs(folder)
    syncer.write()
    syncer.start()
    shutil.rmtree(os.path.dirname(folder))
    syncer.wait_log("a watched file is gone")
    assert syncer.check("t").verdict == "Synced"
    os.makedirs(folder)
    syncer.write()  # what was there before
    shutil.copytree(folder, folder + ".new")
    os.rename(folder, folder + ".old")
    syncer.config_path = os.path.join(folder + ".new", "config.yaml")
    syncer.write(retries=3)
    os.rename(folder + ".new", folder)
    wait_reloads(syncer, 1)
    assert "keeping the old configuration" not in syncer.log()


def test_other_files_of_the_folder_are_not_its_business(t):
    _, syncer = start(t)
    syncer.start()
    for n in range(20):
        with open(os.path.join(syncer.folder, f"other-{n}.yaml"), "w") as f:
            f.write("x")
    os.utime(syncer.config_path)
    os.chmod(syncer.config_path, 0o600)
    syncer.write()  # the same text again
    syncer.write(retries=3)
    wait_reloads(syncer, 1)
    assert syncer.log().count("a file has changed") == 1


def test_switched_off_and_on(t):
    _, syncer = start(t, watch_files=False)
    syncer.start()
    assert not has_inotify(syncer)
    syncer.write(retries=3)
    syncer.reload()
    syncer.write(watch_files=True)
    syncer.reload()
    assert reloads(syncer) == 2 and has_inotify(syncer)
    syncer.write(retries=4)
    wait_reloads(syncer, 3)
    syncer.write(watch_files=False, retries="many")  # a bad file does not switch it off
    syncer.wait_log("keeping the old configuration")
    syncer.write(retries=5)
    wait_reloads(syncer, 4)
    assert not has_inotify(syncer) and "a file has changed" in syncer.log()


def test_a_signal_and_the_change_before_it_are_one_reload(t):
    _, syncer = start(t)
    syncer.start()
    syncer.write(retries=3)
    syncer.reload()
    syncer.write(retries=4)
    wait_reloads(syncer, 2)
    assert syncer.log().count("a file has changed") == 1, syncer.log()


def test_the_static_list_follows_the_file(t):
    pods = t.cluster(3, one_process=True)
    pods.put("t", 0, 0, 0)
    syncer = t.syncer(pods, shutdown_grace=200)
    entries = [pod.entry() for pod in pods]
    syncer.write(static=entries[:2])
    proc.wait_until(lambda: syncer.check("t").pods == "2/2", 10, why="the list is the old one")
    syncer.write(static=entries)
    proc.wait_until(lambda: syncer.check("t").pods == "3/3", 10, why="the list is the old one")
    assert syncer.log().count("pod has left") == 1


def test_at_the_limit_of_watches_it_says_so_once_and_goes_on(t):
    def limited(*argv):
        return ["unshare", "-U", "-r", "sh", "-c", 'echo 0 >/proc/sys/user/max_inotify_watches && exec "$0" "$@"', *argv]
    if subprocess.run(limited("true"), capture_output=True).returncode != 0:
        raise tap.Skip("no user namespace can be made here")
    _, syncer = start(t)
    with open(syncer.log_path, "ab") as log:
        syncer.process = proc.spawn(limited(syncer.binary, "-c", syncer.config_path), stdout=log, stderr=log,
                                    cwd=syncer.folder)
    proc.wait_connect((syncer.address, syncer.port), seconds=10, process=syncer.process)
    proc.wait_until(lambda: syncer.get("/readyz").status == 200, 10)
    for n in range(2):
        syncer.write(retries=3 + n)
        syncer.process.send_signal(signal.SIGHUP)
        wait_reloads(syncer, n + 1)
    assert syncer.log().count("the limit of inotify watches is reached") == 1, syncer.log()
    assert syncer.check("t").verdict == "Synced"


if __name__ == "__main__":
    sys.exit(tap.main())
