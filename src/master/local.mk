# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/master/libmaster.a
src_master_libmaster_a_SOURCES = \
	include/syncer/master/master.h \
	src/master/backoff.c \
	src/master/beat.c \
	src/master/master.c \
	src/master/master_private.h \
	src/master/podhealth.c \
	src/master/podlist.c \
	src/master/refresh.c \
	src/master/reload.c \
	src/master/scrape.c \
	src/master/setup.c \
	src/master/slots.c \
	src/master/spawn.c \
	src/master/supervisor.c \
	src/master/user.c \
	src/master/watch.c

if HAVE_CRITERION
MASTER_TESTS = \
	tests/unit/master/test_backoff \
	tests/unit/master/test_podhealth \
	tests/unit/master/test_podlist \
	tests/unit/master/test_refresh \
	tests/unit/master/test_scrape \
	tests/unit/master/test_slots
check_PROGRAMS += $(MASTER_TESTS)
TESTS += $(MASTER_TESTS)
FAKE_MASTER = tests/unit/master/fake_master.c tests/unit/master/fake_master.h
tests_unit_master_test_backoff_SOURCES = tests/unit/master/test_backoff.c
tests_unit_master_test_backoff_CFLAGS = $(UNIT_CFLAGS)
tests_unit_master_test_backoff_LDADD = $(MASTER_LIBS) $(CRITERION_LIBS)
tests_unit_master_test_podhealth_SOURCES = tests/unit/master/test_podhealth.c
tests_unit_master_test_podhealth_CFLAGS = $(UNIT_CFLAGS)
tests_unit_master_test_podhealth_LDADD = $(MASTER_LIBS) $(CRITERION_LIBS)
tests_unit_master_test_podlist_SOURCES = tests/unit/master/test_podlist.c $(FAKE_MASTER)
tests_unit_master_test_podlist_CFLAGS = $(UNIT_CFLAGS)
tests_unit_master_test_podlist_LDADD = $(MASTER_LIBS) $(CRITERION_LIBS)
tests_unit_master_test_refresh_SOURCES = tests/unit/master/test_refresh.c $(FAKE_MASTER)
tests_unit_master_test_refresh_CFLAGS = $(UNIT_CFLAGS)
tests_unit_master_test_refresh_LDADD = $(MASTER_LIBS) $(CRITERION_LIBS)
tests_unit_master_test_scrape_SOURCES = tests/unit/master/test_scrape.c $(FAKE_MASTER)
tests_unit_master_test_scrape_CFLAGS = $(UNIT_CFLAGS)
tests_unit_master_test_scrape_LDADD = $(MASTER_LIBS) $(CRITERION_LIBS)
tests_unit_master_test_slots_SOURCES = tests/unit/master/test_slots.c $(FAKE_MASTER)
tests_unit_master_test_slots_CFLAGS = $(UNIT_CFLAGS)
tests_unit_master_test_slots_LDADD = $(MASTER_LIBS) $(CRITERION_LIBS)
endif
