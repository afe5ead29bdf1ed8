# SPDX-License-Identifier: MIT
# Manual pages. The settings of syncer.yaml(5) are those of the program's own table.
dist_man_MANS = contrib/man/syncer.8 contrib/man/syncerctl.1
nodist_man_MANS = contrib/man/syncer.yaml.5
EXTRA_DIST += contrib/man/syncer.yaml.5.in contrib/man/settings.awk
CLEANFILES += contrib/man/syncer.yaml.5

contrib/man/syncer.yaml.5: contrib/man/syncer.yaml.5.in contrib/man/settings.awk include/syncer/conf/keys.def Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	  $(AWK) -f $(srcdir)/contrib/man/settings.awk $(srcdir)/include/syncer/conf/keys.def >$@.settings && \
	  sed -e '/^@SETTINGS@$$/{' -e 'r $@.settings' -e 'd' -e '}' -e 's,@sysconfdir[@],$(sysconfdir),g' \
	    $(srcdir)/contrib/man/syncer.yaml.5.in >$@.tmp && rm -f $@.settings && mv $@.tmp $@
