/*
 * A client that sent its last byte: has it left, or does it only have nothing more to say? To us both look
 * alike. Any byte makes the kernel of one that has left reset the connection: so there is an interim answer,
 * which every client of HTTP/1.1 must be able to skip (RFC 9110, 15.2), and within a chunked answer a zero,
 * with which the size of the next chunk may begin (RFC 9112, 7.1). Where an answer flows, it does the same.
 * Worker's thread.
 */
#include "front/http1_connection.h"

#include "base/clock.h"
#include "net/transport.h"

#define CHECK_MS 200
#define PATIENCE_MS 450 /* without a byte of an answer */

static void probe(gm_http1_connection_t *self)
{
    if (self->has_probed)
        return;
    self->has_probed = true;
    if (!self->has_head)
        gm_http1_send_interim(&self->req, 100, NULL, 0);
    else
        gm_http1_send_zero(self);
}

static void on_unread_check(gm_watch_t *watch)
{
    gm_http1_connection_t *self = H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, reading, watch);

    switch (gm_transport_state(self->sock)) {
    case GM_TRANSPORT_RESET:
        gm_http1_close(self);
        return;
    case GM_TRANSPORT_FINISHED:
        probe(self);
        break;
    case GM_TRANSPORT_OPEN:
        break;
    }
    gm_watch_start(self->front->options.watches, watch, CHECK_MS, on_unread_check);
}

void gm_http1_watch_unread(gm_http1_connection_t *self)
{
    gm_watch_start(self->front->options.watches, &self->reading, CHECK_MS, on_unread_check);
}

/* Where nothing can be asked for a sign of life, a client counts as gone after a moment. */
static bool can_probe(const gm_http1_connection_t *self)
{
    return self->has_head ? self->is_chunked : self->req.version >= 0x101;
}

static void note_progress(gm_http1_connection_t *self)
{
    self->sent_before = self->req.bytes_sent;
    self->quiet_since_ms = gm_clock_coarse_ms();
}

static void on_leave_check(gm_watch_t *watch)
{
    gm_http1_connection_t *self = H2O_STRUCT_FROM_MEMBER(gm_http1_connection_t, reading, watch);
    bool is_quiet = self->req.bytes_sent == self->sent_before && !h2o_socket_is_writing(self->sock);

    if (!is_quiet)
        note_progress(self);
    if (gm_transport_state(self->sock) == GM_TRANSPORT_RESET ||
        (!can_probe(self) && gm_clock_coarse_ms() - self->quiet_since_ms >= PATIENCE_MS)) {
        gm_transport_abort(self->sock); /* should it be there, it must not take this for its answer's end */
        gm_http1_close(self);
        return;
    }
    if (is_quiet)
        probe(self);
    gm_watch_start(self->front->options.watches, &self->reading, CHECK_MS, on_leave_check);
}

void gm_http1_on_half_close(gm_http1_connection_t *self)
{
    if (self->is_tls) { /* with TLS nobody closes one half only */
        gm_http1_close(self);
        return;
    }
    gm_http1_stop_reading(self);
    self->is_half_closed = true;
    note_progress(self);
    if (!self->has_head)
        probe(self);
    gm_watch_start(self->front->options.watches, &self->reading, CHECK_MS, on_leave_check);
}
