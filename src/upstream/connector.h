/* connector: one attempt to get a connection to a cluster */
#ifndef GM_UPSTREAM_CONNECTOR_H
#define GM_UPSTREAM_CONNECTOR_H

#include <h2o.h>

#include "net/watch.h"
#include "telemetry/failure.h"
#include "telemetry/record.h"
#include "tls/wire.h"
#include "upstream/cluster.h"

typedef struct gm_connector gm_connector_t;

/** What came of it. */
typedef struct gm_connected {
    h2o_socket_t *sock;   /* now the callback's; NULL = failed */
    gm_tls_wire_t *wire;  /* its TLS; NULL = none */
    gm_address_t address; /* the one that answered, or the last one tried */
    size_t index;         /* of that address in the list */
    uint32_t version;     /* of the list: the name may have other addresses by now */
    bool speaks_h2;       /* so its TLS says (ALPN) */
    gm_failure_t failure; /* why not */
    char detail[160];     /* the address and the system's words, for the log */
} gm_connected_t;

/** Called once, never from within gm_connector_start; the connector is gone afterwards. */
typedef void (*gm_connector_cb_t)(void *data, const gm_connected_t *result);

/** The same for all of a worker; outlives its connectors. */
typedef struct gm_connecting {
    h2o_loop_t *loop;
    gm_watches_t *watches;
    uint64_t timeout_ms; /* allowed to each address */
    h2o_timeout_t *poll; /* of the loop, short: how often to look whether the name is resolved */
} gm_connecting_t;

/**
 * Tries the addresses of a cluster in turn, beginning with `first`. Waits for the resolver where the name was
 * never looked up, for at most the timeout.
 * @param tls       of tls/client_context; NULL = plain
 * @param is_http1  HTTP/1.1 alone is asked for, whatever the context would offer
 * @param record  is told the phases; borrowed until the callback
 */
GM_MUST_USE gm_connector_t *gm_connector_start(const gm_connecting_t *how, gm_cluster_t *cluster,
                                               size_t first, SSL_CTX *tls, bool is_http1, gm_record_t *record,
                                               gm_connector_cb_t cb, void *data);

/** Prepares a context of tls/client_context for connectors. Main thread, before the first connection. */
void gm_connector_prepare(SSL_CTX *tls);

/** From now on it works for another: `record` goes on with the phase that the other one is in. */
void gm_connector_pass(gm_connector_t *self, gm_record_t *record, void *data);

/** Gives up; the callback is not called. */
void gm_connector_cancel(gm_connector_t *self);

#endif
