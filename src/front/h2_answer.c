/*
 * Answers on their way out: heads with their pseudo-field, pieces, trailers. Windows and the connection's own
 * pace hold pieces back; the pipeline gives the next one when the last is out. Worker's thread.
 */
#include "front/h2_connection.h"

#include <string.h>

#include "http/fields.h"
#include "http/write.h"
#include "telemetry/log.h"

#define EXTRA_FIELDS 4
#define EARLY_MS 1000

/* ---- what the client does not take */

static void on_late(gm_watch_t *watch)
{
    gm_h2_stream_t *self = H2O_STRUCT_FROM_MEMBER(gm_h2_stream_t, writing, watch);
    const gm_h2_connection_t *connection = self->connection;
    const char *label = gm_failure_row(GM_FAILURE_CLIENT_STALLED)->label;
    const gm_log_field_t fields[] = {{"failure", label, strlen(label)},
                                     {"remote_addr", connection->peer, connection->peer_length}};

    if (self->super.sent_bytes != self->taken) {
        self->taken = self->super.sent_bytes;
        gm_watch_start(connection->front->options.watches, watch, connection->front->options.write_ms,
                       on_late);
        return;
    }
    gm_log_with(GM_LOG_WARN, fields, GM_COUNT_OF(fields),
                "Stream of %s ended: %s (it takes no bytes of its answer)", connection->peer, label);
    gm_http2_stream_reset(&self->super, GM_HTTP2_CANCEL);
}

static void watch_writing(gm_h2_stream_t *self)
{
    self->taken = self->super.sent_bytes;
    gm_watch_start(self->connection->front->options.watches, &self->writing,
                   self->connection->front->options.write_ms, on_late);
}

/* ---- the head */

static gm_http2_field_t field_of(const char *name, size_t name_length, const char *value, size_t length)
{
    return (gm_http2_field_t){h2o_iovec_init(name, name_length), h2o_iovec_init(value, length)};
}

#define FIELD(name, value, length) field_of(name, sizeof(name) - 1, value, length)

static gm_http2_field_t status_field(h2o_req_t *req, unsigned status)
{
    char *digits = h2o_mem_alloc_pool(&req->pool, 24);

    return FIELD(":status", digits, (size_t)(gm_write_number(digits, status) - digits));
}

static gm_http2_field_t date_field(gm_h2_stream_t *self)
{
    h2o_timestamp_t now;

    h2o_get_timestamp(self->connection->super.ctx, &self->req.pool, &now);
    self->downstream.date = (gm_span_t){now.str->rfc1123, H2O_TIMESTR_RFC1123_LEN};
    return FIELD("date", now.str->rfc1123, H2O_TIMESTR_RFC1123_LEN);
}

static void send_head(gm_h2_stream_t *self, gm_http2_head_t kind)
{
    h2o_req_t *req = &self->req;
    const h2o_headers_t *headers = &req->res.headers;
    gm_http2_field_t *fields =
        h2o_mem_alloc_pool(&req->pool, (headers->size + EXTRA_FIELDS) * sizeof(fields[0]));
    size_t count = 0;
    bool has_date = false;
    char *digits;

    fields[count++] = status_field(req, self->is_tunnel ? 200 : (unsigned)req->res.status);
    for (size_t i = 0; i != headers->size; ++i) {
        const h2o_header_t *header = &headers->entries[i];
        if (gm_fields_is_hop_by_hop(header->name->base, header->name->len) ||
            (self->is_tunnel &&
             gm_h2_is_of_handshake(self, (gm_span_t){header->name->base, header->name->len})))
            continue;
        has_date = has_date || header->name == &H2O_TOKEN_DATE->buf;
        fields[count++] = (gm_http2_field_t){*header->name, header->value};
    }
    if (!has_date)
        fields[count++] = date_field(self);
    if (req->res.content_length != SIZE_MAX && req->res.status != 204) {
        digits = h2o_mem_alloc_pool(&req->pool, 24);
        fields[count++] = FIELD("content-length", digits,
                                (size_t)(gm_write_number(digits, req->res.content_length) - digits));
    }
    self->has_head = true;
    gm_watch_stop(
        &self->reading); /* from now on it may be the endpoint's turn for long: that one is watched */
    gm_http2_stream_send_head(&self->super, fields, count, kind);
}

void gm_h2_send_interim(h2o_req_t *req, unsigned status, const gm_head_field_t *from, size_t count)
{
    gm_h2_stream_t *self = gm_h2_stream_of(req);
    gm_http2_field_t *fields;

    if (self->has_head || self->super.session == NULL)
        return;
    fields = h2o_mem_alloc_pool(&req->pool, (count + 1) * sizeof(fields[0]));
    fields[0] = status_field(req, status);
    for (size_t i = 0; i != count; ++i)
        fields[i + 1] =
            field_of(from[i].name.base, from[i].name.length, from[i].value.base, from[i].value.length);
    gm_http2_stream_send_head(&self->super, fields, count + 1, GM_HTTP2_HEAD_INTERIM);
}

/* ---- the body */

static bool is_without_body(const h2o_req_t *req)
{
    return req->res.status == 204 || req->res.status == 304 ||
           h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
}

/* One piece is out before the next one comes, so its place is used again: an answer may have no end. */
static const h2o_iovec_t *keep_bufs(gm_h2_stream_t *self, const h2o_iovec_t *bufs, size_t count)
{
    if (count > self->bufs_capacity) {
        self->bufs = h2o_mem_alloc_pool(&self->req.pool, count * sizeof(self->bufs[0]));
        self->bufs_capacity = count;
    }
    if (count != 0)
        memcpy(self->bufs, bufs, count * sizeof(self->bufs[0]));
    return self->bufs;
}

void gm_h2_send(h2o_ostream_t *last, h2o_req_t *req, h2o_iovec_t *bufs, size_t count, h2o_send_state_t state)
{
    gm_h2_stream_t *self = gm_h2_stream_of(req);
    const gm_downstream_t *downstream = &self->downstream;
    size_t length = 0, trailers = downstream->trailer_count; /* they are no trouble to anybody here */
    bool is_last = state == H2O_SEND_STATE_FINAL;

    (void)last;
    for (size_t i = 0; i != count; ++i)
        length += bufs[i].len;
    if (!req->bytes_counted_by_ostream)
        req->bytes_sent += length;
    self->is_over = !h2o_send_state_is_in_progress(state);
    if (self->super.session == NULL && self->is_over) {
        gm_h2_bury(self);
        return;
    }
    if (state == H2O_SEND_STATE_ERROR) { /* RFC 8441, 5.1 */
        gm_http2_stream_reset(&self->super, self->is_tunnel ? GM_HTTP2_CANCEL : GM_HTTP2_INTERNAL_ERROR);
        return;
    }
    if (!self->has_head) {
        self->has_no_body = is_without_body(req);
        if (is_last && (length == 0 || self->has_no_body) && trailers == 0) {
            send_head(self, GM_HTTP2_HEAD_ALONE);
            return;
        }
        send_head(self, GM_HTTP2_HEAD_WITH_BODY);
    }
    watch_writing(self);
    if (self->has_no_body)
        count = 0;
    gm_http2_stream_send(&self->super, keep_bufs(self, bufs, count), count, is_last, downstream->trailers,
                         trailers);
}

void gm_h2_on_sent(gm_http2_stream_t *stream)
{
    gm_h2_stream_t *self = (gm_h2_stream_t *)stream;

    gm_watch_stop(&self->writing);
    if (self->is_half_closed) /* with the head, which is out now */
        gm_http2_stream_send(stream, NULL, 0, true, NULL, 0);
    h2o_proceed_response(&self->req);
}

static void on_early_over(gm_watch_t *watch)
{
    gm_http2_stream_reset(&H2O_STRUCT_FROM_MEMBER(gm_h2_stream_t, reading, watch)->super, GM_HTTP2_NO_ERROR);
}

/*
 * Who is answered before he has sent all may be told to stop (RFC 9113, 8.1). But not at once: there are
 * clients that forget the answer when they are told (curl 7.88). Most stop by themselves.
 */
void gm_h2_on_early(gm_http2_stream_t *stream)
{
    gm_h2_stream_t *self = (gm_h2_stream_t *)stream;

    gm_watch_stop(&self->writing);
    if (self->is_tunnel && !self->is_over) /* it may go on sending */
        return;
    gm_watch_start(self->connection->front->options.watches, &self->reading, EARLY_MS, on_early_over);
}
