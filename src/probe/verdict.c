/* SPDX-License-Identifier: MIT */
/* The verdict: four lines that everything else exists for. */
#include <config.h>

#include <syncer/base/must.h>
#include <syncer/probe/verdict.h>

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[VERDICTS] = {"Synced", "Partialy", "NotSynced", "Timeout"};

    must(verdict < VERDICTS);
    return names[verdict];
}

enum verdict verdict_of(size_t peers, size_t expected, size_t unfinished)
{
    must(expected + unfinished <= peers);
    if (unfinished > 0)
        return VERDICT_TIMEOUT;
    if (expected == peers)
        return VERDICT_SYNCED;
    return expected > peers - expected ? VERDICT_PARTIALY : VERDICT_NOT_SYNCED;
}
