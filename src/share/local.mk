# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/share/libshare.a
src_share_libshare_a_SOURCES = \
	include/syncer/share/control.h \
	include/syncer/share/heritage.h \
	include/syncer/share/latch.h \
	include/syncer/share/metrics.def \
	include/syncer/share/podtable.h \
	include/syncer/share/scoreboard.h \
	src/share/control.c \
	src/share/heritage.c \
	src/share/podtable.c \
	src/share/podtable_layout.h \
	src/share/podtable_reader.c \
	src/share/scoreboard.c \
	src/share/scoreboard_layout.h \
	src/share/scoreboard_read.c \
	src/share/shm_object.c \
	src/share/shm_object.h
