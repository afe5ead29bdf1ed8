# SPDX-License-Identifier: MIT
# noinst_LIBRARIES += src/master/libmaster.a
