/* SPDX-License-Identifier: MIT */
/*
 * The map of the master: what it has, and which file does what with it.
 *
 *      master.c    birth, signals, death
 *      setup.c     a configuration made complete: text for workers, listening sockets, source
 *      slots.c     the fixed array of children: filled, emptied, filled again
 *      spawn.c     fork and exec of one child
 *      backoff.c   when the next child may start after one has died
 *      beat.c      children that hang
 *      reload.c    SIGHUP: build the new, then commit
 *      watch.c     files whose change is a SIGHUP
 *      user.c      root is given up
 *      scrape.c    reads of the source, and what comes of them
 *      podlist.c   a list becomes the table: ids, changes, the log of them
 *      supervisor.c what the init system is told
 *      podhealth.c which pods fail or lag by what the workers find: one line a change
 *      refresh.c   who may have the list read again, and when
 */
#ifndef SYNCER_MASTER_MASTER_PRIVATE_H
#define SYNCER_MASTER_MASTER_PRIVATE_H

#include <sys/types.h>

#include <syncer/base/buf.h>
#include <syncer/base/clock.h>
#include <syncer/base/filewatch.h>
#include <syncer/base/log.h>
#include <syncer/base/loop.h>
#include <syncer/base/notify.h>
#include <syncer/base/signals.h>
#include <syncer/master/master.h>
#include <syncer/pods/source.h>
#include <syncer/share/control.h>
#include <syncer/share/heritage.h>
#include <syncer/share/podtable.h>
#include <syncer/share/scoreboard.h>
#include <syncer/share/vitals.h>

#define SLOTS 48 /* 16 workers, as many new ones in a reload, and as many that retire */

struct master;

/* ---- a configuration in force, or about to be ---- */

struct setup_listener {
    int fd;
    bool admin;    /* of admin_listen */
    bool borrowed; /* the setup in force has the same address: its socket is used */
    char address[HERITAGE_ADDRESS_BYTES];
};

struct setup {
    struct master *master;
    struct conf conf;
    struct buf text; /* for the workers */
    uint64_t generation;
    uint32_t workers;
    bool sized;      /* the log has its numbers of connections */
    bool other_pods; /* the setup in force reads its pods from elsewhere: no commit before a list has come */
    struct setup_listener listeners[HERITAGE_LISTENERS_MAX];
    size_t n_listeners;
    struct source *source;
    /* scrape.c */
    bool framed;             /* in force, and a read is under way: begun in the table, not ended */
    bool has_list;           /* not in force yet: `list` is what its source has read */
    struct source_pod *list; /* owned; NULL = none */
    size_t n_list;
    struct err failure;        /* not in force yet: why its last read failed; "" = it did not */
    struct source_watch watch; /* as its source last reported it */
    struct err watch_failure;  /* why something can't be watched; "" = nothing is known of that */
};

/* ---- children ---- */

enum slot_state { SLOT_EMPTY, SLOT_STARTING, SLOT_READY, SLOT_RETIRING, SLOT_BACKOFF };

/* How fast children of one slot die. */
struct backoff {
    int64_t wait_ns; /* the last wait, without its jitter; 0 = none */
    uint32_t quick;  /* deaths in a row after READY and a short life */
};

struct slot {
    struct master *master;
    enum slot_state state;
    pid_t pid; /* 0 = none */
    uint64_t generation;
    struct loop_io control; /* fd -1 while there is none */
    int control_fd;
    int64_t started_ns;
    enum control_kind owed;  /* to be sent, but found no room yet; 0 = nothing */
    struct backoff backoff;  /* kept from child to child */
    struct loop_timer retry; /* BACKOFF */
    /* beat.c */
    int64_t hang_ns; /* hang_timeout of the child's own configuration: it beats by that one */
    uint64_t beats;
    int64_t silent_ns; /* without a new beat, by looks on time */
    int64_t abort_ns;  /* SIGABRT was sent; 0 = not */
};

/* ---- refresh.c ---- */

#define REFRESH_NAMES 64

struct refresh_name {
    char name[CONTROL_NAME_MAX + 1]; /* "" = free */
    bool reading;                    /* a read that began after the first question is under way */
    bool again;                      /* and it was asked for once more since */
    int64_t unknown_until_ns;        /* 0: asked for, not answered yet */
};

/* ---- podhealth.c ---- */

enum health_kind { HEALTH_WELL, HEALTH_LAGS, HEALTH_FAILS, HEALTH_KINDS };

/* Of a pod that fails also how: another way of failing is told of as well. */
#define HEALTH_OF(result, code) ((uint32_t)(code) << 16 | (uint32_t)(result) << 8 | HEALTH_FAILS)

/* What the log has said of a pod, and what is seen of it now: an enum health_kind or HEALTH_OF(). */
struct pod_health {
    uint32_t told, seen;
    uint32_t looks;  /* in a row that found `seen` */
    int64_t told_ns; /* when the last line about it was due; 0 = never */
    int64_t hold_ns; /* no further line for so long after it */
};

#define HEALTH_WORDS 32

/* What a worker has said of a pod that takes no connection. */
struct pod_words {
    char name[CONTROL_NAME_MAX + 1];
    char text[CONTROL_TEXT_MAX + 1];
};

/* ---- podlist.c ---- */

struct listed_pod {
    uint64_t id; /* in the table; never reused */
    struct source_pod pod;
    struct pod_health health;
};

/* ---- supervisor.c ---- */

struct supervisor {
    struct notify notify;
    struct loop_timer watchdog;
    uint64_t reloads;     /* that it has been told of */
    bool ready, stopping; /* so it was told */
    char status[160];     /* as last told */
    int64_t next_status_ns;
};

enum master_phase { MASTER_RUNNING, MASTER_DRAINING, MASTER_STOPPING };

struct master {
    struct master_settings settings;
    struct loop *loop;
    struct signals signals;
    struct podtable *table;
    int64_t max_pods; /* that the table was made for */
    struct scoreboard *board;
    int exe_fd;
    char **child_env;
    enum master_phase phase;
    struct loop_timer phase_timer;
    int64_t drain_ns;             /* when the end began */
    struct setup *current, *next; /* next: a reload is under way */
    struct loop_timer reload_timer;
    struct loop_task reload_task; /* looks whether the new setup can go into force */
    bool reload_again;
    struct filewatch *files;
    struct err files_trouble; /* as logged last; "" = none */
    uint64_t reloads;         /* begun, whatever came of them */
    uint64_t generations;
    struct slot slots[SLOTS];
    bool none_told;  /* the log says that no child is left */
    bool ever_ready; /* a child was, once: from then on a lonely one need not wait for the pods */
    struct loop_timer beat;
    int64_t beat_due_ns, beat_every_ns;
    struct vitals vitals;

    /* podlist.c */
    struct listed_pod *pods; /* as published, sorted by name */
    size_t n_pods;
    uint64_t last_id;
    int64_t read_ns; /* when a list was last read well; 0 = never */
    /* podhealth.c */
    struct loop_timer health;
    size_t health_at;        /* the pod that is looked at next */
    int64_t health_round_ns; /* when this round began */
    struct log_limit health_limits[HEALTH_KINDS];
    struct pod_words words[HEALTH_WORDS];
    size_t words_at; /* the oldest */
    /* scrape.c */
    uint32_t failures;  /* reads that failed in a row */
    struct err failure; /* why the last did */

    struct refresh_name names[REFRESH_NAMES];
    int64_t last_refresh_ns;
    struct loop_timer refresh;
    struct supervisor supervisor;
};

/* ---- setup.c ---- */

/* Takes over what load() gives: complete, with sockets bound and a source that has begun to read. NULL with
 * the reason, and the exit code that it would be at start. */
struct setup *setup_new(struct master *master, struct conf *conf, int *exit_code, struct err *err);
/* Closes what it owns. NULL is fine. */
void setup_free(struct setup *setup);
/* Once, when it is in force and there is a list: how many connections to pods there will be, and how much memory. */
void setup_tell_size(struct setup *setup);
/* Its sockets, but those that belong to another one. Idempotent. */
void setup_close_listeners(struct setup *setup);
/* `next` goes into force: sockets that both have become its own, the rest of `old`'s is closed. Before the workers are told:
 * the last one of them to let go of a socket empties its queue, and nobody must hold it open beyond that. */
void setup_commit(struct setup *old, struct setup *next);

/* ---- slots.c ---- */

void slots_init(struct master *master);
/* Starts children until each setup has as many as it should. */
void slots_fill(struct master *master);
/* A child has ended. */
void slots_reap(struct master *master);
/* To every child, or those of one generation (0 = all). What finds no room is sent again by slots_remind(), but for
 * CONTROL_TABLE. */
void slots_send(struct master *master, uint64_t generation, enum control_kind kind);
void slots_kill(struct master *master, uint64_t generation, int signo);
/* Children of a generation, 0 = of all, in a state; `alive` counts all that have a process. */
size_t slots_count(const struct master *master, uint64_t generation, enum slot_state state);
size_t slots_alive(const struct master *master);
void slots_retire(struct master *master, uint64_t generation);
void slots_forget(struct slot *slot);
/* Sends again what found no room. */
void slots_remind(struct slot *slot);

/* ---- spawn.c ---- */

/* Makes the slot's child. 0, or -1 with the reason. */
int spawn(struct slot *slot, const struct setup *setup, bool accept_at_once, struct err *err);
/* The few variables that a child gets. NULL if memory is out. */
char **spawn_env(void);

/* ---- backoff.c ---- */

/* A child has died, or could not be made (was_ready false, lived_ns 0): how long to wait before the next. 0 =
 * at once. */
int64_t backoff_next(struct backoff *backoff, bool was_ready, int64_t lived_ns);

/* ---- podlist.c ---- */

/* Puts a complete list into force; if it is the one in force already, only its time moves. 0, or -1 with the
 * reason and the old list in force. */
int podlist_take(struct master *master, const struct source_pod *pods, size_t n, struct err *err);
/* The same of a list that a watch has brought: the time of the last read stays. There was a read. */
int podlist_update(struct master *master, const struct source_pod *pods, size_t n, struct err *err);
void podlist_release(struct master *master);

/* ---- user.c ---- */

/* Becomes the user that is set, if this is root. 0, or -1 with the reason and the exit code. */
int user_become(const struct conf *conf, int *exit_code, struct err *err);

/* ---- watch.c ---- */

int watch_init(struct master *master, struct err *err);
void watch_release(struct master *master);
/* Configuration files are about to be read: what they hold now is no news any more. */
void watch_note(struct master *master);
/* The files of this configuration, if it or the one in force wants them watched, are those from now on. */
void watch_follow(struct master *master, const struct conf *conf);
/* A reload has come to its end, whichever: no file is watched if the configuration in force does not want it. */
void watch_settle(struct master *master);

/* ---- supervisor.c ---- */

void supervisor_start(struct master *master);
/* At the end of each turn. */
void supervisor_look(struct master *master);
void supervisor_end(struct master *master);

/* ---- podhealth.c ---- */

void podhealth_start(struct master *master);
/* What the last result of a pod comes to; `before` is kept where it says nothing new. */
uint32_t podhealth_judge(const struct scoreboard_pod *last, uint32_t before);
/* One look found `found`. True if it is to be told of now, and then counts as told. */
bool podhealth_step(struct pod_health *health, uint32_t found, int64_t now_ns);
/* A worker says why a pod takes no connection: words for the log, and nothing else. */
void podhealth_heard(struct master *master, const char *name, const char *text);

/* ---- beat.c, reload.c, scrape.c, refresh.c ---- */

void beat_start(struct master *master);
void reload_begin(struct master *master);
/* A child of the new setup has become ready, or has died before. */
void reload_child_ready(struct master *master);
void reload_child_died(struct master *master);
/* The new setup's source has read a list. */
void reload_list_came(struct master *master);
/* The program ends: no reload any more. */
void reload_cancel(struct master *master);
void reload_init(struct master *master);
extern const struct source_events scrape_events;
/* `next` is about to go into force in place of `old`: its list, if one has come, becomes the table. */
void scrape_switch(struct setup *old, struct setup *next);
void refresh_init(struct master *master);
void refresh_ask(struct slot *slot, const char *name);
void refresh_read_began(struct master *master);
void refresh_read_ended(struct master *master, bool read_well);

#endif
