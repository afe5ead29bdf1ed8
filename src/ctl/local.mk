# SPDX-License-Identifier: MIT
# syncerctl: what a person asks a running syncer, and a set-up.
noinst_LIBRARIES += src/ctl/libctl.a
src_ctl_libctl_a_SOURCES = \
	src/ctl/ask.c \
	src/ctl/ask.h \
	src/ctl/check.c \
	src/ctl/commands.h \
	src/ctl/doctor.c \
	src/ctl/doctor.h \
	src/ctl/doctor_conf.c \
	src/ctl/doctor_pods.c \
	src/ctl/doctor_rights.c \
	src/ctl/doctor_server.c \
	src/ctl/doctor_words.c \
	src/ctl/explain.c \
	src/ctl/explain.h \
	src/ctl/member.c \
	src/ctl/member.h \
	src/ctl/options.c \
	src/ctl/options.def \
	src/ctl/options.h \
	src/ctl/pods.c \
	src/ctl/report.c \
	src/ctl/status.c \
	src/ctl/term.c \
	src/ctl/term.h \
	src/ctl/token.c \
	src/ctl/token.h \
	src/ctl/wait.c

bin_PROGRAMS += syncerctl
syncerctl_SOURCES = src/ctl/main.c
syncerctl_LDADD = $(CTL_LIBS)

if HAVE_CRITERION
CTL_TESTS = tests/unit/ctl/test_doctor tests/unit/ctl/test_options tests/unit/ctl/test_words
check_PROGRAMS += $(CTL_TESTS)
TESTS += $(CTL_TESTS)
tests_unit_ctl_test_doctor_SOURCES = tests/unit/ctl/test_doctor.c
tests_unit_ctl_test_doctor_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_unit_ctl_test_doctor_CFLAGS = $(UNIT_CFLAGS)
tests_unit_ctl_test_doctor_LDADD = $(CTL_LIBS) $(CRITERION_LIBS)
tests_unit_ctl_test_options_SOURCES = tests/unit/ctl/test_options.c
tests_unit_ctl_test_options_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) # the layer has no public headers
tests_unit_ctl_test_options_CFLAGS = $(UNIT_CFLAGS)
tests_unit_ctl_test_options_LDADD = $(CTL_LIBS) $(CRITERION_LIBS)
tests_unit_ctl_test_words_SOURCES = tests/unit/ctl/test_words.c
tests_unit_ctl_test_words_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_unit_ctl_test_words_CFLAGS = $(UNIT_CFLAGS)
tests_unit_ctl_test_words_LDADD = $(CTL_LIBS) $(CRITERION_LIBS)
endif
