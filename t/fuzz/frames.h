/* frames: of HTTP/2, for the fuzz targets */
#ifndef FUZZ_FRAMES_H
#define FUZZ_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#define FRAMES_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define FRAMES_HEAD 9
#define FRAMES_MAX                                                                                           \
    16384 /* bytes of payload, unless the taker allows more, which nobody here makes use of                  \
           */

typedef struct frames_found {
    size_t count;      /* of streams, by their first HEADERS */
    const char *fault; /* NULL = none */
    size_t at;         /* of the fault */
} frames_found_t;

void frames_write_head(uint8_t head[FRAMES_HEAD], uint8_t type, uint8_t flags, uint8_t stream, size_t length);

/** What was read: frames, one after the other, of kinds that both sides send; the last may be cut. */
frames_found_t frames_check(const char *text, size_t size);

#endif
