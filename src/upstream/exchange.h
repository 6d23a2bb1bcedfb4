/* exchange: one request to an endpoint and its answer, whatever protocol carries them */
#ifndef GM_UPSTREAM_EXCHANGE_H
#define GM_UPSTREAM_EXCHANGE_H

#include <stdbool.h>

#include <h2o.h>

#include "http/framing.h"
#include "http/head.h"
#include "telemetry/failure.h"

#define GM_ENDPOINT_TEXT_BYTES 64

typedef struct gm_exchange gm_exchange_t; /* owned by whoever took it from a pool; worker only */

/** Why an exchange ended before its head. */
typedef struct gm_exchange_error {
    gm_failure_t failure;
    const char *detail;   /* for the log; valid during the call */
    bool was_stale;       /* a connection that had served others ended without one byte of an answer */
    bool was_unprocessed; /* the endpoint says that it did nothing with the request */
} gm_exchange_error_t;

/** What the owner of an exchange is told; never from within a call of the owner's. */
typedef struct gm_exchange_events {
    /** 1xx but 101. Its bytes go when this returns. */
    void (*on_interim)(void *data, const gm_head_t *head);
    /**
     * The final head, or 101, as HTTP/1 would have it. Its head->length bytes from `bytes` on go when this
     * returns.
     * @return 0, or -1 if the exchange was aborted
     */
    int (*on_head)(void *data, const gm_head_t *head, const char *bytes);
    /** Once after on_head, and then whenever there is more to take, or the body has ended, or broken off. */
    void (*on_body)(void *data);
    /** The last gm_exchange_write is out: another may follow, if the request has more. */
    void (*on_written)(void *data);
    /** There will be no head. The exchange has gone. */
    void (*on_error)(void *data, const gm_exchange_error_t *error);
} gm_exchange_events_t;

/** How an exchange begins. */
typedef struct gm_exchange_options {
    const gm_exchange_events_t *events; /* static */
    void *data;
    bool is_head;      /* the request is HEAD: its answer has no body */
    bool must_be_open; /* the request must not be sent in vain: an idle connection is looked at once more */
    bool is_http1;     /* it asks for another protocol, which only HTTP/1.1 can switch to */
    bool is_new;       /* no connection that was idle: the last one was dead */
    const void *avoid; /* the connection that refused it, for comparison only; NULL = none has */
    uint64_t read_ms;  /* how long the endpoint may be silent */
    uint64_t write_ms; /* how long it may take nothing */
} gm_exchange_options_t;

typedef struct gm_exchange_ops {
    void (*write)(gm_exchange_t *self, h2o_iovec_t *bufs, size_t count, bool last);
    void (*take)(gm_exchange_t *self, h2o_buffer_t **to);
    void (*half_close)(gm_exchange_t *self); /* NULL = no tunnels */
    void (*abort)(gm_exchange_t *self);
} gm_exchange_ops_t;

/** The part of it that is the same for every protocol. */
struct gm_exchange {
    const gm_exchange_ops_t *ops;
    const gm_exchange_events_t *events; /* NULL = not begun */
    void *data;
    const void *connection; /* who shares it, for comparison only; NULL = nobody */
    const char *endpoint;   /* "127.0.0.1:3000" in GM_ENDPOINT_TEXT_BYTES; borrowed from its connection */
    gm_framing_t framing;   /* owned; of the answer */
    bool is_reused;         /* its connection has served others */
    bool is_multiplexed;    /* it has not the connection for itself: bodies have frames, and need no chunks */
    bool is_writing;        /* the last piece is not out yet */
    bool is_taker_busy;     /* what was taken last is still on its way: little is read ahead meanwhile */
    bool has_broken_off, was_silent;
    bool is_tainted; /* set by the owner: its connection is not to be used again */
    /** Set by the owner before the last piece, where is_multiplexed; borrowed until on_written. */
    const gm_head_field_t *trailers;
    size_t trailer_count;
};

/**
 * Sends a piece of the request, one at a time. The bytes stay valid until on_written.
 * @param bufs  the first of the first piece is the head, as HTTP/1.1 has it, and nothing else; may be changed
 * @param last  the request ends with it
 */
static inline void gm_exchange_write(gm_exchange_t *self, h2o_iovec_t *bufs, size_t count, bool last)
{
    self->ops->write(self, bufs, count, last);
}

/** How much of the answer's body is here. */
static inline size_t gm_exchange_available(const gm_exchange_t *self)
{
    return self->framing.ready;
}

/** Moves what is available into *to, which is empty, and reads on. */
static inline void gm_exchange_take(gm_exchange_t *self, h2o_buffer_t **to)
{
    if (self->framing.ready != 0)
        self->ops->take(self, to);
}

/** Nothing comes after what is available: the body is whole. */
static inline bool gm_exchange_has_ended(const gm_exchange_t *self)
{
    return self->framing.has_ended && !self->has_broken_off;
}

/** Nothing comes after what is available: the endpoint closed, reset, was silent or sent nonsense. */
static inline bool gm_exchange_has_broken_off(const gm_exchange_t *self)
{
    return self->has_broken_off;
}

/** Tells the endpoint of a tunnel that nothing more will come. Nothing may be waiting to be written. */
static inline void gm_exchange_half_close(gm_exchange_t *self)
{
    self->ops->half_close(self);
}

/** Ends it, and what of its connection cannot be used again. */
static inline void gm_exchange_abort(gm_exchange_t *self)
{
    self->ops->abort(self);
}

#endif
