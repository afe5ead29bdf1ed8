# SPDX-License-Identifier: MIT
# `make bench` builds and runs the benchmarks, in this order; none is part of `make check`. A program more: one line in
# BENCHES, and its sources.
BENCHES = \
	tests/bench/answers \
	tests/bench/http_request \
	tests/bench/kube_list \
	tests/bench/podtable \
	tests/bench/schedule
EXTRA_PROGRAMS += $(BENCHES)
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

.PHONY: bench
bench: $(BENCHES)
	@for program in $(BENCHES); do echo "== $$program"; ./$$program || exit 1; done
