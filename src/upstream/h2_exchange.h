/* h2_exchange: one stream of an HTTP/2 connection to an endpoint, as an exchange */
#ifndef GM_UPSTREAM_H2_EXCHANGE_H
#define GM_UPSTREAM_H2_EXCHANGE_H

#include "base/buffer.h"
#include "upstream/h2_client.h"

typedef struct gm_h2_exchange {
    gm_http2_stream_t stream; /* first: the session knows only this */
    gm_exchange_t super;
    gm_h2_client_t *client; /* NULL = the connection has gone */
    gm_blocks_t *blocks;    /* where this is from; borrowed from the pool */
    h2o_linklist_t link;    /* the client's */
    h2o_linklist_t news;    /* the client's: its owner is to hear of the body */
    gm_watch_t watch;       /* the endpoint is to send or to take something */
    uint64_t read_ms, write_ms, taken;
    gm_buffer_t head;    /* of the answer: a field list, until it is complete */
    char status[3];      /* likewise */
    gm_buffer_t pending; /* fields of trailers */
    h2o_buffer_t *input; /* owned: of the answer, not taken yet */
    h2o_iovec_t bufs[4]; /* of the piece that is on its way */
    size_t field_bytes;
    unsigned interim_count;
    bool has_head; /* on_head was called */
    bool is_head_request, has_request_out, has_sent_all, is_malformed;
    bool is_orphan; /* its owner has left */
    bool was_heard; /* the connection had brought something when this began */
    const char *why;
} gm_h2_exchange_t;

/** An exchange without a stream has ended: the client forgets it. */
void gm_h2_client_forget(gm_h2_client_t *self, gm_h2_exchange_t *exchange);

GM_MUST_USE gm_h2_exchange_t *gm_h2_exchange_create(gm_h2_client_t *client,
                                                    const gm_exchange_options_t *options);

/** Frees it. Nothing may know its stream any more. */
void gm_h2_exchange_destroy(gm_h2_exchange_t *self);

/** It will get no further: the owner, if there still is one, is told. Then only the owner has it. */
void gm_h2_exchange_fail(gm_h2_exchange_t *self, gm_failure_t failure, const char *detail,
                         bool was_unprocessed);

/** Its owner hears of what has come of the body. */
void gm_h2_exchange_tell(gm_h2_exchange_t *self);

/* ---- what the session tells: see gm_http2_events_t */

void gm_h2_exchange_on_field(gm_http2_stream_t *stream, gm_span_t name, gm_span_t value, bool is_trailer);
void gm_h2_exchange_on_head(gm_http2_stream_t *stream, bool has_ended);
void gm_h2_exchange_on_data(gm_http2_stream_t *stream, const char *bytes, size_t length);
void gm_h2_exchange_on_end(gm_http2_stream_t *stream);
void gm_h2_exchange_on_sent(gm_http2_stream_t *stream);

/** The stream is over: so is the exchange, if it is not whole. */
void gm_h2_exchange_end(gm_h2_exchange_t *self, uint32_t error);

#endif
