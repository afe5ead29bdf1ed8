# SPDX-License-Identifier: MIT
# The image, and what tries it.
EXTRA_DIST += contrib/Containerfile \
	contrib/container/check \
	contrib/container/complete \
	tests/system/harness/container.py \
	tests/system/test_container.py

.PHONY: check-container
check-container:
	$(top_srcdir)/contrib/container/check
