# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/wire/libwire.a
src_wire_libwire_a_SOURCES = \
	include/syncer/wire/http_request.h \
	include/syncer/wire/http_response.h \
	include/syncer/wire/http_scan.h \
	include/syncer/wire/json_read.h \
	include/syncer/wire/json_stream.h \
	include/syncer/wire/json_write.h \
	include/syncer/wire/prom.h \
	include/syncer/wire/url.h \
	src/wire/http_body.c \
	src/wire/http_request.c \
	src/wire/http_response.c \
	src/wire/http_scan.c \
	src/wire/http_target.c \
	src/wire/http_target.h \
	src/wire/json_check.c \
	src/wire/json_check.h \
	src/wire/json_plain.h \
	src/wire/json_read.c \
	src/wire/json_stream.c \
	src/wire/json_write.c \
	src/wire/prom.c \
	src/wire/url.c

if HAVE_CRITERION
WIRE_TESTS = \
	tests/unit/wire/test_http_body \
	tests/unit/wire/test_http_request \
	tests/unit/wire/test_http_response \
	tests/unit/wire/test_json_read \
	tests/unit/wire/test_json_stream \
	tests/unit/wire/test_json_write \
	tests/unit/wire/test_prom \
	tests/unit/wire/test_url
check_PROGRAMS += $(WIRE_TESTS)
TESTS += $(WIRE_TESTS)
tests_unit_wire_test_http_body_SOURCES = tests/unit/wire/test_http_body.c tests/unit/wire/guarded.h
tests_unit_wire_test_http_body_CFLAGS = $(UNIT_CFLAGS)
tests_unit_wire_test_http_body_LDADD = $(WIRE_LIBS) $(CRITERION_LIBS)
tests_unit_wire_test_http_request_SOURCES = tests/unit/wire/test_http_request.c tests/unit/wire/guarded.h
tests_unit_wire_test_http_request_CFLAGS = $(UNIT_CFLAGS)
tests_unit_wire_test_http_request_LDADD = $(WIRE_LIBS) $(CRITERION_LIBS)
tests_unit_wire_test_http_response_SOURCES = tests/unit/wire/test_http_response.c tests/unit/wire/guarded.h
tests_unit_wire_test_http_response_CFLAGS = $(UNIT_CFLAGS)
tests_unit_wire_test_http_response_LDADD = $(WIRE_LIBS) $(CRITERION_LIBS)
tests_unit_wire_test_json_read_SOURCES = tests/unit/wire/test_json_read.c tests/unit/wire/guarded.h
tests_unit_wire_test_json_read_CFLAGS = $(UNIT_CFLAGS)
tests_unit_wire_test_json_read_LDADD = $(WIRE_LIBS) $(CRITERION_LIBS)
tests_unit_wire_test_json_stream_SOURCES = tests/unit/wire/test_json_stream.c tests/unit/wire/guarded.h
tests_unit_wire_test_json_stream_CFLAGS = $(UNIT_CFLAGS)
tests_unit_wire_test_json_stream_LDADD = $(WIRE_LIBS) $(CRITERION_LIBS)
tests_unit_wire_test_json_write_SOURCES = tests/unit/wire/test_json_write.c tests/unit/wire/guarded.h
tests_unit_wire_test_json_write_CFLAGS = $(UNIT_CFLAGS)
tests_unit_wire_test_json_write_LDADD = $(WIRE_LIBS) $(CRITERION_LIBS)
tests_unit_wire_test_prom_SOURCES = tests/unit/wire/test_prom.c
tests_unit_wire_test_prom_CFLAGS = $(UNIT_CFLAGS)
tests_unit_wire_test_prom_LDADD = $(WIRE_LIBS) $(CRITERION_LIBS)
tests_unit_wire_test_url_SOURCES = tests/unit/wire/test_url.c tests/unit/wire/guarded.h
tests_unit_wire_test_url_CFLAGS = $(UNIT_CFLAGS)
tests_unit_wire_test_url_LDADD = $(WIRE_LIBS) $(CRITERION_LIBS)
endif
