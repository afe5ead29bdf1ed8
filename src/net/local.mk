# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/net/libnet.a
src_net_libnet_a_SOURCES = \
	include/syncer/net/curl_loop.h \
	include/syncer/net/fetch.h \
	include/syncer/net/identity.h \
	include/syncer/net/link.h \
	include/syncer/net/listen.h \
	include/syncer/net/memory.h \
	include/syncer/net/stream.h \
	include/syncer/net/trust.h \
	src/net/curl_loop.c \
	src/net/curl_sockets.c \
	src/net/curl_sockets.h \
	src/net/fetch.c \
	src/net/fetch_easy.c \
	src/net/fetch_easy.h \
	src/net/identity.c \
	src/net/identity_ssl.h \
	src/net/link.c \
	src/net/link_hub.c \
	src/net/link_private.h \
	src/net/link_tls.c \
	src/net/link_tls.h \
	src/net/listen.c \
	src/net/memory.c \
	src/net/openssl_error.c \
	src/net/openssl_error.h \
	src/net/stream.c \
	src/net/trust.c \
	src/net/trust_curl.h

if HAVE_CRITERION
NET_TESTS = \
	tests/unit/net/test_curl_loop \
	tests/unit/net/test_fetch \
	tests/unit/net/test_fetch_kept \
	tests/unit/net/test_fetch_where \
	tests/unit/net/test_link \
	tests/unit/net/test_listen \
	tests/unit/net/test_memory \
	tests/unit/net/test_resolver \
	tests/unit/net/test_stream \
	tests/unit/net/test_trust
NET_RIG = \
	tests/unit/net/certs.c \
	tests/unit/net/certs.h \
	tests/unit/net/fake_server.c \
	tests/unit/net/fake_server.h
FETCH_RIG = $(NET_RIG) tests/unit/net/fetch_rig.c tests/unit/net/fetch_rig.h
check_PROGRAMS += $(NET_TESTS)
TESTS += $(NET_TESTS)
tests_unit_net_test_curl_loop_SOURCES = tests/unit/net/test_curl_loop.c $(NET_RIG)
tests_unit_net_test_curl_loop_CFLAGS = $(UNIT_CFLAGS)
tests_unit_net_test_curl_loop_LDADD = $(NET_LIBS) $(CRITERION_LIBS)
tests_unit_net_test_fetch_SOURCES = tests/unit/net/test_fetch.c $(FETCH_RIG)
tests_unit_net_test_fetch_CFLAGS = $(UNIT_CFLAGS)
tests_unit_net_test_fetch_LDADD = $(NET_LIBS) $(CRITERION_LIBS)
tests_unit_net_test_fetch_kept_SOURCES = tests/unit/net/test_fetch_kept.c $(FETCH_RIG)
tests_unit_net_test_fetch_kept_CFLAGS = $(UNIT_CFLAGS)
tests_unit_net_test_fetch_kept_LDADD = $(NET_LIBS) $(CRITERION_LIBS)
tests_unit_net_test_fetch_where_SOURCES = tests/unit/net/test_fetch_where.c $(FETCH_RIG)
tests_unit_net_test_fetch_where_CFLAGS = $(UNIT_CFLAGS)
tests_unit_net_test_fetch_where_LDADD = $(NET_LIBS) $(CRITERION_LIBS)
tests_unit_net_test_link_SOURCES = tests/unit/net/test_link.c $(NET_RIG)
tests_unit_net_test_link_CFLAGS = $(UNIT_CFLAGS)
tests_unit_net_test_link_LDADD = $(NET_LIBS) $(CRITERION_LIBS)
tests_unit_net_test_listen_SOURCES = tests/unit/net/test_listen.c
tests_unit_net_test_listen_CFLAGS = $(UNIT_CFLAGS)
tests_unit_net_test_listen_LDADD = $(NET_LIBS) $(CRITERION_LIBS)
tests_unit_net_test_memory_SOURCES = tests/unit/net/test_memory.c
tests_unit_net_test_memory_CFLAGS = $(UNIT_CFLAGS)
tests_unit_net_test_memory_LDADD = $(NET_LIBS) $(CRITERION_LIBS)
tests_unit_net_test_resolver_SOURCES = tests/unit/net/test_resolver.c
tests_unit_net_test_resolver_CFLAGS = $(UNIT_CFLAGS)
tests_unit_net_test_resolver_LDADD = $(NET_LIBS) $(CRITERION_LIBS)
tests_unit_net_test_stream_SOURCES = tests/unit/net/test_stream.c tests/unit/net/certs.c tests/unit/net/certs.h
tests_unit_net_test_stream_CFLAGS = $(UNIT_CFLAGS)
tests_unit_net_test_stream_LDADD = $(NET_LIBS) $(CRITERION_LIBS)
tests_unit_net_test_trust_SOURCES = tests/unit/net/test_trust.c tests/unit/net/certs.c tests/unit/net/certs.h
tests_unit_net_test_trust_CFLAGS = $(UNIT_CFLAGS)
tests_unit_net_test_trust_LDADD = $(NET_LIBS) $(CRITERION_LIBS)
endif
