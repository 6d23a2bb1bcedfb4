/* framing: which bytes of a stream belong to one message's body */
#ifndef GM_HTTP_FRAMING_H
#define GM_HTTP_FRAMING_H

#include <stdbool.h>

#include "http/chunked.h"

typedef enum gm_framing_kind {
    GM_FRAMING_LENGTH,
    GM_FRAMING_CHUNKED,
    GM_FRAMING_UNTIL_CLOSE
} gm_framing_kind_t;

typedef struct gm_framing {
    gm_framing_kind_t kind;
    bool has_ended; /* nothing comes after what is ready */
    uint64_t left;  /* GM_FRAMING_LENGTH: bytes of the body that were not taken yet, the ready ones too */
    size_t ready;   /* decoded bytes of the body at the front of the buffer */
    gm_chunked_t chunked; /* owned */
} gm_framing_t;

/** @param length  for GM_FRAMING_LENGTH; 0 = has ended already */
void gm_framing_init(gm_framing_t *self, gm_framing_kind_t kind, uint64_t length);
void gm_framing_dispose(gm_framing_t *self);

/**
 * Looks at bytes that came behind the ready ones. Bytes behind the end of the body stay where they are,
 * right behind the ready ones.
 * @param bytes  the whole buffer
 * @param size   of the whole buffer; less afterwards where framing was removed
 * @return 0, or -1: malformed
 */
GM_MUST_USE int gm_framing_feed(gm_framing_t *self, char *bytes, size_t *size);

/** The ready bytes were taken out of the buffer. */
void gm_framing_take(gm_framing_t *self);

/** The stream has ended. @return whether the body is whole */
bool gm_framing_close(gm_framing_t *self);

#endif
