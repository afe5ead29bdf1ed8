# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/api/libapi.a
src_api_libapi_a_CPPFLAGS = $(AM_CPPFLAGS) -DUI_DIR='"$(srcdir)/src/api/ui"'
src_api_libapi_a_SOURCES = \
	include/syncer/api/api.h \
	src/api/allow.c \
	src/api/api_private.h \
	src/api/check_log.c \
	src/api/health.c \
	src/api/metrics.c \
	src/api/pages.c \
	src/api/pages.def \
	src/api/pods.c \
	src/api/routes.c \
	src/api/status.c \
	src/api/synced.c \
	src/api/synced.h \
	src/api/synced_request.c \
	src/api/synced_verbose.c

# The linker puts them into pages.o: no rule of the compiler's knows.
ui_files = \
	src/api/ui/app.js \
	src/api/ui/history.js \
	src/api/ui/icon.svg \
	src/api/ui/index.html \
	src/api/ui/metrics.js \
	src/api/ui/openapi.json \
	src/api/ui/plots.js \
	src/api/ui/style.css \
	src/api/ui/swagger.html \
	src/api/ui/swagger.js \
	src/api/ui/table.js
EXTRA_DIST += $(ui_files)
src/api/libapi_a-pages.$(OBJEXT): $(ui_files)
