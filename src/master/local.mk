# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/master/libmaster.a
src_master_libmaster_a_SOURCES = \
	include/syncer/master/master.h \
	src/master/backoff.c \
	src/master/beat.c \
	src/master/master.c \
	src/master/master_private.h \
	src/master/podlist.c \
	src/master/refresh.c \
	src/master/reload.c \
	src/master/scrape.c \
	src/master/setup.c \
	src/master/slots.c \
	src/master/spawn.c
