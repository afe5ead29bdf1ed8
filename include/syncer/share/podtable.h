/* SPDX-License-Identifier: MIT */
/*
 * The table of pods in shared memory: written by the master alone, read by every worker through a descriptor
 * that is read-only, so that a write faults. Two copies under a latch (latch.h): no reader ever waits for the
 * writer.
 *
 * The object is made once in a master's life and has no name from the first moment on, so that no end of any
 * process leaves anything behind. Its space is allocated when it is made: a full /dev/shm is an error then
 * and no SIGBUS later.
 *
 * Nothing here logs, sleeps or wakes anybody: after publishing, waking the workers is up to the master.
 */
#ifndef SYNCER_SHARE_PODTABLE_H
#define SYNCER_SHARE_PODTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/addr.h>
#include <syncer/base/err.h>

#define PODTABLE_NAME_MAX 253      /* bytes of a DNS-1123 subdomain */
#define PODTABLE_PODS_LIMIT 65536u /* the largest max_pods that a table can be made for */

enum podtable_state {
    PODTABLE_PENDING,
    PODTABLE_READY,
    PODTABLE_UNREADY,
    PODTABLE_TERMINATING,
    PODTABLE_FAILED,
    PODTABLE_UNKNOWN,
    PODTABLE_STATES /* how many there are */
};

struct podtable_pod {
    uint64_t id;                      /* never reused in a master's life; not 0 */
    struct addr addr;                 /* family 0: has none yet */
    uint16_t port;                    /* host order */
    uint8_t state;                    /* enum podtable_state */
    bool counts;                      /* it is a peer (or the origin) of every check */
    char name[PODTABLE_NAME_MAX + 1]; /* NUL-terminated, not empty */
};

/* "pending", "ready" ...; "unknown" for a number that is no state. */
const char *podtable_state_name(unsigned state);

/* ---- the master ---- */

struct podtable; /* the writable mapping and the workers' descriptor */

/* Makes an empty table of generation 0 for at most `max_pods` (1 .. PODTABLE_PODS_LIMIT) pods. NULL with the
 * reason. A process that may run under RLIMIT_FSIZE ignores SIGXFSZ, to get the error and not the signal. */
struct podtable *podtable_create(uint32_t max_pods, struct err *err);

/* Unmaps and closes. NULL is fine. Mappings of workers live on. */
void podtable_free(struct podtable *table);

/* The read-only descriptor for workers; O_CLOEXEC, owned by the table. */
int podtable_worker_fd(const struct podtable *table);

/* Puts a complete list into force: the generation grows by one, `now_ns` is the time of the last good read.
 * Order is kept. More than max_pods pods, or a pod that the table cannot hold (id 0, bad name or state): -1
 * with the reason, and the old list stays. An empty list is a list. Sorts indexes: some 0.2 ms for 1,000
 * pods. */
int podtable_publish(struct podtable *table, const struct podtable_pod *pods, size_t n, int64_t now_ns,
                     struct err *err);

/* The source was read well and nothing had changed: moves the time only. Generation 0 stays "no list yet". */
void podtable_touch(struct podtable *table, int64_t now_ns);

/* The number of publications; 0 = no list has been read yet. */
uint64_t podtable_generation(const struct podtable *table);

/* How a read of the source ended. */
enum podtable_scrape {
    PODTABLE_SCRAPE_OK,
    PODTABLE_SCRAPE_FAILED,
    PODTABLE_SCRAPE_TOO_MANY, /* more than max_pods: the old list stays, but it is known not to be all. A
                                 publish notes this itself, for lists that a watch brings */
};

/* Frames each read of the source, whatever its end (publish, touch, error): begin before the question is
 * sent, end after its result is in force. See podtable_scrapes(). */
void podtable_scrape_begin(struct podtable *table);
void podtable_scrape_end(struct podtable *table, enum podtable_scrape outcome);

/* ---- a worker ---- */

struct
    podtable_reader; /* the read-only mapping, and snapshots on the heap: two used in turn, and those that are held */

struct podtable_snapshot {
    uint64_t generation; /* 0: no list has been read yet */
    size_t n;
    const struct podtable_pod *pods; /* in the master's order */
    const uint32_t *by_name;         /* n positions in `pods`, sorted by name */
    const uint32_t *by_addr;         /* the same by address; of equal ones first who counts, last who failed */
};

/* Maps the table. The descriptor stays the caller's and may be closed. Size, magic and layout are checked.
 * NULL with the reason. */
struct podtable_reader *podtable_attach(int fd, struct err *err);

/* Unmaps and frees the snapshots. NULL is fine. */
void podtable_detach(struct podtable_reader *reader);

/* Whether the table has another generation than the snapshot in hand: one atomic load. */
bool podtable_reader_changed(const struct podtable_reader *reader);

enum podtable_read {
    PODTABLE_READ_DONE = 0,      /* the snapshot is of the current generation */
    PODTABLE_READ_OVERTAKEN = 1, /* the writer was faster several times in a row: the old snapshot; ask again later */
    PODTABLE_READ_NO_MEMORY = -1 /* the old snapshot */
};

/* Brings the snapshot up to date if the table changed, and always sets *snapshot. It is borrowed: valid until
 * the next call; a check copies what it keeps. Its memory grows with the list and is used again. Cost: some
 * 50 ns a pod. */
enum podtable_read podtable_reader_snapshot(struct podtable_reader *reader, const struct podtable_snapshot **snapshot);

/* Takes hold of the snapshot in hand: it stays as it is until it is dropped, whatever else is read. Nothing is copied,
 * and all holders of one generation share it. NULL if PODTABLE_HELD_MAX other ones are held already, since each is as
 * large as the table. */
#define PODTABLE_HELD_MAX 8
const struct podtable_snapshot *podtable_snapshot_hold(struct podtable_reader *reader);
/* Once for each hold, before podtable_detach(). NULL is fine. */
void podtable_snapshot_drop(struct podtable_reader *reader, const struct podtable_snapshot *snapshot);

/* ns since the source was last read well (never negative), or -1 if it never was. */
int64_t podtable_read_age(const struct podtable_reader *reader, int64_t now_ns);

struct podtable_scrapes {
    uint64_t begun;            /* reads of the source ever begun */
    uint64_t ended;            /* ... and ended, well or not */
    enum podtable_scrape last; /* OK or TOO_MANY: the last list that came; a failure changes nothing. Ask this
                                  first and take the snapshot then: after OK it is not the cut list's */
};
/* Who asks for a refresh notes `begun`; the refresh has come or failed once `ended` > that number, and all
 * that it brought is then visible to podtable_reader_changed(). */
struct podtable_scrapes podtable_scrapes(const struct podtable_reader *reader);

/* The pod of that name or address; of several, one that counts if any does, and one that failed only if all have. Binary
 * search. NULL if there is none. Borrowed from the snapshot. To follow a pod over snapshots: find by name, compare
 * the id. */
const struct podtable_pod *podtable_find_name(const struct podtable_snapshot *snapshot, const char *name, size_t len);
const struct podtable_pod *podtable_find_addr(const struct podtable_snapshot *snapshot, const struct addr *addr);

#endif
