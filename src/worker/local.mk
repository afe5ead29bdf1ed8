# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/worker/libworker.a
src_worker_libworker_a_SOURCES = \
	include/syncer/worker/worker.h \
	src/worker/parts.c \
	src/worker/worker.c \
	src/worker/worker_private.h
