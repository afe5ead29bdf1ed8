# SPDX-License-Identifier: MIT
# `make chaos`: everything around syncer goes wrong, under constant checks; `make check` runs some seconds of it.
CHAOS_TESTS = \
	tests/chaos/test_chaos.py \
	tests/chaos/test_observer.py
CHAOS_SECONDS = 600
CHAOS_SEED =
EXTRA_DIST += $(CHAOS_TESTS) \
	tests/chaos/actors.py \
	tests/chaos/asker.py \
	tests/chaos/badserver.py \
	tests/chaos/chaos.py \
	tests/chaos/clients.py \
	tests/chaos/facts.py \
	tests/chaos/gate.py \
	tests/chaos/growth.py \
	tests/chaos/journal.py \
	tests/chaos/listing.py \
	tests/chaos/observer.py \
	tests/chaos/realserver.py \
	tests/chaos/report.py \
	tests/chaos/sockets.py \
	tests/chaos/watcher.py \
	tests/chaos/world.py

if HAVE_SYSTEM_TESTS
TESTS += $(CHAOS_TESTS)
endif

.PHONY: chaos
chaos: all
	SYNCER=$(abs_top_builddir)/syncer $(top_srcdir)/tests/chaos/chaos.py --seconds $(CHAOS_SECONDS) $(CHAOS_SEED:%=--seed %)
