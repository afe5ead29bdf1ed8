# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/probe/libprobe.a
src_probe_libprobe_a_SOURCES = \
	include/syncer/probe/check.h \
	include/syncer/probe/pool.h \
	include/syncer/probe/probe.h \
	include/syncer/probe/schedule.h \
	include/syncer/probe/verdict.h \
	src/probe/check.c \
	src/probe/pool.c \
	src/probe/pool_link.c \
	src/probe/pool_private.h \
	src/probe/probe.c \
	src/probe/schedule.c \
	src/probe/verdict.c
