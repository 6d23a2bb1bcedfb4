/*
 * Requests go out as the head that HTTP/1 would have, in HTTP/2's form; answers are read by
 * the same grammar. So nothing that an endpoint says gets through here that would
 * not get through there. Who leaves an exchange early leaves its stream behind, until that has ended.
 * Worker's thread.
 */
#include "upstream/h2_exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/field_list.h"
#include "http/write.h"
#include "net/transport.h"

#define MAX_INTERIM 16
#define MAX_HEAD_BYTES ((size_t)64 * 1024)

static const gm_head_limits_t head_limits = {.max_bytes = 2 * MAX_HEAD_BYTES,
                                             .max_field_bytes = MAX_HEAD_BYTES,
                                             .max_target_bytes = 0,
                                             .max_fields = GM_HEAD_MAX_FIELDS};
static const gm_exchange_ops_t ops;

static gm_h2_exchange_t *exchange_of(gm_http2_stream_t *stream)
{
    return (gm_h2_exchange_t *)stream;
}

static gm_h2_exchange_t *exchange_of_super(gm_exchange_t *super)
{
    return H2O_STRUCT_FROM_MEMBER(gm_h2_exchange_t, super, super);
}

/* ---- beginning and end */

gm_h2_exchange_t *gm_h2_exchange_create(gm_h2_client_t *client, const gm_exchange_options_t *options)
{
    gm_h2_exchange_t *self = gm_blocks_alloc_zeroed(client->options->blocks, sizeof(*self));

    self->super.ops = &ops;
    self->super.events = options->events;
    self->super.data = options->data;
    self->super.connection = client;
    self->super.endpoint = client->endpoint;
    self->super.is_reused = client->has_served;
    self->super.is_multiplexed = true;
    self->is_head_request = options->is_head;
    self->read_ms = options->read_ms;
    self->write_ms = options->write_ms;
    self->client = client;
    self->blocks = client->options->blocks;
    self->was_heard = client->is_heard;
    gm_framing_init(&self->super.framing, GM_FRAMING_UNTIL_CLOSE, 0);
    h2o_buffer_init(&self->input, &h2o_socket_buffer_prototype);
    return self;
}

static void hush(gm_h2_exchange_t *self)
{
    if (h2o_linklist_is_linked(&self->news))
        h2o_linklist_unlink(&self->news);
}

void gm_h2_exchange_destroy(gm_h2_exchange_t *self)
{
    hush(self);
    gm_watch_stop(&self->watch);
    gm_framing_dispose(&self->super.framing);
    gm_buffer_dispose(&self->head);
    gm_buffer_dispose(&self->pending);
    h2o_buffer_dispose(&self->input);
    gm_blocks_free(self->blocks, self);
}

static bool has_stream(const gm_h2_exchange_t *self)
{
    return self->stream.session != NULL;
}

/* Its owner has no more interest in it. */
static void leave(gm_h2_exchange_t *self)
{
    bool is_whole = self->super.framing.has_ended;

    if (!has_stream(self)) {
        if (self->client != NULL)
            gm_h2_client_forget(self->client, self);
        gm_h2_exchange_destroy(self);
        return;
    }
    self->is_orphan = true;
    hush(self);
    gm_watch_stop(&self->watch);
    if (self->input->size != 0)
        gm_http2_stream_consume(&self->stream, self->input->size);
    gm_transport_clear(&self->input);
    if (!is_whole || !gm_http2_stream_is_sent(&self->stream))
        gm_http2_stream_reset(&self->stream, GM_HTTP2_CANCEL);
}

void gm_h2_exchange_fail(gm_h2_exchange_t *self, gm_failure_t failure, const char *detail,
                         bool was_unprocessed)
{
    const gm_exchange_events_t *events = self->super.events;
    void *data = self->super.data;
    bool was_lost = failure == GM_FAILURE_CONNECTION_RESET || failure == GM_FAILURE_CONNECTION_TERMINATED;
    const gm_exchange_error_t error = {
        failure, detail, was_lost && self->was_heard && self->interim_count == 0, was_unprocessed};

    gm_watch_stop(&self->watch);
    if (self->has_head) {
        self->super.has_broken_off = true;
        events->on_body(data);
        return;
    }
    leave(self);
    events->on_error(data, &error);
}

static void on_late(gm_watch_t *watch)
{
    gm_h2_exchange_t *self = H2O_STRUCT_FROM_MEMBER(gm_h2_exchange_t, watch, watch);

    if (self->super.is_writing && self->stream.sent_bytes != self->taken) {
        self->taken = self->stream.sent_bytes;
        gm_watch_start(self->client->options->watches, watch, watch->limit_ms, on_late);
        return;
    }
    self->super.was_silent = true;
    gm_h2_exchange_fail(
        self, GM_FAILURE_RESPONSE_TIMEOUT,
        self->super.is_writing ? "it took nothing for write_timeout" : "silent for read_timeout", false);
}

static void watch(gm_h2_exchange_t *self, uint64_t limit_ms)
{
    self->taken = self->stream.sent_bytes;
    gm_watch_start(self->client->options->watches, &self->watch, limit_ms, on_late);
}

/* ---- the request */

static bool is_hop_by_hop(const char *name, size_t length)
{
    return h2o_memis(name, length, H2O_STRLIT("connection")) ||
           h2o_memis(name, length, H2O_STRLIT("transfer-encoding")) ||
           h2o_memis(name, length, H2O_STRLIT("upgrade"));
}

static void add(gm_http2_fields_t *fields, const char *name, size_t name_length, const char *value,
                size_t length)
{
    *gm_vector_push(fields) =
        (gm_http2_field_t){h2o_iovec_init(name, name_length), h2o_iovec_init(value, length)};
}

/* "GET /path HTTP/1.1\r\nhost: h\r\nname: value\r\n\r\n", which was written here, so that it has this form.
 */
static void convert_head(gm_http2_fields_t *fields, h2o_iovec_t head, bool is_tls)
{
    const char *at = head.base, *end = at + head.len, *space = memchr(at, ' ', head.len), *line_end;
    const char *target = space + 1, *target_end = memchr(target, ' ', (size_t)(end - target));

    add(fields, H2O_STRLIT(":method"), at, (size_t)(space - at));
    add(fields, H2O_STRLIT(":scheme"), is_tls ? "https" : "http", is_tls ? 5 : 4);
    add(fields, H2O_STRLIT(":authority"), "", 0);
    add(fields, H2O_STRLIT(":path"), target, (size_t)(target_end - target));
    at = target_end + strlen(" HTTP/1.1\r\n");
    for (; *at != '\r'; at = line_end + 2) {
        const char *colon = memchr(at, ':', (size_t)(end - at)), *value = colon + 2;
        size_t length = (size_t)(colon - at);
        line_end = memchr(value, '\r', (size_t)(end - value));
        if (h2o_memis(at, length, H2O_STRLIT("host")))
            fields->items[2].value = h2o_iovec_init(value, (size_t)(line_end - value));
        else if (!is_hop_by_hop(at, length))
            add(fields, at, length, value, (size_t)(line_end - value));
    }
}

static void send_head(gm_h2_exchange_t *self, h2o_iovec_t head, bool has_body)
{
    gm_h2_client_t *client = self->client;

    self->has_request_out = true;
    client->fields.size = 0;
    convert_head(&client->fields, head, client->is_tls);
    if (gm_http2_session_request(client->session, &self->stream, client->fields.items, client->fields.size,
                                 has_body) != 0)
        watch(self, self->write_ms); /* cannot be where there was room; but if so, it must end */
}

static void write_piece(gm_exchange_t *super, h2o_iovec_t *bufs, size_t count, bool last)
{
    gm_h2_exchange_t *self = exchange_of_super(super);
    bool is_first = !self->has_request_out, has_body = !last || count > 1 || super->trailer_count != 0;

    super->is_writing = true;
    self->has_sent_all = last;
    if (self->client == NULL)
        return; /* nothing of it will be out */
    if (is_first) {
        send_head(self, bufs[0], has_body);
        ++bufs;
        --count;
    }
    if (!has_stream(self))
        return;
    if (!self->has_head)
        watch(self, self->write_ms);
    if (is_first && !has_body)
        return;
    memcpy(self->bufs, bufs, count * sizeof(bufs[0]));
    gm_http2_stream_send(&self->stream, self->bufs, count, last, super->trailers,
                         last ? super->trailer_count : 0);
}

void gm_h2_exchange_on_sent(gm_http2_stream_t *stream)
{
    gm_h2_exchange_t *self = exchange_of(stream);

    if (self->is_orphan)
        return;
    self->super.is_writing = false;
    if (self->has_head) {
        if (gm_watch_is_running(&self->watch))
            gm_watch_renew(&self->watch);
    } else if (self->has_sent_all) {
        watch(self, self->read_ms);
    } else {
        gm_watch_stop(&self->watch); /* it is the request's turn */
    }
    self->super.events->on_written(self->super.data);
}

/* ---- the answer */

/* Head, body and end come in one read, as a rule, and go out in one write if the owner hears of them at once.
 */
static void tell_soon(gm_h2_exchange_t *self)
{
    if (!h2o_linklist_is_linked(&self->news))
        h2o_linklist_insert(&self->client->news, &self->news);
}

/* What nghttp2 cannot know. The stream ends, and with it the exchange. */
static void refuse(gm_h2_exchange_t *self, const char *why)
{
    if (self->is_malformed)
        return;
    self->is_malformed = true;
    self->why = why;
    gm_http2_stream_reset(&self->stream, GM_HTTP2_PROTOCOL_ERROR);
}

static void borrow_spare(gm_h2_exchange_t *self)
{
    self->head = self->client->spare;
    self->client->spare = (gm_buffer_t){0};
}

void gm_h2_exchange_on_field(gm_http2_stream_t *stream, gm_span_t name, gm_span_t value, bool is_trailer)
{
    gm_h2_exchange_t *self = exchange_of(stream);

    if (self->is_orphan || self->is_malformed)
        return;
    self->client->is_heard = true;
    self->field_bytes += name.length + value.length + 32; /* RFC 9113, 6.5.2 */
    if (self->field_bytes > MAX_HEAD_BYTES) {
        refuse(self, is_trailer ? "its trailers are larger than 64 KiB" : "its head is larger than 64 KiB");
        return;
    }
    if (is_trailer) {
        gm_write_line(&self->pending, name, value);
        return;
    }
    if (self->head.text == NULL)
        borrow_spare(self);
    if (name.length != 0 && name.base[0] != ':')
        gm_field_list_add(&self->head, name, value);
    else if (h2o_memis(name.base, name.length, H2O_STRLIT(":status")) && value.length == 3)
        memcpy(self->status, value.base, 3);
}

/* A body that has ended with its head has a length, where it may have one. */
static void note_end(gm_h2_exchange_t *self, gm_head_t *head)
{
    if (head->content_length == GM_HEAD_NO_LENGTH && !self->is_head_request && head->status != 204 &&
        head->status != 304)
        head->content_length = 0;
}

void gm_h2_exchange_on_head(gm_http2_stream_t *stream, bool has_ended)
{
    gm_h2_exchange_t *self = exchange_of(stream);
    const char *fields = self->head.text != NULL ? self->head.text : "";
    const gm_head_parts_t parts = {
        .status = {self->status, sizeof(self->status)}, .fields = fields, .fields_length = self->head.length};
    gm_head_t head;

    if (self->is_orphan || self->is_malformed)
        return;
    if (gm_head_read_response(&parts, &head_limits, &head) != 0) {
        refuse(self, head.why);
        return;
    }
    self->field_bytes = 0;
    if (head.status < 200 && head.status != 101) {
        if (++self->interim_count > MAX_INTERIM)
            refuse(self, "interim answers without end");
        else
            self->super.events->on_interim(self->super.data, &head);
        self->head.length = 0;
        return;
    }
    if (has_ended)
        note_end(self, &head);
    self->has_head = true;
    if (self->super.events->on_head(self->super.data, &head, fields) != 0)
        return;
    gm_buffer_spare(&self->head, &self->client->spare);
    if (has_ended) {
        gm_h2_exchange_on_end(stream);
        return;
    }
    watch(self, self->read_ms);
    tell_soon(self);
}

void gm_h2_exchange_on_data(gm_http2_stream_t *stream, const char *bytes, size_t length)
{
    gm_h2_exchange_t *self = exchange_of(stream);

    if (self->is_orphan || self->is_malformed) {
        gm_http2_stream_consume(stream, length);
        return;
    }
    self->client->is_heard = true;
    h2o_buffer_reserve(&self->input, length);
    memcpy(self->input->bytes + self->input->size, bytes, length);
    self->input->size += length;
    self->super.framing.ready = self->input->size;
    if (self->input->size >= GM_TRANSPORT_HIGH_WATER) /* whoever takes it is slow, not the endpoint */
        gm_watch_stop(&self->watch);
    else
        gm_watch_renew(&self->watch);
    tell_soon(self);
}

void gm_h2_exchange_on_end(gm_http2_stream_t *stream)
{
    gm_h2_exchange_t *self = exchange_of(stream);

    if (self->is_orphan || self->is_malformed)
        return;
    gm_watch_stop(&self->watch);
    if (self->pending.length != 0)
        gm_buffer_append(&self->super.framing.chunked.trailers, self->pending.text, self->pending.length);
    self->super.framing.has_ended = true;
    tell_soon(self);
}

void gm_h2_exchange_tell(gm_h2_exchange_t *self)
{
    h2o_linklist_unlink(&self->news);
    if (!self->stream.is_told) /* otherwise the stream's end follows at once, and says what is wrong */
        self->super.events->on_body(self->super.data);
}

static void take(gm_exchange_t *super, h2o_buffer_t **to)
{
    gm_h2_exchange_t *self = exchange_of_super(super);
    size_t length = self->input->size;

    gm_transport_take(&self->input, length, to);
    super->framing.ready = 0;
    if (!has_stream(self) || super->framing.has_ended)
        return;
    gm_http2_stream_consume(&self->stream, length);
    if (!gm_watch_is_running(&self->watch))
        watch(self, self->read_ms);
}

/* ---- the end of its stream */

static gm_failure_t failure_of(uint32_t error)
{
    switch (error) {
    case GM_HTTP2_REFUSED_STREAM:
        return GM_FAILURE_STREAM_REFUSED;
    case GM_HTTP2_HTTP_1_1_REQUIRED:
        return GM_FAILURE_PROTOCOL_MISMATCH;
    default:
        return GM_FAILURE_STREAM_RESET;
    }
}

static const char *name_of(uint32_t error)
{
    static const char *const names[] = {
        "it reset the stream: NO_ERROR",
        "it reset the stream: PROTOCOL_ERROR",
        "it reset the stream: INTERNAL_ERROR",
        "it reset the stream: FLOW_CONTROL_ERROR",
        "it reset the stream: SETTINGS_TIMEOUT",
        "it reset the stream: STREAM_CLOSED",
        "it reset the stream: FRAME_SIZE_ERROR",
        "it refused the stream: REFUSED_STREAM",
        "it reset the stream: CANCEL",
        "it reset the stream: COMPRESSION_ERROR",
        "it reset the stream: CONNECT_ERROR",
        "it reset the stream: ENHANCE_YOUR_CALM",
        "it reset the stream: INADEQUATE_SECURITY",
        "it wants this request in HTTP/1.1: HTTP_1_1_REQUIRED",
    };

    return error < sizeof(names) / sizeof(names[0]) ? names[error] : "it reset the stream";
}

void gm_h2_exchange_end(gm_h2_exchange_t *self, uint32_t error)
{
    bool was_refused = error == GM_HTTP2_REFUSED_STREAM;

    self->super.framing.ready = self->input->size;
    if (self->is_orphan) {
        gm_h2_exchange_destroy(self);
        return;
    }
    self->super.is_writing = self->super.is_writing || !self->has_sent_all; /* nothing more goes out */
    if (self->super.framing.has_ended)
        return;
    if (self->stream.was_reset || was_refused)
        gm_h2_exchange_fail(self, failure_of(error), name_of(error), was_refused);
    else
        gm_h2_exchange_fail(self, GM_FAILURE_RESPONSE_MALFORMED,
                            self->why != NULL ? self->why : "its frames or fields break the rules of HTTP/2",
                            false);
}

/* ---- for the client */

static void abort_exchange(gm_exchange_t *super)
{
    leave(exchange_of_super(super));
}

void gm_h2_client_give(gm_exchange_t *super)
{
    leave(exchange_of_super(super));
}

static const gm_exchange_ops_t ops = {write_piece, take, NULL, abort_exchange};
