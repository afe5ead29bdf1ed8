# SPDX-License-Identifier: MIT
# noinst_LIBRARIES += src/api/libapi.a
