/* opening: new connections of a pool: who opens one, and who waits for it */
#ifndef GM_UPSTREAM_OPENING_H
#define GM_UPSTREAM_OPENING_H

#include "upstream/connector.h"
#include "upstream/exchange.h"
#include "upstream/turns.h"

typedef struct gm_opening gm_opening_t;
typedef struct gm_pool gm_pool_t;

/** What came of it. */
typedef struct gm_opened {
    gm_exchange_t *exchange; /* begun, and now the callback's; NULL = none */
    bool is_to_ask_again;    /* there is none, but nothing is wrong: another way has to be found */
    gm_failure_t failure;
    const char *detail; /* valid during the call */
} gm_opened_t;

/** Called once, never from within gm_opening_start or gm_opening_join. */
typedef void (*gm_opening_cb_t)(gm_opening_t *self, const gm_opened_t *result);

/** Embedded in what wants a connection; all zero = wants none. Worker only. */
struct gm_opening {
    gm_exchange_options_t options; /* of the exchange that is wanted */
    gm_record_t *record;           /* is told the phases; borrowed */
    gm_turn_t *turn;               /* borrowed; a connection that is shared takes it over */
    gm_opening_cb_t cb;
    /* private */
    gm_pool_t *pool;
    gm_connector_t *connector; /* owned; NULL = waits for that of another */
    h2o_linklist_t link;
};

/** Those of one pool that others may wait for, and that wait; embedded in it. */
typedef struct gm_openings {
    h2o_linklist_t waiting; /* the first came first */
    size_t lead_count;      /* connections on their way, until it is known what they allow */
    size_t wait_count;
} gm_openings_t;

void gm_openings_init(gm_openings_t *self);

/** A connection is there: those that wait get their part, and look for another way where there is none. */
void gm_openings_serve(gm_pool_t *pool);

/** None will be there: they get nothing. @param detail  static */
void gm_openings_fail(gm_pool_t *pool, gm_failure_t failure, const char *detail);

/** Connects. The fields above are set. */
void gm_opening_start(gm_opening_t *self, gm_pool_t *pool);

/** Waits for a connection that is on its way, and that will have room. @return false if there is none */
bool gm_opening_join(gm_opening_t *self, gm_pool_t *pool);

static inline bool gm_opening_is_waiting(const gm_opening_t *self)
{
    return self->pool != NULL;
}

/** Gives up; the callback is not called. Others may wait for the same connection: it comes about. */
void gm_opening_cancel(gm_opening_t *self);

#endif
