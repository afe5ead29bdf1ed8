# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/api/libapi.a
src_api_libapi_a_SOURCES = \
	include/syncer/api/api.h \
	src/api/allow.c \
	src/api/api_private.h \
	src/api/check_log.c \
	src/api/health.c \
	src/api/metrics.c \
	src/api/pods.c \
	src/api/routes.c \
	src/api/status.c \
	src/api/synced.c \
	src/api/synced.h \
	src/api/synced_request.c \
	src/api/synced_verbose.c
