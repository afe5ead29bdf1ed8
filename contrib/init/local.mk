# SPDX-License-Identifier: MIT
# What init systems need to run syncer. `make install` puts the unit where systemd looks below the prefix, and the two
# scripts beside the documentation, since a machine has use for one of them at most.
INIT_FILES = contrib/init/syncer.service contrib/init/syncer.init contrib/init/syncer.openrc
EXTRA_DIST += contrib/init/syncer.service.in contrib/init/syncer.init.in contrib/init/syncer.openrc.in
CLEANFILES += $(INIT_FILES)

systemdsystemunitdir = $(prefix)/lib/systemd/system
nodist_systemdsystemunit_DATA = contrib/init/syncer.service
initexamplesdir = $(docdir)/init
nodist_initexamples_SCRIPTS = contrib/init/syncer.init contrib/init/syncer.openrc

$(INIT_FILES): Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	  sed -e 's,@bindir[@],$(bindir),g' -e 's,@sysconfdir[@],$(sysconfdir),g' $(srcdir)/$@.in >$@.tmp && mv $@.tmp $@
contrib/init/syncer.service: contrib/init/syncer.service.in
contrib/init/syncer.init: contrib/init/syncer.init.in
contrib/init/syncer.openrc: contrib/init/syncer.openrc.in
