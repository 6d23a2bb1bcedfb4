/*
 * WebSocket over HTTP/2 (RFC 8441): the extended CONNECT of a stream is the upgrade that it would be in
 * HTTP/1, and from then on its DATA frames are the bytes of the tunnel. Worker's thread.
 */
#include "front/h2_connection.h"

#include <string.h>

#define BURIAL_MS 1

bool gm_h2_is_of_handshake(const gm_h2_stream_t *self, gm_span_t name)
{
    static const char prefix[] = "sec-websocket-";
    size_t length = sizeof(prefix) - 1;

    if (self->protocol.base == NULL || name.length <= length || memcmp(name.base, prefix, length) != 0)
        return false;
    name.base += length;
    name.length -= length;
    return (name.length == 3 && memcmp(name.base, "key", 3) == 0) ||
           (name.length == 6 && memcmp(name.base, "accept", 6) == 0);
}

/* The endpoint answers a key that was made here. */
static const char *doubt_switch(h2o_req_t *req, const gm_head_t *head)
{
    static const char name[] = "sec-websocket-accept";
    const gm_h2_stream_t *self = gm_h2_stream_of(req);
    size_t good = 0, bad = 0;

    for (size_t i = 0; i != head->field_count; ++i) {
        const gm_head_field_t *field = &head->fields[i];
        if (field->name.length != sizeof(name) - 1 || memcmp(field->name.base, name, sizeof(name) - 1) != 0)
            continue;
        if (gm_websocket_is_accept(self->websocket_key, field->value.base, field->value.length))
            ++good;
        else
            ++bad;
    }
    return good == 1 && bad == 0 ? NULL : "its Sec-WebSocket-Accept does not belong to the key";
}

/* What the client sent before the answer is the beginning of the stream. */
static gm_stream_t *open_tunnel(h2o_req_t *req, gm_span_t protocol)
{
    gm_h2_stream_t *self = gm_h2_stream_of(req);

    self->is_tunnel = true;
    self->downstream.upgrade = protocol;
    self->body.available = self->input->size;
    self->body.has_ended = self->has_ended;
    return &self->body;
}

static void half_close(h2o_req_t *req)
{
    gm_h2_stream_t *self = gm_h2_stream_of(req);

    self->is_half_closed = true;
    if (self->has_head && self->super.session != NULL) /* otherwise the head's piece is the last */
        gm_http2_stream_send(&self->super, NULL, 0, true, NULL, 0);
}

void gm_h2_expect_tunnel(gm_h2_stream_t *self, gm_span_t upgrade)
{
    self->downstream.upgrade = upgrade;
    self->downstream.open_tunnel = open_tunnel;
    self->downstream.half_close = half_close;
    self->downstream.doubt_switch = doubt_switch;
}

bool gm_h2_outlives_stream(const gm_h2_stream_t *self, uint32_t error)
{
    return self->is_tunnel && self->is_half_closed && !self->is_over && error == GM_HTTP2_NO_ERROR;
}

static void on_burial(gm_watch_t *watch)
{
    gm_h2_destroy_stream(H2O_STRUCT_FROM_MEMBER(gm_h2_stream_t, writing, watch));
}

void gm_h2_bury(gm_h2_stream_t *self)
{
    gm_watch_start(self->connection->front->options.watches, &self->writing, BURIAL_MS, on_burial);
}
