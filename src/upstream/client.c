/*
 * The other end of this connection is as little trusted as a client: every rule of RFC 9112 that an answer
 * breaks ends the exchange, and what is promised (a length, a last chunk, silence between exchanges) is
 * checked. Worker's thread.
 */
#include "upstream/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "net/transport.h"

#define MAX_INTERIM 16

static const gm_head_limits_t head_limits = {.max_bytes = 64 * 1024,
                                             .max_field_bytes = 64 * 1024,
                                             .max_target_bytes = 0,
                                             .max_fields = GM_HEAD_MAX_FIELDS};

static const gm_exchange_ops_t ops;

static void on_read(h2o_socket_t *sock, const char *err);

static gm_client_t *client_of(gm_exchange_t *exchange)
{
    return (gm_client_t *)exchange;
}

gm_client_t *gm_client_create(gm_watches_t *watches, h2o_socket_t *sock, gm_tls_wire_t *wire)
{
    gm_client_t *self = gm_alloc(sizeof(*self));

    self->watches = watches;
    self->sock = sock;
    self->wire = wire;
    self->super.ops = &ops;
    self->super.endpoint = self->endpoint;
    sock->data = self;
    gm_transport_init(sock, wire);
    return self;
}

void gm_client_abort(gm_client_t *self)
{
    gm_watch_stop(&self->watch);
    gm_framing_dispose(&self->super.framing);
    h2o_socket_close(self->sock);
    free(self);
}

static void set_reading(gm_client_t *self, bool on)
{
    if (self->is_reading == on)
        return;
    self->is_reading = on;
    if (on)
        h2o_socket_read_start(self->sock, on_read);
    else
        h2o_socket_read_stop(self->sock);
}

/* ---- how an exchange ends early */

static void fail(gm_client_t *self, gm_failure_t failure, const char *detail)
{
    const gm_exchange_events_t *events = self->super.events;
    void *data = self->super.data;
    bool was_lost = failure == GM_FAILURE_CONNECTION_RESET || failure == GM_FAILURE_CONNECTION_TERMINATED;
    const gm_exchange_error_t error = {.failure = failure,
                                       .detail = detail,
                                       .was_stale = was_lost && self->super.is_reused &&
                                                    self->interim_count == 0 && self->sock->input->size == 0};

    gm_client_abort(self);
    events->on_error(data, &error);
}

static void break_off(gm_client_t *self)
{
    self->super.has_broken_off = true;
    self->keeps_alive = false;
    self->state = GM_CLIENT_DONE;
    gm_watch_stop(&self->watch);
    set_reading(self, false);
    self->super.events->on_body(self->super.data);
}

static void on_late(gm_watch_t *watch)
{
    gm_client_t *self = H2O_STRUCT_FROM_MEMBER(gm_client_t, watch, watch);
    uint64_t silence_ms = gm_transport_silence_ms(self->sock, &self->acked);

    /* megabytes of the request may lie in the kernel: as long as the endpoint takes them, it is not silent */
    if (silence_ms < watch->limit_ms) {
        gm_watch_start(self->watches, watch, watch->limit_ms, on_late);
        watch->since_ms -= silence_ms;
        return;
    }
    if (self->state == GM_CLIENT_BODY) {
        self->super.was_silent = true;
        break_off(self);
    } else {
        fail(self, GM_FAILURE_RESPONSE_TIMEOUT,
             self->super.is_writing ? "it took nothing for write_timeout" : "silent for read_timeout");
    }
}

static void watch_answer(gm_client_t *self)
{
    gm_watch_start(self->watches, &self->watch, self->read_ms, on_late);
}

/* ---- the answer */

static void choose_framing(gm_client_t *self, const gm_head_t *head)
{
    self->keeps_alive = head->keeps_alive;
    self->keep_alive_s = head->keep_alive_s;
    if (head->status == 101) {
        gm_framing_init(&self->super.framing, GM_FRAMING_UNTIL_CLOSE, 0);
        self->keeps_alive = false;
        self->read_ms = 0; /* both sides may be quiet now */
    } else if (self->is_head_request || head->status == 204 || head->status == 304) {
        gm_framing_init(&self->super.framing, GM_FRAMING_LENGTH, 0);
    } else if (head->is_chunked) {
        gm_framing_init(&self->super.framing, GM_FRAMING_CHUNKED, 0);
    } else if (head->content_length != GM_HEAD_NO_LENGTH) {
        gm_framing_init(&self->super.framing, GM_FRAMING_LENGTH, head->content_length);
    } else {
        gm_framing_init(&self->super.framing, GM_FRAMING_UNTIL_CLOSE, 0);
        self->keeps_alive = false;
    }
}

/* @return 0, or -1: malformed */
static int feed(gm_client_t *self)
{
    h2o_buffer_t *input = self->sock->input;
    size_t size = input->size;

    if (size == 0 || self->super.framing.has_ended)
        return 0;
    if (gm_framing_feed(&self->super.framing, input->bytes, &size) != 0)
        return -1;
    if (size == 0)
        h2o_buffer_consume(&self->sock->input, input->size);
    else
        input->size = size;
    return 0;
}

static uint64_t hint(const gm_client_t *self)
{
    return self->state == GM_CLIENT_BODY && self->super.framing.kind == GM_FRAMING_LENGTH
               ? self->super.framing.left - self->super.framing.ready
               : 0;
}

/* More bytes have come, or none: what does the owner need to know? */
static void report_body(gm_client_t *self)
{
    if (feed(self) != 0) {
        break_off(self);
        return;
    }
    if (self->super.framing.has_ended) {
        self->state = GM_CLIENT_DONE;
        gm_watch_stop(&self->watch);
    } else if (self->sock->input->size >=
               GM_TRANSPORT_HIGH_WATER) { /* whoever takes it is slow, not the endpoint */
        set_reading(self, false);
        gm_watch_stop(&self->watch);
    } else {
        gm_watch_renew(&self->watch);
    }
    self->super.events->on_body(self->super.data);
}

/* The read that brought the head filled its buffer: the rest is there too, and one write is cheaper than two.
 */
static void read_on(gm_client_t *self, bool was_filled)
{
    if (was_filled && self->super.framing.kind == GM_FRAMING_LENGTH &&
        self->super.framing.left > self->sock->input->size)
        gm_transport_read(self->sock, self->wire, &self->reader,
                          (size_t)(self->super.framing.left - self->sock->input->size));
    /* an error comes again with the next event */
}

static void on_final_head(gm_client_t *self, const gm_head_t *head, bool was_filled)
{
    size_t length = head->length;

    if (self->super.events->on_head(self->super.data, head, self->sock->input->bytes) != 0)
        return;
    choose_framing(self, head);
    self->state = GM_CLIENT_BODY;
    h2o_buffer_consume(&self->sock->input, length);
    if (!self->super.framing.has_ended)
        watch_answer(self);
    read_on(self, was_filled);
    report_body(self);
}

static void on_head_bytes(gm_client_t *self, bool was_filled)
{
    gm_head_t head;
    int ret;

    for (;;) {
        h2o_buffer_t *input = self->sock->input;
        if (input->size == 0)
            return;
        ret = gm_head_parse_response(input->bytes, input->size, self->seen, &head_limits, &head);
        self->seen = input->size;
        if (ret == 0)
            return;
        if (ret < 0) {
            fail(self, GM_FAILURE_RESPONSE_MALFORMED, head.why);
            return;
        }
        if (head.status >= 200 || head.status == 101)
            break;
        if (++self->interim_count > MAX_INTERIM) {
            fail(self, GM_FAILURE_RESPONSE_MALFORMED, "interim answers without end");
            return;
        }
        self->super.events->on_interim(self->super.data, &head);
        h2o_buffer_consume(&self->sock->input, head.length);
        self->seen = 0;
    }
    on_final_head(self, &head, was_filled);
}

/* The stream has ended or broken; what came before it was read already. */
static void on_end(gm_client_t *self, const char *err)
{
    bool is_closed = err == h2o_socket_error_closed; /* only this is an end for a body without another */

    if (self->state == GM_CLIENT_HEAD) {
        bool is_reset = !is_closed && err != gm_transport_error_cut;
        fail(self, is_reset ? GM_FAILURE_CONNECTION_RESET : GM_FAILURE_CONNECTION_TERMINATED,
             is_reset ? "reset before an answer" : "closed before an answer");
    } else if (is_closed && self->state == GM_CLIENT_BODY && gm_framing_close(&self->super.framing)) {
        self->state = GM_CLIENT_DONE;
        self->keeps_alive = false;
        gm_watch_stop(&self->watch);
        set_reading(self, false);
        self->super.events->on_body(self->super.data);
    } else if (self->state == GM_CLIENT_BODY) {
        break_off(self);
    } else { /* after the answer's end, before the owner has taken it all */
        self->keeps_alive = false;
        set_reading(self, false);
    }
}

static void leave(gm_client_t *self)
{
    self->on_gone(self->super.data, self);
    gm_client_abort(self);
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    gm_client_t *self = sock->data;
    uint64_t expected = hint(self);

    if (self->state == GM_CLIENT_IDLE) {
        if (err == NULL && self->wire != NULL)
            err = gm_transport_read(sock, self->wire, &self->reader, 0);
        if (err != NULL || self->wire == NULL || sock->input->size != 0) /* but a session ticket of TLS 1.3 */
            leave(self);                                                 /* whatever it says, nobody asked */
        return;
    }
    self->reader.is_taker_busy = self->super.is_taker_busy;
    if (err == NULL)
        err = gm_transport_read(sock, self->wire, &self->reader, expected < SIZE_MAX ? (size_t)expected : 0);
    if (err != NULL) {
        on_end(self, err);
        return;
    }
    self->may_have_more = self->state != GM_CLIENT_HEAD || self->reader.has_filled;
    if (self->state == GM_CLIENT_HEAD)
        on_head_bytes(self, self->reader.has_filled);
    else if (self->state == GM_CLIENT_BODY)
        report_body(self);
    else
        set_reading(self, false); /* bytes behind the end: the connection is not used again */
}

/* ---- the owner's side */

gm_exchange_t *gm_client_begin(gm_client_t *self, const gm_exchange_options_t *options)
{
    gm_watch_stop(&self->watch);
    self->state = GM_CLIENT_HEAD;
    self->super.events = options->events;
    self->super.data = options->data;
    self->super.is_reused = self->has_served;
    self->super.has_broken_off = self->super.was_silent = false;
    self->super.is_taker_busy = self->super.is_tainted = false;
    self->is_head_request = options->is_head;
    self->read_ms = options->read_ms;
    self->write_ms = options->write_ms;
    self->has_sent_all = self->has_write_failed = self->may_have_more = false;
    self->seen = 0;
    self->interim_count = 0;
    self->has_served = true;
    gm_framing_init(&self->super.framing, GM_FRAMING_LENGTH, 0);
    set_reading(self, true);
    return &self->super;
}

static void on_written(h2o_socket_t *sock, const char *err)
{
    gm_client_t *self = sock->data;

    self->super.is_writing = false;
    if (err !=
        NULL) { /* there may be an answer all the same: an early one, or the reset that is to be told */
        self->has_write_failed = true;
        self->keeps_alive = false;
        return;
    }
    if (self->state == GM_CLIENT_BODY)
        gm_watch_renew(&self->watch); /* it answers early, and waits for the rest of the request */
    else if (self->has_sent_all && self->state == GM_CLIENT_HEAD)
        watch_answer(self);
    else if (self->state == GM_CLIENT_HEAD)
        gm_watch_stop(&self->watch); /* it is the request's turn */
    self->super.events->on_written(self->super.data);
}

static void write_piece(gm_exchange_t *super, h2o_iovec_t *bufs, size_t count, bool last)
{
    gm_client_t *self = client_of(super);

    self->super.is_writing = true;
    self->has_sent_all = last;
    if (self->state == GM_CLIENT_HEAD)
        gm_watch_start(self->watches, &self->watch, self->write_ms, on_late);
    gm_transport_write(self->sock, bufs, count, on_written);
}

static void take(gm_exchange_t *super, h2o_buffer_t **to)
{
    gm_client_t *self = client_of(super);

    gm_transport_take(&self->sock->input, self->super.framing.ready, to);
    gm_framing_take(&self->super.framing);
    if (self->state == GM_CLIENT_BODY) {
        if (!gm_watch_is_running(&self->watch))
            watch_answer(self);
        set_reading(self, true);
    }
}

static void half_close(gm_exchange_t *super)
{
    gm_transport_half_close(client_of(super)->sock, client_of(super)->wire);
}

static void abort_exchange(gm_exchange_t *super)
{
    gm_client_abort(client_of(super));
}

static const gm_exchange_ops_t ops = {write_piece, take, half_close, abort_exchange};

/* Bytes behind the answer's end may lie in the kernel still, if a read ended just there. */
static bool is_quiet(const gm_client_t *self)
{
    return !self->may_have_more || self->wire != NULL || !gm_client_is_stale(self);
}

bool gm_client_is_reusable(const gm_client_t *self)
{
    return self->state == GM_CLIENT_DONE && self->keeps_alive && !self->super.is_tainted &&
           self->has_sent_all && !self->has_write_failed && !self->super.has_broken_off && self->is_reading &&
           self->super.framing.ready == 0 && self->sock->input->size == 0 && !self->super.is_writing &&
           is_quiet(self);
}

static void on_idle_too_long(gm_watch_t *watch)
{
    leave(H2O_STRUCT_FROM_MEMBER(gm_client_t, watch, watch));
}

void gm_client_wait(gm_client_t *self, uint64_t idle_ms, void (*on_gone)(void *data, gm_client_t *self),
                    void *data)
{
    self->state = GM_CLIENT_IDLE;
    self->on_gone = on_gone;
    self->super.data = data;
    gm_framing_dispose(&self->super.framing);
    gm_transport_shrink(&self->sock->input);
    gm_watch_start(self->watches, &self->watch, idle_ms, on_idle_too_long);
    set_reading(self, true);
}

bool gm_client_is_stale(const gm_client_t *self)
{
    char byte;

    return recv(h2o_socket_get_fd(self->sock), &byte, 1, MSG_PEEK | MSG_DONTWAIT) != -1 ||
           (errno != EAGAIN && errno != EWOULDBLOCK);
}
