/* server: listeners and workers around one generation */
#ifndef GM_SERVER_SERVER_H
#define GM_SERVER_SERVER_H

#include <stdbool.h>

#include "config/snapshot.h"
#include "server/generation.h"

typedef struct gm_server gm_server_t;

/** What was wrong with a port; `name` says which key of the configuration chose it. */
typedef struct gm_port_error {
    bool in_use;
    uint16_t port;
    const char *key;         /* "proxy.listen_port"; NULL = not about a port */
    const gm_place_t *place; /* borrowed from the snapshot; NULL = a default */
    gm_error_t error;
} gm_port_error_t;

/** Opens the ports of a snapshot and serves it. @param snapshot retained @return NULL with *err filled */
GM_MUST_USE gm_server_t *gm_server_start_proxy(gm_snapshot_t *snapshot, gm_port_error_t *err);

/** Serves the test backend on one port and one worker. @param host "" = all addresses */
GM_MUST_USE gm_server_t *gm_server_start_backend(const char *host, uint16_t port,
                                                 const gm_backend_options_t *options, gm_port_error_t *err);

/** A descriptor that becomes readable when one of the states below has changed. */
int gm_server_news_fd(const gm_server_t *self);
bool gm_server_is_draining(const gm_server_t *self);
bool gm_server_has_ended(const gm_server_t *self);

void gm_server_drain(gm_server_t *self);
void gm_server_expire(gm_server_t *self); /* clients are told, then cut */
void gm_server_cut(gm_server_t *self);
/** Requests that were under way when draining began, and how many of them were cut. */
size_t gm_server_in_flight(const gm_server_t *self);
size_t gm_server_cut_count(const gm_server_t *self);

/** For the end of the process, when a worker does not end: leaves everything behind. */
void gm_server_abandon(gm_server_t *self);

/** Has the files of its logs opened anew. Main thread. */
void gm_server_reopen_logs(gm_server_t *self);

/** Waits for the workers, which must have been told to drain. Accepts NULL. */
void gm_server_destroy(gm_server_t *self);

#endif
