# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/probe/libprobe.a
src_probe_libprobe_a_SOURCES =
