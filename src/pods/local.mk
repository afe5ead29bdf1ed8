# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/pods/libpods.a
src_pods_libpods_a_SOURCES = \
	include/syncer/pods/rights.h \
	include/syncer/pods/source.h \
	src/pods/dns.c \
	src/pods/dns_ask.c \
	src/pods/dns_ask.h \
	src/pods/dns_message.c \
	src/pods/dns_message.h \
	src/pods/dns_resolv.c \
	src/pods/dns_resolv.h \
	src/pods/endpointslices.c \
	src/pods/kube_access.c \
	src/pods/kube_access.h \
	src/pods/kube_client.c \
	src/pods/kube_client.h \
	src/pods/kube_events.c \
	src/pods/kube_events.h \
	src/pods/kube_feed.c \
	src/pods/kube_feed.h \
	src/pods/kube_list.c \
	src/pods/kube_list.h \
	src/pods/kube_mount.c \
	src/pods/kube_mount.h \
	src/pods/kube_objects.c \
	src/pods/kube_objects.h \
	src/pods/kube_part.c \
	src/pods/kube_part.h \
	src/pods/kube_records.c \
	src/pods/kube_records.h \
	src/pods/kube_reflector.c \
	src/pods/kube_reflector.h \
	src/pods/kube_select.c \
	src/pods/kube_select.h \
	src/pods/kube_slice.c \
	src/pods/kube_slice.h \
	src/pods/kube_watch.c \
	src/pods/kubernetes.c \
	src/pods/rights.c \
	src/pods/source.c \
	src/pods/source_kind.h \
	src/pods/static.c

if HAVE_CRITERION
PODS_TESTS = \
	tests/unit/pods/test_dns_ask \
	tests/unit/pods/test_dns_message \
	tests/unit/pods/test_dns_resolv \
	tests/unit/pods/test_kube_access \
	tests/unit/pods/test_kube_events \
	tests/unit/pods/test_kube_list \
	tests/unit/pods/test_kube_objects \
	tests/unit/pods/test_kube_records \
	tests/unit/pods/test_kube_select \
	tests/unit/pods/test_kube_slice \
	tests/unit/pods/test_static
check_PROGRAMS += $(PODS_TESTS)
TESTS += $(PODS_TESTS)
tests_unit_pods_test_dns_ask_SOURCES = tests/unit/pods/test_dns_ask.c tests/unit/pods/dns_rig.h
tests_unit_pods_test_dns_ask_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_dns_ask_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_dns_message_SOURCES = tests/unit/pods/test_dns_message.c tests/unit/wire/guarded.h tests/unit/pods/dns_rig.h
tests_unit_pods_test_dns_message_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_dns_message_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_dns_resolv_SOURCES = tests/unit/pods/test_dns_resolv.c
tests_unit_pods_test_dns_resolv_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_dns_resolv_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_kube_access_SOURCES = tests/unit/pods/test_kube_access.c
tests_unit_pods_test_kube_access_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_kube_access_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_kube_events_SOURCES = tests/unit/pods/test_kube_events.c tests/unit/pods/kube_rig.h tests/unit/wire/guarded.h
tests_unit_pods_test_kube_events_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_kube_events_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_kube_records_SOURCES = tests/unit/pods/test_kube_records.c
tests_unit_pods_test_kube_records_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_kube_records_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_kube_list_SOURCES = tests/unit/pods/test_kube_list.c tests/unit/pods/kube_rig.h
tests_unit_pods_test_kube_list_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_kube_list_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_kube_objects_SOURCES = tests/unit/pods/test_kube_objects.c tests/unit/pods/kube_rig.h
tests_unit_pods_test_kube_objects_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_kube_objects_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_kube_slice_SOURCES = tests/unit/pods/test_kube_slice.c tests/unit/pods/kube_rig.h
tests_unit_pods_test_kube_slice_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_kube_slice_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_kube_select_SOURCES = tests/unit/pods/test_kube_select.c tests/unit/pods/kube_rig.h
tests_unit_pods_test_kube_select_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_kube_select_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_static_SOURCES = tests/unit/pods/test_static.c
tests_unit_pods_test_static_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_static_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
if HAVE_SYSTEM_TESTS
check_PROGRAMS += tests/unit/pods/test_endpointslices tests/unit/pods/test_kube_reflector tests/unit/pods/test_source tests/unit/pods/test_kube_watch
TESTS += tests/unit/pods/test_endpointslices tests/unit/pods/test_kube_reflector tests/unit/pods/test_source tests/unit/pods/test_kube_watch
tests_unit_pods_test_kube_reflector_SOURCES = tests/unit/pods/test_kube_reflector.c tests/unit/pods/source_rig.h
tests_unit_pods_test_kube_reflector_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_kube_reflector_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_endpointslices_SOURCES = tests/unit/pods/test_endpointslices.c tests/unit/pods/source_rig.h
tests_unit_pods_test_endpointslices_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_endpointslices_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_kube_watch_SOURCES = tests/unit/pods/test_kube_watch.c tests/unit/pods/source_rig.h
tests_unit_pods_test_kube_watch_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_kube_watch_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
tests_unit_pods_test_source_SOURCES = tests/unit/pods/test_source.c tests/unit/pods/source_rig.h
tests_unit_pods_test_source_CFLAGS = $(UNIT_CFLAGS)
tests_unit_pods_test_source_LDADD = $(PODS_LIBS) $(CRITERION_LIBS)
endif
endif
EXTRA_DIST += tests/fakes/kube_api.py
