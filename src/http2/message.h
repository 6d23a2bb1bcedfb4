/* message: what HTTP says of the fields and lengths of one stream (RFC 9113, 8) */
#ifndef GM_HTTP2_MESSAGE_H
#define GM_HTTP2_MESSAGE_H

#include <stdbool.h>

#include "http/head.h"

/** What the peer has sent of its message so far. All zero at first. */
typedef struct gm_http2_message {
    uint16_t seen;        /* of the head that is coming, or came last: see message.c */
    bool is_answer;       /* the peer is a server */
    bool is_without_body; /* an answer to HEAD, or one whose status says so */
    bool has_length;      /* a Content-Length that counts */
    bool has_head;        /* the final one: what follows are trailers */
    uint16_t status;      /* of an answer */
    uint64_t length, got; /* as it says, and of DATA */
} gm_http2_message_t;

/** Each of these returns whether the message is good so far; one that is not must not be told any more. */
GM_MUST_USE bool gm_http2_message_field(gm_http2_message_t *self, gm_span_t name, gm_span_t value);

/** A block of fields is complete. @param has_ended  the stream ends with it */
GM_MUST_USE bool gm_http2_message_block(gm_http2_message_t *self, bool has_ended);

GM_MUST_USE bool gm_http2_message_data(gm_http2_message_t *self, size_t length);

/** The stream has ended, after gm_http2_message_block if it did with one. */
GM_MUST_USE bool gm_http2_message_end(const gm_http2_message_t *self);

#endif
