/* bodies: what both origins answer with, so that one set of files checks all answers */
#ifndef BENCH_BODIES_H
#define BENCH_BODIES_H

#include <stddef.h>

static const char json_body[] = "{\"id\":12345,\"name\":\"widget\",\"tags\":[\"alpha\",\"beta\",\"gamma\"],"
                                "\"price\":19.99,\"in_stock\":true,\"note\":\"hello, world\"}\n";

static inline void fill_body(char *body, size_t length)
{
    /* shifts by one each KiB, so that a block sent twice or lost shows */
    for (size_t i = 0; i < length; i++)
        body[i] = "0123456789abcdefghijklmnopqrstuv"[(i + i / 1024) & 31];
}

#endif
