# SPDX-License-Identifier: MIT
# Fuzz targets: fuzz_NAME.c, with seeds and what once broke it in corpus/NAME/. Each is linked with replay.c, which feeds
# it its corpus in `make check`, and, configured with CC=clang --enable-fuzzers (best with --with-sanitizer=
# address,undefined), with libFuzzer: `make fuzz` gives each FUZZ_SECONDS. What it finds new stays below fuzz/ in the build
# folder; an input that breaks a target goes into its corpus.
# A target more: its name here, and its lines below.
FUZZ_TARGETS = conf_yaml dns_message http_conn http_request http_response json_read json_stream kube_events kube_objects kubeconfig log_line
FUZZ_SECONDS = 60
FUZZ_FLAGS = -max_len=20000 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1

FUZZ_REPLAYS = \
	tests/fuzz/replay_conf_yaml \
	tests/fuzz/replay_dns_message \
	tests/fuzz/replay_http_conn \
	tests/fuzz/replay_http_request \
	tests/fuzz/replay_http_response \
	tests/fuzz/replay_json_read \
	tests/fuzz/replay_json_stream \
	tests/fuzz/replay_kube_events \
	tests/fuzz/replay_kube_objects \
	tests/fuzz/replay_kubeconfig \
	tests/fuzz/replay_log_line
check_PROGRAMS += $(FUZZ_REPLAYS)
TESTS += $(FUZZ_REPLAYS)
EXTRA_DIST += tests/fuzz/corpus

tests_fuzz_replay_conf_yaml_SOURCES = tests/fuzz/fuzz_conf_yaml.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_replay_conf_yaml_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"conf_yaml"'
tests_fuzz_replay_conf_yaml_LDADD = $(CONF_LIBS)
tests_fuzz_replay_dns_message_SOURCES = tests/fuzz/fuzz_dns_message.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_replay_dns_message_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"dns_message"'
tests_fuzz_replay_dns_message_LDADD = $(PODS_LIBS)
tests_fuzz_replay_http_conn_SOURCES = tests/fuzz/fuzz_http_conn.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_replay_http_conn_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"http_conn"'
tests_fuzz_replay_http_conn_LDADD = $(HTTP_LIBS)
tests_fuzz_replay_http_request_SOURCES = tests/fuzz/fuzz_http_request.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_replay_http_request_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"http_request"'
tests_fuzz_replay_http_request_LDADD = $(WIRE_LIBS)
tests_fuzz_replay_http_response_SOURCES = tests/fuzz/fuzz_http_response.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_replay_http_response_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"http_response"'
tests_fuzz_replay_http_response_LDADD = $(WIRE_LIBS)
tests_fuzz_replay_json_read_SOURCES = tests/fuzz/fuzz_json_read.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_replay_json_read_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"json_read"'
tests_fuzz_replay_json_read_LDADD = $(WIRE_LIBS)
tests_fuzz_replay_json_stream_SOURCES = tests/fuzz/fuzz_json_stream.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_replay_json_stream_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"json_stream"'
tests_fuzz_replay_json_stream_LDADD = $(WIRE_LIBS)
tests_fuzz_replay_kube_events_SOURCES = tests/fuzz/fuzz_kube_events.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_replay_kube_events_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"kube_events"'
tests_fuzz_replay_kube_events_LDADD = $(PODS_LIBS)
tests_fuzz_replay_kube_objects_SOURCES = tests/fuzz/fuzz_kube_objects.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_replay_kube_objects_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"kube_objects"'
tests_fuzz_replay_kube_objects_LDADD = $(PODS_LIBS)
tests_fuzz_replay_kubeconfig_SOURCES = tests/fuzz/fuzz_kubeconfig.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_replay_kubeconfig_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"kubeconfig"'
tests_fuzz_replay_kubeconfig_LDADD = $(CONF_LIBS)
tests_fuzz_replay_log_line_SOURCES = tests/fuzz/fuzz_log_line.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_replay_log_line_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"log_line"'
tests_fuzz_replay_log_line_LDADD = $(WIRE_LIBS)

if FUZZERS
EXTRA_PROGRAMS += tests/fuzz/fuzz_conf_yaml
tests_fuzz_fuzz_conf_yaml_SOURCES = tests/fuzz/fuzz_conf_yaml.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_conf_yaml_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_conf_yaml_LDADD = $(CONF_LIBS)
EXTRA_PROGRAMS += tests/fuzz/fuzz_dns_message
tests_fuzz_fuzz_dns_message_SOURCES = tests/fuzz/fuzz_dns_message.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_dns_message_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_dns_message_LDADD = $(PODS_LIBS)
EXTRA_PROGRAMS += tests/fuzz/fuzz_http_conn
tests_fuzz_fuzz_http_conn_SOURCES = tests/fuzz/fuzz_http_conn.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_http_conn_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_http_conn_LDADD = $(HTTP_LIBS)
EXTRA_PROGRAMS += tests/fuzz/fuzz_http_request
tests_fuzz_fuzz_http_request_SOURCES = tests/fuzz/fuzz_http_request.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_http_request_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_http_request_LDADD = $(WIRE_LIBS)
EXTRA_PROGRAMS += tests/fuzz/fuzz_http_response
tests_fuzz_fuzz_http_response_SOURCES = tests/fuzz/fuzz_http_response.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_http_response_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_http_response_LDADD = $(WIRE_LIBS)
EXTRA_PROGRAMS += tests/fuzz/fuzz_json_read
tests_fuzz_fuzz_json_read_SOURCES = tests/fuzz/fuzz_json_read.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_json_read_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_json_read_LDADD = $(WIRE_LIBS)
EXTRA_PROGRAMS += tests/fuzz/fuzz_json_stream
tests_fuzz_fuzz_json_stream_SOURCES = tests/fuzz/fuzz_json_stream.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_json_stream_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_json_stream_LDADD = $(WIRE_LIBS)
EXTRA_PROGRAMS += tests/fuzz/fuzz_kube_events
tests_fuzz_fuzz_kube_events_SOURCES = tests/fuzz/fuzz_kube_events.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_kube_events_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_kube_events_LDADD = $(PODS_LIBS)
EXTRA_PROGRAMS += tests/fuzz/fuzz_kube_objects
tests_fuzz_fuzz_kube_objects_SOURCES = tests/fuzz/fuzz_kube_objects.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_kube_objects_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_kube_objects_LDADD = $(PODS_LIBS)
EXTRA_PROGRAMS += tests/fuzz/fuzz_kubeconfig
tests_fuzz_fuzz_kubeconfig_SOURCES = tests/fuzz/fuzz_kubeconfig.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_kubeconfig_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_kubeconfig_LDADD = $(CONF_LIBS)
EXTRA_PROGRAMS += tests/fuzz/fuzz_log_line
tests_fuzz_fuzz_log_line_SOURCES = tests/fuzz/fuzz_log_line.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_log_line_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_log_line_LDADD = $(WIRE_LIBS)
endif

.PHONY: fuzz
if FUZZERS
fuzz: $(FUZZ_TARGETS:%=tests/fuzz/fuzz_%)
	@for name in $(FUZZ_TARGETS); do \
	  echo "== $$name"; mkdir -p fuzz/$$name && \
	  tests/fuzz/fuzz_$$name $(FUZZ_FLAGS) -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=fuzz/$$name- \
	    fuzz/$$name $(srcdir)/tests/fuzz/corpus/$$name || exit 1; \
	done
else
fuzz:
	@echo "make fuzz: configure with CC=clang --enable-fuzzers --with-sanitizer=address,undefined" >&2; exit 1
endif
