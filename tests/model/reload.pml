/* SPDX-License-Identifier: MIT */
/*
 * The master's slots and reloads. Mirrors src/master/slots.c: slots_fill(), bury(), slots_reap(),
 * slots_retire(), obey(), on_retry_due(); src/master/reload.c: all but the list of other pods. A handler of
 * the master's loop is one step, since it has one thread; between them children become ready, die in any
 * state and leave, files change, and signals come, of which the kernel keeps one of a kind.
 *
 * Holds: no step of the master's takes the last child that it holds for ready; a new configuration goes into
 * force with all its children ready; a slot has one child at most; and whenever nothing is left to happen, the
 * last file was read, and is in force unless it was bad or a child of it has died or was late; the setup in
 * force has all its children, and nobody else is left.
 *
 * Left out: SIGTERM, the wait in BACKOFF (it may end at any time), children that hang (they die), and what a
 * ready child serves.
 *
 * MUTATION: RETIRE_FIRST   the old children retire when the reload begins
 * MUTATION: COMMIT_EARLY   the first new child that is ready is enough
 * MUTATION: FORGET_AGAIN   a signal that comes during a reload is dropped
 * MUTATION: READ_FIRST     the file is read before the signal is taken
 * MUTATION: NO_FILL        slots_reap() without slots_fill()
 */
#define WORKERS 2
#define SLOTS 6
#define CHANGES 2 /* of the file */
#define DEATHS 2
#define LATES 1
#define NONE 255

mtype = { EMPTY, STARTING, READY, RETIRING, BACKOFF, /* enum slot_state */
          GONE, ALIVE, SAID_READY, HEARD, DEAD };    /* a child: not there; its word not read yet; not waited for */

mtype state[SLOTS] = EMPTY;
mtype child[SLOTS] = GONE;
byte generation[SLOTS];
bool hup, chld; /* pending signals */
bool limit;     /* reload_timer */

byte file, file_bad = NONE;              /* version of the file; the version that is no good */
byte loaded, refused = NONE;             /* the version read last; that which did not go into force */
byte generations = 1, current = 1, next; /* next 0: no reload is under way */
byte current_file, next_file;
bool again;
byte deaths, lates;

/* Within one step only, so no part of the state. */
hidden byte k, s, filled, before, after;
hidden mtype was;

inline count(what, wanted, result)
{
    result = 0;
    for (k : 0 .. SLOTS - 1) {
        if
        :: state[k] == what && (wanted == 0 || generation[k] == wanted) -> result++
        :: else
        fi
    }
}

inline fill(wanted)
{
    filled = 0;
    for (k : 0 .. SLOTS - 1) {
        if
        :: generation[k] == wanted && (state[k] == STARTING || state[k] == READY || state[k] == BACKOFF) -> filled++
        :: else
        fi
    }
    for (k : 0 .. SLOTS - 1) {
        if
        :: filled < WORKERS && state[k] == EMPTY && child[k] == GONE ->
            state[k] = STARTING; child[k] = ALIVE; generation[k] = wanted; filled++
        :: else
        fi
    }
}

inline slots_fill()
{
    fill(current);
    if
    :: next != 0 -> fill(next)
    :: else
    fi
}

/* Also counts who is ready, before and after. */
inline retire(wanted)
{
    for (k : 0 .. SLOTS - 1) {
        if
        :: generation[k] == wanted && state[k] == BACKOFF -> state[k] = EMPTY
        :: generation[k] == wanted && child[k] != GONE -> state[k] = RETIRING
        :: else
        fi
    }
}

inline give_up()
{
    limit = false;
    refused = loaded;
    if
    :: next != 0 ->
        count(READY, current, before);
        retire(next);
        next = 0;
        count(READY, current, after);
        assert(before == after)
    :: else
    fi
}

inline reload_begin()
{
    if
    :: next != 0 ->
#ifndef FORGET_AGAIN
        again = true
#else
        skip
#endif
    :: else ->
#ifndef READ_FIRST
        loaded = file;
#endif
        if
        :: loaded == file_bad -> give_up()
        :: else ->
            generations++;
            next = generations;
            next_file = loaded;
            limit = true;
#ifdef RETIRE_FIRST
            count(READY, 0, before);
            retire(current);
            count(READY, 0, after);
            assert(before == 0 || after > 0);
#endif
            slots_fill()
        fi
    fi
}

inline try_again()
{
    if
    :: again -> again = false; reload_begin()
    :: else
    fi
}

/* reload_child_ready() */
inline commit_if_complete()
{
    count(READY, next, after);
    if
#ifdef COMMIT_EARLY
    :: next != 0 && after > 0 ->
#else
    :: next != 0 && after >= WORKERS ->
#endif
        assert(after == WORKERS);
        limit = false;
        count(READY, 0, before);
        retire(current);
        count(READY, 0, after);
        assert(before == 0 || after > 0);
        current = next;
        current_file = next_file;
        next = 0;
        refused = NONE;
        try_again()
    :: else
    fi
}

inline bury(slot)
{
    was = state[slot];
    child[slot] = GONE;
    state[slot] = EMPTY;
    if
    :: was == STARTING && generation[slot] == next -> give_up(); try_again()
    :: was == READY || (was == STARTING && generation[slot] != next) ->
        if
        :: state[slot] = BACKOFF
        :: was == READY -> skip /* at once */
        fi
    :: else
    fi
}

/* The loop's events, in any order. */
active proctype master()
{
    atomic { fill(current) }
    do
#ifdef READ_FIRST
    :: atomic { hup && next == 0 -> loaded = file }
       atomic { hup = false; reload_begin() }
#else
    :: atomic { hup -> hup = false; reload_begin() }
#endif
    :: atomic { chld -> chld = false;
           for (s : 0 .. SLOTS - 1) {
               if
               :: child[s] == DEAD -> bury(s)
               :: else
               fi
           }
#ifndef NO_FILL
           slots_fill()
#endif
       }
    :: atomic { limit && lates < LATES -> lates++; give_up(); try_again() }
    :: atomic { timeout ->
           assert(!again && next == 0 && loaded == file);
           assert(current_file == file || refused == file);
           for (s : 0 .. SLOTS - 1) {
               assert(child[s] == GONE || (generation[s] == current && state[s] == READY))
           }
           count(READY, current, after);
           assert(after == WORKERS) }
       break
    od
}

/* A slot's: the child's own doings, and the master's events that come of them. */
active [SLOTS] proctype slot()
{
    byte i = _pid - 1;

end:
    do
    :: atomic { child[i] == ALIVE -> child[i] = SAID_READY }
    :: atomic { child[i] == SAID_READY -> child[i] = HEARD; /* obey() */
           if
           :: state[i] == STARTING -> state[i] = READY; commit_if_complete()
           :: else
           fi }
    :: atomic { child[i] != GONE && child[i] != DEAD && deaths < DEATHS -> deaths++; child[i] = DEAD; chld = true }
    :: atomic { child[i] != GONE && child[i] != DEAD && state[i] == RETIRING -> child[i] = DEAD; chld = true } /* has left */
    :: atomic { state[i] == BACKOFF -> state[i] = EMPTY; slots_fill() } /* on_retry_due() */
    od
}

active proctype operator()
{
    do
    :: atomic { file < CHANGES -> file++;
           if
           :: file_bad == NONE -> file_bad = file
           :: true
           fi }
       hup = true
    :: file == CHANGES -> break
    od
}
