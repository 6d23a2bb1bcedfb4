/* suggest: "did you mean ...?" */
#ifndef GM_BASE_SUGGEST_H
#define GM_BASE_SUGGEST_H

#include <stddef.h>

/** The best of the candidates offered so far; start from all zero with `wanted` set. */
typedef struct gm_suggestion {
    const char *wanted; /* borrowed: what the user wrote */
    const char *best;   /* borrowed from the candidates; NULL = none is near enough */
    size_t distance;
} gm_suggestion_t;

/** Offers one more candidate: near enough is a distance of at most a third of the longer word. */
void gm_suggestion_offer(gm_suggestion_t *self, const char *candidate);

/** Edits (insert, delete, replace, swap of neighbours) from a to b, letters compared without case; 64 at
 * most. */
size_t gm_suggest_distance(const char *a, const char *b);

#endif
