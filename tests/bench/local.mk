# SPDX-License-Identifier: MIT
# `make bench` builds and runs the benchmarks, in this order; none is part of `make check`. A program more: one line in
# BENCHES, and its sources; a script: one line in PY_BENCHES. What they print as figures (tests/bench/run.py says how)
# comes into the table and into bench.json.
BENCHES = \
	tests/bench/answers \
	tests/bench/http_request \
	tests/bench/kube_list \
	tests/bench/podtable \
	tests/bench/schedule
EXTRA_PROGRAMS += $(BENCHES)
EXTRA_DIST += tests/bench/figure.h
tests_bench_answers_SOURCES = tests/bench/answers.c
tests_bench_answers_LDADD = $(API_LIBS)
tests_bench_http_request_SOURCES = tests/bench/http_request.c
tests_bench_http_request_LDADD = $(WIRE_LIBS)
tests_bench_kube_list_SOURCES = tests/bench/kube_list.c
tests_bench_kube_list_CPPFLAGS = $(AM_CPPFLAGS) -DFIXTURES='"$(abs_top_srcdir)/tests/fixtures/kube"'
tests_bench_kube_list_LDADD = $(PODS_LIBS)
tests_bench_podtable_SOURCES = tests/bench/podtable.c
tests_bench_podtable_LDADD = $(SHARE_LIBS)
tests_bench_schedule_SOURCES = tests/bench/schedule.c
tests_bench_schedule_LDADD = $(PROBE_LIBS)

# What the scripts among them run.
BENCH_TOOLS = \
	tests/bench/checks \
	tests/bench/load \
	tests/bench/raw_client
EXTRA_PROGRAMS += $(BENCH_TOOLS)
tests_bench_checks_SOURCES = tests/bench/checks.c
tests_bench_checks_LDADD = $(PROBE_LIBS)
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_raw_client_SOURCES = tests/bench/raw_client.c
tests_bench_raw_client_LDADD = $(OPENSSL_LIBS)

# Python, with pods of real nginx; each prints figures as the programs do.
PY_BENCHES = \
	tests/bench/barrier.py \
	tests/bench/clients.py \
	tests/bench/probes.py \
	tests/bench/steady.py
EXTRA_DIST += $(PY_BENCHES) tests/bench/benchlib.py tests/bench/run.py

.PHONY: bench
bench: all $(BENCHES) $(BENCH_TOOLS)
	@SYNCER=$(abs_top_builddir)/syncer SYNCER_SRCDIR=$(abs_top_srcdir) BENCH_BUILDDIR=$(abs_top_builddir) \
	  $(srcdir)/tests/bench/run.py bench.json $(BENCHES) $(PY_BENCHES:%=$(abs_top_srcdir)/%)
