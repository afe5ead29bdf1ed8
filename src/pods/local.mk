# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/pods/libpods.a
src_pods_libpods_a_SOURCES =
