/*
 * Requests on their way in. The parts of a head are read by the same grammar as those of HTTP/1 (http/head):
 * so nothing gets through here that would not get through there, and no method or path can forge a request
 * line. http2/ has seen to the rules of HTTP/2 itself. Worker's thread.
 */
#include "front/h2_connection.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "http/field_list.h"
#include "http/write.h"
#include "net/transport.h"

#define BOMB_FACTOR 4 /* so many times the limit of heads, and the peer means no good */

static gm_h2_stream_t *stream_of(gm_http2_stream_t *super)
{
    return (gm_h2_stream_t *)super;
}

static gm_h2_stream_t *stream_of_body(gm_stream_t *body)
{
    return H2O_STRUCT_FROM_MEMBER(gm_h2_stream_t, body, body);
}

static gm_watches_t *watches_of(const gm_h2_stream_t *self)
{
    return self->connection->front->options.watches;
}

/* ---- the beginning */

/* A head is whole, or nothing on this connection can go on. */
static void on_late_head(gm_watch_t *watch)
{
    gm_h2_terminate(H2O_STRUCT_FROM_MEMBER(gm_h2_stream_t, reading, watch)->connection, GM_HTTP2_NO_ERROR);
}

static gm_downstream_t make_downstream(const gm_h2_stream_t *self)
{
    const gm_h2_connection_t *connection = self->connection;

    return (gm_downstream_t){.is_trusted = connection->is_trusted,
                             .peer = {connection->peer, connection->peer_length},
                             .tls = connection->tls,
                             .began_ns = self->began_ns,
                             .headed_ns = self->began_ns,
                             .client_cert = {connection->client_cert, connection->client_cert != NULL
                                                                          ? strlen(connection->client_cert)
                                                                          : 0},
                             .send_interim = gm_h2_send_interim};
}

gm_http2_stream_t *gm_h2_begin(void *data)
{
    gm_h2_connection_t *connection = data;
    const gm_http1_options_t *options = &connection->front->options;
    gm_h2_stream_t *self;

    if (connection->held_bytes >= connection->front->conf.max_held_bytes)
        return NULL;
    self = gm_blocks_alloc_zeroed(connection->front->blocks, sizeof(*self));
    self->connection = connection;
    self->fields = connection->front->spare;
    connection->front->spare = (gm_buffer_t){0};
    h2o_init_request(&self->req, &connection->super, NULL);
    self->last = (h2o_ostream_t){.do_send = gm_h2_send};
    self->req._ostr_top = &self->last;
    self->began_ns = options->keeps_time ? gm_clock_monotonic_ns() : 0;
    h2o_buffer_init(&self->input, &h2o_socket_buffer_prototype);
    self->downstream = make_downstream(self);
    h2o_linklist_insert(&connection->streams, &self->link);
    ++connection->stream_count;
    ++connection->requests;
    gm_watch_stop(&connection->idle);
    gm_watch_start(options->watches, &self->reading, options->read_ms, on_late_head);
    if (options->max_requests != 0 && connection->requests >= options->max_requests)
        gm_http2_session_drain(connection->session);
    return &self->super;
}

/* ---- the head */

static void complain(gm_h2_stream_t *self, gm_failure_t failure, const char *why)
{
    if (self->complaint != NULL)
        return;
    self->complaint = why;
    self->failure = failure;
}

/* A literal's length is known to the compiler. */
#define IS(span, literal) h2o_memis((span).base, (span).length, H2O_STRLIT(literal))

static h2o_iovec_t keep(gm_h2_stream_t *self, gm_span_t value)
{
    return h2o_strdup(&self->req.pool, value.base, value.length);
}

/* The ones that nearly all requests have need no memory. */
static h2o_iovec_t keep_method(gm_h2_stream_t *self, gm_span_t value)
{
    return IS(value, "GET")    ? h2o_iovec_init(H2O_STRLIT("GET"))
           : IS(value, "POST") ? h2o_iovec_init(H2O_STRLIT("POST"))
                               : keep(self, value);
}

static void check_scheme(gm_h2_stream_t *self, gm_span_t value)
{
    const h2o_iovec_t scheme = (self->connection->is_tls ? H2O_URL_SCHEME_HTTPS : H2O_URL_SCHEME_HTTP).name;

    if (value.length != scheme.len || strncasecmp(value.base, scheme.base, scheme.len) != 0)
        complain(self, GM_FAILURE_BAD_REQUEST, "its :scheme is not that of the connection");
}

static void keep_pseudo(gm_h2_stream_t *self, gm_span_t name, gm_span_t value)
{
    if (IS(name, ":method"))
        self->method = keep_method(self, value);
    else if (IS(name, ":scheme"))
        check_scheme(self, value);
    else if (IS(name, ":authority"))
        self->authority = keep(self, value);
    else if (IS(name, ":path"))
        self->path = keep(self, value);
    else if (IS(name, ":protocol"))
        self->protocol = keep(self, value);
}

static void keep_field(gm_h2_stream_t *self, gm_span_t name, gm_span_t value)
{
    if (IS(name, "host")) {
        self->host = keep(self, value);
    } else if (IS(name, "cookie")) {
        if (self->cookies.length != 0 && value.length != 0) /* no field ends with a space */
            gm_buffer_append(&self->cookies, "; ", 2);
        gm_buffer_append(&self->cookies, value.base, value.length);
    } else if (self->protocol.base != NULL && IS(name, "content-length")) {
        complain(self, GM_FAILURE_BAD_REQUEST, "a CONNECT has no Content-Length");
    } else if (!gm_h2_is_of_handshake(self, name)) {
        gm_field_list_add(&self->fields, name, value);
    }
}

/* @return whether there is room for it */
static bool count_field(gm_h2_stream_t *self, gm_span_t name, gm_span_t value)
{
    gm_h2_connection_t *connection = self->connection;
    size_t size = name.length + value.length + 32; /* RFC 9113, 6.5.2 */
    size_t max_bytes = connection->front->conf.max_header_list_bytes;

    self->head_bytes += size;
    connection->held_bytes += size;
    if (self->head_bytes > BOMB_FACTOR * max_bytes && !self->is_bomb) {
        self->is_bomb = true;
        gm_h2_on_offence(self->connection, GM_OFFENCE_BOMB);
        gm_h2_terminate(self->connection, GM_HTTP2_ENHANCE_YOUR_CALM);
    }
    if (self->head_bytes <= max_bytes &&
        ++self->field_count <= connection->front->options.limits.max_fields + 4)
        return true;
    complain(self, GM_FAILURE_HEADER_TOO_LARGE,
             "the head is larger than proxy.http2.max_header_list or proxy.limits.max_head or max_fields");
    return false;
}

void gm_h2_on_field(gm_http2_stream_t *super, gm_span_t name, gm_span_t value, bool is_trailer)
{
    gm_h2_stream_t *self = stream_of(super);

    if (!count_field(self, name, value))
        return;
    if (is_trailer && name.length + value.length > self->connection->front->options.limits.max_field_bytes)
        complain(self, GM_FAILURE_HEADER_TOO_LARGE, "a trailer is longer than proxy.limits.max_field");
    else if (is_trailer)
        gm_write_line(&self->trailers, name, value);
    else if (name.length != 0 && name.base[0] == ':')
        keep_pseudo(self, name, value);
    else
        keep_field(self, name, value);
}

static h2o_iovec_t authority_of(gm_h2_stream_t *self)
{
    if (self->authority.base == NULL)
        return self->host;
    if (self->host.base != NULL && (self->host.len != self->authority.len ||
                                    strncasecmp(self->host.base, self->authority.base, self->host.len) != 0))
        complain(self, GM_FAILURE_BAD_REQUEST, "its Host is not its :authority");
    return self->authority;
}

static void add_field(gm_h2_stream_t *self, const char *name, const char *value, size_t length)
{
    gm_field_list_add(&self->fields, (gm_span_t){name, strlen(name)}, (gm_span_t){value, length});
}

/* RFC 8441, 5: the upgrade that it would be in HTTP/1. */
static void add_upgrade(gm_h2_stream_t *self)
{
    gm_websocket_make_key(self->websocket_key);
    add_field(self, "connection", H2O_STRLIT("upgrade"));
    add_field(self, "upgrade", H2O_STRLIT("websocket"));
    add_field(self, "sec-websocket-key", self->websocket_key, GM_WEBSOCKET_KEY_LENGTH);
}

/* http2/ has seen to the rest: such a CONNECT has all pseudo-fields, and nothing else has a :protocol. */
static void check_protocol(gm_h2_stream_t *self)
{
    if (self->protocol.base == NULL)
        return;
    if (self->protocol.len == 9 && strncasecmp(self->protocol.base, "websocket", 9) == 0)
        self->is_websocket = true;
    else
        complain(self, GM_FAILURE_NOT_IMPLEMENTED, "no :protocol but websocket is known");
}

static h2o_iovec_t iovec_of(gm_span_t span)
{
    return h2o_iovec_init(span.base, span.length);
}

/* A body that nobody announced, and that is empty, is one of length 0 for methods that mean to have one. */
static bool means_a_body(h2o_iovec_t method)
{
    return h2o_memis(method.base, method.len, H2O_STRLIT("POST")) ||
           h2o_memis(method.base, method.len, H2O_STRLIT("PUT")) ||
           h2o_memis(method.base, method.len, H2O_STRLIT("PATCH"));
}

static void fill_request(gm_h2_stream_t *self, const gm_head_t *head)
{
    h2o_req_t *req = &self->req;

    req->input.method = iovec_of(head->method);
    req->input.path = iovec_of(head->target);
    if (head->host.base != NULL)
        req->input.authority = iovec_of(head->host);
    gm_message_add_fields(&req->pool, &req->headers, head, 0);
    self->options = gm_message_keep_options(&req->pool, head, 0);
    self->downstream.accepts_trailers = head->accepts_trailers;
    self->downstream.has_empty_body =
        head->content_length == 0 || (self->has_ended && means_a_body(req->input.method));
    self->expects_continue = head->expects_continue;
    self->body.length = head->content_length;
    if (self->is_websocket)
        gm_h2_expect_tunnel(self, head->upgrade);
}

static gm_span_t asked(h2o_iovec_t text)
{
    return text.base != NULL ? (gm_span_t){text.base, text.len} : (gm_span_t){"-", 1};
}

/* So that whoever answers knows gRPC's clients, whose answers are of another form. */
static void keep_content_type(gm_h2_stream_t *self)
{
    const char *at = self->fields.text, *end;
    gm_head_field_t field;

    if (self->fields.length == 0)
        return;
    end = at + self->fields.length;
    while (gm_field_list_next(&at, end, &field)) {
        if (!IS(field.name, "content-type"))
            continue;
        h2o_add_header(&self->req.pool, &self->req.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                       keep(self, field.value).base, field.value.length);
        return;
    }
}

/* Refused heads travel through the pipeline too: what answers and logs them is where all failures are made.
 */
static void fill_refused(gm_h2_stream_t *self)
{
    h2o_req_t *req = &self->req;

    if (req->input.method.base == NULL) {
        req->input.method = h2o_iovec_init(H2O_STRLIT("-"));
        req->input.path = h2o_iovec_init(H2O_STRLIT("/"));
        self->downstream.asked_method = asked(self->method);
        self->downstream.asked_target = asked(self->path);
    }
    keep_content_type(self);
    self->downstream.is_refused = true;
    self->downstream.refusal = self->failure;
    self->downstream.why = self->complaint;
}

static gm_span_t span_of(h2o_iovec_t text)
{
    return (gm_span_t){text.base, text.len};
}

/* The head as HTTP/1 would have it; its parts are in the request's pool. */
static gm_head_parts_t gather_parts(gm_h2_stream_t *self)
{
    const h2o_iovec_t get = {H2O_STRLIT("GET")};
    char *fields;

    if (self->cookies.length != 0)
        add_field(self, "cookie", self->cookies.text, self->cookies.length);
    if (self->is_websocket)
        add_upgrade(self);
    fields = h2o_mem_alloc_pool(&self->req.pool, self->fields.length + 1);
    if (self->fields.length != 0)
        memcpy(fields, self->fields.text, self->fields.length);
    return (gm_head_parts_t){.method = span_of(self->is_websocket ? get : self->method),
                             .target = span_of(self->path),
                             .host = span_of(authority_of(self)),
                             .fields = fields,
                             .fields_length = self->fields.length};
}

static void read_head(gm_h2_stream_t *self)
{
    gm_head_parts_t parts;
    gm_head_t head;

    check_protocol(self);
    parts = gather_parts(self);
    if (self->complaint != NULL)
        return;
    if (gm_head_read_request(&parts, &self->connection->front->options.limits, &head) == 0)
        fill_request(self, &head);
    else
        complain(self, gm_message_failure(head.refusal), head.why);
}

/* ---- the body */

static void fail_body(gm_h2_stream_t *self, gm_failure_t failure, const char *why)
{
    gm_watch_stop(&self->reading);
    self->body.has_failed = true;
    self->body.failure = failure;
    self->body.why = why;
    if (self->body.on_change != NULL)
        self->body.on_change(&self->body);
}

static void on_late_body(gm_watch_t *watch)
{
    fail_body(H2O_STRUCT_FROM_MEMBER(gm_h2_stream_t, reading, watch), GM_FAILURE_REQUEST_TIMEOUT,
              "the request's body stopped arriving");
}

/* Only where the client has room to send: what the backend does not take is not its fault. */
static void watch_body(gm_h2_stream_t *self)
{
    if (self->has_ended || self->has_head || self->body.has_failed || self->input->size != 0 ||
        self->is_websocket)
        gm_watch_stop(&self->reading);
    else
        gm_watch_start(watches_of(self), &self->reading, self->connection->front->options.read_ms,
                       on_late_body);
}

static void begin_pace(gm_h2_stream_t *self)
{
    self->paced_since_ms = gm_clock_coarse_ms();
    self->paced_bytes = 0;
}

/* proxy.limits.min_body_rate */
static bool is_too_slow(gm_h2_stream_t *self, size_t got)
{
    const gm_http1_options_t *options = &self->connection->front->options;
    uint64_t elapsed_ms;

    if (options->min_body_rate == 0 || self->has_head || self->is_websocket)
        return false;
    self->paced_bytes += got;
    elapsed_ms = gm_clock_coarse_ms() - self->paced_since_ms;
    return elapsed_ms > options->read_ms && self->paced_bytes < options->min_body_rate * elapsed_ms / 1000;
}

static void start_body(gm_stream_t *body)
{
    gm_h2_stream_t *self = stream_of_body(body);

    begin_pace(self);
    if (self->expects_continue && !self->has_ended && self->input->size == 0)
        gm_h2_send_interim(&self->req, 100, NULL, 0);
    self->expects_continue = false;
    watch_body(self);
}

static void take_body(gm_stream_t *body, h2o_buffer_t **to)
{
    gm_h2_stream_t *self = stream_of_body(body);
    size_t length = self->input->size;

    if (length == 0)
        return;
    gm_transport_take(&self->input, length, to);
    body->available = 0;
    if (self->super.session != NULL)
        gm_http2_stream_consume(&self->super, length);
    else
        gm_http2_session_consume(self->connection->session, length);
    if (length >= self->connection->front->conf.stream_window_bytes / 2)
        begin_pace(self); /* the backend was slow: what the client could not send meanwhile does not count */
    watch_body(self);
}

/* The session's own checks have refused it. The client sees a reset, and the request an end like others. */
void gm_h2_on_malformed(gm_http2_stream_t *super)
{
    gm_h2_stream_t *self = stream_of(super);

    if (self->req.version != 0) /* it has had its head */
        return;
    complain(self, GM_FAILURE_BAD_REQUEST, "its head breaks the rules of HTTP/2");
    gm_h2_on_head(super, true);
}

void gm_h2_on_head(gm_http2_stream_t *super, bool has_ended)
{
    gm_h2_stream_t *self = stream_of(super);
    h2o_req_t *req = &self->req;

    gm_watch_stop(&self->reading);
    if (self->began_ns != 0)
        self->downstream.headed_ns = gm_clock_monotonic_ns();
    self->has_ended = has_ended;
    req->version = 0x200;
    req->input.scheme = self->connection->is_tls ? &H2O_URL_SCHEME_HTTPS : &H2O_URL_SCHEME_HTTP;
    req->input.authority = self->connection->super.hosts[0]->authority.hostport;
    self->body = (gm_stream_t){.start = start_body, .take = take_body, .length = GM_HEAD_NO_LENGTH};
    read_head(self);
    if (self->complaint != NULL)
        fill_refused(self);
    else if (!has_ended && !self->is_websocket)
        self->downstream.body = &self->body;
    gm_buffer_spare(&self->fields, &self->connection->front->spare);
    gm_buffer_dispose(&self->cookies);
    h2o_process_request(req);
}

static bool has_taker(const gm_h2_stream_t *self)
{
    return (self->downstream.body != NULL || self->is_websocket) && !self->is_over && !self->body.has_failed;
}

void gm_h2_on_data(gm_http2_stream_t *super, const char *bytes, size_t length)
{
    gm_h2_stream_t *self = stream_of(super);

    if (self->is_over) {
        self->dropped += length;
        return;
    }
    if (!has_taker(self)) {
        gm_http2_stream_consume(super, length);
        return;
    }
    h2o_buffer_reserve(&self->input, length);
    memcpy(self->input->bytes + self->input->size, bytes, length);
    self->input->size += length;
    self->body.available = self->input->size;
    watch_body(self);
    if (is_too_slow(self, length)) {
        fail_body(self, GM_FAILURE_REQUEST_TIMEOUT, "its body comes slower than proxy.limits.min_body_rate");
        return;
    }
    if (self->body.on_change != NULL)
        self->body.on_change(&self->body);
}

void gm_h2_on_end(gm_http2_stream_t *super)
{
    gm_h2_stream_t *self = stream_of(super);

    self->has_ended = true;
    gm_watch_stop(&self->reading);
    if (!has_taker(self))
        return;
    if (self->is_websocket && self->trailers.length != 0) { /* RFC 9113, 8.5 */
        gm_http2_stream_reset(super, GM_HTTP2_PROTOCOL_ERROR);
        return;
    }
    if (self->complaint != NULL) {
        fail_body(self, self->failure, self->complaint);
        return;
    }
    if (gm_message_take_trailers(&self->req.pool, &self->trailers, &self->options, &self->body.trailers,
                                 &self->body.trailer_count) != 0) {
        fail_body(self, GM_FAILURE_BAD_REQUEST, "the request's trailers are malformed");
        return;
    }
    self->body.has_ended = true;
    if (self->body.on_change != NULL)
        self->body.on_change(&self->body);
}
