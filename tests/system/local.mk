# SPDX-License-Identifier: MIT
# System tests: the real binary before real nginx. A script is one test program, each test function one case.
SYSTEM_TESTS = \
	tests/system/test_kubernetes.py \
	tests/system/test_kubeconfig.py \
	tests/system/test_life.py \
	tests/system/test_endure.py \
	tests/system/test_crash.py \
	tests/system/test_shortage.py \
	tests/system/test_admin.py \
	tests/system/test_allow.py \
	tests/system/test_clients.py \
	tests/system/test_http.py \
	tests/system/test_user.py \
	tests/system/test_tls_listen.py \
	tests/system/test_watch_files.py \
	tests/system/test_dns.py \
	tests/system/test_harness.py \
	tests/system/test_nginx.py \
	tests/system/test_verdicts.py \
	tests/system/test_control_probe.py \
	tests/system/test_errors.py \
	tests/system/test_pods_misbehave.py \
	tests/system/test_secrets.py \
	tests/system/test_load.py \
	tests/system/test_alerts.py \
	tests/system/test_metrics.py \
	tests/system/test_pages.py \
	tests/system/test_logs.py \
	tests/system/test_init.py \
	tests/system/test_install.py \
	tests/system/test_ctl.py \
	tests/system/test_ctl_doctor.py \
	tests/system/test_manuals.py \
	tests/system/test_helm.py \
	tests/system/test_supervisor.py \
	tests/system/test_demo.py
# For `make check-kube` only: what they run against has to be built first.
KUBE_TESTS = \
	tests/system/test_path.py \
	tests/system/test_kube_changes.py \
	tests/system/test_kube_helm.py \
	tests/system/test_kube_doctor.py \
	tests/system/test_kube_kubeconfig.py \
	tests/system/test_kube_roles.py \
	tests/system/test_kube_rollout.py \
	tests/system/test_kube_scale.py \
	tests/system/test_kube_server.py \
	tests/system/test_kube_watch.py
EXTRA_DIST += $(SYSTEM_TESTS) $(KUBE_TESTS) \
	contrib/kube/build \
	contrib/kube/check \
	tests/system/harness/__init__.py \
	tests/system/harness/browser.py \
	tests/system/harness/certs.py \
	tests/system/harness/clients.py \
	tests/system/harness/cluster.py \
	tests/system/harness/ctl.py \
	tests/system/harness/fakepod.py \
	tests/system/harness/gateway.py \
	tests/system/harness/helm.py \
	tests/system/harness/incluster.py \
	tests/system/harness/kube.py \
	tests/system/harness/kubelet.py \
	tests/system/harness/kubeobjects.py \
	tests/system/harness/kubeserver.py \
	tests/system/harness/node.py \
	tests/system/harness/pod.lua \
	tests/system/harness/proc.py \
	tests/system/harness/resolver.py \
	tests/system/harness/relay.py \
	tests/system/harness/release.py \
	tests/system/harness/prometheus.py \
	tests/system/harness/seccomp.py \
	tests/system/harness/syncer.py \
	tests/system/harness/tap.py \
	contrib/demo \
	contrib/demo.d/demo.py

EXTRA_DIST += tests/alerts/alerts_test.yaml \
	tests/fixtures/kube/deployment-get-403.json \
	tests/fixtures/kube/deployment-get-404.json \
	tests/fixtures/kube/pods-list-401.json \
	tests/fixtures/kube/pods-list-403.json \
	tests/fixtures/kube/pods-list-429.json \
	tests/fixtures/kube/pods-watch-403.json \
	tests/fixtures/kube/pods-watch-expired-410.json \
	tests/fixtures/kube/replicasets-list-403.json \
	tests/fixtures/kube/v1.20-1-settled-deployment.json \
	tests/fixtures/kube/v1.20-1-settled-pods.json \
	tests/fixtures/kube/v1.20-1-settled-replicasets.json \
	tests/fixtures/kube/v1.20-2-rolling-deployment.json \
	tests/fixtures/kube/v1.20-2-rolling-pods.json \
	tests/fixtures/kube/v1.20-2-rolling-replicasets.json \
	tests/fixtures/kube/v1.20-3-rolled-deployment.json \
	tests/fixtures/kube/v1.20-3-rolled-pods.json \
	tests/fixtures/kube/v1.20-3-rolled-replicasets.json \
	tests/fixtures/kube/v1.20-4-undone-deployment.json \
	tests/fixtures/kube/v1.20-4-undone-pods.json \
	tests/fixtures/kube/v1.20-4-undone-replicasets.json \
	tests/fixtures/kube/v1.20-5-zero-deployment.json \
	tests/fixtures/kube/v1.20-5-zero-pods.json \
	tests/fixtures/kube/v1.20-5-zero-replicasets.json \
	tests/fixtures/kube/v1.36-1-settled-deployment.json \
	tests/fixtures/kube/v1.36-1-settled-pods.json \
	tests/fixtures/kube/v1.36-1-settled-replicasets.json \
	tests/fixtures/kube/v1.36-2-rolling-deployment.json \
	tests/fixtures/kube/v1.36-2-rolling-pods.json \
	tests/fixtures/kube/v1.36-2-rolling-replicasets.json \
	tests/fixtures/kube/v1.36-3-rolled-deployment.json \
	tests/fixtures/kube/v1.36-3-rolled-pods.json \
	tests/fixtures/kube/v1.36-3-rolled-replicasets.json \
	tests/fixtures/kube/v1.36-4-undone-deployment.json \
	tests/fixtures/kube/v1.36-4-undone-pods.json \
	tests/fixtures/kube/v1.36-4-undone-replicasets.json \
	tests/fixtures/kube/v1.36-5-zero-deployment.json \
	tests/fixtures/kube/v1.36-5-zero-pods.json \
	tests/fixtures/kube/v1.36-5-zero-replicasets.json \
	tests/fixtures/kube/v1.36-watch-deployment.json \
	tests/fixtures/kube/v1.36-watch-pods.json \
	tests/fixtures/kube/v1.36-watch-replicasets.json

if HAVE_SYSTEM_TESTS
TESTS += $(SYSTEM_TESTS)
endif
