/* SPDX-License-Identifier: MIT */
/*
 * What master and worker say to each other: datagrams over a SOCK_SEQPACKET pair, each end non-blocking. Its
 * end of file tells either that the other is gone. A message that finds no room is dropped: all but the
 * wake-up are repeated or not missed, and after a dropped wake-up more are waiting anyway.
 */
#ifndef SYNCER_SHARE_CONTROL_H
#define SYNCER_SHARE_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include <syncer/base/err.h>

#define CONTROL_NAME_MAX 253
#define CONTROL_TEXT_MAX 255

enum control_kind {
    /* worker to master */
    CONTROL_READY = 1, /* accepting */
    CONTROL_REFRESH,   /* the origin `name` is not in the table: read the list again */
    CONTROL_DOWN,      /* the pod `name` takes no connection: `text` says why, for the log */
    /* master to worker */
    CONTROL_TABLE,   /* the table has changed, or a read of the source has ended */
    CONTROL_UNKNOWN, /* to CONTROL_REFRESH: not again now, the last read has not brought `name` */
    CONTROL_RETIRE,  /* SIGHUP: stop accepting, finish, say `Connection: close`, leave within the grace */
    CONTROL_DRAIN,   /* SIGTERM: /readyz is 503 and answers say `Connection: close`; accepting goes on */
    CONTROL_STOP,    /* SIGTERM, after drain_delay: stop accepting, refuse new checks, finish, leave within the
                     grace */
    CONTROL_KINDS
};

struct control_message {
    enum control_kind kind;
    char name[CONTROL_NAME_MAX + 1]; /* REFRESH, UNKNOWN and DOWN; else "" */
    char text[CONTROL_TEXT_MAX + 1]; /* DOWN; else "" */
};

/* A pair of ends, O_CLOEXEC and non-blocking: [0] the master's, [1] the worker's. 0 or -1 with the reason. */
int control_pair(int fds[2], struct err *err);

/* 0; -1 if it did not go (no room, nobody there, a name longer than CONTROL_NAME_MAX). `name` is not empty
 * for REFRESH and UNKNOWN, and NULL for all others. Any process. */
int control_send(int fd, enum control_kind kind, const char *name);

/* CONTROL_DOWN, the text cut at CONTROL_TEXT_MAX. 0 or -1 as above. Worker. */
int control_send_down(int fd, const char *name, const char *text);

enum control_received { CONTROL_GOT, CONTROL_NONE, CONTROL_GONE };
/* One message. What is malformed is passed over, a bounded number of it in a call: after NONE there may be
 * more, so watch the descriptor level-triggered, and take a bounded number of messages in one turn of the
 * loop. */
enum control_received control_receive(int fd, struct control_message *message);

#endif
