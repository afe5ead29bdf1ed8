# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/base/libbase.a
src_base_libbase_a_SOURCES = \
	include/syncer/base/addr.h \
	include/syncer/base/buf.h \
	include/syncer/base/clock.h \
	include/syncer/base/err.h \
	include/syncer/base/fd.h \
	include/syncer/base/filewatch.h \
	include/syncer/base/log.h \
	include/syncer/base/loop.h \
	include/syncer/base/macros.h \
	include/syncer/base/must.h \
	include/syncer/base/notify.h \
	include/syncer/base/privileges.h \
	include/syncer/base/process.h \
	include/syncer/base/random.h \
	include/syncer/base/signals.h \
	include/syncer/base/siphash.h \
	include/syncer/base/utf8.h \
	src/base/addr.c \
	src/base/buf.c \
	src/base/clock.c \
	src/base/err.c \
	src/base/fd.c \
	src/base/file_state.c \
	src/base/file_state.h \
	src/base/filewatch.c \
	src/base/filewatch_way.c \
	src/base/filewatch_way.h \
	src/base/log.c \
	src/base/log_line.c \
	src/base/log_line.h \
	src/base/log_sink.c \
	src/base/log_sink.h \
	src/base/loop.c \
	src/base/must.c \
	src/base/notify.c \
	src/base/privileges.c \
	src/base/process.c \
	src/base/random.c \
	src/base/signals.c \
	src/base/siphash.c \
	src/base/timer_heap.c \
	src/base/timer_heap.h \
	src/base/utf8.c

if HAVE_CRITERION
BASE_TESTS = \
	tests/unit/base/test_filewatch \
	tests/unit/base/test_log \
	tests/unit/base/test_loop \
	tests/unit/base/test_process \
	tests/unit/base/test_values
check_PROGRAMS += $(BASE_TESTS)
TESTS += $(BASE_TESTS)
tests_unit_base_test_filewatch_SOURCES = tests/unit/base/test_filewatch.c
tests_unit_base_test_filewatch_CFLAGS = $(UNIT_CFLAGS)
tests_unit_base_test_filewatch_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)
tests_unit_base_test_log_SOURCES = tests/unit/base/test_log.c
tests_unit_base_test_log_CFLAGS = $(UNIT_CFLAGS)
tests_unit_base_test_log_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)
tests_unit_base_test_loop_SOURCES = tests/unit/base/test_loop.c
tests_unit_base_test_loop_CFLAGS = $(UNIT_CFLAGS)
tests_unit_base_test_loop_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)
tests_unit_base_test_process_SOURCES = tests/unit/base/test_process.c
tests_unit_base_test_process_CFLAGS = $(UNIT_CFLAGS)
tests_unit_base_test_process_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)
tests_unit_base_test_values_SOURCES = tests/unit/base/test_values.c
tests_unit_base_test_values_CFLAGS = $(UNIT_CFLAGS)
tests_unit_base_test_values_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)
endif
