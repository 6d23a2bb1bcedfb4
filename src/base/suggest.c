/*
 * Near misses in what people type: keys, values, commands. The optimal string alignment distance (Levenshtein
 * plus swapped neighbours) within a fixed band, so that no input costs memory or much time. Called where an
 * unknown word is reported; any thread.
 */
#include "base/suggest.h"

#include <string.h>

#define DISTANCE_MAX 64
#define BAND (2 * DISTANCE_MAX + 1)

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned char smaller(unsigned char a, unsigned b)
{
    return b < a ? (unsigned char)b : a;
}

static unsigned char min_of(const unsigned char *row, size_t count)
{
    unsigned char least = DISTANCE_MAX;

    for (size_t i = 0; i < count; ++i)
        least = smaller(least, row[i]);
    return least;
}

/*
 * A row is one letter of a; its column d stands for the letter j = i + d - DISTANCE_MAX of b, so that the
 * columns follow the diagonal. Cells further away than the band cannot end below DISTANCE_MAX.
 */
static void fill_row(unsigned char *row, const unsigned char *above, const unsigned char *two_above,
                     const char *a, size_t i, const char *b, size_t b_length)
{
    for (size_t d = 0; d < BAND; ++d) {
        size_t j = i + d - DISTANCE_MAX;
        unsigned char best = DISTANCE_MAX;

        if (i + d < DISTANCE_MAX || j > b_length) {
            row[d] = DISTANCE_MAX;
            continue;
        }
        if (i == 0)
            best = smaller(best, (unsigned)j);
        if (i > 0 && d + 1 < BAND)
            best = smaller(best, above[d + 1] + 1u); /* a letter left out */
        if (j > 0 && d > 0)
            best = smaller(best, row[d - 1] + 1u); /* a letter too many */
        if (i > 0 && j > 0)
            best = smaller(best, above[d] + (to_lower(a[i - 1]) != to_lower(b[j - 1]) ? 1u : 0u));
        if (i > 1 && j > 1 && to_lower(a[i - 1]) == to_lower(b[j - 2]) &&
            to_lower(a[i - 2]) == to_lower(b[j - 1]))
            best = smaller(best, two_above[d] + 1u); /* neighbours swapped */
        row[d] = best;
    }
}

size_t gm_suggest_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    unsigned char rows[3][BAND];

    if ((a_length > b_length ? a_length - b_length : b_length - a_length) >= DISTANCE_MAX)
        return DISTANCE_MAX;
    memset(rows, DISTANCE_MAX, sizeof(rows));
    for (size_t i = 0; i <= a_length; ++i) {
        fill_row(rows[i % 3], rows[(i + 2) % 3], rows[(i + 1) % 3], a, i, b, b_length);
        /* a swap reaches back two rows */
        if (min_of(rows[i % 3], BAND) == DISTANCE_MAX && min_of(rows[(i + 2) % 3], BAND) == DISTANCE_MAX)
            return DISTANCE_MAX;
    }
    return rows[a_length % 3][b_length + DISTANCE_MAX - a_length];
}

void gm_suggestion_offer(gm_suggestion_t *self, const char *candidate)
{
    size_t wanted_length = strlen(self->wanted), candidate_length = strlen(candidate), distance;
    size_t longer = wanted_length > candidate_length ? wanted_length : candidate_length;
    size_t shorter = wanted_length > candidate_length ? candidate_length : wanted_length;

    if ((longer - shorter) * 3 > longer)
        return; /* the lengths alone say so: a file full of long unknown keys stays cheap */
    distance = gm_suggest_distance(self->wanted, candidate);
    if (longer == 0 || distance >= DISTANCE_MAX || distance * 3 > longer)
        return;
    if (self->best != NULL && self->distance <= distance)
        return; /* among equals the first offered wins */
    self->best = candidate;
    self->distance = distance;
}
