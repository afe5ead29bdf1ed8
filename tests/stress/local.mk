# SPDX-License-Identifier: MIT
# Plain programs that print TAP. Each is built a second time with ThreadSanitizer, which goes with no other sanitizer and
# must see all of it: from sources of its own. `make tsan` runs those, and so does `make check` of a sanitized build.
STRESS = tests/stress/scoreboard tests/stress/seqlock
STRESS_TSAN = tests/stress/scoreboard_tsan tests/stress/seqlock_tsan
TSAN_COMPILE = -std=gnu11 $(WARN_CFLAGS) $(HARDEN_CFLAGS) -pthread $(TSAN_CFLAGS)
TSAN_LINK = $(HARDEN_LDFLAGS) $(TSAN_CFLAGS)
TSAN_COMMON = \
	src/base/addr.c \
	src/base/buf.c \
	src/base/clock.c \
	src/base/err.c \
	src/base/fd.c \
	src/base/must.c \
	src/base/random.c \
	src/base/siphash.c \
	src/share/shm_object.c

check_PROGRAMS += $(STRESS)
TESTS += $(STRESS)
tests_stress_scoreboard_SOURCES = tests/stress/scoreboard.c
tests_stress_scoreboard_CFLAGS = $(AM_CFLAGS) -pthread
tests_stress_scoreboard_LDADD = $(SHARE_LIBS)
tests_stress_seqlock_SOURCES = tests/stress/seqlock.c
tests_stress_seqlock_CFLAGS = $(AM_CFLAGS) -pthread
tests_stress_seqlock_LDADD = $(SHARE_LIBS)

if TSAN
check_PROGRAMS += $(STRESS_TSAN)
tests_stress_scoreboard_tsan_SOURCES = $(TSAN_COMMON) \
	src/share/scoreboard.c \
	src/share/scoreboard_read.c \
	tests/stress/scoreboard.c
tests_stress_scoreboard_tsan_CFLAGS = $(TSAN_COMPILE)
tests_stress_scoreboard_tsan_LDFLAGS = $(TSAN_LINK)
tests_stress_scoreboard_tsan_LDADD = $(OPENSSL_LIBS)
tests_stress_seqlock_tsan_SOURCES = $(TSAN_COMMON) \
	src/share/podtable.c \
	src/share/podtable_reader.c \
	tests/stress/seqlock.c
tests_stress_seqlock_tsan_CFLAGS = $(TSAN_COMPILE)
tests_stress_seqlock_tsan_LDFLAGS = $(TSAN_LINK)
tests_stress_seqlock_tsan_LDADD = $(OPENSSL_LIBS)
if SANITIZED
TESTS += $(STRESS_TSAN)
endif
endif

.PHONY: tsan
if TSAN
tsan: $(STRESS_TSAN)
	@for program in $(STRESS_TSAN); do TSAN_OPTIONS=halt_on_error=1:exitcode=66 $$program || exit 1; done
else
tsan:
	@echo "make tsan: the compiler has no ThreadSanitizer" >&2; exit 1
endif
