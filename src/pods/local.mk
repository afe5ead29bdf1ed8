# SPDX-License-Identifier: MIT
# noinst_LIBRARIES += src/pods/libpods.a
