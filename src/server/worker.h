/* worker: one thread with one event loop */
#ifndef GM_SERVER_WORKER_H
#define GM_SERVER_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "admin/survey.h"
#include "server/generation.h"
#include "server/listener.h"

typedef struct gm_worker gm_worker_t; /* owned by the server */

typedef struct gm_worker_options {
    unsigned index;
    const char *thread_name;                          /* borrowed; NULL = gm-worker-<index> */
    gm_generation_t *generation;                      /* borrowed */
    SSL_CTX *tls;                                     /* borrowed; for tls_sockets */
    gm_listener_sockets_t plain_sockets, tls_sockets; /* taken */
    gm_places_t *places;                              /* connections of the process; borrowed */
    size_t crowd;                                     /* as in gm_listener_options_t */
    void (*on_news)(void *data); /* worker's thread: it began to drain, or it has served its last client */
    void *data;
} gm_worker_options_t;

/** Nothing is accepted before gm_worker_start. Main thread. */
GM_MUST_USE gm_worker_t *gm_worker_create(const gm_worker_options_t *options);

/** Returns when the worker is set up. @return 0, or -1 with *err filled. Main thread. */
GM_MUST_USE int gm_worker_start(gm_worker_t *self, gm_error_t *err);

/** Asks it to accept nobody any more and to end when the last answer is out. Main thread. */
void gm_worker_drain(gm_worker_t *self);

/** Asks it to tell all clients that the time for draining is over, and then to end. Main thread. */
void gm_worker_expire(gm_worker_t *self);

/**
 * Has it fill in its sheet of a survey and hand that in; at once, if it takes no orders any more. Any thread.
 * @param survey  the worker's reference, taken
 */
void gm_worker_ask(gm_worker_t *self, gm_survey_t *survey);

/** Asks it to end all connections now. Main thread. */
void gm_worker_cut(gm_worker_t *self);

/** Whether it accepts nobody any more, and how many requests were under way at that moment. Any thread. */
bool gm_worker_is_draining(const gm_worker_t *self);
size_t gm_worker_in_flight(const gm_worker_t *self);

/** How many requests were in flight when the time was over. Any thread. */
size_t gm_worker_cut_count(const gm_worker_t *self);

/** Whether its loop has ended. Any thread. */
bool gm_worker_has_ended(const gm_worker_t *self);

/** For the end of the process: leaves the thread and all it owns behind. */
void gm_worker_abandon(gm_worker_t *self);

/** Waits for the thread, which must have been told to drain if it was started. Accepts NULL. */
void gm_worker_destroy(gm_worker_t *self);

#endif
