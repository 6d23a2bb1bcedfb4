/*
 * Connections that many requests can share are worth waiting for: a hundred requests at once open one, not a
 * hundred. Where the first one leaves, its connection is passed on to the next that waits. Called by
 * proxy/forward through the pool; worker's thread.
 */
#include "upstream/opening.h"

#include "upstream/pool.h"

static gm_opening_t *opening_at(h2o_linklist_t *link)
{
    return H2O_STRUCT_FROM_MEMBER(gm_opening_t, link, link);
}

void gm_openings_init(gm_openings_t *self)
{
    h2o_linklist_init_anchor(&self->waiting);
}

static gm_openings_t *openings_of(const gm_opening_t *self)
{
    return gm_pool_openings(self->pool);
}

static void stop_leading(gm_opening_t *self)
{
    if (!self->options.is_http1)
        --openings_of(self)->lead_count;
    self->pool = NULL;
    self->connector = NULL;
}

static void stop_waiting(gm_opening_t *self)
{
    h2o_linklist_unlink(&self->link);
    --openings_of(self)->wait_count;
    self->pool = NULL;
}

/* ---- what came of it */

static void tell(gm_opening_t *self, const gm_opened_t *result)
{
    stop_waiting(self);
    self->cb(self, result);
}

/* Those that come later do not wait for this one. */
static h2o_linklist_t *take_waiting(gm_pool_t *pool, h2o_linklist_t *to)
{
    h2o_linklist_init_anchor(to);
    h2o_linklist_insert_list(to, &gm_pool_openings(pool)->waiting);
    return to;
}

void gm_openings_serve(gm_pool_t *pool)
{
    h2o_linklist_t waiting;
    gm_opened_t result = {0};

    for (take_waiting(pool, &waiting); !h2o_linklist_is_empty(&waiting);) {
        gm_opening_t *next = opening_at(waiting.next);
        result.exchange = gm_pool_take_stream(pool, &next->options);
        result.is_to_ask_again = result.exchange == NULL;
        tell(next, &result);
    }
}

void gm_openings_fail(gm_pool_t *pool, gm_failure_t failure, const char *detail)
{
    const gm_opened_t result = {.failure = failure, .detail = detail};
    h2o_linklist_t waiting;

    for (take_waiting(pool, &waiting); !h2o_linklist_is_empty(&waiting);)
        tell(opening_at(waiting.next), &result);
}

static void on_connected(void *data, const gm_connected_t *connected)
{
    gm_opening_t *self = data;
    gm_pool_t *pool = self->pool;
    bool is_http1 = self->options.is_http1;
    gm_opened_t result = {.failure = connected->failure, .detail = connected->detail};

    stop_leading(self);
    if (connected->sock != NULL)
        result.exchange =
            gm_pool_adopt(pool, connected, &self->options, self->turn, &result.failure, &result.detail);
    self->cb(self, &result);
    if (is_http1 || gm_pool_openings(pool)->lead_count != 0)
        return; /* those that wait do so for another, or for what this one allows */
    if (result.exchange != NULL)
        gm_openings_serve(pool);
    else
        gm_openings_fail(pool, result.failure, result.detail);
}

/* ---- the owner's side */

void gm_opening_start(gm_opening_t *self, gm_pool_t *pool)
{
    self->pool = pool;
    if (!self->options.is_http1)
        ++gm_pool_openings(pool)->lead_count;
    self->connector = gm_pool_connect(pool, self->options.is_http1, self->record, on_connected, self);
}

bool gm_opening_join(gm_opening_t *self, gm_pool_t *pool)
{
    gm_openings_t *all = gm_pool_openings(pool);

    if (self->options.is_http1 || !gm_pool_expects_streams(pool) ||
        all->wait_count >= all->lead_count * (gm_pool_max_streams(pool) - 1))
        return false;
    self->pool = pool;
    ++all->wait_count;
    h2o_linklist_insert(&all->waiting, &self->link);
    gm_record_enter(self->record, GM_PHASE_CONNECT);
    return true;
}

void gm_opening_cancel(gm_opening_t *self)
{
    gm_opening_t *next;

    if (self->pool == NULL)
        return;
    if (self->connector == NULL) {
        stop_waiting(self);
        return;
    }
    if (self->options.is_http1 || h2o_linklist_is_empty(&openings_of(self)->waiting)) {
        gm_connector_cancel(self->connector);
        stop_leading(self);
        return;
    }
    next = opening_at(openings_of(self)->waiting.next);
    h2o_linklist_unlink(&next->link);
    --openings_of(self)->wait_count;
    next->connector = self->connector;
    gm_connector_pass(next->connector, next->record, next);
    if (!gm_turn_is_had(next->turn)) /* otherwise ours is over */
        gm_turn_move(next->turn, self->turn);
    self->connector = NULL; /* it leads no more, and the next one does */
    self->pool = NULL;
}
