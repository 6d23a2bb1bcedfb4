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
#include "tls/wire.h"
#include "upstream/client.h"
#include "upstream/h2_client.h"

#define RESTED_MS 20

#define MAX_KEPT_BYTES ((size_t)256 * 1024) /* of HTTP/2: some 100 streams at once */

struct gm_pool {
    gm_cluster_t *cluster; /* shared */
    gm_pool_options_t options;
    size_t count;
    gm_watches_t *watches;    /* borrowed */
    gm_counter_t *idle_gauge; /* of these; NULL = not looked up yet */
    gm_turns_t turns;
    uint32_t version; /* of the cluster's addresses that the idle connections go to */
    size_t preferred;
    h2o_linklist_t idle;  /* clients, the last used first */
    h2o_linklist_t fresh; /* the same, given back in the round `fresh_round` of the loop */
    uint64_t fresh_round;
    gm_h2_client_options_t h2;
    h2o_linklist_t shared;  /* HTTP/2 clients */
    h2o_linklist_t leaving; /* likewise, those that take no more exchanges */
    gm_openings_t openings;
    bool has_met_http1; /* protocol auto: the endpoint does not want HTTP/2 */
};

static const gm_h2_client_events_t h2_events;

static gm_client_t *client_of(h2o_linklist_t *link)
{
    return H2O_STRUCT_FROM_MEMBER(gm_client_t, link, link);
}

gm_pool_t *gm_pool_create(gm_cluster_t *cluster, const gm_pool_options_t *options)
{
    gm_pool_t *self = gm_alloc(sizeof(*self));

    self->cluster = gm_cluster_retain(cluster);
    self->options = *options;
    self->watches = options->connecting->watches;
    gm_turns_init(&self->turns, self->watches, options->max_connections, options->patience_ms);
    gm_openings_init(&self->openings);
    h2o_linklist_init_anchor(&self->idle);
    h2o_linklist_init_anchor(&self->fresh);
    h2o_linklist_init_anchor(&self->shared);
    h2o_linklist_init_anchor(&self->leaving);
    self->h2 = (gm_h2_client_options_t){.events = &h2_events,
                                        .pool = self,
                                        .loop = options->connecting->loop,
                                        .soon = options->soon,
                                        .watches = self->watches,
                                        .blocks = gm_blocks_create(MAX_KEPT_BYTES),
                                        .idle_ms = options->idle_ms,
                                        .settle_ms = options->connecting->timeout_ms,
                                        .write_ms = options->write_ms,
                                        .ping_ms = options->ping_ms,
                                        .max_streams = options->max_streams};
    return self;
}

static void count_idle(gm_pool_t *self, int change)
{
    if (self->options.metrics == NULL)
        return;
    if (self->idle_gauge == NULL)
        self->idle_gauge = gm_metrics_idle_gauge(self->options.metrics, gm_cluster_name(self->cluster));
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

static gm_h2_client_t *h2_client_of(h2o_linklist_t *link)
{
    return H2O_STRUCT_FROM_MEMBER(gm_h2_client_t, link, link);
}

static void destroy_all(h2o_linklist_t *list)
{
    while (!h2o_linklist_is_empty(list))
        gm_h2_client_destroy(h2_client_of(list->next));
}

void gm_pool_destroy(gm_pool_t *self)
{
    if (self == NULL)
        return;
    clear(self);
    destroy_all(&self->shared);
    destroy_all(&self->leaving);
    gm_blocks_destroy(self->h2.blocks);
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
    while (!h2o_linklist_is_empty(&self->shared))
        gm_h2_client_retire(h2_client_of(self->shared.next));
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

/* ---- connections that are shared */

/* Those that wait for a connection of their own need none as long as this one has room. */
static void let_in(gm_pool_t *self, const gm_h2_client_t *client)
{
    while (gm_h2_client_room(client) != 0 && gm_turns_let_pass(&self->turns))
        ;
}

static void on_room(void *data, gm_h2_client_t *client)
{
    gm_pool_t *self = data;

    let_in(self, client);
    if (client->count == 0 && !client->is_closing && gm_pool_idle_count(self) > self->options.max_idle)
        gm_h2_client_retire(client);
}

static void on_closing(void *data, gm_h2_client_t *client)
{
    gm_pool_t *self = data;

    h2o_linklist_unlink(&client->link);
    h2o_linklist_insert(&self->leaving, &client->link);
    if (client->is_settled)
        return;
    if (--self->openings.lead_count != 0)
        return;
    if (client->why != NULL)
        gm_openings_fail(self, client->fault, client->why);
    else
        gm_openings_serve(self);
}

static void on_settled(void *data, gm_h2_client_t *client)
{
    gm_pool_t *self = data;

    --self->openings.lead_count;
    gm_openings_serve(self);
    let_in(self, client);
}

static const gm_h2_client_events_t h2_events = {on_room, on_settled, on_closing};

bool gm_pool_expects_streams(const gm_pool_t *self)
{
    return self->options.protocol == GM_PROTOCOL_H2 ||
           (self->options.protocol == GM_PROTOCOL_AUTO && self->options.tls != NULL && !self->has_met_http1);
}

bool gm_pool_speaks_http1(const gm_pool_t *self)
{
    return self->options.protocol != GM_PROTOCOL_H2;
}

gm_exchange_t *gm_pool_take_stream(gm_pool_t *self, const gm_exchange_options_t *options)
{
    if (options->is_http1)
        return NULL;
    follow_cluster(self);
    for (h2o_linklist_t *node = self->shared.next; node != &self->shared; node = node->next) {
        gm_h2_client_t *client = h2_client_of(node);
        if (client == options->avoid || gm_h2_client_room(client) == 0)
            continue;
        if (!options->must_be_open || !gm_h2_client_is_stale(client))
            return gm_h2_client_begin(client, options);
        gm_h2_client_retire(client); /* those that wait are told of it, and may move any other */
        node = &self->shared;
    }
    return NULL;
}

/* ---- all of them */

gm_exchange_t *gm_pool_take(gm_pool_t *self, const gm_exchange_options_t *options)
{
    gm_exchange_t *stream = h2o_linklist_is_empty(&self->shared) ? NULL : gm_pool_take_stream(self, options);

    if (stream != NULL)
        return stream;
    follow_cluster(self);
    ripen(self);
    while (self->count != 0) {
        bool is_fresh = h2o_linklist_is_empty(&self->idle);
        gm_client_t *client = client_of(is_fresh ? self->fresh.next : self->idle.next);
        remove_idle(self, client);
        if (!(is_fresh || (options->must_be_open && has_rested(client))) || !gm_client_is_stale(client))
            return gm_client_begin(client, options);
        gm_client_abort(client);
    }
    return NULL;
}

static void on_gone(void *data, gm_client_t *client)
{
    remove_idle(data, client);
}

static void give_client(gm_pool_t *self, gm_client_t *client)
{
    /* half a second before the endpoint would close it: a request that is on its way then would be lost */
    uint64_t hint_ms = client->keep_alive_s != 0 ? (uint64_t)client->keep_alive_s * 1000 - 500 : UINT64_MAX;

    follow_cluster(self);
    ripen(self);
    if (client->version != self->version || !gm_client_is_reusable(client)) {
        gm_client_abort(client);
        return;
    }
    if (self->count == self->options.max_idle) {
        gm_client_t *oldest;
        if (self->options.max_idle == 0) {
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
    gm_client_wait(client, hint_ms < self->options.idle_ms ? hint_ms : self->options.idle_ms, on_gone, self);
}

void gm_pool_give(gm_pool_t *self, gm_exchange_t *exchange)
{
    if (exchange->is_multiplexed)
        gm_h2_client_give(exchange);
    else
        give_client(self, (gm_client_t *)exchange);
}
size_t gm_pool_idle_count(const gm_pool_t *self)
{
    size_t count = self->count;

    for (h2o_linklist_t *node = self->shared.next; node != &self->shared; node = node->next)
        count += h2_client_of(node)->count == 0;
    return count;
}

/* ---- new ones */

gm_openings_t *gm_pool_openings(gm_pool_t *self)
{
    return &self->openings;
}

size_t gm_pool_max_streams(const gm_pool_t *self)
{
    return self->options.max_streams;
}

gm_connector_t *gm_pool_connect(gm_pool_t *self, bool is_http1, gm_record_t *record, gm_connector_cb_t cb,
                                void *data)
{
    return gm_connector_start(self->options.connecting, self->cluster, self->preferred, self->options.tls,
                              is_http1, record, cb, data);
}

static void name_endpoint(char endpoint[GM_ENDPOINT_TEXT_BYTES], const gm_connected_t *connected)
{
    char text[GM_ADDRESS_TEXT_BYTES];

    snprintf(endpoint, GM_ENDPOINT_TEXT_BYTES, "%.63s", gm_address_format(&connected->address, text));
}

static gm_exchange_t *adopt_h2(gm_pool_t *self, const gm_connected_t *connected,
                               const gm_exchange_options_t *options, gm_turn_t *turn)
{
    gm_h2_client_t *client = gm_h2_client_create(&self->h2, connected->sock, connected->wire);
    gm_exchange_t *exchange;

    client->version = connected->version;
    name_endpoint(client->endpoint, connected);
    h2o_linklist_insert(self->shared.next, &client->link);
    ++self->openings.lead_count;
    gm_turn_move(&client->turn, turn);
    exchange = gm_h2_client_begin(client, options);
    if (client->version != self->version) /* the name stands for others by now */
        gm_h2_client_retire(client);
    return exchange;
}

gm_exchange_t *gm_pool_adopt(gm_pool_t *self, const gm_connected_t *connected,
                             const gm_exchange_options_t *options, gm_turn_t *turn, gm_failure_t *failure,
                             const char **detail)
{
    gm_client_t *client;

    follow_cluster(self);
    if (connected->version == self->version)
        self->preferred = connected->index;
    if (self->options.protocol == GM_PROTOCOL_H2 && self->options.tls != NULL && !connected->speaks_h2) {
        *failure = GM_FAILURE_PROTOCOL_MISMATCH;
        *detail = "its TLS agrees to no HTTP/2 (ALPN h2)";
        h2o_socket_close(connected->sock);
        return NULL;
    }
    if (!options->is_http1)
        self->has_met_http1 = !connected->speaks_h2;
    if (self->options.protocol == GM_PROTOCOL_H2 || connected->speaks_h2)
        return adopt_h2(self, connected, options, turn);
    client = gm_client_create(self->watches, connected->sock, connected->wire);
    client->version = connected->version;
    name_endpoint(client->endpoint, connected);
    return gm_client_begin(client, options);
}
