/* random: numbers that nobody needs to keep secret, cheap enough for every request */
#ifndef GM_BASE_RANDOM_H
#define GM_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** One per thread; embedded in what it is for. */
typedef struct gm_random {
    uint64_t state[4];
} gm_random_t;

/** From the system's own source. */
void gm_random_init(gm_random_t *self);

uint64_t gm_random_next(gm_random_t *self);

/** Fills `out`; never with zeros alone. */
void gm_random_fill(gm_random_t *self, uint8_t *out, size_t length);

#endif
