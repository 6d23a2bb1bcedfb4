/*
 * Last in, first out: under little load few connections stay warm and the others go. The sockets stay
 * registered with the event loop while they are idle, so that an endpoint that closes one is noticed at once
 * and no request pays for registering. Within one round of the loop libh2o serves all sockets that it did not
 * accept before those that it did (lib/common/socket/evloop.c.h, run_pending): so what lies behind an answer
 * is known in the round after, before any request. Worker's thread.
 */
#include "upstream/pool.h"

#include <stdio.h>

#include "base/clock.h"

#define RESTED_MS 20

struct gm_pool {
    gm_cluster_t *cluster; /* shared */
    uint64_t idle_ms;
    size_t max_idle, count;
    gm_watches_t *watches;       /* borrowed */
    gm_metrics_shard_t *metrics; /* borrowed; NULL = nobody counts */
    gm_counter_t *idle_gauge;    /* of these; NULL = not looked up yet */
    gm_turns_t turns;
    uint32_t version; /* of the cluster's addresses that the idle connections go to */
    size_t preferred;
    h2o_linklist_t idle;  /* clients, the last used first */
    h2o_linklist_t fresh; /* the same, given back in the round `fresh_round` of the loop */
    uint64_t fresh_round;
};

static gm_client_t *client_of(h2o_linklist_t *link)
{
    return H2O_STRUCT_FROM_MEMBER(gm_client_t, link, link);
}

gm_pool_t *gm_pool_create(gm_cluster_t *cluster, const gm_pool_options_t *options)
{
    gm_pool_t *self = gm_alloc(sizeof(*self));

    self->cluster = gm_cluster_retain(cluster);
    self->idle_ms = options->idle_ms;
    self->max_idle = options->max_idle;
    self->watches = options->watches;
    self->metrics = options->metrics;
    gm_turns_init(&self->turns, options->watches, options->max_connections, options->patience_ms);
    h2o_linklist_init_anchor(&self->idle);
    h2o_linklist_init_anchor(&self->fresh);
    return self;
}

static void count_idle(gm_pool_t *self, int change)
{
    if (self->metrics == NULL)
        return;
    if (self->idle_gauge == NULL)
        self->idle_gauge = gm_metrics_idle_gauge(self->metrics, gm_cluster_name(self->cluster));
    gm_counter_add(self->idle_gauge, (uint64_t)(int64_t)change);
}

static void remove_idle(gm_pool_t *self, gm_client_t *client)
{
    h2o_linklist_unlink(&client->link);
    --self->count;
    count_idle(self, -1);
}

/* Once a round of the loop is over, what was given back in it is like all others. */
static void ripen(gm_pool_t *self)
{
    if (self->fresh_round == gm_watches_rounds(self->watches))
        return;
    self->fresh_round = gm_watches_rounds(self->watches);
    h2o_linklist_insert_list(self->idle.next, &self->fresh);
}

static void clear(gm_pool_t *self)
{
    h2o_linklist_insert_list(self->idle.next, &self->fresh);
    while (!h2o_linklist_is_empty(&self->idle)) {
        gm_client_t *client = client_of(self->idle.next);
        remove_idle(self, client);
        gm_client_abort(client);
    }
}

void gm_pool_destroy(gm_pool_t *self)
{
    if (self == NULL)
        return;
    clear(self);
    gm_cluster_release(self->cluster);
    free(self);
}

/* The name may stand for other machines now. */
static void follow_cluster(gm_pool_t *self)
{
    uint32_t version = gm_cluster_version(self->cluster);

    if (version == self->version)
        return;
    self->version = version;
    self->preferred = 0;
    clear(self);
}

gm_turns_t *gm_pool_turns(gm_pool_t *self)
{
    return &self->turns;
}

/*
 * Endpoints close what has been idle for long, and everything when they go down; but then requests on their
 * way are lost as well. So under load the look at the loop's last round is enough.
 */
static bool has_rested(const gm_client_t *client)
{
    return gm_clock_coarse_ms() - client->watch.since_ms >= RESTED_MS;
}

gm_client_t *gm_pool_take(gm_pool_t *self, bool must_be_open)
{
    follow_cluster(self);
    ripen(self);
    while (self->count != 0) {
        bool is_fresh = h2o_linklist_is_empty(&self->idle);
        gm_client_t *client = client_of(is_fresh ? self->fresh.next : self->idle.next);
        remove_idle(self, client);
        if (!(is_fresh || (must_be_open && has_rested(client))) || !gm_client_is_stale(client))
            return client;
        gm_client_abort(client);
    }
    return NULL;
}

static void on_gone(void *data, gm_client_t *client)
{
    remove_idle(data, client);
}

void gm_pool_give(gm_pool_t *self, gm_client_t *client)
{
    /* half a second before the endpoint would close it: a request that is on its way then would be lost */
    uint64_t hint_ms = client->keep_alive_s != 0 ? (uint64_t)client->keep_alive_s * 1000 - 500 : UINT64_MAX;

    follow_cluster(self);
    ripen(self);
    if (client->version != self->version || !gm_client_is_reusable(client)) {
        gm_client_abort(client);
        return;
    }
    if (self->count == self->max_idle) {
        gm_client_t *oldest;
        if (self->max_idle == 0) {
            gm_client_abort(client);
            return;
        }
        oldest = client_of(h2o_linklist_is_empty(&self->idle) ? self->fresh.prev : self->idle.prev);
        remove_idle(self, oldest);
        gm_client_abort(oldest);
    }
    h2o_linklist_insert(self->fresh.next, &client->link);
    ++self->count;
    count_idle(self, 1);
    gm_client_wait(client, hint_ms < self->idle_ms ? hint_ms : self->idle_ms, on_gone, self);
}

size_t gm_pool_idle_count(const gm_pool_t *self)
{
    return self->count;
}

size_t gm_pool_preferred_address(const gm_pool_t *self)
{
    return self->preferred;
}

static void name_endpoint(gm_client_t *client, const gm_connected_t *connected)
{
    char text[GM_ADDRESS_TEXT_BYTES];

    snprintf(client->endpoint, sizeof(client->endpoint), "%.63s",
             gm_address_format(&connected->address, text));
}

gm_client_t *gm_pool_adopt(gm_pool_t *self, const gm_connected_t *connected)
{
    gm_client_t *client = gm_client_create(self->watches, connected->sock, connected->wire);

    follow_cluster(self);
    client->version = connected->version;
    name_endpoint(client, connected);
    if (client->version == self->version)
        self->preferred = connected->index;
    return client;
}
