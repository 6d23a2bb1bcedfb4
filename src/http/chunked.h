/* chunked: the transfer coding of RFC 9112, 7.1, decoded in place */
#ifndef GM_HTTP_CHUNKED_H
#define GM_HTTP_CHUNKED_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/memory.h"

/** All zero is the start of a body. */
typedef struct gm_chunked {
    unsigned state; /* private */
    unsigned digits;
    uint64_t left;        /* of the current chunk */
    size_t overhead;      /* bytes of extensions and of the trailer section, which are bounded */
    gm_buffer_t trailers; /* owned: the raw trailer section, for gm_head_parse_trailers; empty = none */
} gm_chunked_t;

void gm_chunked_dispose(gm_chunked_t *self);

/**
 * Decodes what is new. Strict: CRLF only, sizes of at most 15 hexadecimal digits, no space around them,
 * extensions of at most 4 KiB in one body and trailers of at most 8 KiB, no control bytes in either.
 * The data is moved to the front of `bytes`; what follows the end of the message is moved right behind it.
 * @param size  in: how many bytes are new; out: how many are left, data and what follows
 * @param data  set to the number of bytes that are data
 * @return 1 = the body has ended, 0 = more is to come, -1 = malformed
 */
GM_MUST_USE int gm_chunked_decode(gm_chunked_t *self, char *bytes, size_t *size, size_t *data);

#endif
