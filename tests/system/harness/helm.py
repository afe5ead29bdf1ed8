# SPDX-License-Identifier: MIT
"""helm 3 and 4, as contrib/helm/get brings them, and the chart as they render it."""
import functools
import json
import os
import tempfile

from . import cluster, proc, tap

TOP = os.path.normpath(os.path.join(cluster.HERE, "..", "..", ".."))
CHART = os.path.join(TOP, "helm", "ng-apigw-syncer")
FOLDER = os.environ.get("SYNCER_HELM") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "syncer-helm")
# The smallest values that install, for tests that add to them.
LEAST = {"config": {"deployment": "gateway", "host": "gateway.test", "path": "/_synced"}}


class Refused(Exception):
    """helm ended with an error: what it said."""


class Helm:
    """One program. Its caches and what it takes for the user's own are in a folder of its own."""

    def __init__(self, major, path):
        self.major, self._path = major, path
        self._home = tempfile.TemporaryDirectory(prefix="syncer-helm.")

    def run(self, *args, kubeconfig=os.devnull, text=None, seconds=60):
        env = {**os.environ, "KUBECONFIG": kubeconfig, "HELM_CACHE_HOME": self._home.name, "HELM_CONFIG_HOME": self._home.name,
               "HELM_DATA_HOME": self._home.name}
        code, out, err = proc.finish([self._path, *args], text, seconds, env=env)
        if code != 0:
            raise Refused(f"helm {self.major} {args[0]}: {err.strip()} {out.strip()}")
        return out

    def on_chart(self, verb, *args, values=None, **kwargs):
        """`values`: beside the chart's own, a mapping or the path of a file."""
        if isinstance(values, str):
            return self.run(*verb, CHART, "-f", values, *args, **kwargs)
        return self.run(*verb, CHART, "-f", "-", *args, text=json.dumps(values or {}), **kwargs)

    def render(self, *args, values=LEAST, release="ng-apigw-syncer", namespace="gateways"):
        """The objects, those of the tests too."""
        import yaml  # not everybody has it: see missing()
        text = self.on_chart(["template", release], "-n", namespace, *args, values=values)
        return [found for found in yaml.safe_load_all(text) if found]


@functools.cache
def all():
    """Those that are here, by their major version."""
    paths = {major: os.path.join(FOLDER, major, "helm") for major in ("3", "4")}
    return [Helm(major, path) for major, path in paths.items() if os.access(path, os.X_OK)]


def missing():
    """What this machine lacks to run one, or ''."""
    try:
        import yaml  # noqa: F401
    except ImportError:
        return "no module yaml (Debian: python3-yaml)"
    return "" if all() else f"no helm in {FOLDER}: see contrib/helm/get"


def each():
    """For the tests that need one: all of them."""
    if missing():
        raise tap.Skip(missing())
    return all()


def one(objects, kind, name=None):
    """The only one of this kind (and name)."""
    found = [o for o in objects if o["kind"] == kind and name in (None, o["metadata"]["name"])]
    assert len(found) == 1, (kind, name, [o["metadata"]["name"] for o in found])
    return found[0]


def values_files():
    """Those of files/values, as APPLICATION/COUNTRY/STAGE/values.yaml."""
    top = os.path.join(CHART, "files", "values")
    found = [os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names]
    assert found and {os.path.relpath(path, top).count("/") for path in found} == {3}, found
    return sorted(found)
