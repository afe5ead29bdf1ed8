# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/http/libhttp.a
src_http_libhttp_a_SOURCES = \
	include/syncer/http/exchange.h \
	include/syncer/http/router.h \
	include/syncer/http/server.h \
	src/http/accept.c \
	src/http/access.c \
	src/http/answer.c \
	src/http/conn.c \
	src/http/conn_answer.c \
	src/http/conn_request.c \
	src/http/exchange.c \
	src/http/layout.h \
	src/http/router.c \
	src/http/server.c \
	src/http/status.c \
	src/http/step.h

if HAVE_CRITERION
HTTP_TESTS = \
	tests/unit/http/test_framing \
	tests/unit/http/test_lifecycle \
	tests/unit/http/test_limits \
	tests/unit/http/test_server \
	tests/unit/http/test_slices \
	tests/unit/http/test_wipe
HTTP_RIG = tests/unit/http/rig.c tests/unit/http/rig.h
check_PROGRAMS += $(HTTP_TESTS)
TESTS += $(HTTP_TESTS)
tests_unit_http_test_framing_SOURCES = tests/unit/http/test_framing.c $(HTTP_RIG)
tests_unit_http_test_framing_CFLAGS = $(UNIT_CFLAGS)
tests_unit_http_test_framing_LDADD = $(HTTP_LIBS) $(CRITERION_LIBS)
tests_unit_http_test_lifecycle_SOURCES = tests/unit/http/test_lifecycle.c $(HTTP_RIG)
tests_unit_http_test_lifecycle_CFLAGS = $(UNIT_CFLAGS)
tests_unit_http_test_lifecycle_LDADD = $(HTTP_LIBS) $(CRITERION_LIBS)
tests_unit_http_test_limits_SOURCES = tests/unit/http/test_limits.c $(HTTP_RIG)
tests_unit_http_test_limits_CFLAGS = $(UNIT_CFLAGS)
tests_unit_http_test_limits_LDADD = $(HTTP_LIBS) $(CRITERION_LIBS)
tests_unit_http_test_server_SOURCES = tests/unit/http/test_server.c $(HTTP_RIG)
tests_unit_http_test_server_CFLAGS = $(UNIT_CFLAGS)
tests_unit_http_test_server_LDADD = $(HTTP_LIBS) $(CRITERION_LIBS)
tests_unit_http_test_slices_SOURCES = tests/unit/http/test_slices.c $(HTTP_RIG)
tests_unit_http_test_slices_CFLAGS = $(UNIT_CFLAGS)
tests_unit_http_test_slices_LDADD = $(HTTP_LIBS) $(CRITERION_LIBS)
tests_unit_http_test_wipe_SOURCES = tests/unit/http/test_wipe.c $(HTTP_RIG)
tests_unit_http_test_wipe_CFLAGS = $(UNIT_CFLAGS)
tests_unit_http_test_wipe_LDADD = $(HTTP_LIBS) $(CRITERION_LIBS)
endif
