# SPDX-License-Identifier: MIT
# How tests run: every test prints TAP, so that each case is counted.
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/contrib/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = CRITERION_OUTPUTS=tap:- ; export CRITERION_OUTPUTS; \
	LSAN_OPTIONS=suppressions=$(abs_top_srcdir)/tests/lsan.supp:print_suppressions=0 ; export LSAN_OPTIONS; \
	TSAN_OPTIONS=halt_on_error=1:exitcode=66 ; export TSAN_OPTIONS; \
	PYTHONDONTWRITEBYTECODE=1 ; export PYTHONDONTWRITEBYTECODE; \
	SYNCER=$(abs_top_builddir)/syncer ; export SYNCER; \
	SYNCER_SRCDIR=$(abs_top_srcdir) ; export SYNCER_SRCDIR;
EXTRA_DIST += tests/lsan.supp
