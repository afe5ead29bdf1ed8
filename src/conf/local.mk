# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/conf/libconf.a
src_conf_libconf_a_SOURCES = \
	include/syncer/conf/conf.h \
	include/syncer/conf/keys.def \
	include/syncer/conf/kubeconfig.h \
	src/conf/conf.c \
	src/conf/conf_check.c \
	src/conf/conf_yaml.c \
	src/conf/key.c \
	src/conf/key.h \
	src/conf/kubeconfig.c \
	src/conf/kubeconfig_entries.c \
	src/conf/kubeconfig_entries.h \
	src/conf/kubeconfig_files.c \
	src/conf/kubeconfig_part.c \
	src/conf/kubeconfig_part.h \
	src/conf/yaml_reader.c \
	src/conf/yaml_reader.h

if HAVE_CRITERION
CONF_TESTS = tests/unit/conf/test_conf tests/unit/conf/test_kubeconfig
check_PROGRAMS += $(CONF_TESTS)
TESTS += $(CONF_TESTS)
tests_unit_conf_test_conf_SOURCES = tests/unit/conf/test_conf.c
tests_unit_conf_test_conf_CFLAGS = $(UNIT_CFLAGS)
tests_unit_conf_test_conf_LDADD = $(CONF_LIBS) $(CRITERION_LIBS)
tests_unit_conf_test_kubeconfig_SOURCES = tests/unit/conf/test_kubeconfig.c tests/unit/wire/guarded.h
tests_unit_conf_test_kubeconfig_CFLAGS = $(UNIT_CFLAGS)
tests_unit_conf_test_kubeconfig_LDADD = $(CONF_LIBS) $(CRITERION_LIBS)
endif
