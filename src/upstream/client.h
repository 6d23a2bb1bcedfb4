/* client: one HTTP/1.1 connection to an endpoint, and the exchange that runs on it */
#ifndef GM_UPSTREAM_CLIENT_H
#define GM_UPSTREAM_CLIENT_H

#include <stdbool.h>

#include <h2o.h>

#include "http/framing.h"
#include "http/head.h"
#include "net/transport.h"
#include "net/watch.h"
#include "telemetry/failure.h"
#include "tls/wire.h"

typedef struct gm_client
    gm_client_t; /* owned by its pool while idle, by its exchange otherwise; worker only */

/** Why an exchange ended before its head. */
typedef struct gm_client_error {
    gm_failure_t failure;
    const char *detail; /* for the log; valid during the call */
    bool was_stale;     /* a connection that had been idle ended without one byte of an answer */
} gm_client_error_t;

/** What the owner of an exchange is told; never from within a call of the owner's. */
typedef struct gm_client_events {
    /** 1xx but 101. Its bytes go when this returns. */
    void (*on_interim)(void *data, const gm_head_t *head);
    /**
     * The final head, or 101. Its head->length bytes from `bytes` on go when this returns.
     * @return 0, or -1 if the client was aborted
     */
    int (*on_head)(void *data, const gm_head_t *head, const char *bytes);
    /** Once after on_head, and then whenever there is more to take, or the body has ended, or broken off. */
    void (*on_body)(void *data);
    /** The last gm_client_write is out: another may follow, if the request has more. */
    void (*on_written)(void *data);
    /** There will be no head. The client has gone. */
    void (*on_error)(void *data, const gm_client_error_t *error);
} gm_client_events_t;

typedef enum gm_client_state {
    GM_CLIENT_IDLE,
    GM_CLIENT_HEAD, /* of the answer: awaited */
    GM_CLIENT_BODY,
    GM_CLIENT_DONE /* the body has ended or broken off */
} gm_client_state_t;

struct gm_client {
    h2o_linklist_t link; /* the pool's, while idle */
    uint32_t version;    /* the pool's: of the list of addresses that this one's was taken from */
    char endpoint[64];   /* the pool's: "127.0.0.1:3000", as far as there is room */
    /* private from here on */
    h2o_socket_t *sock;  /* owned */
    gm_tls_wire_t *wire; /* the socket's; NULL = plain */
    gm_watches_t *watches;
    gm_watch_t watch; /* the endpoint is to send or to take something, or to be used again */
    gm_client_state_t state;
    const gm_client_events_t *events;
    void *data;
    void (*on_gone)(void *data, gm_client_t *self); /* while idle */
    uint64_t read_ms, write_ms, acked;
    unsigned exchanges, interim_count, keep_alive_s;
    bool is_head_request, keeps_alive, is_reading, has_sent_all, has_write_failed, has_broken_off, was_silent,
        may_have_more;
    size_t seen;
    gm_reader_t reader;
    gm_framing_t framing;
};

/** Makes a client of a connected socket, which it takes. @param wire  NULL = plain */
GM_MUST_USE gm_client_t *gm_client_create(gm_watches_t *watches, h2o_socket_t *sock, gm_tls_wire_t *wire);

/** Ends the connection. */
void gm_client_abort(gm_client_t *self);

/**
 * Begins an exchange.
 * @param is_head   the request is HEAD: its answer has no body
 * @param read_ms   how long the endpoint may be silent
 * @param write_ms  how long it may take nothing
 */
void gm_client_begin(gm_client_t *self, const gm_client_events_t *events, void *data, bool is_head,
                     uint64_t read_ms, uint64_t write_ms);

/**
 * Sends a piece of the request, one at a time. The bytes stay valid until on_written.
 * @param last  the request ends with it
 */
void gm_client_write(gm_client_t *self, h2o_iovec_t *bufs, size_t count, bool last);

static inline bool gm_client_is_writing(const gm_client_t *self)
{
    return h2o_socket_is_writing(self->sock);
}

/** How much of the answer's body is here. */
static inline size_t gm_client_available(const gm_client_t *self)
{
    return self->framing.ready;
}

/** Whether what was taken last is still on its way: little is read ahead meanwhile. */
static inline void gm_client_set_taker_busy(gm_client_t *self, bool is_busy)
{
    self->reader.is_taker_busy = is_busy;
}

/** Moves what is available into *to, which is empty, and reads on. */
void gm_client_take(gm_client_t *self, h2o_buffer_t **to);

/** Nothing comes after what is available: the body is whole. */
static inline bool gm_client_has_ended(const gm_client_t *self)
{
    return self->framing.has_ended && !self->has_broken_off;
}

/** Nothing comes after what is available: the endpoint closed, reset, was silent or sent nonsense. */
static inline bool gm_client_has_broken_off(const gm_client_t *self)
{
    return self->has_broken_off;
}

/** Tells the endpoint of a tunnel that nothing more will come. Nothing may be waiting to be written. */
void gm_client_half_close(gm_client_t *self);

/** Whether it is over, and the connection can serve another exchange. */
bool gm_client_is_reusable(const gm_client_t *self);

/**
 * Waits without an exchange. When the time is over, or the endpoint closes or sends anything, `on_gone` is
 * called and the client goes.
 */
void gm_client_wait(gm_client_t *self, uint64_t idle_ms, void (*on_gone)(void *data, gm_client_t *self),
                    void *data);

/** Whether an idle connection was closed already, without waiting for the event loop to say so. */
bool gm_client_is_stale(const gm_client_t *self);

#endif
