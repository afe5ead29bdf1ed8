# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/share/libshare.a
src_share_libshare_a_SOURCES = \
	include/syncer/share/latch.h \
	include/syncer/share/podtable.h \
	src/share/podtable.c \
	src/share/podtable_layout.h \
	src/share/podtable_reader.c \
	src/share/shm_object.c \
	src/share/shm_object.h
