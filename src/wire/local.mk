# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/wire/libwire.a
src_wire_libwire_a_SOURCES = \
	include/syncer/wire/http_request.h \
	include/syncer/wire/http_response.h \
	include/syncer/wire/http_scan.h \
	include/syncer/wire/url.h \
	src/wire/http_body.c \
	src/wire/http_request.c \
	src/wire/http_response.c \
	src/wire/http_scan.c \
	src/wire/http_target.c \
	src/wire/http_target.h \
	src/wire/url.c
