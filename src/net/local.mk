# SPDX-License-Identifier: MIT
# noinst_LIBRARIES += src/net/libnet.a
