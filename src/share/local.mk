# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/share/libshare.a
src_share_libshare_a_SOURCES =
