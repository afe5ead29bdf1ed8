# SPDX-License-Identifier: MIT
# noinst_LIBRARIES += src/probe/libprobe.a
