/* SPDX-License-Identifier: MIT */
/* What a process says about itself to the kernel. Any process, right after it has begun. */
#ifndef SYNCER_BASE_PROCESS_H
#define SYNCER_BASE_PROCESS_H

/* No core is written, and no process of the same user may look into this one: its memory holds tokens. An
 * exec undoes half of it, so each process calls this itself. */
void process_hide(void);

/* The name that ps and top show. One that was started through a descriptor has that descriptor's number for a
 * name before Linux 6.14. */
void process_set_name(const char *name);

#endif
