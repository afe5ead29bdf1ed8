# SPDX-License-Identifier: MIT
# Plain programs that print TAP. `make tsan` runs them under ThreadSanitizer, with sources of their own, since it must
# see all of them and goes with no other sanitizer.
check_PROGRAMS += tests/stress/seqlock
TESTS += tests/stress/seqlock
tests_stress_seqlock_SOURCES = tests/stress/seqlock.c
tests_stress_seqlock_CFLAGS = $(AM_CFLAGS) -pthread
tests_stress_seqlock_LDADD = $(SHARE_LIBS)

EXTRA_PROGRAMS += tests/stress/seqlock_tsan
tests_stress_seqlock_tsan_SOURCES = \
	src/base/addr.c \
	src/base/buf.c \
	src/base/clock.c \
	src/base/err.c \
	src/base/fd.c \
	src/base/must.c \
	src/base/random.c \
	src/share/podtable.c \
	src/share/podtable_reader.c \
	src/share/shm_object.c \
	tests/stress/seqlock.c
# gcc warns that it does not model fences: with all shared data atomic it needs not.
tests_stress_seqlock_tsan_CFLAGS = $(AM_CFLAGS) -pthread -fsanitize=thread -Wno-error
tests_stress_seqlock_tsan_LDFLAGS = $(AM_LDFLAGS) -fsanitize=thread
tests_stress_seqlock_tsan_LDADD = $(OPENSSL_LIBS)

.PHONY: tsan
tsan: tests/stress/seqlock_tsan
	TSAN_OPTIONS=halt_on_error=1:exitcode=66 tests/stress/seqlock_tsan
