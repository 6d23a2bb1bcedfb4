/* server: listeners and workers around one generation */
#ifndef GM_SERVER_SERVER_H
#define GM_SERVER_SERVER_H

#include <stdbool.h>

#include "config/snapshot.h"
#include "server/generation.h"
#include "server/ports.h"

typedef struct gm_server gm_server_t;

/**
 * Serves a snapshot.
 * @param snapshot  retained
 * @param ports     opened for it; their sockets are taken
 * @param crashes   how many serving processes of this supervisor died before
 * @return NULL with *err filled
 */
GM_MUST_USE gm_server_t *gm_server_start_proxy(gm_snapshot_t *snapshot, gm_ports_t *ports, unsigned crashes,
                                               gm_port_error_t *err);

/** Serves the test backend. */
GM_MUST_USE gm_server_t *gm_server_start_backend(gm_ports_t *ports, const gm_backend_options_t *options,
                                                 gm_port_error_t *err);

/** How many serving processes died before this one. Any thread. */
unsigned gm_server_crashes(const gm_server_t *self);

#define GM_SERVER_ADMIN_LISTEN "admin.listen"
#define GM_SERVER_ADMIN_SOCKET "admin.socket"

/** Where the admin window is to be, and where that was written. All borrowed. */
typedef struct gm_server_admin {
    const char *host; /* "" = all addresses; NULL = on no port */
    uint16_t port;
    const gm_place_t *place; /* NULL = a default */
    const char *socket;      /* NULL = none */
    const gm_place_t *socket_place;
} gm_server_admin_t;

/** Serves the admin window on one worker. @param options  copied */
GM_MUST_USE gm_server_t *gm_server_start_admin(const gm_server_admin_t *where,
                                               const gm_admin_options_t *options, gm_port_error_t *err);

/** Fills in what an admin window is to know of this proxy's workers and clusters. */
void gm_server_describe(const gm_server_t *self, gm_admin_options_t *options);

/** Has a worker fill in its sheet. Any thread; never waits. @param survey  the worker's reference, taken */
void gm_server_ask(gm_server_t *self, size_t worker, gm_survey_t *survey);

/** Whether gm_server_drain was called. Any thread. */
bool gm_server_was_told_to_drain(const gm_server_t *self);

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

/** The page for Prometheus, of a proxy. Any thread. */
void gm_server_render_metrics(gm_server_t *self, gm_buffer_t *out);

/** Has the files of its logs opened anew. Main thread. */
void gm_server_reopen_logs(gm_server_t *self);

/** Waits for the workers, which must have been told to drain. Accepts NULL. */
void gm_server_destroy(gm_server_t *self);

#endif
