# SPDX-License-Identifier: MIT
# System tests: the real binary before real nginx. A script is one test program, each test function one case.
SYSTEM_TESTS = \
	tests/system/test_life.py \
	tests/system/test_harness.py \
	tests/system/test_nginx.py \
	tests/system/test_verdicts.py \
	tests/system/test_errors.py \
	tests/system/test_pods_misbehave.py \
	tests/system/test_load.py \
	tests/system/test_demo.py
EXTRA_DIST += $(SYSTEM_TESTS) \
	tests/system/harness/__init__.py \
	tests/system/harness/certs.py \
	tests/system/harness/cluster.py \
	tests/system/harness/fakepod.py \
	tests/system/harness/gateway.py \
	tests/system/harness/pod.lua \
	tests/system/harness/proc.py \
	tests/system/harness/syncer.py \
	tests/system/harness/tap.py \
	contrib/demo \
	contrib/demo.d/demo.py \
	contrib/nginx/ask.conf \
	contrib/nginx/auth-request.conf \
	contrib/nginx/http.conf \
	contrib/nginx/login-njs.conf \
	contrib/nginx/login.js \
	contrib/nginx/server.conf

if HAVE_SYSTEM_TESTS
TESTS += $(SYSTEM_TESTS)
endif
