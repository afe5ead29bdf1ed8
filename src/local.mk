# SPDX-License-Identifier: MIT
# The program: every layer, each before those that it stands on.
bin_PROGRAMS = syncer
syncer_SOURCES = src/main.c
syncer_LDADD = src/master/libmaster.a src/worker/libworker.a src/api/libapi.a src/http/libhttp.a src/probe/libprobe.a \
	src/pods/libpods.a src/net/libnet.a src/conf/libconf.a src/share/libshare.a src/wire/libwire.a src/base/libbase.a \
	$(CURL_LIBS) $(OPENSSL_LIBS) $(YAML_LIBS)
