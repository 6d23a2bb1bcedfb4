/*
 * The reading side of a client's connection: heads, bodies, and the order of requests. What a connection
 * waits for is one of its states; gm_http1_close is the one way out of all of them, and disposing of the
 * request is the one way to cancel whatever was started for it. Worker's thread.
 */
#include "front/http1_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "front/h2.h"
#include "front/message.h"
#include "http2/session.h"
#include "net/transport.h"
#include "tls/peer.h"

#define PREFACE_ENOUGH (sizeof("PRI * HTTP/2.0") - 1) /* no method of HTTP/1 is called so */
#define PIPELINE_MAX ((size_t)16 * 1024)              /* read ahead of the answer */
#define CLIENT_CERT_MAX 2048
#define ASKED_MAX ((size_t)1024) /* of a refused target, in lines */
#define LINGER_MS 2000           /* without a byte */
#define LINGER_TOTAL_MS 30000

static void on_read(h2o_socket_t *sock, const char *err);
static void on_head_bytes(gm_http1_connection_t *self);

static gm_http1_connection_t *connection_of_body(gm_stream_t *body)
{
    return H2O_STRUCT_FROM_MEMBER(gm_http1_exchange_t, body, body)->connection;
}

static void set_reading(gm_http1_connection_t *self, bool on)
{
    if (self->is_reading == on || (on && self->is_half_closed))
        return;
    self->is_reading = on;
    if (on)
        h2o_socket_read_start(self->sock, on_read);
    else
        h2o_socket_read_stop(self->sock);
}

void gm_http1_stop_reading(gm_http1_connection_t *self)
{
    set_reading(self, false);
}

/* Enough has piled up. */
static void hold_back(gm_http1_connection_t *self)
{
    set_reading(self, false);
    gm_http1_watch_unread(self);
}

static void renew(gm_http1_connection_t *self)
{
    h2o_init_request(&self->req, &self->super, NULL);
    self->last = (h2o_ostream_t){.do_send = gm_http1_send};
    self->req._ostr_top = &self->last;
    self->has_head = self->is_chunked = self->has_no_body = self->is_broken = false;
    self->is_held = self->expects_continue = self->is_tunnel = self->has_probed = false;
    self->exchange = NULL;
    self->seen = 0;
    gm_framing_init(&self->framing, GM_FRAMING_LENGTH, 0);
}

static gm_metrics_listener_t listener_of(const gm_http1_connection_t *self)
{
    return self->is_tls ? GM_METRICS_HTTPS : GM_METRICS_HTTP;
}

void gm_http1_close(gm_http1_connection_t *self)
{
    gm_watch_stop(&self->reading);
    gm_watch_stop(&self->writing);
    if (self->front->options.metrics != NULL)
        gm_metrics_count_close(self->front->options.metrics, listener_of(self));
    h2o_linklist_unlink(&self->link);
    --self->front->count;
    atomic_fetch_sub_explicit(self->front->options.open, 1, memory_order_relaxed);
    h2o_dispose_request(&self->req);
    gm_framing_dispose(&self->framing);
    free(self->client_cert);
    h2o_socket_close(self->sock);
    free(self);
}

void gm_http1_on_late_close(gm_watch_t *watch)
{
    gm_http1_close(H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, reading, watch));
}

/* ---- the body of a request */

static void stop_body(gm_http1_connection_t *self, gm_failure_t failure, const char *why)
{
    gm_watch_stop(&self->reading);
    set_reading(self, false);
    self->req.http1_is_persistent = 0;
    self->exchange->body.has_failed = true;
    self->exchange->body.failure = failure;
    self->exchange->body.why = why;
    if (self->exchange->body.on_change != NULL)
        self->exchange->body.on_change(&self->exchange->body);
}

static void on_late_body(gm_watch_t *watch)
{
    stop_body(H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, reading, watch), GM_FAILURE_REQUEST_TIMEOUT,
              "the request's body stopped arriving");
}

static void watch_body(gm_http1_connection_t *self)
{
    if (self->is_tunnel) {
        gm_watch_stop(&self->reading); /* both sides may be quiet there */
        return;
    }
    gm_watch_start(self->front->options.watches, &self->reading, self->front->options.read_ms, on_late_body);
    /* also after the backend was slow: what the client could not send meanwhile does not count */
    self->exchange->paced_since_ms = self->reading.since_ms;
    self->exchange->paced_bytes = self->framing.ready;
}

/* No timer: bytes have just come and the watch was renewed; if none come, that is noticed anyway. */
static bool is_too_slow(gm_http1_connection_t *self, uint64_t got)
{
    const gm_http1_options_t *options = &self->front->options;
    uint64_t elapsed_ms;

    if (options->min_body_rate == 0 || !gm_watch_is_running(&self->reading))
        return false;
    self->exchange->paced_bytes += got;
    elapsed_ms = self->reading.since_ms - self->exchange->paced_since_ms;
    return elapsed_ms > options->read_ms &&
           self->exchange->paced_bytes < options->min_body_rate * elapsed_ms / 1000;
}

/* @return 0, or -1 if it is malformed */
static int feed_body(gm_http1_connection_t *self)
{
    h2o_buffer_t *input = self->sock->input;
    size_t size = input->size;

    if (size != 0 && gm_framing_feed(&self->framing, input->bytes, &size) != 0)
        return -1;
    if (size != input->size) {
        if (size == 0)
            h2o_buffer_consume(&self->sock->input, input->size);
        else
            input->size = size;
    }
    self->exchange->body.available = self->framing.ready;
    self->exchange->body.has_ended = self->framing.has_ended;
    if (!self->framing.has_ended || self->framing.kind != GM_FRAMING_CHUNKED)
        return 0;
    return gm_message_take_trailers(&self->req.pool, &self->framing.chunked.trailers,
                                    &self->exchange->options, &self->exchange->body.trailers,
                                    &self->exchange->body.trailer_count);
}

static void on_body_bytes(gm_http1_connection_t *self)
{
    uint64_t before = self->framing.ready;

    if (feed_body(self) != 0) {
        stop_body(self, GM_FAILURE_BAD_REQUEST, "the request's body is not valid chunked coding");
        return;
    }
    if (self->framing.has_ended)
        gm_watch_stop(&self->reading);
    else
        gm_watch_renew(&self->reading);
    if (is_too_slow(self, self->framing.ready - before)) {
        stop_body(self, GM_FAILURE_REQUEST_TIMEOUT, "its body comes slower than proxy.limits.min_body_rate");
        return;
    }
    if (!self->framing.has_ended && self->sock->input->size >= GM_TRANSPORT_HIGH_WATER)
        hold_back(self); /* the backend is slow, not the client */
    if (self->exchange->body.on_change != NULL &&
        (self->exchange->body.available != 0 || self->exchange->body.has_ended))
        self->exchange->body.on_change(&self->exchange->body);
}

static void start_body(gm_stream_t *body)
{
    gm_http1_connection_t *self = connection_of_body(body);

    if (self->expects_continue && !self->framing.has_ended && self->sock->input->size == 0)
        gm_http1_send_interim(&self->req, 100, NULL, 0);
    self->expects_continue = false;
    if (!self->framing.has_ended)
        watch_body(self);
}

static void take_body(gm_stream_t *body, h2o_buffer_t **to)
{
    gm_http1_connection_t *self = connection_of_body(body);

    if (body->available == 0)
        return;
    gm_transport_take(&self->sock->input, self->framing.ready, to);
    gm_framing_take(&self->framing);
    body->available = 0;
    if (!body->has_ended && !body->has_failed) {
        if (!self->is_reading || !gm_watch_is_running(&self->reading))
            watch_body(self);
        set_reading(self, true);
    }
}

/* ---- a tunnel: the body of a request that lasts until the client has nothing more to say */

gm_stream_t *gm_http1_open_tunnel(h2o_req_t *req, gm_span_t protocol)
{
    gm_http1_connection_t *self = (gm_http1_connection_t *)req->conn;

    self->is_tunnel = true;
    self->exchange->downstream.upgrade = protocol;
    gm_framing_init(&self->framing, GM_FRAMING_UNTIL_CLOSE, 0);
    self->exchange->body = (gm_stream_t){.start = start_body, .take = take_body, .length = GM_HEAD_NO_LENGTH};
    feed_body(self); /* what came before the switch: the first bytes of the new protocol */
    gm_watch_stop(&self->reading);
    if (self->is_half_closed)
        self->exchange->body.has_ended = gm_framing_close(&self->framing);
    else
        set_reading(self, true);
    return &self->exchange->body;
}

static void end_tunnel_body(gm_http1_connection_t *self)
{
    set_reading(self, false);
    self->is_half_closed = true;
    self->exchange->body.has_ended = gm_framing_close(&self->framing);
    if (self->exchange->body.on_change != NULL)
        self->exchange->body.on_change(&self->exchange->body);
}

void gm_http1_half_close(h2o_req_t *req)
{
    gm_http1_connection_t *self = (gm_http1_connection_t *)req->conn;

    gm_transport_half_close(self->sock, self->wire);
}

/* ---- the head of a request */

static h2o_iovec_t moved(gm_span_t span, ptrdiff_t distance)
{
    return span.base != NULL ? h2o_iovec_init(span.base + distance, span.length) : h2o_iovec_init(NULL, 0);
}

static gm_span_t moved_span(gm_span_t span, ptrdiff_t distance)
{
    if (span.base != NULL)
        span.base += distance;
    return span;
}

/* The head moves into the request's pool, so that the socket's buffer holds only the body and what follows.
 */
static void fill_request(gm_http1_connection_t *self, const gm_head_t *head)
{
    h2o_req_t *req = &self->req;
    const char *bytes = self->sock->input->bytes;
    char *copy = h2o_mem_alloc_pool(&req->pool, head->length);
    ptrdiff_t distance = copy - bytes;

    memcpy(copy, bytes, head->length);
    req->version = 0x100 | (int)head->minor_version;
    req->input.method = moved(head->method, distance);
    req->input.path = moved(head->target, distance);
    if (head->host.base != NULL)
        req->input.authority = moved(head->host, distance);
    gm_message_add_fields(&req->pool, &req->headers, head, distance);
    self->exchange->options = gm_message_keep_options(&req->pool, head, distance);
    req->http1_is_persistent = self->is_kept_by_client = head->keeps_alive;
    self->exchange->downstream.accepts_trailers = head->accepts_trailers;
    self->exchange->downstream.upgrade = moved_span(head->upgrade, distance);
    self->exchange->downstream.has_empty_body = head->content_length == 0;
    self->expects_continue = head->expects_continue;
}

/* Refused heads travel through the pipeline too: what answers and logs them is where all failures are made.
 */
static void fill_refused(gm_http1_connection_t *self, gm_failure_t failure, const char *why)
{
    h2o_req_t *req = &self->req;

    if (req->input.method.base == NULL) {
        req->version = 0x101;
        req->input.method = h2o_iovec_init(H2O_STRLIT("-"));
        req->input.path = h2o_iovec_init(H2O_STRLIT("/"));
    }
    req->http1_is_persistent = 0;
    self->exchange->downstream.is_refused = true;
    self->exchange->downstream.refusal = failure;
    self->exchange->downstream.why = why;
    set_reading(self, false); /* whatever follows means nothing */
}

static gm_span_t keep(h2o_mem_pool_t *pool, gm_span_t text, bool is_cut)
{
    static const char mark[] = "…";
    size_t length = text.length < ASKED_MAX ? text.length : ASKED_MAX;
    char *copy;

    if (text.base == NULL)
        return (gm_span_t){"-", 1};
    copy = h2o_mem_alloc_pool(pool, length + sizeof(mark));
    memcpy(copy, text.base, length);
    if (!is_cut && length == text.length)
        return (gm_span_t){copy, length};
    memcpy(copy + length, mark, sizeof(mark) - 1);
    return (gm_span_t){copy, length + sizeof(mark) - 1};
}

/* The pipeline gets a "-" and a "/" in the place of what was refused; lines say what seems to stand there. */
static void note_asked(gm_http1_connection_t *self)
{
    const h2o_buffer_t *input = self->sock->input;
    const gm_head_glimpse_t glimpse = gm_head_glimpse(input->bytes, input->size);
    gm_downstream_t *downstream = &self->exchange->downstream;

    downstream->asked_method = keep(&self->req.pool, glimpse.method, false);
    downstream->asked_target = keep(&self->req.pool, glimpse.target, glimpse.is_cut);
}

static void begin_request(gm_http1_connection_t *self)
{
    h2o_req_t *req = &self->req;

    self->state = GM_HTTP1_SERVE;
    gm_watch_stop(&self->reading);
    ++self->requests;
    req->input.scheme = self->is_tls ? &H2O_URL_SCHEME_HTTPS : &H2O_URL_SCHEME_HTTP;
    req->input.authority =
        self->super.hosts[0]->authority.hostport; /* as the library: for who sends no Host */
    self->exchange = h2o_mem_alloc_pool(&req->pool, sizeof(*self->exchange));
    *self->exchange = (gm_http1_exchange_t){.connection = self};
    self->exchange->downstream = (gm_downstream_t){
        .is_trusted = self->is_trusted,
        .peer = {self->peer, self->peer_length},
        .tls = self->wire != NULL ? gm_tls_wire_version(self->wire) : NULL,
        .began_ns = self->head_began_ns,
        .headed_ns = self->head_began_ns,
        .client_cert = {self->client_cert, self->client_cert != NULL ? strlen(self->client_cert) : 0},
        .open_tunnel = gm_http1_open_tunnel,
        .half_close = gm_http1_half_close,
        .send_interim = gm_http1_send_interim};
}

/* Of requests that wait for the answer to this one. */
static bool has_enough(const gm_http1_connection_t *self)
{
    return self->framing.has_ended && self->sock->input->size - self->framing.ready >= PIPELINE_MAX;
}

static void serve(gm_http1_connection_t *self)
{
    const gm_http1_options_t *options = &self->front->options;

    if (self->front->is_draining || (options->max_requests != 0 && self->requests >= options->max_requests))
        self->req.http1_is_persistent = 0;
    if (self->is_half_closed)
        gm_http1_on_half_close(self);
    else if (has_enough(self))
        hold_back(self);
    h2o_process_request(&self->req);
}

static void note_end_of_head(gm_http1_connection_t *self)
{
    if (self->head_began_ns != 0)
        self->exchange->downstream.headed_ns = gm_clock_monotonic_ns();
}

void gm_http1_refuse(gm_http1_connection_t *self, gm_failure_t failure, const char *why)
{
    begin_request(self);
    note_end_of_head(self);
    note_asked(self);
    fill_refused(self, failure, why);
    serve(self);
}

static void accept_head(gm_http1_connection_t *self, const gm_head_t *head)
{
    begin_request(self);
    if (self->seen != 0) /* it came in parts */
        note_end_of_head(self);
    fill_request(self, head);
    h2o_buffer_consume(&self->sock->input, head->length);
    self->exchange->body =
        (gm_stream_t){.start = start_body, .take = take_body, .length = head->content_length};
    if (head->is_chunked || (head->content_length != GM_HEAD_NO_LENGTH && head->content_length != 0)) {
        gm_framing_init(&self->framing, head->is_chunked ? GM_FRAMING_CHUNKED : GM_FRAMING_LENGTH,
                        head->is_chunked ? 0 : head->content_length);
        self->exchange->downstream.body = &self->exchange->body;
        if (feed_body(self) != 0) {
            fill_refused(self, GM_FAILURE_BAD_REQUEST, "the request's body is not valid chunked coding");
            self->exchange->downstream.body = NULL;
        }
    }
    if (self->is_half_closed && !self->framing.has_ended)
        gm_http1_close(self); /* it never will */
    else
        serve(self);
}

static void on_late_head(gm_watch_t *watch)
{
    gm_http1_refuse(H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, reading, watch), GM_FAILURE_REQUEST_TIMEOUT,
                    "the request's head did not arrive in time");
}

static void begin_head(gm_http1_connection_t *self)
{
    gm_watch_start(self->front->options.watches, &self->reading, self->front->options.read_ms, on_late_head);
    self->head_began_ns = self->front->options.keeps_time ? gm_clock_monotonic_ns() : 0;
}

/* It turned out to speak HTTP/2; the socket goes on without this. */
static void hand_over(gm_http1_connection_t *self)
{
    gm_h2_front_t *to = self->front->options.h2;
    char peer[sizeof(self->peer)];
    const gm_h2_arrival_t arrival = {.sock = self->sock,
                                     .wire = self->wire,
                                     .is_tls = self->is_tls,
                                     .is_trusted = self->is_trusted,
                                     .client_cert = self->client_cert,
                                     .peer = memcpy(peer, self->peer, sizeof(peer)),
                                     .peer_length = self->peer_length};

    gm_watch_stop(&self->reading);
    set_reading(self, false);
    h2o_linklist_unlink(&self->link);
    --self->front->count;
    h2o_dispose_request(&self->req);
    gm_framing_dispose(&self->framing);
    free(self);
    gm_h2_accept(to, &arrival);
}

/* Prior knowledge (RFC 9113, 3.3): the preface is no request of HTTP/1. @return whether it may be one */
static bool is_preface(const gm_http1_connection_t *self)
{
    const h2o_buffer_t *input = self->sock->input;
    size_t length = sizeof(GM_HTTP2_PREFACE) - 1;

    return self->requests == 0 && self->front->options.h2 != NULL && !self->is_tls &&
           self->front->options.h2_cleartext && !self->is_half_closed &&
           memcmp(input->bytes, GM_HTTP2_PREFACE, input->size < length ? input->size : length) == 0;
}

/* A head as a whole has read_timeout: dripping does not keep it alive. */
static void on_head_bytes(gm_http1_connection_t *self)
{
    h2o_buffer_t *input = self->sock->input;
    gm_head_t head;
    int ret;

    if (input->size == 0)
        return;
    if (input->bytes[0] == 'P' && input->size >= PREFACE_ENOUGH && is_preface(self)) {
        hand_over(self);
        return;
    }
    if (self->seen == 0)
        begin_head(self);
    ret = gm_head_parse_request(input->bytes, input->size, self->seen, &self->front->options.limits, &head);
    if (ret > 0) {
        accept_head(self, &head);
        return;
    }
    self->seen = input->size;
    if (self->is_half_closed)
        gm_http1_close(self); /* nothing makes a request of it any more */
    else if (ret < 0)
        gm_http1_refuse(self, gm_message_failure(head.refusal), head.why);
}

/* ---- the end of a request, and of a connection */

static void wait_for_request(gm_http1_connection_t *self)
{
    uint64_t limit = self->front->is_draining ? GM_HTTP1_DRAIN_PATIENCE_MS : self->front->options.idle_ms;

    self->state = GM_HTTP1_HEAD;
    gm_watch_start(self->front->options.watches, &self->reading, limit, gm_http1_on_late_close);
    if (self->is_half_closed && self->sock->input->size == 0) {
        gm_http1_close(self);
        return;
    }
    set_reading(self, true);
    if (self->sock->input->size != 0)
        on_head_bytes(self);
    else
        gm_transport_shrink(&self->sock->input);
}

static void on_late_linger(gm_watch_t *watch)
{
    gm_http1_close(H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, writing, watch));
}

/*
 * Closing a socket while the client still sends makes the kernel reset the connection, and the answer may be
 * lost on its way (RFC 9112, 9.6). So the client is told that nothing follows, and what it sends is read.
 */
static void linger(gm_http1_connection_t *self)
{
    self->state = GM_HTTP1_LINGER;
    if (!self->is_tls) /* inside TLS, close_notify would have to come first; it comes with the close */
        shutdown(h2o_socket_get_fd(self->sock), SHUT_WR);
    h2o_buffer_consume(&self->sock->input, self->sock->input->size);
    gm_watch_start(self->front->options.watches, &self->reading, LINGER_MS, gm_http1_on_late_close);
    gm_watch_start(self->front->options.watches, &self->writing, LINGER_TOTAL_MS, on_late_linger);
    set_reading(self, true);
}

void gm_http1_on_answered(gm_http1_connection_t *self)
{
    bool has_read_all =
        self->framing.has_ended && !self->exchange->downstream.is_refused && !self->exchange->body.has_failed;
    bool goes_on =
        self->req.http1_is_persistent && has_read_all && !self->is_broken && !self->front->is_draining;
    bool is_broken = self->is_broken;

    gm_watch_stop(&self->reading);
    gm_watch_stop(&self->writing);
    if (self->framing.ready != 0) /* a body that nobody had a use for */
        h2o_buffer_consume(&self->sock->input, self->framing.ready);
    h2o_dispose_request(&self->req);
    gm_framing_dispose(&self->framing);
    renew(self);
    if (goes_on) {
        wait_for_request(self);
    } else if (is_broken) {
        gm_transport_abort(self->sock);
        gm_http1_close(self);
    } else if (self->is_half_closed ||
               (has_read_all && self->sock->input->size == 0 && !self->is_kept_by_client)) {
        gm_http1_close(self); /* it said that it has nothing more to send */
    } else {
        linger(self);
    }
}

static void throw_away(gm_http1_connection_t *self)
{
    gm_watch_renew(&self->reading);
    gm_transport_clear(&self->sock->input);
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    gm_http1_connection_t *self = sock->data;
    bool in_body = self->state == GM_HTTP1_SERVE && !self->framing.has_ended;
    uint64_t hint =
        in_body && self->framing.kind == GM_FRAMING_LENGTH ? self->framing.left - self->framing.ready : 0;

    self->reader.is_taker_busy = !in_body || self->exchange->body.is_taker_busy;
    if (err == NULL)
        err = gm_transport_read(sock, self->wire, &self->reader, hint < SIZE_MAX ? (size_t)hint : 0);
    if (err != NULL) {
        if (in_body && self->is_tunnel && (err == h2o_socket_error_closed || err == gm_transport_error_cut))
            end_tunnel_body(self);
        else if (self->state == GM_HTTP1_SERVE && !in_body && err == h2o_socket_error_closed)
            gm_http1_on_half_close(self);
        else
            gm_http1_close(self);
        return;
    }
    if (self->state == GM_HTTP1_HEAD)
        on_head_bytes(self);
    else if (in_body)
        on_body_bytes(self);
    else if (self->state == GM_HTTP1_LINGER)
        throw_away(self);
    else if (has_enough(self))
        hold_back(self);
}

/* ---- the beginning of a connection */

static socklen_t get_sockname(h2o_conn_t *conn, struct sockaddr *address)
{
    return h2o_socket_getsockname(((gm_http1_connection_t *)conn)->sock, address);
}

static socklen_t get_peername(h2o_conn_t *conn, struct sockaddr *address)
{
    return h2o_socket_getpeername(((gm_http1_connection_t *)conn)->sock, address);
}

static h2o_socket_t *get_socket(h2o_conn_t *conn)
{
    return ((gm_http1_connection_t *)conn)->sock;
}

static gm_downstream_t *downstream_of(h2o_req_t *req)
{
    return &((gm_http1_connection_t *)req->conn)->exchange->downstream;
}

static const gm_downstream_callbacks_t callbacks = {
    {.get_sockname = get_sockname, .get_peername = get_peername, .get_socket = get_socket}, downstream_of};

/* The library keeps its SSL to itself; but its BIO leads to the socket (lib/common/socket.c, create_ossl). */
static gm_http1_connection_t *connection_of_ssl(const SSL *ssl)
{
    return ((h2o_socket_t *)gm_tls_wire_transport(ssl))->data;
}

static void on_tls_info(const SSL *ssl, int where, int result)
{
    char text[CLIENT_CERT_MAX];
    gm_http1_connection_t *self;
    size_t length;

    gm_tls_wire_on_info(ssl, where, result);
    if (where == SSL_CB_HANDSHAKE_START) {
        self = connection_of_ssl(ssl);
        self->wire = gm_tls_wire_attach((SSL *)ssl, h2o_socket_get_fd(self->sock));
    }
    if (!(where & SSL_CB_HANDSHAKE_DONE) ||
        (length = gm_tls_peer_describe((SSL *)ssl, text, sizeof(text))) == 0)
        return;
    self = connection_of_ssl(ssl);
    free(self->client_cert);
    self->client_cert = gm_strndup(text, length);
}

void gm_http1_watch_handshakes(SSL_CTX *tls)
{
    SSL_CTX_set_info_callback(tls, on_tls_info);
}

static void on_handshake(h2o_socket_t *sock, const char *err)
{
    gm_http1_connection_t *self = sock->data;
    h2o_iovec_t protocol;

    if (self->front->options.metrics != NULL)
        gm_metrics_count_handshake(self->front->options.metrics, err == NULL);
    if (err != NULL) {
        gm_http1_close(self);
        return;
    }
    gm_transport_init(sock, self->wire);
    protocol = h2o_socket_ssl_get_selected_protocol(sock);
    if (self->front->options.h2 != NULL && h2o_memis(protocol.base, protocol.len, H2O_STRLIT("h2")))
        hand_over(self);
    else
        wait_for_request(self);
}

static void fill_peer(gm_http1_connection_t *self)
{
    const gm_http1_options_t *options = &self->front->options;
    struct sockaddr_storage address;
    const void *bytes;

    if (h2o_socket_getpeername(self->sock, (void *)&address) == 0)
        return;
    bytes = address.ss_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)&address)->sin6_addr
                                          : (void *)&((struct sockaddr_in *)&address)->sin_addr;
    inet_ntop(address.ss_family, bytes, self->peer, sizeof(self->peer));
    self->peer_length = (uint8_t)strlen(self->peer);
    self->is_trusted = gm_cidr_any_matches(options->trusted, options->trusted_count, (void *)&address);
}

void gm_http1_accept(gm_http1_front_t *front, h2o_socket_t *sock, SSL_CTX *tls)
{
    h2o_context_t *context = front->options.context;
    gm_http1_connection_t *self =
        (void *)h2o_create_connection(sizeof(*self), context, context->globalconf->hosts,
                                      *h2o_get_timestamp(context, NULL, NULL), &callbacks.super);

    memset((char *)self + sizeof(self->super), 0, offsetof(gm_http1_connection_t, req) - sizeof(self->super));
    self->front = front;
    self->sock = sock;
    self->is_tls = tls != NULL;
    sock->data = self;
    h2o_linklist_insert(&front->list, &self->link);
    ++front->count;
    if (front->options.metrics != NULL)
        gm_metrics_count_open(front->options.metrics, listener_of(self));
    fill_peer(self);
    renew(self);
    if (tls != NULL) {
        gm_watch_start(front->options.watches, &self->reading, front->options.read_ms,
                       gm_http1_on_late_close);
        h2o_socket_ssl_handshake(sock, tls, NULL, on_handshake);
    } else {
        gm_transport_init(sock, NULL);
        wait_for_request(self);
    }
}
