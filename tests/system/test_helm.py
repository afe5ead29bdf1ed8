#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The chart, as helm 3 and 4 lint and render it: what it refuses, what the objects promise, and that syncer takes the
configuration. What a cluster makes of it is in test_kube_helm.py."""
import copy
import json
import os
import re
import runpy
import shutil
import subprocess
import sys

from harness import cluster, helm, tap

SECRET_VOLUMES = {"configMap", "secret", "emptyDir", "projected", "downwardAPI", "csi", "ephemeral", "persistentVolumeClaim"}

# A bare number in --set is a number, a word a string.
REFUSED = [
    "config.retreis=3", "config.port=0", "config.port=65536", "config.port=https", "config.pods=consul",
    "config.tls_verify=maybe", "config.scrape_interval=10h", "config.scrape_interval=10", "config.workers=17",
    "config.workers=many", "config.allow=gateways", "config.listen=8080", "config.listen=:8080", "config.host=https://gw",
    "config.host=", "config.path=_synced", "config.cookie=a b", "config.retry_mode=scouts", "config.retries=-1",
    "config.static[0].name=gw", "config.static[0].address=10.0.0.1", "config.static[0].adress=10.0.0.1", "config.static[0].address=gw.example",
]
REFUSED_CHART = [
    "ocp4=yes", "replicas=-1", "replicas=two", "image.tag=a b", "image.digest=sha256:12", "image.pullPolicy=Sometimes",
    "networkPolicy.enabled=1", "ingress=true", "podDisruptionBudget.maxUnavailable=0", "serviceMonitor.interval=30",
    "networkPolicy.apiServerPorts[0]=70000", "gatewayCA.configmap=x", "resources=none", "config=none",
]
# Keys that something needs, or that don't fit together: what is said, and the keys.
LACKING = [
    ("config.host is required", {"without": "host"}),
    ("config.path is required", {"without": "path"}),
    ("config.deployment is required", {"without": "deployment"}),
    ("config.service is required with pods: endpointslices", {"pods": "endpointslices"}),
    ("config.service is required with pods: dns", {"pods": "dns"}),
    ("config.static is required", {"pods": "static"}),
    ("a Service needs an ADDRESS:PORT", {"listen": "unix:/run/syncer.sock"}),
    ("probes need an ADDRESS:PORT", {"admin_listen": "unix:/run/syncer.sock"}),
    ("probes have no certificate", {"admin_listen": None, "listen_tls_client_ca": "/ca.crt", "listen_tls_cert": "/c"}),
]


def values(without="", **config):
    return {"config": {k: v for k, v in {**helm.LEAST["config"], **config}.items() if k != without}}


def check(binary, text, folder, **env):
    """`syncer -t` on a configuration as a pod of the chart reads it: exit code and what it says."""
    path = os.path.join(folder, "config.yaml")
    with open(path, "w") as f:
        f.write(text)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SYNCER", "KUBE"))}
    done = subprocess.run([binary, "-c", path, "-t"], capture_output=True, text=True, timeout=20, env={
        **kept, "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "6443", **env})
    return done.returncode, done.stdout + done.stderr


def binary():
    return os.environ.get("SYNCER") or "syncer"


def test_the_schema_is_the_programs_table_of_keys(t):
    with open(os.path.join(helm.CHART, "values.schema.json")) as f:
        kept = json.load(f)["properties"]["config"]
    made = runpy.run_path(os.path.join(helm.TOP, "contrib", "helm", "schema"))["config"]()
    for key in made["properties"].keys() | kept["properties"].keys():
        assert made["properties"].get(key) == kept["properties"].get(key), f"{key}: run contrib/helm/schema"
    assert made == kept
    with open(os.path.join(t.folder, "c"), "w") as f:
        f.write("host: a\npath: /\npods: static\nstatic: [{name: a, address: 10.0.0.1}]\n")
    printed = subprocess.run([binary(), "--print-config", "-c", f.name], capture_output=True, text=True, timeout=20, check=True)
    assert set(re.findall(r"^(\w+):", printed.stdout, re.M)) <= set(made["properties"])


def test_the_chart_is_of_the_programs_version(t):
    with open(os.path.join(helm.CHART, "Chart.yaml")) as f:
        chart = f.read()
    with open(os.path.join(helm.TOP, "configure.ac")) as f:
        version = re.search(r"AC_INIT\(\[syncer\], \[([^]]+)\]", f.read())[1]
    assert f"appVersion: {version}\n" in chart


def test_lint(t):
    for program in helm.each():
        program.on_chart(["lint", "--strict"])
        for path in helm.values_files():
            for ocp4 in ("true", "false"):
                program.on_chart(["lint", "--strict"], "--set", f"ocp4={ocp4}", values=path)


def test_both_render_the_same(t):
    programs = helm.each()
    if len(programs) < 2:
        raise tap.Skip(f"only helm {programs[0].major} is in {helm.FOLDER}")
    for path in helm.values_files():
        for ocp4 in ("true", "false"):
            first, second = (p.render("--set", f"ocp4={ocp4}", values=path) for p in programs)
            key = lambda o: (o["kind"], o["metadata"]["name"])  # noqa: E731
            assert sorted(first, key=key) == sorted(second, key=key), path


def refuses(program, *args, **kwargs):
    try:
        program.render(*args, **kwargs)
    except helm.Refused as e:
        return str(e)
    return None


def rounds(settings):
    """The settings as few lists, none of which has two for the same key."""
    made = []
    for setting in settings:
        name = named(setting)
        free = [kept for kept in made if name not in map(named, kept)]
        if free:
            free[0].append(setting)
        else:
            made.append([setting])
    return made


def named(setting):
    """The key of the program, or the last part of the chart's, as an error names it."""
    parts = re.findall(r"\w+", setting.partition("=")[0])
    return parts[1] if parts[0] == "config" and len(parts) > 1 else [part for part in parts if not part.isdigit()][-1]


def test_bad_values_are_refused(t):
    for program in helm.each():
        for settings in [*rounds(REFUSED), *rounds(REFUSED_CHART)]:
            said = refuses(program, *(arg for setting in settings for arg in ("--set", setting)))
            assert said and "schema" in said, (program.major, settings, said)
            for setting in settings:
                assert named(setting) in said.partition("schema")[2], (program.major, setting, said)
        for expected, config in LACKING:
            said = refuses(program, values=values(**config))
            assert said and expected in said, (program.major, expected, said)


def test_the_program_refuses_the_same(t):
    """What the schema refuses of single values is wrong for syncer, too."""
    for setting in REFUSED:
        name, _, value = setting.removeprefix("config.").partition("=")
        if name.startswith("static"):
            name, value = "static", [{name.rpartition(".")[2]: value}]
        elif value.isdigit():
            value = int(value)
        config = {**helm.LEAST["config"], name: value}
        code, said = check(binary(), "".join(f"{k}: {json.dumps(v)}\n" for k, v in config.items()), t.folder)
        assert code == 78, (setting, code, said)


def test_the_configuration_is_taken(t):
    for program in helm.each()[-1:]:
        for path in helm.values_files():
            for ocp4 in ("true", "false"):
                objects = program.render("--set", f"ocp4={ocp4}", values=path)
                text = helm.one(objects, "ConfigMap", "ng-apigw-syncer")["data"]["config.yaml"]
                assert 'allow:\n- pods\n' in text and "admin_listen: 0.0.0.0:9090\n" in text
                code, said = check(binary(), text.replace("/etc/syncer-ca/ca.crt", t.certs.ca), t.folder)
                assert code == 0 and "warn" not in said, (path, said)


def test_odd_configurations_are_taken(t):
    """Lists and single values, numbers that helm might write as 1e+06, every source of pods."""
    static = [{"name": "gw-1", "address": "10.0.0.1"}, {"name": "gw-2", "address": "fd00::2", "port": 9443}]
    odd = [{"max_connections": 1000000, "request_deadline": 120000, "client_timeout": "1m"},
           {"listen": ["0.0.0.0:8080", "[::]:8080"], "allow": ["pods", "10.0.0.0/8", "fd00::/8"], "admin_listen": None},
           {"pods": "static", "static": static}, {"pods": "dns", "service": "gw.gateways.svc"},
           {"pods": "endpointslices", "service": "gw", "namespace": "other"}, {"cookie": "on", "host": "1.2"}]
    for program in helm.each():
        for config in odd:
            objects = program.render(values=values(**config))
            text = helm.one(objects, "ConfigMap")["data"]["config.yaml"]
            code, said = check(binary(), text, t.folder)
            assert code == 0, (config, said)


def pod_specs(objects):
    """Of Deployment and test, with what they are."""
    for o in objects:
        if o["kind"] == "Pod":
            yield "test", o["spec"]
        elif o["kind"] == "Deployment":
            yield "deployment", o["spec"]["template"]["spec"]


def verify_restricted(spec):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards, and what OpenShift's restricted-v2 adds: no user."""
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(spec), spec
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert not any("hostPort" in port for port in container.get("ports", []))
    for volume in spec.get("volumes", []):
        assert set(volume) - {"name"} <= SECRET_VOLUMES, volume


def test_the_pods_are_restricted(t):
    for program in helm.each():
        for path in helm.values_files():
            for ocp4 in ("true", "false"):
                specs = dict(pod_specs(program.render("--set", f"ocp4={ocp4}", values=path)))
                assert set(specs) == {"deployment", "test"}
                for spec in specs.values():
                    verify_restricted(spec)
                    assert spec["enableServiceLinks"] is False, "a Service called syncer would make settings"


def test_a_changed_configuration_restarts_nothing(t):
    for program in helm.each():
        pods = [helm.one(program.render(values=values(**config)), "Deployment")["spec"]["template"]
                for config in ({}, {"retries": 12}, {"log_level": "debug"})]
        assert pods[0] == pods[1] == pods[2]
        mounts = pods[0]["spec"]["containers"][0]["volumeMounts"]
        assert mounts and not any("subPath" in mount for mount in mounts)
        assert len(pods[0]["spec"]["containers"]) == 1


def test_the_grace_is_longer_than_the_end_takes(t):
    for drain, grace, seconds in (("5s", "5s", 15), (0, 5000, 10), ("1m", "2500ms", 68), (5500, 0, 11), (None, None, 10)):
        for program in helm.each():
            deployment = helm.one(program.render(values=values(drain_delay=drain, shutdown_grace=grace)), "Deployment")
            assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == seconds, (drain, grace)


def test_probes_ask_where_health_answers(t):
    for program in helm.each():
        for config, port, scheme in (({}, "admin", "HTTP"), ({"admin_listen": None}, "http", "HTTP"), (
                {"admin_listen": None, "listen_tls_cert": "/c", "listen_tls_key": "/k"}, "http", "HTTPS")):
            objects = program.render("--set", "serviceMonitor.enabled=true", values=values(**config))
            container = helm.one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
            assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port, "scheme": scheme}
            assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": port, "scheme": scheme}
            monitor = helm.one(objects, "ServiceMonitor")["spec"]
            assert (monitor["endpoints"][0]["port"], monitor["endpoints"][0]["scheme"]) == (port, scheme.lower())
            service = helm.one(objects, "Service")
            assert port in [p["name"] for p in service["spec"]["ports"]]
            assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()


def test_the_rights_are_those_of_roles(t):
    import yaml
    cases = (("namespaced.yaml", {}), ("endpointslices.yaml", {"pods": "endpointslices", "service": "gw"}))
    for program in helm.each():
        for name, config in cases:
            with open(os.path.join(helm.TOP, "roles", name)) as f:
                rules = helm.one(list(yaml.safe_load_all(f)), "Role")["rules"]
            objects = program.render(values=values(namespace="elsewhere", **config))
            role, binding = helm.one(objects, "Role"), helm.one(objects, "RoleBinding")
            assert role["rules"] == rules, name
            assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "elsewhere"
            assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "ng-apigw-syncer", "namespace": "gateways"}]
            assert not any(o["kind"].startswith("Cluster") for o in objects)
        for config in ({"pods": "dns", "service": "gw"}, {"pods": "static", "static": [{"name": "a", "address": "10.0.0.1"}]}):
            objects = program.render(values=values(**config))
            assert not any(o["kind"] in ("Role", "RoleBinding") for o in objects)
            spec = helm.one(objects, "Deployment")["spec"]["template"]["spec"]
            assert spec["automountServiceAccountToken"] is False


def test_the_test_pod_is_none_of_the_service(t):
    for program in helm.each():
        objects = program.render()
        labels = helm.one(objects, "Pod")["metadata"]["labels"]
        for selector in (helm.one(objects, "Service")["spec"]["selector"],
                         helm.one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
                         helm.one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]):
            pod = helm.one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
            assert selector.items() <= pod.items() and not selector.items() <= labels.items()


def peers(rule):
    return rule.get("from", rule.get("to"))


def test_the_network_policy(t):
    for program in helm.each():
        spec = helm.one(program.render(), "NetworkPolicy")["spec"]
        asks, watches = spec["ingress"]
        assert peers(asks)[0] == {"podSelector": {}} and asks["ports"] == [{"port": "http", "protocol": "TCP"}]
        assert peers(watches)[0]["namespaceSelector"]["matchExpressions"][0]["values"] == ["monitoring"]
        assert [sorted(p["port"] for p in rule["ports"]) for rule in spec["egress"]] == [[8443], [443, 6443]]
        spec = helm.one(program.render("--set", "ocp4=true", values=values(pods="dns", service="gw")), "NetworkPolicy")["spec"]
        assert [sorted({p["port"] for p in rule["ports"]}) for rule in spec["egress"]] == [[8443], [53, 5353]]
        static = [{"name": "a", "address": "10.0.0.1"}, {"name": "b", "address": "fd00::2", "port": 9443}]
        spec = helm.one(program.render(values=values(pods="static", static=static)), "NetworkPolicy")["spec"]
        assert [(peers(rule), rule["ports"][0]["port"]) for rule in spec["egress"]] == [
            ([{"ipBlock": {"cidr": "10.0.0.1/32"}}], 8443), ([{"ipBlock": {"cidr": "fd00::2/128"}}], 9443)]
        with_labels = copy.deepcopy(values(namespace="elsewhere"))
        with_labels["networkPolicy"] = {"gatewayLabels": {"app": "gw"}}
        spec = helm.one(program.render(values=with_labels), "NetworkPolicy")["spec"]
        assert peers(spec["ingress"][0])[0] == peers(spec["egress"][0])[0] == {
            "podSelector": {"matchLabels": {"app": "gw"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}}


def test_versions_of_the_api(t):
    """Betas where there is nothing else, and no replicas beside an autoscaler."""
    expected = {"1.20.0": ("policy/v1beta1", "autoscaling/v2beta2"), "1.22.0": ("policy/v1", "autoscaling/v2beta2"),
                "1.24.6+openshift": ("policy/v1", "autoscaling/v2"), "1.34.0": ("policy/v1", "autoscaling/v2")}
    for program in helm.each():
        for version, found in expected.items():
            objects = program.render("--kube-version", version, "--set", "autoscaling.enabled=true")
            budget, scaler = helm.one(objects, "PodDisruptionBudget"), helm.one(objects, "HorizontalPodAutoscaler")
            assert (budget["apiVersion"], scaler["apiVersion"]) == found, version
            assert ("unhealthyPodEvictionPolicy" in budget["spec"]) == (version == "1.34.0")
            assert "replicas" not in helm.one(objects, "Deployment")["spec"]
        assert refuses(program, "--kube-version", "1.19.0")


def typed(objects):
    """A TypeScript program that is good if every object has the fields of its kind and no others."""
    lines = []
    for api, kind in {(o["apiVersion"], o["kind"]) for o in objects}:
        package = "@kubernetes-models/prometheus-operator" if api.startswith("monitoring.coreos.com/") else "kubernetes-models"
        lines.append(f'import {{ I{kind} }} from "{package}/{api}";')
    lines += [f"export const o{i}: I{o['kind']} = {json.dumps(o)};" for i, o in enumerate(objects)]
    return "\n".join(lines) + "\n"


def compiled(text):
    """What the compiler says; '' if nothing."""
    folder = os.path.join(helm.FOLDER, "types")
    path = os.path.join(folder, f"objects-{os.getpid()}.ts")  # it looks for types from there upwards
    try:
        with open(path, "w") as f:
            f.write(text)
        return subprocess.run(["node", os.path.join(folder, "node_modules", "typescript", "bin", "tsc"), "--noEmit", "--strict",
                               "--skipLibCheck", "--moduleResolution", "bundler", "--module", "esnext", "--target", "es2022", path],
                              capture_output=True, text=True, timeout=100).stdout
    finally:
        os.unlink(path)


def test_the_objects_have_the_types_of_todays_kubernetes(t):
    """Unknown fields included. What an old server says is in test_kube_helm.py."""
    if not os.path.isdir(os.path.join(helm.FOLDER, "types")):
        raise tap.Skip(f"no types in {helm.FOLDER}: see contrib/helm/get")
    program, objects = helm.each()[-1], []
    for path in helm.values_files():
        for more in ("ocp4=true,autoscaling.enabled=true,prometheusRule.enabled=true", "serviceMonitor.enabled=true"):
            objects += program.render("--kube-version=1.34.0", "--set", more, values=path)
    text = typed(objects)
    assert len(objects) > 60 and not compiled(text), compiled(text)
    assert "enableServiceLink'" in compiled(text.replace('"enableServiceLinks"', '"enableServiceLink"')).replace('"', "'")


def test_ca_of_the_gateways(t):
    for program in helm.each():
        for args, source in ((["--set", "ocp4=true"], {"configMap": {"name": "ng-apigw-syncer-service-ca", "items": [
                {"key": "service-ca.crt", "path": "ca.crt"}]}}), (
                ["--set", "gatewayCA.secret=gw-tls"], {"secret": {"secretName": "gw-tls", "items": [
                    {"key": "ca.crt", "path": "ca.crt"}]}}), ([], None)):
            objects = program.render(*args)
            volumes = helm.one(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
            assert volumes[1:] == ([{"name": "gateway-ca", **source}] if source else [])
            config = helm.one(objects, "ConfigMap", "ng-apigw-syncer")["data"]["config.yaml"]
            assert ("tls_ca: /etc/syncer-ca/ca.crt\n" in config) == bool(source)
            injected = [o for o in objects if "service.beta.openshift.io/inject-cabundle" in o["metadata"].get("annotations", {})]
            assert len(injected) == ("ocp4=true" in args)


def test_the_rules_are_the_file(t):
    import yaml
    path = os.path.join(helm.CHART, "files", "alerts.yaml")
    for program in helm.each():
        rule = helm.one(program.render("--set", "prometheusRule.enabled=true"), "PrometheusRule")
        with open(path) as f:
            assert rule["spec"] == yaml.safe_load(f)
    promtool = shutil.which("promtool")
    if not promtool:
        raise tap.Skip("no promtool (Debian: prometheus)")
    subprocess.run([promtool, "check", "rules", path], check=True, stdout=subprocess.DEVNULL, timeout=30)


def block(notes, title):
    """The indented lines that begin with `title`, to the line that closes it."""
    return re.search(rf"^  {re.escape(title)} {{\n(?:   .*\n)*  }}\n", notes, re.M)[0]


def test_the_notes_hold_what_contrib_nginx_does(t):
    nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    for program in helm.each():
        if program.major == "3":
            continue  # renders no notes without a cluster: test_kube_helm.py
        notes = program.on_chart(["install", "x"], "-n", "gateways", "--dry-run=client", values=helm.LEAST).partition("NOTES:")[2]
        upstream, asking, away = (block(notes, title) for title in ("upstream syncer", "location = /_syncer", "location @syncer_away"))
        assert "server x-ng-apigw-syncer.gateways.svc:8080;" in upstream
        for name in ("ask.conf", "fail-open.conf"):
            with open(os.path.join(helm.TOP, "contrib", "nginx", name)) as f:
                directives = [line.partition("#")[0].strip() for line in f]
            assert all(line in asking for line in directives if line), name
        conf = os.path.join(t.folder, "nginx.conf")
        with open(conf, "w") as f:
            f.write(f"pid {t.folder}/pid;\nevents {{ }}\nhttp {{ access_log off;\n"
                    + upstream.replace("x-ng-apigw-syncer.gateways.svc", "127.0.0.1")
                    + f'server {{ listen 127.0.0.1:8; set $new_token "";\n{asking}{away}}}\n}}\n')
        if not nginx or cluster.missing():
            raise tap.Skip("no nginx")
        done = subprocess.run([nginx, "-t", "-p", t.folder, "-c", conf, "-e", "stderr"], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    sys.exit(tap.main(lambda: ""))
