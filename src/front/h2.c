/*
 * Connections of HTTP/2: their beginning, their end, and what happens to all of a worker. Each stream is a
 * request of its own to the pipeline, on the same h2o_conn_t. Worker's thread.
 */
#include "front/h2_connection.h"

#include <string.h>

#include "net/transport.h"
#include "telemetry/log.h"

#define MAX_KEPT_BYTES ((size_t)512 * 1024) /* some 100 streams at once */

static gm_h2_connection_t *connection_of(void *data)
{
    return data;
}

/* ---- the end of streams and connections */

static void destroy_stream(gm_h2_stream_t *self)
{
    gm_h2_connection_t *connection = self->connection;

    gm_watch_stop(&self->reading);
    gm_watch_stop(&self->writing);
    h2o_linklist_unlink(&self->link);
    --connection->stream_count;
    connection->held_bytes -= self->head_bytes;
    h2o_dispose_request(&self->req);
    h2o_buffer_dispose(&self->input);
    gm_buffer_dispose(&self->fields);
    gm_buffer_dispose(&self->cookies);
    gm_buffer_dispose(&self->trailers);
    gm_blocks_free(connection->front->blocks, self);
}

static void close_connection(gm_h2_connection_t *self)
{
    const gm_http1_options_t *options = &self->front->options;

    gm_watch_stop(&self->idle);
    while (!h2o_linklist_is_empty(&self->streams))
        destroy_stream(H2O_STRUCT_FROM_MEMBER(gm_h2_stream_t, link, self->streams.next));
    gm_http2_session_close(self->session);
    if (options->metrics != NULL)
        gm_metrics_count_close(options->metrics, self->is_tls ? GM_METRICS_HTTPS : GM_METRICS_HTTP);
    h2o_linklist_unlink(&self->link);
    --self->front->count;
    atomic_fetch_sub_explicit(options->open, 1, memory_order_relaxed);
    free(self->client_cert);
    h2o_socket_close(self->sock);
    free(self);
}

static void on_idle(gm_watch_t *watch)
{
    gm_h2_terminate(H2O_STRUCT_FROM_MEMBER(gm_h2_connection_t, idle, watch), GM_HTTP2_NO_ERROR);
}

static void watch_idle(gm_h2_connection_t *self, uint64_t limit_ms)
{
    gm_watch_start(self->front->options.watches, &self->idle, limit_ms, on_idle);
}

void gm_h2_terminate(gm_h2_connection_t *self, gm_http2_error_t error)
{
    gm_http2_session_terminate(self->session, error);
}

void gm_h2_destroy_stream(gm_h2_stream_t *self)
{
    gm_h2_connection_t *connection = self->connection;

    destroy_stream(self);
    if (connection->stream_count == 0)
        watch_idle(connection, connection->front->options.idle_ms);
}

/* ---- what the session tells */

static void on_close(gm_http2_stream_t *stream, uint32_t error)
{
    gm_h2_stream_t *self = (gm_h2_stream_t *)stream;
    const gm_h2_connection_t *connection = self->connection;

    if (gm_h2_outlives_stream(self, error))
        return;
    if (self->input->size + self->dropped != 0)
        gm_http2_session_consume(connection->session, self->input->size + self->dropped);
    gm_h2_destroy_stream(self);
}

static void on_gone(void *data)
{
    close_connection(connection_of(data));
}

static void tell(const gm_h2_connection_t *self, gm_failure_t failure, const char *why)
{
    const char *label = gm_failure_row(failure)->label;
    const gm_log_field_t fields[] = {{"failure", label, strlen(label)},
                                     {"remote_addr", self->peer, self->peer_length}};

    gm_log_with(GM_LOG_WARN, fields, GM_COUNT_OF(fields), "Connection from %s ended: %s (%s)", self->peer,
                label, why);
}

static void on_stalled(void *data)
{
    gm_h2_connection_t *self = connection_of(data);

    tell(self, GM_FAILURE_CLIENT_STALLED, "it takes no bytes of its answers");
    gm_transport_abort(self->sock);
    close_connection(self);
}

void gm_h2_on_offence(void *data, gm_offence_t offence)
{
    gm_h2_connection_t *self = connection_of(data);
    gm_metrics_shard_t *metrics = self->front->options.metrics;

    tell(self, GM_FAILURE_BAD_REQUEST, gm_offence_text(offence));
    if (metrics != NULL)
        gm_metrics_count_offence(metrics, offence);
}

static void on_reset(void *data, bool by_client, uint32_t code)
{
    gm_metrics_shard_t *metrics = connection_of(data)->front->options.metrics;

    if (metrics != NULL)
        gm_metrics_count_reset(metrics, by_client, code);
}

static const gm_http2_events_t events = {.on_begin = gm_h2_begin,
                                         .on_field = gm_h2_on_field,
                                         .on_head = gm_h2_on_head,
                                         .on_data = gm_h2_on_data,
                                         .on_end = gm_h2_on_end,
                                         .on_sent = gm_h2_on_sent,
                                         .on_early = gm_h2_on_early,
                                         .on_close = on_close,
                                         .on_gone = on_gone,
                                         .on_stalled = on_stalled,
                                         .on_offence = gm_h2_on_offence,
                                         .on_malformed = gm_h2_on_malformed,
                                         .on_reset = on_reset};

/* ---- the beginning of a connection */

static socklen_t get_sockname(h2o_conn_t *conn, struct sockaddr *address)
{
    return h2o_socket_getsockname(((gm_h2_connection_t *)conn)->sock, address);
}

static socklen_t get_peername(h2o_conn_t *conn, struct sockaddr *address)
{
    return h2o_socket_getpeername(((gm_h2_connection_t *)conn)->sock, address);
}

static h2o_socket_t *get_socket(h2o_conn_t *conn)
{
    return ((gm_h2_connection_t *)conn)->sock;
}

static gm_downstream_t *downstream_of(h2o_req_t *req)
{
    return &gm_h2_stream_of(req)->downstream;
}

static const gm_downstream_callbacks_t callbacks = {
    {.get_sockname = get_sockname, .get_peername = get_peername, .get_socket = get_socket}, downstream_of};

static void open_session(gm_h2_connection_t *self, gm_tls_wire_t *wire)
{
    const gm_http1_options_t *options = &self->front->options;
    const gm_http2_session_options_t session = {
        .events = &events,
        .data = self,
        .sock = self->sock,
        .wire = wire,
        .loop = options->context->loop,
        .soon = &options->context->zero_timeout,
        .watches = options->watches,
        .blocks = self->front->blocks,
        .write_ms = options->write_ms,
        .ack_ms = options->read_ms,
        .offences = (uint32_t)self->front->conf.offences,
        .offences_per_s = (uint32_t)self->front->conf.offences_per_second,
        .max_continuations = (uint32_t)self->front->conf.max_continuations,
        .max_streams = (uint32_t)self->front->conf.max_concurrent_streams,
        .stream_window = (uint32_t)self->front->conf.stream_window_bytes,
        .connection_window = (uint32_t)self->front->conf.connection_window_bytes,
        .max_header_list = (uint32_t)self->front->conf.max_header_list_bytes};

    self->session = gm_http2_session_create_server(&session);
}

void gm_h2_accept(gm_h2_front_t *front, const gm_h2_arrival_t *arrival)
{
    h2o_context_t *context = front->options.context;
    gm_h2_connection_t *self =
        (void *)h2o_create_connection(sizeof(*self), context, context->globalconf->hosts,
                                      *h2o_get_timestamp(context, NULL, NULL), &callbacks.super);

    memset((char *)self + sizeof(self->super), 0, sizeof(*self) - sizeof(self->super));
    self->front = front;
    self->sock = arrival->sock;
    self->is_tls = arrival->is_tls;
    self->is_trusted = arrival->is_trusted;
    self->client_cert = arrival->client_cert;
    self->tls = arrival->wire != NULL ? gm_tls_wire_version(arrival->wire) : NULL;
    self->peer_length = (uint8_t)(arrival->peer_length < sizeof(self->peer) ? arrival->peer_length : 0);
    memcpy(self->peer, arrival->peer, self->peer_length);
    h2o_linklist_init_anchor(&self->streams);
    h2o_linklist_insert(&front->list, &self->link);
    ++front->count;
    open_session(self, arrival->wire);
    watch_idle(self, front->options.idle_ms);
    if (front->is_draining)
        gm_http2_session_drain(self->session);
    gm_http2_session_start(self->session);
}

/* ---- all connections of a worker */

gm_h2_front_t *gm_h2_front_create(const gm_http1_options_t *options, const gm_http2_conf_t *conf)
{
    gm_h2_front_t *self = gm_alloc(sizeof(*self));

    self->options = *options;
    self->conf = *conf;
    self->blocks = gm_blocks_create(MAX_KEPT_BYTES);
    if (self->conf.max_header_list_bytes > options->limits.max_bytes) /* told to clients, and counted by */
        self->conf.max_header_list_bytes = options->limits.max_bytes;
    h2o_linklist_init_anchor(&self->list);
    return self;
}

void gm_h2_front_destroy(gm_h2_front_t *self)
{
    if (self == NULL)
        return;
    gm_blocks_destroy(self->blocks);
    gm_buffer_dispose(&self->spare);
    free(self);
}

size_t gm_h2_count(const gm_h2_front_t *self)
{
    return self->count;
}

static gm_h2_connection_t *connection_at(h2o_linklist_t *node)
{
    return H2O_STRUCT_FROM_MEMBER(gm_h2_connection_t, link, node);
}

void gm_h2_drain(gm_h2_front_t *self)
{
    self->is_draining = true;
    for (h2o_linklist_t *node = self->list.next; node != &self->list; node = node->next)
        gm_http2_session_drain(connection_at(node)->session);
}

size_t gm_h2_in_flight(const gm_h2_front_t *self)
{
    size_t count = 0;

    for (h2o_linklist_t *node = self->list.next; node != &self->list; node = node->next)
        count += connection_at(node)->stream_count;
    return count;
}

static void expire(gm_h2_connection_t *self)
{
    h2o_linklist_t *next;

    for (h2o_linklist_t *node = self->streams.next; node != &self->streams; node = next) {
        gm_downstream_t *downstream = &H2O_STRUCT_FROM_MEMBER(gm_h2_stream_t, link, node)->downstream;
        next = node->next;
        if (downstream->on_shutdown != NULL)
            downstream->on_shutdown(downstream->handler);
    }
    gm_http2_session_drain(self->session);
}

size_t gm_h2_expire(gm_h2_front_t *self)
{
    size_t count = gm_h2_in_flight(self);

    for (h2o_linklist_t *node = self->list.next; node != &self->list; node = node->next)
        expire(connection_at(node));
    return count;
}

void gm_h2_cut(gm_h2_front_t *self)
{
    while (!h2o_linklist_is_empty(&self->list)) {
        gm_h2_connection_t *connection = connection_at(self->list.next);
        if (connection->stream_count != 0)
            gm_transport_abort(connection->sock);
        close_connection(connection);
    }
}
