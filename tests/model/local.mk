# SPDX-License-Identifier: MIT
# Models of what no test can be sure to meet, for Spin (Debian: spin). `make model` looks at every state of each, and at its
# mutations.
MODELS = tests/model/latch.pml tests/model/reload.pml
EXTRA_DIST += tests/model/check $(MODELS)

.PHONY: model
model:
	$(top_srcdir)/tests/model/check $(MODELS:%=$(top_srcdir)/%)
