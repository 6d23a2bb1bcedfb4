/*
 * The connection: its beginning, its end, and what its endpoint may not do. The kernel watches over silent
 * peers (keep-alive, TCP_USER_TIMEOUT); servers of HTTP/2 dislike frames that ask them for nothing. Called by
 * the pool on its worker.
 */
#include "upstream/h2_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/transport.h"
#include "upstream/h2_exchange.h"

#define STREAM_WINDOW (256 * 1024)   /* as much of an answer is held for a slow client */
#define CONNECTION_WINDOW (16 << 20) /* never in the way: see http2/session */
#define MAX_HEADER_LIST (64 * 1024)
#define RESTED_MS 20
#define KEEP_ALIVE_S 30 /* of TCP: silence before the kernel asks, … */
#define KEEP_ALIVE_INTERVAL_S 10
#define KEEP_ALIVE_PROBES 3

static gm_h2_client_t *client_of(void *data)
{
    return data;
}

static gm_h2_exchange_t *exchange_at(h2o_linklist_t *link)
{
    return H2O_STRUCT_FROM_MEMBER(gm_h2_exchange_t, link, link);
}

/* ---- the end */

static void destroy(gm_h2_client_t *self)
{
    gm_watch_stop(&self->idle);
    gm_watch_stop(&self->pulse);
    gm_watch_stop(&self->settling);
    gm_http2_session_close(self->session);
    h2o_socket_close(self->sock);
    gm_vector_dispose(&self->fields);
    gm_buffer_dispose(&self->spare);
    if (h2o_linklist_is_linked(&self->link))
        h2o_linklist_unlink(&self->link);
    gm_turn_leave(&self->turn);
    free(self);
}

static void detach(gm_h2_client_t *self, gm_h2_exchange_t *exchange)
{
    h2o_linklist_unlink(&exchange->link);
    --self->count;
    exchange->client = NULL;
    gm_http2_stream_forget(&exchange->stream);
    exchange->super.endpoint = "";
}

static void close_to_new(gm_h2_client_t *self)
{
    if (self->is_closing)
        return;
    self->is_closing = true;
    self->options->events->on_closing(self->options->pool, self);
    gm_turn_leave(&self->turn); /* what is about to go is in nobody's way */
}

/* All exchanges are told that it is over, with the reason there is. */
static void fail_all(gm_h2_client_t *self, gm_failure_t failure, const char *detail)
{
    self->fault = failure;
    self->why = detail;
    close_to_new(self);
    while (!h2o_linklist_is_empty(&self->exchanges)) {
        gm_h2_exchange_t *exchange = exchange_at(self->exchanges.next);
        bool has_begun = gm_http2_stream_has_begun(&exchange->stream);
        detach(self, exchange);
        if (exchange->is_orphan)
            gm_h2_exchange_destroy(exchange);
        else if (!exchange->super.framing.has_ended)
            gm_h2_exchange_fail(exchange, failure, detail, !has_begun);
    }
}

void gm_h2_client_destroy(gm_h2_client_t *self)
{
    while (!h2o_linklist_is_empty(&self->exchanges)) {
        gm_h2_exchange_t *exchange = exchange_at(self->exchanges.next);
        detach(self, exchange);
        if (exchange->is_orphan)
            gm_h2_exchange_destroy(exchange);
    }
    destroy(self);
}

void gm_h2_client_retire(gm_h2_client_t *self)
{
    close_to_new(self);
    if (self->count == 0)
        gm_http2_session_terminate(self->session, GM_HTTP2_NO_ERROR);
}

static void on_idle(gm_watch_t *watch)
{
    gm_h2_client_t *self = H2O_STRUCT_FROM_MEMBER(gm_h2_client_t, idle, watch);

    close_to_new(self);
    gm_http2_session_terminate(self->session, GM_HTTP2_NO_ERROR);
}

/* An exchange has gone. */
static void make_room(gm_h2_client_t *self)
{
    if (self->count == 0 && self->is_closing)
        gm_http2_session_terminate(self->session, GM_HTTP2_NO_ERROR);
    else if (self->count == 0)
        gm_watch_start(self->options->watches, &self->idle, self->options->idle_ms, on_idle);
    if (!self->is_closing)
        self->options->events->on_room(self->options->pool, self);
}

void gm_h2_client_forget(gm_h2_client_t *self, gm_h2_exchange_t *exchange)
{
    detach(self, exchange);
    make_room(self);
}

/* ---- what the session tells */

static void on_close(gm_http2_stream_t *stream, uint32_t error)
{
    gm_h2_exchange_t *exchange = (gm_h2_exchange_t *)stream;
    gm_h2_client_t *self = exchange->client;

    detach(self, exchange);
    gm_h2_exchange_end(exchange, stream->was_not_sent ? GM_HTTP2_REFUSED_STREAM : error);
    make_room(self); /* last: one that was refused may have to wait for it */
}

/* Each of them may end any of the others. */
static void on_told(void *data)
{
    h2o_linklist_t *news = &client_of(data)->news;

    while (!h2o_linklist_is_empty(news))
        gm_h2_exchange_tell(H2O_STRUCT_FROM_MEMBER(gm_h2_exchange_t, news, news->next));
}

static void on_offence(void *data, gm_offence_t why)
{
    gm_h2_client_t *self = client_of(data);

    self->why = gm_offence_text(why);
    self->fault =
        why == GM_OFFENCE_OTHER_PROTOCOL ? GM_FAILURE_PROTOCOL_MISMATCH : GM_FAILURE_RESPONSE_MALFORMED;
    close_to_new(self);
}

static void settle(gm_h2_client_t *self)
{
    if (self->is_settled || self->is_closing)
        return;
    self->is_settled = true;
    gm_watch_stop(&self->settling);
    self->options->events->on_settled(self->options->pool, self);
}

static void on_settings(void *data)
{
    gm_h2_client_t *self = client_of(data);

    if (self->is_settled && !self->is_closing)
        self->options->events->on_room(self->options->pool, self);
    settle(self);
}

/* Then nghttp2 assumes what the RFC advises. */
static void on_unsettled(gm_watch_t *watch)
{
    settle(H2O_STRUCT_FROM_MEMBER(gm_h2_client_t, settling, watch));
}

static void on_goaway(void *data)
{
    close_to_new(client_of(data));
}

static void on_leaving(void *data)
{
    gm_h2_client_t *self = client_of(data);

    if (self->why != NULL)
        fail_all(self, self->fault, self->why);
    else
        fail_all(self, GM_FAILURE_RESPONSE_MALFORMED, "its frames break the rules of HTTP/2");
}

static void on_gone(void *data)
{
    gm_h2_client_t *self = client_of(data);
    const char *err = gm_http2_session_error(self->session);
    bool is_reset = err != NULL && err != h2o_socket_error_closed && err != gm_transport_error_cut;

    if (self->why != NULL)
        fail_all(self, self->fault, self->why);
    else if (is_reset)
        fail_all(self, GM_FAILURE_CONNECTION_RESET, "reset before an answer");
    else if (self->is_heard)
        fail_all(self, GM_FAILURE_CONNECTION_TERMINATED, "closed before an answer");
    else
        fail_all(self, GM_FAILURE_CONNECTION_TERMINATED,
                 "closed before it answered anything; does it speak HTTP/2?");
    destroy(self);
}

static void on_stalled(void *data)
{
    gm_h2_client_t *self = client_of(data);

    gm_transport_abort(self->sock);
    fail_all(self, GM_FAILURE_RESPONSE_TIMEOUT, "it took nothing for write_timeout");
    destroy(self);
}

static const gm_http2_events_t session_events = {.on_field = gm_h2_exchange_on_field,
                                                 .on_head = gm_h2_exchange_on_head,
                                                 .on_data = gm_h2_exchange_on_data,
                                                 .on_end = gm_h2_exchange_on_end,
                                                 .on_sent = gm_h2_exchange_on_sent,
                                                 .on_told = on_told,
                                                 .on_close = on_close,
                                                 .on_gone = on_gone,
                                                 .on_stalled = on_stalled,
                                                 .on_offence = on_offence,
                                                 .on_settings = on_settings,
                                                 .on_goaway = on_goaway,
                                                 .on_leaving = on_leaving};

/* ---- upstream.ping_interval */

static void on_pulse(gm_watch_t *watch)
{
    gm_h2_client_t *self = H2O_STRUCT_FROM_MEMBER(gm_h2_client_t, pulse, watch);
    uint64_t heard = gm_http2_session_heard(self->session);

    if (heard == self->heard && self->was_asked) {
        gm_transport_abort(self->sock);
        fail_all(self, GM_FAILURE_RESPONSE_TIMEOUT, "it did not answer a PING");
        destroy(self);
        return;
    }
    self->was_asked = heard == self->heard;
    self->heard = heard;
    if (self->was_asked)
        gm_http2_session_ping(self->session);
    gm_watch_start(self->options->watches, watch, self->options->ping_ms, on_pulse);
}

/* ---- the beginning */

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof(value)); /* unix sockets have none of these */
}

static void let_kernel_watch(const gm_h2_client_t *self)
{
    int fd = h2o_socket_get_fd(self->sock);

    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_ALIVE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_ALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_ALIVE_PROBES);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)self->options->write_ms);
}

gm_h2_client_t *gm_h2_client_create(const gm_h2_client_options_t *options, h2o_socket_t *sock,
                                    gm_tls_wire_t *wire)
{
    gm_h2_client_t *self = gm_alloc(sizeof(*self));
    const gm_http2_session_options_t session = {.events = &session_events,
                                                .data = self,
                                                .sock = sock,
                                                .wire = wire,
                                                .loop = options->loop,
                                                .soon = options->soon,
                                                .watches = options->watches,
                                                .blocks = options->blocks,
                                                .write_ms = options->write_ms,
                                                .stream_window = STREAM_WINDOW,
                                                .connection_window = CONNECTION_WINDOW,
                                                .max_header_list = MAX_HEADER_LIST};

    self->options = options;
    self->sock = sock;
    self->is_tls = wire != NULL;
    h2o_linklist_init_anchor(&self->exchanges);
    h2o_linklist_init_anchor(&self->news);
    let_kernel_watch(self);
    gm_transport_init(sock, wire);
    self->session = gm_http2_session_create_client(&session);
    gm_http2_session_start(self->session);
    gm_watch_start(options->watches, &self->idle, options->idle_ms, on_idle);
    gm_watch_start(options->watches, &self->settling, options->settle_ms, on_unsettled);
    if (options->ping_ms != 0)
        gm_watch_start(options->watches, &self->pulse, options->ping_ms, on_pulse);
    return self;
}

size_t gm_h2_client_room(const gm_h2_client_t *self)
{
    size_t room = gm_http2_session_room(self->session);

    if (self->is_closing || self->count >= self->options->max_streams ||
        (!self->is_settled && self->count != 0))
        return 0;
    return room < self->options->max_streams - self->count ? room : self->options->max_streams - self->count;
}

bool gm_h2_client_is_stale(const gm_h2_client_t *self)
{
    char byte;
    ssize_t got;

    if (self->count != 0 || gm_clock_coarse_ms() - self->idle.since_ms < RESTED_MS)
        return false;
    got = recv(h2o_socket_get_fd(self->sock), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got == -1 && errno != EAGAIN && errno != EWOULDBLOCK);
}

gm_exchange_t *gm_h2_client_begin(gm_h2_client_t *self, const gm_exchange_options_t *options)
{
    gm_h2_exchange_t *exchange = gm_h2_exchange_create(self, options);

    h2o_linklist_insert(&self->exchanges, &exchange->link);
    ++self->count;
    self->has_served = true;
    gm_watch_stop(&self->idle);
    return &exchange->super;
}
