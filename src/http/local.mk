# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/http/libhttp.a
src_http_libhttp_a_SOURCES = \
	include/syncer/http/exchange.h \
	include/syncer/http/router.h \
	include/syncer/http/server.h \
	src/http/accept.c \
	src/http/answer.c \
	src/http/conn.c \
	src/http/exchange.c \
	src/http/layout.h \
	src/http/router.c \
	src/http/server.c \
	src/http/status.c
