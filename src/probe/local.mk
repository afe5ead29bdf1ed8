# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/probe/libprobe.a
src_probe_libprobe_a_SOURCES = \
	include/syncer/probe/check.h \
	include/syncer/probe/guard.h \
	include/syncer/probe/pool.h \
	include/syncer/probe/probe.h \
	include/syncer/probe/schedule.h \
	include/syncer/probe/verdict.h \
	src/probe/check.c \
	src/probe/check_private.h \
	src/probe/checker.c \
	src/probe/flight.c \
	src/probe/flight_origin.c \
	src/probe/flight_peer.c \
	src/probe/flight_table.c \
	src/probe/guard.c \
	src/probe/pool.c \
	src/probe/pool_exchange.c \
	src/probe/pool_link.c \
	src/probe/pool_pod.c \
	src/probe/pool_private.h \
	src/probe/pool_supply.c \
	src/probe/probe.c \
	src/probe/schedule.c \
	src/probe/verdict.c

if HAVE_CRITERION
PROBE_TESTS = \
	tests/unit/probe/test_check \
	tests/unit/probe/test_flight \
	tests/unit/probe/test_guard \
	tests/unit/probe/test_pool \
	tests/unit/probe/test_schedule \
	tests/unit/probe/test_verdict
PROBE_RIG = tests/unit/probe/rig.c tests/unit/probe/rig.h
check_PROGRAMS += $(PROBE_TESTS)
TESTS += $(PROBE_TESTS)
tests_unit_probe_test_check_SOURCES = tests/unit/probe/test_check.c $(PROBE_RIG)
tests_unit_probe_test_check_CFLAGS = $(UNIT_CFLAGS)
tests_unit_probe_test_check_LDADD = $(PROBE_LIBS) $(CRITERION_LIBS)
tests_unit_probe_test_flight_SOURCES = tests/unit/probe/test_flight.c $(PROBE_RIG)
tests_unit_probe_test_flight_CFLAGS = $(UNIT_CFLAGS)
tests_unit_probe_test_flight_LDADD = $(PROBE_LIBS) $(CRITERION_LIBS)
tests_unit_probe_test_guard_SOURCES = tests/unit/probe/test_guard.c $(PROBE_RIG)
tests_unit_probe_test_guard_CFLAGS = $(UNIT_CFLAGS)
tests_unit_probe_test_guard_LDADD = $(PROBE_LIBS) $(CRITERION_LIBS)
tests_unit_probe_test_pool_SOURCES = tests/unit/probe/test_pool.c $(PROBE_RIG)
tests_unit_probe_test_pool_CFLAGS = $(UNIT_CFLAGS)
tests_unit_probe_test_pool_LDADD = $(PROBE_LIBS) $(CRITERION_LIBS)
tests_unit_probe_test_schedule_SOURCES = tests/unit/probe/test_schedule.c
tests_unit_probe_test_schedule_CFLAGS = $(UNIT_CFLAGS)
tests_unit_probe_test_schedule_LDADD = $(PROBE_LIBS) $(CRITERION_LIBS)
tests_unit_probe_test_verdict_SOURCES = tests/unit/probe/test_verdict.c
tests_unit_probe_test_verdict_CFLAGS = $(UNIT_CFLAGS)
tests_unit_probe_test_verdict_LDADD = $(PROBE_LIBS) $(CRITERION_LIBS)
endif
