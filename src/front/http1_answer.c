/*
 * The writing side of a client's connection: heads, framing, interim answers. Here alone an answer is framed;
 * the library's chunked filter is taken off the pathconfs. Writes complete from the event loop only, so
 * nobody has to expect a request to vanish under his feet. Worker's thread.
 */
#include "front/http1_connection.h"

#include <stdio.h>
#include <string.h>

#include "front/message.h"
#include "http/write.h"
#include "net/transport.h"
#include "telemetry/log.h"

#define MAX_BUFS 12 /* on the stack */

static gm_http1_connection_t *connection_of(h2o_req_t *req)
{
    return (gm_http1_connection_t *)req->conn;
}

/* ---- what the client does not take */

static void on_late_write(gm_watch_t *watch)
{
    gm_http1_connection_t *self = H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, writing, watch);
    const char *label = gm_failure_row(GM_FAILURE_CLIENT_STALLED)->label;
    const gm_log_field_t fields[] = {{"failure", label, strlen(label)},
                                     {"remote_addr", self->peer, strlen(self->peer)}};

    if (gm_transport_is_taken(self->sock, &self->acked)) {
        gm_watch_start(self->front->options.watches, watch, self->front->options.write_ms, on_late_write);
        return;
    }
    gm_log_with(GM_LOG_WARN, fields, GM_COUNT_OF(fields),
                "Connection from %s ended: %s (it takes no bytes of its answer)", self->peer, label);
    gm_transport_abort(self->sock);
    gm_http1_close(self);
}

static void watch_write(gm_http1_connection_t *self)
{
    gm_watch_start(self->front->options.watches, &self->writing, self->front->options.write_ms,
                   on_late_write);
}

/* ---- the head of an answer */

/* How this answer's end is told; RFC 9112, 6.3. */
static void choose_framing(gm_http1_connection_t *self)
{
    h2o_req_t *req = &self->req;

    self->has_no_body = req->res.status == 204 || req->res.status == 304 ||
                        h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
    if (!self->framing.has_ended || self->front->is_draining ||
        (self->is_half_closed && self->sock->input->size == self->framing.ready))
        req->http1_is_persistent = 0; /* also: answered before the request was complete */
    if (self->is_tunnel)
        req->http1_is_persistent = 0;
    if (self->is_tunnel || self->has_no_body || req->res.content_length != SIZE_MAX)
        return;
    if (req->version >= 0x101)
        self->is_chunked = true;
    else
        req->http1_is_persistent = 0; /* its end is the connection's */
}

static size_t head_size(const h2o_req_t *req, size_t reason_length, size_t upgrade_length)
{
    size_t size = 256 + reason_length + upgrade_length;

    for (size_t i = 0; i != req->res.headers.size; ++i)
        size += req->res.headers.entries[i].name->len + req->res.headers.entries[i].value.len + 4;
    return size;
}

static char *put_fields(char *at, gm_http1_connection_t *self)
{
    h2o_req_t *req = &self->req;
    bool has_date = false;

    for (size_t i = 0; i != req->res.headers.size; ++i) {
        const h2o_header_t *header = &req->res.headers.entries[i];
        has_date = has_date || header->name == &H2O_TOKEN_DATE->buf;
        at = header->orig_name != NULL ? gm_write(at, header->orig_name, header->name->len)
                                       : gm_write(at, header->name->base, header->name->len);
        at = GM_WRITE_LITERAL(at, ": ");
        at = gm_write(at, header->value.base, header->value.len);
        at = GM_WRITE_LITERAL(at, "\r\n");
    }
    if (!has_date) { /* RFC 9110, 6.6.1 */
        h2o_timestamp_t now;
        h2o_get_timestamp(self->super.ctx, &req->pool, &now);
        at = GM_WRITE_LITERAL(at, "date: ");
        self->exchange->downstream.date = (gm_span_t){at, H2O_TIMESTR_RFC1123_LEN};
        at = gm_write(at, now.str->rfc1123, H2O_TIMESTR_RFC1123_LEN);
        at = GM_WRITE_LITERAL(at, "\r\n");
    }
    return at;
}

static h2o_iovec_t make_head(gm_http1_connection_t *self)
{
    h2o_req_t *req = &self->req;
    size_t reason_length = strlen(req->res.reason);
    char *start = h2o_mem_alloc_pool(
             &req->pool, head_size(req, reason_length, self->exchange->downstream.upgrade.length)),
         *at = start;

    choose_framing(self);
    self->has_head = true;
    at = GM_WRITE_LITERAL(at, "HTTP/1.1 ");
    at = gm_write_number(at, (uint64_t)req->res.status);
    *at++ = ' ';
    at = gm_write(at, req->res.reason, reason_length);
    at = GM_WRITE_LITERAL(at, "\r\n");
    at = put_fields(at, self);
    if (self->is_tunnel) {
        at = GM_WRITE_LITERAL(at, "connection: upgrade\r\nupgrade: ");
        at = gm_write(at, self->exchange->downstream.upgrade.base, self->exchange->downstream.upgrade.length);
        at = GM_WRITE_LITERAL(at, "\r\n");
    } else if (!req->http1_is_persistent)
        at = GM_WRITE_LITERAL(at, "connection: close\r\n");
    else if (req->version < 0x101)
        at = GM_WRITE_LITERAL(at, "connection: keep-alive\r\n");
    if (self->is_chunked) {
        at = GM_WRITE_LITERAL(at, "transfer-encoding: chunked\r\n");
    } else if (req->res.content_length != SIZE_MAX && req->res.status != 204) {
        at = GM_WRITE_LITERAL(at, "content-length: ");
        at = gm_write_number(at, req->res.content_length);
        at = GM_WRITE_LITERAL(at, "\r\n");
    }
    at = GM_WRITE_LITERAL(at, "\r\n");
    return h2o_iovec_init(start, (size_t)(at - start));
}

/* ---- the body of an answer */

static void on_piece_written(h2o_socket_t *sock, const char *err)
{
    gm_http1_connection_t *self = sock->data;

    gm_watch_stop(&self->writing);
    if (err != NULL)
        gm_http1_close(self);
    else
        h2o_proceed_response(&self->req);
}

static void on_last_written(h2o_socket_t *sock, const char *err)
{
    gm_http1_connection_t *self = sock->data;

    if (err != NULL)
        gm_http1_close(self);
    else
        gm_http1_on_answered(self);
}

static void write_piece(gm_http1_connection_t *self, const h2o_iovec_t *bufs, size_t count,
                        h2o_send_state_t state)
{
    h2o_req_t *req = &self->req;
    const gm_downstream_t *downstream = &self->exchange->downstream;
    h2o_iovec_t on_stack[MAX_BUFS + 4], *out = on_stack;
    size_t filled = 0, length = 0;

    if (count > MAX_BUFS)
        out = h2o_mem_alloc_pool(&req->pool, (count + 4) * sizeof(*out));
    for (size_t i = 0; i != count; ++i)
        length += bufs[i].len;
    if (!req->bytes_counted_by_ostream)
        req->bytes_sent += length;
    if (!self->has_head)
        out[filled++] = make_head(self);
    if (length != 0 && !self->has_no_body) {
        self->has_probed = false; /* the next pause may ask again */
        if (self->is_chunked)
            out[filled++] =
                h2o_iovec_init(self->exchange->size_line,
                               (size_t)snprintf(self->exchange->size_line, sizeof(self->exchange->size_line),
                                                "%zx\r\n", length));
        memcpy(out + filled, bufs, count * sizeof(*out));
        filled += count;
        if (self->is_chunked)
            out[filled++] = h2o_iovec_init(H2O_STRLIT("\r\n"));
    }
    if (state == H2O_SEND_STATE_FINAL && self->is_chunked)
        out[filled++] = gm_message_last_chunk(&req->pool, downstream->trailers,
                                              downstream->accepts_trailers ? downstream->trailer_count : 0);
    if (state == H2O_SEND_STATE_ERROR)
        self->is_broken = true;
    watch_write(self);
    gm_transport_write(self->sock, out, filled,
                       h2o_send_state_is_in_progress(state) ? on_piece_written : on_last_written);
}

/* ---- interim answers */

static void write_interim(gm_http1_connection_t *self, h2o_iovec_t text);

static void on_interim_written(h2o_socket_t *sock, const char *err)
{
    gm_http1_connection_t *self = sock->data;
    h2o_iovec_t next = self->exchange->next_interim;

    self->is_sending_interim = false;
    gm_watch_stop(&self->writing);
    self->exchange->next_interim = h2o_iovec_init(NULL, 0);
    if (err != NULL) {
        gm_http1_close(self);
    } else if (next.base != NULL) {
        write_interim(self, next);
    } else if (self->is_held) {
        self->is_held = false;
        write_piece(self, self->exchange->held, self->exchange->held_count, self->exchange->held_state);
    }
}

static void write_interim(gm_http1_connection_t *self, h2o_iovec_t text)
{
    self->is_sending_interim = true;
    watch_write(self);
    h2o_socket_write(self->sock, &text, 1, on_interim_written);
}

void gm_http1_send_zero(gm_http1_connection_t *self)
{
    if (self->is_chunked && !self->is_sending_interim && !h2o_socket_is_writing(self->sock))
        write_interim(self, h2o_iovec_init(H2O_STRLIT("0")));
}

static h2o_iovec_t make_interim(h2o_req_t *req, unsigned status, const gm_head_field_t *fields, size_t count)
{
    char *start = h2o_mem_alloc_pool(&req->pool, gm_write_fields_size(fields, count) + 64), *at = start;

    at += sprintf(at, "HTTP/1.1 %u %s\r\n", status,
                  status == 100   ? "Continue"
                  : status == 102 ? "Processing"
                  : status == 103 ? "Early Hints"
                                  : "Interim");
    at = gm_write_fields(at, fields, count);
    at = GM_WRITE_LITERAL(at, "\r\n");
    return h2o_iovec_init(start, (size_t)(at - start));
}

void gm_http1_send_interim(h2o_req_t *req, unsigned status, const gm_head_field_t *fields, size_t count)
{
    gm_http1_connection_t *self = connection_of(req);
    h2o_iovec_t text;

    if (req->version < 0x101 || self->has_head || self->is_held)
        return;
    text = make_interim(req, status, fields, count);
    if (!self->is_sending_interim)
        write_interim(self, text);
    else if (self->exchange->next_interim.base == NULL)
        self->exchange->next_interim = text;
    else
        self->exchange->next_interim = h2o_concat(&req->pool, self->exchange->next_interim, text);
}

void gm_http1_send(h2o_ostream_t *last, h2o_req_t *req, h2o_iovec_t *bufs, size_t count,
                   h2o_send_state_t state)
{
    gm_http1_connection_t *self = connection_of(req);

    (void)last;
    if (!self->is_sending_interim) {
        write_piece(self, bufs, count, state);
        return;
    }
    self->is_held = true;
    self->exchange->held_state = state;
    self->exchange->held_count = count;
    self->exchange->held = h2o_mem_alloc_pool(&req->pool, (count + 1) * sizeof(*bufs));
    if (count != 0) /* an answer to HEAD has none, and no array either */
        memcpy(self->exchange->held, bufs, count * sizeof(*bufs));
}
