# SPDX-License-Identifier: MIT
# noinst_LIBRARIES += src/worker/libworker.a
