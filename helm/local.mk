# SPDX-License-Identifier: MIT
# The chart, what it is tested with, and the roles that it agrees with.
CHART = helm/ng-apigw-syncer
EXTRA_DIST += $(CHART)/.helmignore \
	$(CHART)/Chart.yaml \
	$(CHART)/values.yaml \
	$(CHART)/values.schema.json \
	$(CHART)/files/values/apigwp/cz/p/values.yaml \
	$(CHART)/files/values/apigwp/cz/t/values.yaml \
	$(CHART)/files/values/apigwp/sk/t/values.yaml \
	$(CHART)/templates/NOTES.txt \
	$(CHART)/templates/_helpers.tpl \
	$(CHART)/templates/configmap.yaml \
	$(CHART)/templates/deployment.yaml \
	$(CHART)/templates/hpa.yaml \
	$(CHART)/templates/networkpolicy.yaml \
	$(CHART)/templates/pdb.yaml \
	$(CHART)/templates/prometheusrule.yaml \
	$(CHART)/templates/role.yaml \
	$(CHART)/templates/service.yaml \
	$(CHART)/templates/serviceaccount.yaml \
	$(CHART)/templates/servicemonitor.yaml \
	$(CHART)/templates/tests/ready.yaml \
	contrib/helm/check \
	contrib/helm/get \
	contrib/helm/schema \
	contrib/tap.sh

.PHONY: check-helm
check-helm: all
	SYNCER=$(abs_top_builddir)/syncer $(top_srcdir)/contrib/helm/check
