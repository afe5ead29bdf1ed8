# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/conf/libconf.a
src_conf_libconf_a_SOURCES = \
	include/syncer/conf/conf.h \
	include/syncer/conf/keys.def \
	src/conf/conf.c \
	src/conf/conf_check.c \
	src/conf/conf_yaml.c \
	src/conf/key.c \
	src/conf/key.h \
	src/conf/yaml_reader.c \
	src/conf/yaml_reader.h

if HAVE_CRITERION
check_PROGRAMS += tests/unit/conf/test_conf
TESTS += tests/unit/conf/test_conf
tests_unit_conf_test_conf_SOURCES = tests/unit/conf/test_conf.c
tests_unit_conf_test_conf_CFLAGS = $(UNIT_CFLAGS)
tests_unit_conf_test_conf_LDADD = $(CONF_LIBS) $(CRITERION_LIBS)
endif
