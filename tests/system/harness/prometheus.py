# SPDX-License-Identifier: MIT
"""Prometheus' side: its text format read strictly, promtool, and a server of our own that scrapes a syncer."""
import json
import os
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

from . import proc

_NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
_SAMPLE = re.compile(rf'({_NAME})(?:\{{((?:{_NAME}="(?:[^"\\\n]|\\[\\"n])*",?)*)\}})? ([0-9.]+)')
_LABEL = re.compile(rf'({_NAME})="((?:[^"\\]|\\.)*)"')


class Metrics(dict):
    """{'name{label="value"}': number}, labels in the order in which they stand; `types` of the families."""

    def __init__(self, text):
        super().__init__()
        self.types, family, ended = {}, None, set()
        assert text.endswith("\n"), text[-80:]
        for line in text.splitlines():
            if line.startswith("# HELP "):
                assert line.split(" ")[2] not in ended | set(self.types), f"twice: {line}"
                continue
            if line.startswith("# TYPE "):
                ended.add(family)
                _, _, family, kind = line.split(" ")
                self.types[family] = kind
                continue
            got = _SAMPLE.fullmatch(line)
            assert got, f"no sample: {line!r}"
            name, labels, value = got.groups()
            assert re.sub("_(bucket|sum|count)$", "", name) == family or name == family, f"in {family}: {line}"
            key = f"{name}{{{labels}}}" if labels else name
            assert key not in self, f"twice: {line}"
            self[key] = float(value)

    def counters(self):
        """What must never go back: counters, and the buckets, sums and counts of histograms."""
        def family(key):
            name = key.partition("{")[0]
            return name if name in self.types else re.sub("_(bucket|sum|count)$", "", name)
        return {k: v for k, v in self.items() if self.types[family(k)] in ("counter", "histogram")}

    def pods(self, family):
        """{pod: number} of a family that has a sample a pod."""
        return {_LABEL.search(k).group(2): v for k, v in self.items() if k.startswith(family + "{")}


def scrape(server):
    answer = server.get("/metrics")
    assert answer.status == 200 and answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8", answer
    return Metrics(answer.body.decode())


def missing():
    return "" if shutil.which("promtool") and shutil.which("prometheus") else \
        "prometheus is missing (Debian: prometheus)"


def lint(text):
    """What promtool has to say about a page: '' if nothing."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=30)
    return (done.stdout + done.stderr).decode() + (f"exit code {done.returncode}" if done.returncode else "")


class Prometheus:
    """A server of our own, that scrapes `target` each second."""

    def __init__(self, folder, address, target, port=9090):
        self.url, self.process = f"http://{address}:{port}", None
        self._folder, self._address = folder, (address, port)
        os.makedirs(folder, exist_ok=True)
        self._config = os.path.join(folder, "prometheus.yml")
        with open(self._config, "w") as f:
            json.dump({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                       "scrape_configs": [{"job_name": "syncer", "static_configs": [{"targets": [target]}]}]}, f)
        self.log_path = os.path.join(folder, "log")

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = proc.spawn(
                ["prometheus", f"--config.file={self._config}", f"--storage.tsdb.path={self._folder}/data",
                 "--web.listen-address={}:{}".format(*self._address)], stdout=log, stderr=log, cwd=self._folder,
                env={**os.environ, "GOMAXPROCS": "1"})
        proc.wait_connect(self._address, 20, self.process)
        proc.wait_until(self._ready, 20, step=0.05, why="Prometheus is not ready")
        return self

    def _ready(self):
        try:
            return urllib.request.urlopen(f"{self.url}/-/ready", timeout=5).status == 200
        except OSError:
            return False

    def query(self, promql):
        """{labels as text: number} of an instant vector."""
        url = f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": promql})
        with urllib.request.urlopen(url, timeout=5) as got:
            data = json.load(got)["data"]
        return {json.dumps({k: v for k, v in r["metric"].items() if k not in ("job", "instance")}, sort_keys=True):
                float(r["value"][1]) for r in data["result"]}

    def value(self, promql):
        """The one number of a vector, or None."""
        return next(iter(self.query(promql).values()), None)

    def close(self):
        if self.process:
            proc.end(self.process)
