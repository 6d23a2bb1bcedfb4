/*
 * One request's exchange with an endpoint. Both directions stream at the same time: the body goes up as the
 * client sends it, the answer comes down as the endpoint gives it, and each side is read only as fast as the
 * other takes. Until the answer's head is here a failure is an answer of ours; after it, the client's
 * connection is ended such that it shows. Everything hangs on the request's pool: a request that is disposed
 * of, because its client left, takes the exchange with it. Worker's thread.
 */
#include "proxy/forward.h"

#include <stdio.h>
#include <string.h>

#include "front/message.h"
#include "http/fields.h"
#include "http/reason.h"
#include "net/transport.h"
#include "proxy/finish.h"
#include "proxy/grpc_call.h"
#include "proxy/policy.h"
#include "proxy/reply.h"
#include "proxy/request_head.h"
#include "proxy/retry.h"
#include "upstream/pool.h"

#define MAX_TRIES 3

typedef struct gm_forward {
    h2o_generator_t super; /* first: the pipeline asks it for more */
    gm_request_t *request;
    gm_downstream_t *downstream;
    gm_stream_t *body;       /* NULL = the request has none */
    gm_held_body_t *held;    /* request_buffering; NULL = the body is streamed */
    gm_exchange_t *exchange; /* owned while it runs */
    gm_watch_t total;        /* request_timeout */
    gm_turn_t turn;          /* upstream.max_connections */
    gm_opening_t opening;    /* of a connection */
    h2o_iovec_t head;
    gm_request_framing_t framing; /* towards the endpoint */
    gm_message_options_t options; /* of the answer's Connection */
    h2o_buffer_t *up, *down;      /* owned: what is being written to the endpoint, and to the client */
    uint64_t body_bytes;          /* taken from the client so far */
    bool has_head_out, has_sent_all;
    bool has_taken_body; /* some of it is in `up`, or gone */
    bool has_whole_body; /* and all of it is in `up` */
    bool has_started;    /* the answer's head went to the client */
    bool is_sending;     /* a piece of the answer is on its way */
    bool has_flushed;    /* the head is out, even if no body was there */
    bool is_broken;      /* the answer will not be whole */
    bool asks_for_upgrade;
    unsigned tries;       /* that came to nothing */
    bool was_refused;     /* the endpoint did not look at it, once */
    bool is_tunnel;       /* the endpoint switched protocols: both directions last until they are closed */
    bool has_closed_up;   /* the endpoint of a tunnel knows that the client has ended */
    bool has_closed_down; /* the client of a tunnel knows that the endpoint has ended */
    bool has_finished;    /* the last piece is on its way, or an answer of ours */
    char size_line[20];
} gm_forward_t;

static void obtain(gm_forward_t *self);
static void on_body_change(gm_stream_t *body);
static void write_request(gm_forward_t *self);
static void send_answer(gm_forward_t *self);
static void make_head(gm_forward_t *self);

static gm_pool_t *pool_of(const gm_request_t *request)
{
    return request->context->pools[request->route->cluster];
}

static bool is_head_request(const gm_forward_t *self)
{
    const h2o_iovec_t *method = &self->request->req->method;

    return h2o_memis(method->base, method->len, H2O_STRLIT("HEAD"));
}

static const gm_timeout_conf_t *timeouts_of(const gm_request_t *request)
{
    return &gm_snapshot_config(request->context->proxy->snapshot)->proxy.timeout;
}

/* ---- the end of it */

static void detach(gm_forward_t *self)
{
    if (self->body != NULL)
        self->body->on_change = NULL;
    gm_watch_stop(&self->total);
    if (self->request->grpc != NULL)
        gm_grpc_call_unwatch(self->request);
}

static void drop_exchange(gm_forward_t *self)
{
    gm_exchange_t *exchange = self->exchange;

    self->exchange = NULL;
    if (exchange != NULL)
        gm_exchange_abort(exchange);
    if (gm_opening_is_waiting(&self->opening))
        gm_opening_cancel(&self->opening);
    gm_turn_leave(&self->turn);
}

static void end_forward(void *data)
{
    gm_forward_t *self = data;

    if (!self->has_finished && !self->is_tunnel)
        gm_request_leave(self->request, self->has_started ? "before its answer ended" : "before its answer");
    self->request->record.bytes_in = self->body_bytes;
    self->body = NULL; /* it may have gone before */
    detach(self);
    drop_exchange(self);
    h2o_buffer_dispose(&self->up);
    h2o_buffer_dispose(&self->down);
}

/* The client has a part of an answer: it must see that this is not all. */
static void cut(gm_forward_t *self, gm_failure_t failure, const char *detail)
{
    gm_request_fail(self->request, failure, detail);
    detach(self);
    drop_exchange(self);
    self->is_broken = self->has_finished = true;
    if (!self->is_sending) {
        self->is_sending = true;
        h2o_send(self->request->req, NULL, 0, H2O_SEND_STATE_ERROR);
    }
}

static void fail(gm_forward_t *self, gm_failure_t failure, const char *detail)
{
    if (self->has_finished)
        return;
    if (self->has_started) {
        cut(self, failure, detail);
        return;
    }
    detach(self);
    drop_exchange(self);
    self->has_finished = true;
    gm_reply_failure(self->request, failure, detail);
}

static void on_total_late(gm_watch_t *watch)
{
    fail(H2O_STRUCT_FROM_MEMBER(gm_forward_t, total, watch), GM_FAILURE_REQUEST_TOTAL_TIMEOUT,
         "request_timeout is over");
}

static void on_deadline(void *data)
{
    fail(data, GM_FAILURE_DEADLINE_EXCEEDED, "its grpc-timeout is over");
}

static void on_shutdown(void *data)
{
    fail(data, GM_FAILURE_DRAINING, "proxy.timeout.shutdown_timeout is over");
}

/* request_timeout counts from the end of the request. */
static void start_total(gm_forward_t *self)
{
    if (!gm_watch_is_running(&self->total))
        gm_watch_start(self->request->context->watches, &self->total,
                       timeouts_of(self->request)->request_timeout_ms, on_total_late);
}

/* ---- the answer, from the endpoint to the client */

/* ---- a tunnel: both directions run through the same code as bodies do, with their back-pressure */

static void on_tunnel_idle(gm_watch_t *watch)
{
    cut(H2O_STRUCT_FROM_MEMBER(gm_forward_t, total, watch), GM_FAILURE_TUNNEL_IDLE_TIMEOUT,
        "neither side said a word");
}

static void open_tunnel(gm_forward_t *self, gm_span_t protocol)
{
    h2o_req_t *req = self->request->req;

    self->is_tunnel = true;
    req->res.content_length = SIZE_MAX;
    gm_watch_stop(&self->total);
    gm_watch_start(self->request->context->watches, &self->total,
                   timeouts_of(self->request)->tunnel_idle_timeout_ms, on_tunnel_idle);
    self->body = self->downstream->open_tunnel(req, protocol);
    self->body->data = self;
    self->body->on_change = on_body_change;
    self->has_sent_all = self->has_whole_body = self->framing.is_chunked = false;
}

/* The endpoint has nothing more to say; the client may have. @return whether both are done */
static bool end_tunnel_answer(gm_forward_t *self)
{
    if (self->has_closed_up)
        return true;
    if (self->down->size == 0 && !self->has_closed_down) {
        self->has_closed_down = true;
        self->downstream->half_close(self->request->req);
    }
    return false;
}

/* The client has nothing more to say, and all it said is written; the endpoint may have. */
static void end_tunnel_request(gm_forward_t *self)
{
    if (self->has_closed_up)
        return;
    self->has_closed_up = true;
    gm_exchange_half_close(self->exchange);
    if (gm_exchange_has_ended(self->exchange))
        send_answer(self);
}

/* A server switches to a protocol that the client offered, and names it (RFC 9110, 7.8). */
static bool is_asked_for(const gm_forward_t *self, const gm_head_t *head)
{
    return self->asks_for_upgrade && head->upgrade.length != 0 &&
           gm_fields_connection_names(self->downstream->upgrade.base, self->downstream->upgrade.length,
                                      head->upgrade.base, head->upgrade.length);
}

/* @return a static text; NULL = nothing is wrong with it */
static const char *why_not_switch(const gm_forward_t *self, const gm_head_t *head)
{
    if (!is_asked_for(self, head))
        return "it switched protocols without being asked";
    return self->downstream->doubt_switch != NULL ? self->downstream->doubt_switch(self->request->req, head)
                                                  : NULL;
}

static int on_head(void *data, const gm_head_t *head, const char *bytes)
{
    gm_forward_t *self = data;
    h2o_req_t *req = self->request->req;
    const char *why = head->status == 101 ? why_not_switch(self, head) : NULL;
    char *copy;

    if (why != NULL) {
        fail(self, GM_FAILURE_RESPONSE_MALFORMED, why);
        return -1;
    }
    gm_finish_note_answer(self->request, (int)head->status);
    copy = h2o_mem_alloc_pool(&req->pool, head->length + 1);
    memcpy(copy, bytes, head->length);
    req->res.status = (int)head->status;
    if (head->reason.length != 0) {
        char *reason = copy + (head->reason.base - bytes);
        reason[head->reason.length] = '\0'; /* where the line ended */
        req->res.reason = reason;
    } else {
        req->res.reason = self->exchange->is_multiplexed ? gm_reason_phrase(head->status) : "";
    }
    req->res.content_length =
        head->content_length == GM_HEAD_NO_LENGTH ? SIZE_MAX : (size_t)head->content_length;
    gm_message_add_fields(&req->pool, &req->res.headers, head, copy - bytes);
    self->options = gm_message_keep_options(&req->pool, head, copy - bytes);
    if (head->status == 101 &&
        gm_request_begin_answer(self->request) != 0) { /* a tunnel cannot be closed again */
        fail(self, GM_FAILURE_INTERNAL, self->request->policies->error);
        return -1;
    }
    if (head->status == 101)
        open_tunnel(self, (gm_span_t){copy + (head->upgrade.base - bytes), head->upgrade.length});
    return 0;
}

static void on_interim(void *data, const gm_head_t *head)
{
    gm_forward_t *self = data;

    if (head->status != 100) /* that one the client gets from us, when its body is wanted */
        self->downstream->send_interim(self->request->req, head->status, head->fields, head->field_count);
}

static void take_trailers(gm_forward_t *self)
{
    gm_downstream_t *downstream = self->downstream;

    /* HTTP/1 leaves them out again where its client does not want them */
    if (self->exchange->framing.chunked.trailers.length != 0 &&
        gm_message_take_trailers(&self->request->req->pool, &self->exchange->framing.chunked.trailers,
                                 &self->options, &downstream->trailers, &downstream->trailer_count) != 0)
        self->exchange->is_tainted = true; /* the body is whole, but this endpoint writes nonsense */
}

/* The connection goes back before the client has its answer: the next request may use it at once. */
static void release_exchange(gm_forward_t *self)
{
    gm_exchange_t *exchange = self->exchange;

    gm_finish_end_attempt(self->request, GM_NO_FAILURE);
    take_trailers(self);
    detach(self);
    self->exchange = NULL;
    self->has_finished = true;
    gm_pool_give(pool_of(self->request), exchange);
    gm_turn_leave(&self->turn);
}

static void fail_broken_off(gm_forward_t *self)
{
    bool was_silent = self->exchange->was_silent;

    fail(self, was_silent ? GM_FAILURE_RESPONSE_TIMEOUT : GM_FAILURE_RESPONSE_TRUNCATED,
         was_silent ? "silent for read_timeout" : "the backend broke off within its answer");
}

static void send_answer(gm_forward_t *self)
{
    h2o_req_t *req = self->request->req;
    h2o_send_state_t state = H2O_SEND_STATE_IN_PROGRESS;
    h2o_iovec_t piece;

    if (self->is_sending)
        return;
    gm_transport_clear(&self->down);
    if (self->exchange != NULL) {
        gm_exchange_take(self->exchange, &self->down);
        if (gm_exchange_has_ended(self->exchange)) {
            if (!self->is_tunnel || end_tunnel_answer(self))
                release_exchange(self);
        } else if (gm_exchange_has_broken_off(self->exchange)) {
            if (self->down->size == 0) {
                fail_broken_off(self);
                return;
            }
        }
    }
    if (self->has_finished)
        state = self->is_broken ? H2O_SEND_STATE_ERROR : H2O_SEND_STATE_FINAL;
    piece = h2o_iovec_init(self->down->bytes, self->down->size);
    if (piece.len == 0 && state == H2O_SEND_STATE_IN_PROGRESS && self->has_flushed)
        return;
    self->is_sending = self->has_flushed = true;
    if (self->exchange != NULL)
        self->exchange->is_taker_busy = true;
    h2o_send(req, &piece, piece.len != 0, state);
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    gm_forward_t *self = (gm_forward_t *)generator;

    (void)req;
    self->is_sending = false;
    if (self->exchange != NULL)
        self->exchange->is_taker_busy = false;
    send_answer(self);
}

static void on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    (void)req;
    drop_exchange((gm_forward_t *)generator);
}

static void on_body(void *data)
{
    gm_forward_t *self = data;

    if (self->is_tunnel)
        gm_watch_renew(&self->total);
    if (!self->has_started) {
        if (!self->is_tunnel && gm_exchange_has_broken_off(self->exchange) &&
            gm_exchange_available(self->exchange) == 0) {
            fail_broken_off(self); /* along with its head: the client has nothing of it yet */
            return;
        }
        if (gm_request_begin_answer(self->request) != 0) {
            fail(self, GM_FAILURE_INTERNAL, self->request->policies->error);
            return;
        }
        self->has_started = true;
        h2o_start_response(self->request->req, &self->super);
        if (self->is_tunnel)
            write_request(self); /* what the client sent ahead of the answer */
    }
    send_answer(self);
}

/* ---- the request, from the client to the endpoint */

/* What the client has sent since, or all of it once more where a connection turned out to be dead. */
static size_t add_body(gm_forward_t *self, h2o_iovec_t *bufs)
{
    size_t count = 0, piece = self->has_whole_body ? self->up->size : 0;
    bool is_chunked = self->framing.is_chunked && !self->exchange->is_multiplexed;

    if (!self->has_whole_body && self->body->available != 0) {
        gm_transport_clear(&self->up);
        self->body->take(self->body, &self->up);
        self->has_taken_body = true;
        piece = self->up->size;
        self->body_bytes += piece;
    }
    if (piece != 0 && is_chunked)
        bufs[count++] = h2o_iovec_init(
            self->size_line, (size_t)snprintf(self->size_line, sizeof(self->size_line), "%zx\r\n", piece));
    if (piece != 0)
        bufs[count++] = h2o_iovec_init(self->up->bytes, piece);
    if (piece != 0 && is_chunked)
        bufs[count++] = h2o_iovec_init(H2O_STRLIT("\r\n"));
    if (!self->body->has_ended || self->body->available != 0)
        return count;
    self->has_sent_all = true;
    self->has_whole_body = self->body_bytes == self->up->size;
    self->exchange->trailers = self->body->trailers;
    self->exchange->trailer_count = self->body->trailer_count;
    if (is_chunked)
        bufs[count++] =
            gm_message_last_chunk(&self->request->req->pool, self->body->trailers, self->body->trailer_count);
    return count;
}

static bool is_too_large(const gm_forward_t *self)
{
    uint64_t limit =
        gm_snapshot_config(self->request->context->proxy->snapshot)->proxy.limits.max_request_body_bytes;
    uint64_t length = self->body->length != GM_HEAD_NO_LENGTH ? self->body->length
                                                              : self->body_bytes + self->body->available;

    return limit != 0 && length > limit;
}

/* A held body cannot be read again: its backend must not take what it has for all. @return whether so */
static bool fails_with_body(gm_forward_t *self)
{
    if (self->held == NULL || !self->body->has_failed)
        return false;
    fail(self, self->body->failure, self->body->why);
    return true;
}

/* Whom the request waits for, while there is no answer. */
static void await(gm_forward_t *self, gm_phase_t phase)
{
    if (!self->has_started)
        gm_record_enter(&self->request->record, phase);
}

static void write_request(gm_forward_t *self)
{
    h2o_iovec_t bufs[5];
    size_t count = 0;

    if (self->exchange == NULL || self->exchange->is_writing)
        return;
    if (self->has_sent_all) {
        if (self->is_tunnel)
            end_tunnel_request(self);
        return;
    }
    if (!self->has_head_out) {
        if (self->request->grpc != NULL && gm_grpc_call_shorten(self->request))
            make_head(self);
        bufs[count++] = self->head;
    }
    self->has_head_out = true;
    if (self->body == NULL)
        self->has_sent_all = true;
    else
        count += add_body(self, bufs + count);
    if (self->body != NULL && fails_with_body(self))
        return;
    if (self->body != NULL)
        self->body->is_taker_busy = count != 0;
    if (count != 0 || (self->has_sent_all && self->exchange->is_multiplexed)) {
        await(self, GM_PHASE_SENT);
        gm_exchange_write(self->exchange, bufs, count, self->has_sent_all && !self->is_tunnel);
    } else if (!self->has_sent_all) {
        await(self, GM_PHASE_BODY);
    } else if (self->is_tunnel) {
        end_tunnel_request(self);
    }
}

static void on_body_change(gm_stream_t *body)
{
    gm_forward_t *self = body->data;

    if (body->has_failed) {
        fail(self, body->failure, body->why);
        return;
    }
    if (!self->is_tunnel && is_too_large(self)) {
        fail(self, GM_FAILURE_PAYLOAD_TOO_LARGE, "above proxy.limits.max_request_body");
        return;
    }
    if (self->is_tunnel)
        gm_watch_renew(&self->total);
    else if (body->has_ended)
        start_total(self);
    write_request(self);
}

static void on_written(void *data)
{
    gm_forward_t *self = data;

    if (self->body != NULL)
        self->body->is_taker_busy = false;
    if (self->has_sent_all)
        await(self, GM_PHASE_FIRST_BYTE);
    write_request(self);
}

static void rewind_request(gm_forward_t *self)
{
    self->has_head_out = self->has_sent_all = false;
    if (self->held == NULL)
        return;
    self->body->rewind(self->body);
    self->has_taken_body = self->has_whole_body = false;
    self->body_bytes = 0;
}

/* A connection turned out to be dead, or refused to look at the request: there may be another. But one that
 * many share may be as dead as the last one. */
static bool is_to_go_again(gm_forward_t *self, const gm_exchange_error_t *error)
{
    bool has_body = self->has_whole_body || self->held != NULL;

    if (++self->tries == MAX_TRIES)
        return false;
    if (error->was_unprocessed && !self->was_refused) {
        self->was_refused = true;
        return gm_retry_has_all(self->has_taken_body, has_body);
    }
    return error->was_stale && gm_retry_is_allowed(self->request->req, self->has_taken_body, has_body);
}

static void on_error(void *data, const gm_exchange_error_t *error)
{
    gm_forward_t *self = data;

    self->exchange = NULL;
    if (!is_to_go_again(self, error)) {
        fail(self, error->failure, error->detail);
        return;
    }
    rewind_request(self);
    gm_finish_end_attempt(self->request, (int)error->failure);
    self->opening.options.is_new = true;
    obtain(self);
}

/* ---- the connection */

static const gm_exchange_events_t events = {.on_interim = on_interim,
                                            .on_head = on_head,
                                            .on_body = on_body,
                                            .on_written = on_written,
                                            .on_error = on_error};

static void begin_exchange(gm_forward_t *self, gm_exchange_t *exchange)
{
    self->exchange = exchange;
    self->opening.options.avoid = exchange->connection;
    if (exchange->is_multiplexed)
        gm_turn_leave(&self->turn); /* the connection has one, or needs none */
    gm_finish_use_connection(self->request, exchange);
    if (self->tries != 0 && self->request->record.spans != NULL)
        make_head(self); /* it names the attempt */
    if (self->body != NULL && !self->has_taken_body)
        self->body->start(self->body);
    write_request(self);
}

static void on_opened(gm_opening_t *opening, const gm_opened_t *result)
{
    gm_forward_t *self = H2O_STRUCT_FROM_MEMBER(gm_forward_t, opening, opening);

    if (result->exchange != NULL)
        begin_exchange(self, result->exchange);
    else if (result->is_to_ask_again)
        obtain(self);
    else
        fail(self, result->failure, result->detail);
}

static void connect_alone(gm_forward_t *self)
{
    gm_exchange_t *exchange =
        self->opening.options.is_new ? NULL : gm_pool_take(pool_of(self->request), &self->opening.options);

    gm_finish_begin_attempt(self->request);
    if (exchange != NULL)
        begin_exchange(self, exchange);
    else
        gm_opening_start(&self->opening, pool_of(self->request));
}

/* A connection that is shared has room meanwhile, be it the one that refused the request before. */
static void pass_turn(gm_forward_t *self)
{
    self->opening.options.avoid = NULL;
    obtain(self);
}

static void on_turn(gm_turn_t *turn, bool is_late)
{
    gm_forward_t *self = H2O_STRUCT_FROM_MEMBER(gm_forward_t, turn, turn);

    if (is_late)
        fail(self, GM_FAILURE_OVERLOADED,
             "proxy.upstream.max_connections are in use, and none was free in time");
    else if (gm_turn_is_had(turn))
        connect_alone(self);
    else
        pass_turn(self);
}

/* A stream of a connection that is there, or is on its way. @return whether there will be one */
static bool share_connection(gm_forward_t *self)
{
    gm_exchange_t *exchange = gm_pool_take_stream(pool_of(self->request), &self->opening.options);

    if (exchange == NULL && !gm_opening_join(&self->opening, pool_of(self->request)))
        return false;
    gm_finish_begin_attempt(self->request);
    if (exchange != NULL)
        begin_exchange(self, exchange);
    return true;
}

/* A connection, or a part in one. One that had a turn keeps it for another try. */
static void obtain(gm_forward_t *self)
{
    gm_pool_t *pool = pool_of(self->request);

    if (gm_pool_expects_streams(pool) && share_connection(self))
        return;
    if (gm_turn_is_had(&self->turn) || gm_turn_take(gm_pool_turns(pool), &self->turn, on_turn))
        connect_alone(self);
    else
        gm_record_enter(&self->request->record, GM_PHASE_QUEUE);
}

static void prepare_opening(gm_forward_t *self)
{
    const gm_timeout_conf_t *timeouts = timeouts_of(self->request);
    gm_exchange_options_t *options = &self->opening.options;

    options->events = &events;
    options->data = self;
    options->is_head = is_head_request(self);
    /* what must not be sent twice must not be sent into a connection that is closed already */
    options->must_be_open = !gm_retry_is_idempotent(self->request->req);
    options->is_http1 = self->asks_for_upgrade && gm_pool_speaks_http1(pool_of(self->request));
    options->read_ms = timeouts->read_timeout_ms;
    options->write_ms = timeouts->write_timeout_ms;
    self->turn.may_pass = !options->is_http1;
    self->opening.record = &self->request->record;
    self->opening.turn = &self->turn;
    self->opening.cb = on_opened;
}

/* @param is_head  an answer to it cannot be a tunnel */
static gm_request_framing_t choose_framing(const gm_stream_t *body, const gm_downstream_t *downstream,
                                           bool is_head)
{
    gm_request_framing_t framing = {.content_length = GM_HEAD_NO_LENGTH};

    if (body == NULL) {
        if (downstream->has_empty_body)
            framing.content_length = 0;
        /* HTTP/2 is not tunnelled: its requests would go past the routes */
        if (downstream->upgrade.base != NULL && !is_head &&
            !gm_fields_connection_names(downstream->upgrade.base, downstream->upgrade.length, "h2c", 3))
            framing.upgrade = downstream->upgrade;
    } else if (body->length != GM_HEAD_NO_LENGTH) {
        framing.content_length = body->length;
    } else if (body->has_ended && body->trailer_count == 0) { /* it is all here: no need for chunks */
        framing.content_length = body->available;
    } else {
        framing.is_chunked = true;
    }
    return framing;
}

static void make_head(gm_forward_t *self)
{
    self->head = gm_request_head_make(self->request->req, gm_policy_host(self->request), self->downstream,
                                      &self->framing);
}

/* As much of the body as there has to be is here. */
static void begin(gm_forward_t *self)
{
    self->framing = choose_framing(self->body, self->downstream, is_head_request(self));
    self->asks_for_upgrade = self->framing.upgrade.base != NULL;
    make_head(self);
    if (self->body != NULL) {
        self->body->data = self;
        self->body->on_change = on_body_change;
    }
    if (self->body == NULL || self->body->has_ended || self->held != NULL)
        start_total(self);
    prepare_opening(self);
    obtain(self);
}

/* ---- request_buffering */

static void on_held_change(gm_stream_t *body)
{
    gm_forward_t *self = body->data;
    gm_failure_t failure;
    const char *why;

    if (body->has_failed) {
        fail(self, body->failure, body->why);
        return;
    }
    if (is_too_large(self)) {
        fail(self, GM_FAILURE_PAYLOAD_TOO_LARGE, "above proxy.limits.max_request_body");
        return;
    }
    self->body_bytes += body->available;
    if (gm_held_body_take(self->held, body, &failure, &why) != 0) {
        fail(self, failure, why);
        return;
    }
    if (!body->has_ended)
        return;
    body->on_change = NULL;
    self->body_bytes = 0;
    self->body = gm_held_body_open(self->held, body);
    begin(self);
}

static void hold(gm_forward_t *self)
{
    gm_request_t *request = self->request;

    self->held = gm_held_body_create(&request->req->pool, &request->context->proxy->held);
    self->body->data = self;
    self->body->on_change = on_held_change;
    self->body->start(self->body);
    on_held_change(self->body); /* what came along with the head */
}

void gm_forward_start(gm_request_t *request)
{
    h2o_req_t *req = request->req;
    gm_forward_t *self = h2o_mem_alloc_pool(&req->pool, sizeof(*self));

    memset(self, 0, sizeof(*self));
    self->super.proceed = on_proceed;
    self->super.stop = on_stop;
    self->request = request;
    request->forward = self;
    request->end_forward = end_forward;
    self->downstream = gm_downstream_of(req);
    self->downstream->on_shutdown = on_shutdown;
    self->downstream->handler = self;
    self->body = self->downstream->body;
    h2o_buffer_init(&self->up, &h2o_socket_buffer_prototype);
    h2o_buffer_init(&self->down, &h2o_socket_buffer_prototype);
    if (self->body != NULL && is_too_large(self)) {
        fail(self, GM_FAILURE_PAYLOAD_TOO_LARGE, "above proxy.limits.max_request_body");
        return;
    }
    if (request->grpc != NULL && !gm_grpc_call_watch(request, on_deadline, self)) {
        on_deadline(self);
        return;
    }
    if (request->route->holds_body && self->body != NULL && !self->body->has_ended)
        hold(self);
    else
        begin(self);
}
