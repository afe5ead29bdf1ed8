# SPDX-License-Identifier: MIT
# noinst_LIBRARIES += src/http/libhttp.a
