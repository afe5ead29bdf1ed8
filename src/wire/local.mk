# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/wire/libwire.a
src_wire_libwire_a_SOURCES =
