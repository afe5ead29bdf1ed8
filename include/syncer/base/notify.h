/* SPDX-License-Identifier: MIT */
/*
 * What an init system is told: datagrams of "KEY=value" lines to the socket that it names in $NOTIFY_SOCKET,
 * by the protocol that sd_notify(3) documents. Nothing here blocks, and nothing depends on whether anybody
 * listens. Master only.
 */
#ifndef SYNCER_BASE_NOTIFY_H
#define SYNCER_BASE_NOTIFY_H

#include <stdint.h>

#include <syncer/base/err.h>

struct notify {
    int fd;              /* connected; -1 = nobody wants to know */
    int64_t watchdog_ns; /* WATCHDOG=1 is expected at least so often; 0 = it is not */
};

/* Reads NOTIFY_SOCKET (a path, or '@' and an abstract name), WATCHDOG_USEC and WATCHDOG_PID, and removes them
 * from the environment. 0, also if there are none, or -1 with the reason and nothing to tell to. */
int notify_open(struct notify *notify, struct err *err);
void notify_close(struct notify *notify);

/* One message, such as "READY=1\nSTATUS=serving". Lost where the receiver has no room. */
void notify_send(const struct notify *notify, const char *message);

#endif
