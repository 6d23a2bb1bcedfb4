/* watch: notices what makes no progress, at the cost of one look at the clock per progress */
#ifndef GM_NET_WATCH_H
#define GM_NET_WATCH_H

#include <stdint.h>

#include <h2o.h>

#include "base/memory.h"

typedef struct gm_watches gm_watches_t; /* all of one worker; owned by it */
typedef struct gm_watch gm_watch_t;

typedef void (*gm_watch_cb_t)(gm_watch_t *watch);

/** Embedded in what is watched; all zero = not watching. Worker only. */
struct gm_watch {
    h2o_linklist_t link;
    gm_watches_t *all; /* borrowed */
    uint64_t since_ms; /* of a clock that never jumps */
    uint64_t limit_ms;
    gm_watch_cb_t on_late;
};

/**
 * @param shortest_ms  the shortest limit that will be used: watches are looked at eight times in this time,
 * but at least every 250 ms and at most every 10 ms
 */
GM_MUST_USE gm_watches_t *gm_watches_create(uint64_t shortest_ms);

/** No watch may be running. Accepts NULL. */
void gm_watches_destroy(gm_watches_t *self);

/** How long the event loop may sleep before gm_watches_sweep wants to be called again; at least 1. */
int32_t gm_watches_patience_ms(const gm_watches_t *self);

/** How many runs of the event loop are over: how often gm_watches_sweep was called. */
uint64_t gm_watches_rounds(const gm_watches_t *self);

/**
 * Calls on_late of all watches whose time is over, if it is time for a look. A watch that is late is stopped
 * before the call; the call may start it again, and start, stop and free any others. To be called between two
 * runs of the event loop, each time.
 */
void gm_watches_sweep(gm_watches_t *self);

/** Starts the clock, or starts it anew with another limit. Never late if limit_ms is 0. */
void gm_watch_start(gm_watches_t *all, gm_watch_t *self, uint64_t limit_ms, gm_watch_cb_t on_late);

/** Sets a running watch's clock to zero. */
void gm_watch_renew(gm_watch_t *self);

void gm_watch_stop(gm_watch_t *self);

static inline int gm_watch_is_running(const gm_watch_t *self)
{
    return self->link.next != NULL;
}

#endif
