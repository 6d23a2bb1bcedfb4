/* h2_client: one HTTP/2 connection to an endpoint, and the exchanges that share it */
#ifndef GM_UPSTREAM_H2_CLIENT_H
#define GM_UPSTREAM_H2_CLIENT_H

#include "base/buffer.h"
#include "base/vector.h"
#include "http2/session.h"
#include "net/watch.h"
#include "tls/wire.h"
#include "upstream/exchange.h"
#include "upstream/turns.h"

typedef struct gm_h2_client gm_h2_client_t; /* owned by its pool; worker only */

/** What its pool is told. */
typedef struct gm_h2_client_events {
    /** A stream has ended, or the endpoint has changed what it allows: there may be room for another. */
    void (*on_room)(void *pool, gm_h2_client_t *self);
    /** It is known now how many exchanges it can take; before, it takes one. Called once, if ever. */
    void (*on_settled)(void *pool, gm_h2_client_t *self);
    /** It takes no more exchanges; those that it has may end well. Called once. */
    void (*on_closing)(void *pool, gm_h2_client_t *self);
} gm_h2_client_events_t;

/** The same for all of a pool; all borrowed. */
typedef struct gm_h2_client_options {
    const gm_h2_client_events_t *events; /* static */
    void *pool;
    h2o_loop_t *loop;
    h2o_timeout_t *soon; /* of the loop, zero */
    gm_watches_t *watches;
    gm_blocks_t *blocks; /* of sessions and exchanges */
    uint64_t idle_ms, write_ms;
    uint64_t settle_ms; /* as long as is waited for the endpoint's settings */
    uint64_t ping_ms;   /* so often an endpoint that is silent is asked for a sign of life; 0 = never */
    size_t max_streams;
} gm_h2_client_options_t;

typedef GM_VECTOR(gm_http2_field_t) gm_http2_fields_t;

struct gm_h2_client {
    h2o_linklist_t link;                   /* the pool's */
    uint32_t version;                      /* the pool's: as gm_client_t's */
    char endpoint[GM_ENDPOINT_TEXT_BYTES]; /* the pool's */
    gm_turn_t turn;                        /* one of the pool's upstream.max_connections */
    /* private from here on */
    const gm_h2_client_options_t *options; /* borrowed from the pool */
    gm_http2_session_t *session;           /* owned */
    h2o_socket_t *sock;                    /* owned */
    gm_watch_t idle;                       /* there is no exchange */
    gm_watch_t pulse;                      /* ping_ms */
    gm_watch_t settling;                   /* settle_ms */
    h2o_linklist_t exchanges;              /* also those whose owners have left, until their streams end */
    h2o_linklist_t news;                   /* of them: those whose owners are to hear of a body */
    size_t count;
    gm_http2_fields_t fields; /* owned; of the request that is being written */
    gm_buffer_t spare;        /* owned; an exchange's `head` that was read, for the next one */
    bool is_tls, is_settled, is_closing, has_served;
    bool is_heard;      /* the endpoint has sent something on a stream */
    bool was_asked;     /* for a sign of life, at the last pulse, … */
    uint64_t heard;     /* … when so many bytes had come from it */
    gm_failure_t fault; /* with `why`: what is wrong with it */
    const char *why;    /* static; NULL = nothing */
};

/** Makes a client of a connected socket, which it takes. @param options  outlives it  @param wire  NULL =
 * plain */
GM_MUST_USE gm_h2_client_t *gm_h2_client_create(const gm_h2_client_options_t *options, h2o_socket_t *sock,
                                                gm_tls_wire_t *wire);

/** Ends the connection at once; exchanges that it has are told nothing. on_closing is not called. */
void gm_h2_client_destroy(gm_h2_client_t *self);

/** Takes no more exchanges, and goes when the last has ended. */
void gm_h2_client_retire(gm_h2_client_t *self);

/** How many exchanges more it can take. */
size_t gm_h2_client_room(const gm_h2_client_t *self);

/** Whether it was closed while it was idle for a while, without waiting for the event loop to say so. */
bool gm_h2_client_is_stale(const gm_h2_client_t *self);

/** Begins an exchange; there must be room. */
gm_exchange_t *gm_h2_client_begin(gm_h2_client_t *self, const gm_exchange_options_t *options);

/** The exchange is over for its owner. */
void gm_h2_client_give(gm_exchange_t *exchange);

#endif
