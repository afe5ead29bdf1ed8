# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/http/libhttp.a
src_http_libhttp_a_SOURCES =
