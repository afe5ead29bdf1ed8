# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/share/libshare.a
src_share_libshare_a_SOURCES = \
	include/syncer/share/control.h \
	include/syncer/share/heritage.h \
	include/syncer/share/latch.h \
	include/syncer/share/metrics.def \
	include/syncer/share/podtable.h \
	include/syncer/share/scoreboard.h \
	include/syncer/share/vitals.h \
	src/share/control.c \
	src/share/heritage.c \
	src/share/podtable.c \
	src/share/podtable_layout.h \
	src/share/podtable_reader.c \
	src/share/scoreboard.c \
	src/share/scoreboard_hint.c \
	src/share/scoreboard_layout.h \
	src/share/scoreboard_read.c \
	src/share/shm_object.c \
	src/share/shm_object.h \
	src/share/vitals.c

if HAVE_CRITERION
SHARE_TESTS = \
	tests/unit/share/test_control \
	tests/unit/share/test_heritage \
	tests/unit/share/test_latch \
	tests/unit/share/test_podtable \
	tests/unit/share/test_podtable_shm \
	tests/unit/share/test_scoreboard \
	tests/unit/share/test_vitals
check_PROGRAMS += $(SHARE_TESTS)
TESTS += $(SHARE_TESTS)
tests_unit_share_test_control_SOURCES = tests/unit/share/test_control.c
tests_unit_share_test_control_CFLAGS = $(UNIT_CFLAGS)
tests_unit_share_test_control_LDADD = $(SHARE_LIBS) $(CRITERION_LIBS)
tests_unit_share_test_heritage_SOURCES = tests/unit/share/test_heritage.c tests/unit/share/pods.h
tests_unit_share_test_heritage_CFLAGS = $(UNIT_CFLAGS)
tests_unit_share_test_heritage_LDADD = $(SHARE_LIBS) $(CRITERION_LIBS)
tests_unit_share_test_latch_SOURCES = tests/unit/share/test_latch.c
tests_unit_share_test_latch_CFLAGS = $(UNIT_CFLAGS)
tests_unit_share_test_latch_LDADD = $(SHARE_LIBS) $(CRITERION_LIBS)
tests_unit_share_test_podtable_SOURCES = tests/unit/share/test_podtable.c tests/unit/share/pods.h
tests_unit_share_test_podtable_CFLAGS = $(UNIT_CFLAGS)
tests_unit_share_test_podtable_LDADD = $(SHARE_LIBS) $(CRITERION_LIBS)
tests_unit_share_test_podtable_shm_SOURCES = tests/unit/share/test_podtable_shm.c tests/unit/share/child.h tests/unit/share/pods.h
tests_unit_share_test_podtable_shm_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) # the layout
tests_unit_share_test_podtable_shm_CFLAGS = $(UNIT_CFLAGS)
tests_unit_share_test_podtable_shm_LDADD = $(SHARE_LIBS) $(CRITERION_LIBS)
tests_unit_share_test_scoreboard_SOURCES = tests/unit/share/test_scoreboard.c tests/unit/share/child.h
tests_unit_share_test_scoreboard_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) # the layout
tests_unit_share_test_scoreboard_CFLAGS = $(UNIT_CFLAGS)
tests_unit_share_test_scoreboard_LDADD = $(SHARE_LIBS) $(CRITERION_LIBS)
tests_unit_share_test_vitals_SOURCES = tests/unit/share/test_vitals.c
tests_unit_share_test_vitals_CFLAGS = $(UNIT_CFLAGS)
tests_unit_share_test_vitals_LDADD = $(SHARE_LIBS) $(CRITERION_LIBS)
endif
