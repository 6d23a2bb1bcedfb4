/* dechunk: checks a chunked answer against the body it must carry, wherever its chunks begin and end */
#ifndef BENCH_DECHUNK_H
#define BENCH_DECHUNK_H

#include <stdbool.h>
#include <stddef.h>

/* all zero: before the first byte */
typedef struct {
    int state;
    bool has_size;  /* the chunk's size has at least one digit */
    size_t left;    /* of the chunk */
    size_t decoded; /* bytes of body seen */
} dechunk_t;

/**
 * Takes the next bytes of an answer's body and compares what they carry with the body expected.
 * @return what is wrong with them, or NULL
 */
const char *dechunk_take(dechunk_t *self, const char *bytes, size_t length, const char *expected,
                         size_t expected_length);

/** Whether the empty line after the last chunk has been seen. */
bool dechunk_is_over(const dechunk_t *self);

#endif
