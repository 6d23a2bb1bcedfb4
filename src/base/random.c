/*
 * The generator xoshiro256** by Blackman and Vigna: as good as any for telling requests apart, and a few
 * instructions. Not for keys. The caller's thread.
 */
#include "base/random.h"

#include <string.h>

#include <openssl/rand.h>

#include "base/clock.h"

static uint64_t rotated(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

void gm_random_init(gm_random_t *self)
{
    if (RAND_bytes((unsigned char *)self->state, sizeof(self->state)) != 1) /* better some than none */
        self->state[1] ^= gm_clock_monotonic_ns() ^ (uint64_t)(uintptr_t)self;
    self->state[0] |= 1; /* all zero would stay so */
}

uint64_t gm_random_next(gm_random_t *self)
{
    uint64_t *s = self->state, result = rotated(s[1] * 5, 7) * 9, shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotated(s[3], 45);
    return result;
}

void gm_random_fill(gm_random_t *self, uint8_t *out, size_t length)
{
    gm_random_t state = *self; /* in registers: `out` could be anywhere */
    uint64_t number, any = 0;
    size_t at;

    do {
        for (at = 0; length - at >= sizeof(number); at += sizeof(number)) {
            number = gm_random_next(&state);
            memcpy(out + at, &number, sizeof(number)); /* one instruction */
            any |= number;
        }
        if (at != length) {
            number = gm_random_next(&state);
            memcpy(out + at, &number, length - at);
            any |= out[at];
        }
    } while (any == 0 && length != 0);
    *self = state;
}
