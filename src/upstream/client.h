/* client: one HTTP/1.1 connection to an endpoint, and the exchange that runs on it */
#ifndef GM_UPSTREAM_CLIENT_H
#define GM_UPSTREAM_CLIENT_H

#include <stdbool.h>

#include <h2o.h>

#include "net/transport.h"
#include "net/watch.h"
#include "tls/wire.h"
#include "upstream/exchange.h"

typedef struct gm_client
    gm_client_t; /* owned by its pool while idle, by its exchange otherwise; worker only */

typedef enum gm_client_state {
    GM_CLIENT_IDLE,
    GM_CLIENT_HEAD, /* of the answer: awaited */
    GM_CLIENT_BODY,
    GM_CLIENT_DONE /* the body has ended or broken off */
} gm_client_state_t;

struct gm_client {
    gm_exchange_t super; /* first: the owner of an exchange knows only this */
    h2o_linklist_t link; /* the pool's, while idle */
    uint32_t version;    /* the pool's: of the list of addresses that this one's was taken from */
    char endpoint[GM_ENDPOINT_TEXT_BYTES]; /* the pool's: "127.0.0.1:3000", as far as there is room */
    /* private from here on */
    h2o_socket_t *sock;  /* owned */
    gm_tls_wire_t *wire; /* the socket's; NULL = plain */
    gm_watches_t *watches;
    gm_watch_t watch; /* the endpoint is to send or to take something, or to be used again */
    gm_client_state_t state;
    void (*on_gone)(void *data, gm_client_t *self); /* while idle */
    uint64_t read_ms, write_ms, acked;
    unsigned interim_count, keep_alive_s;
    bool has_served, is_head_request, keeps_alive, is_reading, has_sent_all, has_write_failed, may_have_more;
    size_t seen;
    gm_reader_t reader;
};

/** Makes a client of a connected socket, which it takes. @param wire  NULL = plain */
GM_MUST_USE gm_client_t *gm_client_create(gm_watches_t *watches, h2o_socket_t *sock, gm_tls_wire_t *wire);

/** Ends the connection. */
void gm_client_abort(gm_client_t *self);

/** Begins an exchange. @return &self->super */
gm_exchange_t *gm_client_begin(gm_client_t *self, const gm_exchange_options_t *options);

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
