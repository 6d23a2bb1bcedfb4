/*
 * What happens to all HTTP/1 connections of a worker at once: draining, expiring, making room. Worker's
 * thread.
 */
#include "front/http1_connection.h"

#define DRAIN_HANDSHAKE_MS 1000

gm_http1_front_t *gm_http1_front_create(const gm_http1_options_t *options)
{
    gm_http1_front_t *self = gm_alloc(sizeof(*self));

    self->options = *options;
    h2o_linklist_init_anchor(&self->list);
    return self;
}

void gm_http1_front_destroy(gm_http1_front_t *self)
{
    free(self);
}

size_t gm_http1_count(const gm_http1_front_t *self)
{
    return self->count;
}

/* Empty lines ahead of a request are none of it (RFC 9112, 2.2). */
static bool has_begun_head(const gm_http1_connection_t *self)
{
    const h2o_buffer_t *input = self->sock->input;

    for (size_t i = 0; i != input->size; ++i)
        if (input->bytes[i] != '\r' && input->bytes[i] != '\n')
            return true;
    return false;
}

static bool is_in_flight(const gm_http1_connection_t *self)
{
    return self->state == GM_HTTP1_SERVE || (self->state == GM_HTTP1_HEAD && has_begun_head(self));
}

void gm_http1_drain(gm_http1_front_t *self)
{
    self->is_draining = true;
    for (h2o_linklist_t *node = self->list.next; node != &self->list; node = node->next) {
        gm_http1_connection_t *connection = H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, link, node);
        if (connection->state == GM_HTTP1_HANDSHAKE) {
            gm_watch_start(self->options.watches, &connection->reading, DRAIN_HANDSHAKE_MS,
                           gm_http1_on_late_close);
        } else if (connection->state == GM_HTTP1_HEAD && !is_in_flight(connection)) {
            uint64_t since = connection->reading.since_ms;
            gm_watch_start(self->options.watches, &connection->reading, GM_HTTP1_DRAIN_PATIENCE_MS,
                           gm_http1_on_late_close);
            connection->reading.since_ms = since;
        }
    }
}

size_t gm_http1_in_flight(const gm_http1_front_t *self)
{
    size_t count = 0;

    for (const h2o_linklist_t *node = self->list.next; node != &self->list; node = node->next)
        count += is_in_flight(H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, link, node));
    return count;
}

/* @return since when it has been its client's turn; UINT64_MAX = it is ours */
static uint64_t waits_since(const gm_http1_connection_t *self)
{
    const gm_watch_t *watch = self->state == GM_HTTP1_SERVE ? &self->writing : &self->reading;

    return gm_watch_is_running(watch) ? watch->since_ms : UINT64_MAX;
}

void gm_http1_make_room(gm_http1_front_t *self)
{
    gm_http1_connection_t *chosen = NULL;

    for (h2o_linklist_t *node = self->list.next; node != self->list.prev; node = node->next) {
        gm_http1_connection_t *connection = H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, link, node);
        uint64_t since_ms = waits_since(connection);
        if (since_ms != UINT64_MAX && (chosen == NULL || since_ms < waits_since(chosen)))
            chosen = connection;
    }
    if (chosen == NULL)
        return;
    if (is_in_flight(chosen))
        gm_transport_abort(chosen->sock); /* as in gm_http1_cut */
    gm_http1_close(chosen);
}

static void expire(gm_http1_connection_t *self)
{
    gm_downstream_t *downstream;

    if (!is_in_flight(self)) {
        gm_http1_close(self);
        return;
    }
    if (self->state == GM_HTTP1_HEAD) {
        gm_http1_refuse(self, GM_FAILURE_DRAINING, "proxy.timeout.shutdown_timeout is over");
        return;
    }
    downstream = &self->exchange->downstream;
    if (downstream->on_shutdown != NULL)
        downstream->on_shutdown(downstream->handler);
}

size_t gm_http1_expire(gm_http1_front_t *self)
{
    size_t count = gm_http1_in_flight(self);
    h2o_linklist_t *next;

    for (h2o_linklist_t *node = self->list.next; node != &self->list; node = next) {
        next = node->next;
        expire(H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, link, node));
    }
    return count;
}

void gm_http1_cut(gm_http1_front_t *self)
{
    while (!h2o_linklist_is_empty(&self->list)) {
        gm_http1_connection_t *connection =
            H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, link, self->list.next);
        if (is_in_flight(connection))
            gm_transport_abort(connection->sock);
        gm_http1_close(connection);
    }
}
