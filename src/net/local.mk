# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/net/libnet.a
src_net_libnet_a_SOURCES = \
	include/syncer/net/curl_loop.h \
	include/syncer/net/fetch.h \
	include/syncer/net/link.h \
	include/syncer/net/listen.h \
	include/syncer/net/stream.h \
	include/syncer/net/trust.h \
	src/net/curl_loop.c \
	src/net/fetch.c \
	src/net/link.c \
	src/net/listen.c \
	src/net/stream.c \
	src/net/trust.c \
	src/net/trust_curl.h
