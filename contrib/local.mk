# SPDX-License-Identifier: MIT
# What `make install` puts below $(docdir): to be read, copied or loaded elsewhere.
dist_doc_DATA = LICENSE README.md \
	contrib/config.yaml \
	contrib/doc/alternatives.md \
	contrib/doc/runbooks.md \
	contrib/doc/start.md \
	contrib/doc/troubleshooting.md \
	contrib/doc/upgrade.md

nginxdocdir = $(docdir)/nginx
dist_nginxdoc_DATA = contrib/nginx/ask.conf \
	contrib/nginx/auth-request-cached.conf \
	contrib/nginx/auth-request-strict.conf \
	contrib/nginx/auth-request.conf \
	contrib/nginx/cache-http.conf \
	contrib/nginx/fail-open.conf \
	contrib/nginx/http.conf \
	contrib/nginx/login-njs.conf \
	contrib/nginx/login.js \
	contrib/nginx/probe.conf \
	contrib/nginx/server.conf \
	contrib/nginx/zone-sync.conf

# The chart has the rules, too, as its PrometheusRule.
prometheusdocdir = $(docdir)/prometheus
dist_prometheusdoc_DATA = helm/ng-apigw-syncer/files/alerts.yaml
grafanadocdir = $(docdir)/grafana
dist_grafanadoc_DATA = contrib/grafana/syncer.json
rolesdocdir = $(docdir)/roles
dist_rolesdoc_DATA = roles/cluster.yaml roles/endpointslices.yaml roles/namespaced.yaml

# autoreconf wants these folders.
EXTRA_DIST += .clang-format .clang-tidy .editorconfig .gitignore \
	contrib/build-aux/.gitkeep \
	contrib/check \
	contrib/check-install \
	contrib/m4/.gitkeep \
	contrib/packages.sh \
	contrib/slides/slides.md \
	contrib/web-inputs

# For the test that nothing of the tree is missing in the archive.
.PHONY: list-dist
list-dist:
	@printf '%s\n' $(DISTFILES)
