/* SPDX-License-Identifier: MIT */
/*
 * The pod table's latch: two copies under one sequence. Mirrors include/syncer/share/latch.h (all of it),
 * src/share/podtable.c:podtable_fill(), podtable_publish() and src/share/podtable_reader.c:read_once(),
 * read_list(): one writer that may stop for ever anywhere or begin a filling anew, a reader that may be
 * overtaken anywhere (readers change nothing, so one stands for all). A list is two words that must be of one
 * publication.
 *
 * Holds: what a reader takes is whole, is the list whose number it has read, and is never older than the one
 * it has; a read is in vain only if the writer turned the sequence meanwhile; no reader waits, least of all
 * for a writer that has stopped.
 *
 * Memory: the writer's stores become visible in any order but for the fence and the release; the loads between
 * a reader's first and last of the sequence happen in any order. That is weaker than x86, and about what ARM
 * does. It is not C11's model: a load here brings what is visible, never what comes later, and there is no
 * tearing below a word.
 *
 * MUTATION: ONE_COPY     the writer fills the copy that readers are sent to
 * MUTATION: TURN_FIRST   the sequence is turned before the copy is full
 * MUTATION: NO_RELEASE   latch_publish() without its release
 * MUTATION: NO_FENCE     latch_begin_write() without its fence
 * MUTATION: NO_ACQUIRE   latch_read_valid() without its fence
 * MUTATION: NO_VALID     a reader that does not look at the sequence again
 */
#define LISTS 4    /* that the writer publishes at most */
#define ATTEMPTS 2 /* READ_ATTEMPTS */

/* Places: words of copy 0, of copy 1, the sequence. */
#define WORD(copy, i) (2 * (copy) + (i))
#define SEQUENCE 4
byte memory[5];
/* Stores that are not visible yet, at most one a place. */
bool pending[5];
byte value[5];

inline store(place, what)
{
    atomic { !pending[place] -> value[place] = what; pending[place] = true }
}

inline fence()
{
    !pending[0] && !pending[1] && !pending[2] && !pending[3] && !pending[4]
}

/* One of them becomes visible. */
active proctype memory_bus()
{
    byte i;

end:
    do
    :: atomic { pending[0] -> i = 0; memory[i] = value[i]; pending[i] = false }
    :: atomic { pending[1] -> i = 1; memory[i] = value[i]; pending[i] = false }
    :: atomic { pending[2] -> i = 2; memory[i] = value[i]; pending[i] = false }
    :: atomic { pending[3] -> i = 3; memory[i] = value[i]; pending[i] = false }
    :: atomic { pending[4] -> i = 4; memory[i] = value[i]; pending[i] = false }
    od
}

active proctype writer()
{
    byte number = 0, which, i;

    do
    :: number == LISTS -> break
    :: number < LISTS -> /* latch_begin_write() */
#ifndef NO_FENCE
        fence();
#endif
#ifdef ONE_COPY
        which = number & 1;
#else
        which = (number + 1) & 1;
#endif
#ifdef TURN_FIRST
        store(SEQUENCE, number + 1);
#endif
        for (i : 0 .. 1) {
            if
            :: skip
            :: goto stopped /* for ever */
            :: goto anew
            fi;
            store(WORD(which, i), number + 1)
        }
        /* latch_publish() */
#ifndef NO_RELEASE
        fence();
#endif
#ifndef TURN_FIRST
        store(SEQUENCE, number + 1);
#endif
        number++;
anew:
        skip
    od;
stopped:
    skip
}

/* read_once(): loads are taken in any order, the second of the sequence behind the others by the fence. */
inline read_once()
{
    seq = memory[SEQUENCE];
    loaded[0] = false; loaded[1] = false; loaded[2] = false;
    do
    :: !loaded[0] -> word[0] = memory[WORD(seq & 1, 0)]; loaded[0] = true
    :: !loaded[1] -> word[1] = memory[WORD(seq & 1, 1)]; loaded[1] = true
#ifdef NO_ACQUIRE
    :: !loaded[2] -> again = memory[SEQUENCE]; loaded[2] = true
#else
    :: !loaded[2] && loaded[0] && loaded[1] -> again = memory[SEQUENCE]; loaded[2] = true
#endif
    :: loaded[0] && loaded[1] && loaded[2] -> break
    od;
#ifdef NO_VALID
    again = seq
#endif
}

active proctype reader()
{
    byte has = 0, seq, again, tries;
    byte word[2];
    bool loaded[3];

    do
    :: memory[SEQUENCE] != has -> /* podtable_reader_changed(), then read_list() */
        tries = 0;
        do
        :: tries < ATTEMPTS ->
            read_once();
            tries++;
            if
            :: again == seq ->
                assert(word[0] == seq && word[1] == seq && seq > has);
                has = seq;
                break
            :: else -> assert(again > seq) /* overtaken: the list it has serves on */
            fi
        :: else -> break
        od
    :: true -> break /* is never asked again */
    od
}
