/*
 * The same client as for requests of others, with one limit for the whole exchange. Called by
 * server/exporter, on its thread.
 */
#include "upstream/post.h"

#include <string.h>

#include "net/transport.h"

#define MAX_ANSWER_BYTES ((size_t)1 << 20)
#define MAX_RETRY_AFTER_S 3600

struct gm_post {
    gm_post_options_t options;
    h2o_iovec_t head, body;
    gm_post_cb_t cb;
    void *data;
    gm_opening_t opening;
    gm_turn_t turn;          /* there is no limit, so it has none */
    gm_exchange_t *exchange; /* owned while it runs */
    gm_record_t record;      /* the connector wants one; nobody reads it */
    gm_watch_t limit;
    h2o_buffer_t *answer; /* owned; what was taken last */
    size_t answer_bytes;
    gm_post_result_t result;
};

static void start(gm_post_t *self);

static void destroy(gm_post_t *self)
{
    gm_watch_stop(&self->limit);
    gm_opening_cancel(&self->opening);
    if (self->exchange != NULL)
        gm_exchange_abort(self->exchange);
    h2o_buffer_dispose(&self->answer);
    free(self);
}

static void finish(gm_post_t *self)
{
    gm_post_cb_t cb = self->cb;
    void *data = self->data;
    gm_post_result_t result = self->result;

    destroy(self);
    cb(data, &result);
}

static void fail(gm_post_t *self, gm_failure_t failure, const char *detail)
{
    self->result = (gm_post_result_t){.failure = failure, .detail = detail};
    finish(self);
}

static void on_limit(gm_watch_t *watch)
{
    fail(H2O_STRUCT_FROM_MEMBER(gm_post_t, limit, watch), GM_FAILURE_RESPONSE_TIMEOUT, "no answer in time");
}

/* ---- the exchange */

/* A number of seconds; a date, which few servers write, counts as nothing (RFC 9110, 10.2.3). */
static uint64_t read_retry_after(const gm_head_t *head)
{
    uint64_t seconds = 0;

    for (size_t i = 0; i != head->field_count; ++i) {
        const gm_head_field_t *field = &head->fields[i];
        if (!h2o_memis(field->name.base, field->name.length, H2O_STRLIT("retry-after")))
            continue;
        for (size_t j = 0; j != field->value.length; ++j) {
            char c = field->value.base[j];
            if (c < '0' || c > '9')
                return 0;
            if (seconds <= MAX_RETRY_AFTER_S)
                seconds = seconds * 10 + (uint64_t)(c - '0');
        }
    }
    return seconds < MAX_RETRY_AFTER_S ? seconds : MAX_RETRY_AFTER_S;
}

static void on_interim(void *data, const gm_head_t *head)
{
    (void)data;
    (void)head;
}

static int on_head(void *data, const gm_head_t *head, const char *bytes)
{
    gm_post_t *self = data;

    (void)bytes;
    self->result.status = (int)head->status;
    self->result.retry_after_s = read_retry_after(head);
    return 0;
}

/* What it says is not of interest, only where it ends. */
static void on_body(void *data)
{
    gm_post_t *self = data;
    gm_exchange_t *exchange = self->exchange;

    gm_transport_clear(&self->answer);
    gm_exchange_take(exchange, &self->answer);
    self->answer_bytes += self->answer->size;
    if (gm_exchange_has_ended(exchange)) {
        self->exchange = NULL;
        gm_pool_give(self->options.pool, exchange);
        finish(self);
    } else if (gm_exchange_has_broken_off(exchange) || self->answer_bytes > MAX_ANSWER_BYTES) {
        finish(self); /* the status is known */
    }
}

static void on_written(void *data)
{
    (void)data;
}

static void on_error(void *data, const gm_exchange_error_t *error)
{
    gm_post_t *self = data;

    self->exchange = NULL;
    if (error->was_stale)
        start(self);
    else
        fail(self, error->failure, error->detail);
}

static const gm_exchange_events_t events = {.on_interim = on_interim,
                                            .on_head = on_head,
                                            .on_body = on_body,
                                            .on_written = on_written,
                                            .on_error = on_error};

static void begin_exchange(gm_post_t *self, gm_exchange_t *exchange)
{
    h2o_iovec_t bufs[2] = {self->head, self->body};

    self->exchange = exchange;
    gm_exchange_write(exchange, bufs, 2, true);
}

/* ---- the connection */

static void on_opened(gm_opening_t *opening, const gm_opened_t *result)
{
    gm_post_t *self = H2O_STRUCT_FROM_MEMBER(gm_post_t, opening, opening);

    if (result->exchange == NULL)
        fail(self, result->failure, result->detail);
    else
        begin_exchange(self, result->exchange);
}

static void start(gm_post_t *self)
{
    gm_exchange_t *exchange = gm_pool_take(self->options.pool, &self->opening.options);

    if (exchange != NULL)
        begin_exchange(self, exchange);
    else
        gm_opening_start(&self->opening, self->options.pool);
}

gm_post_t *gm_post_start(const gm_post_options_t *options, h2o_iovec_t head, h2o_iovec_t body,
                         gm_post_cb_t cb, void *data)
{
    gm_post_t *self = gm_alloc(sizeof(*self));

    self->options = *options;
    self->head = head;
    self->body = body;
    self->cb = cb;
    self->data = data;
    h2o_buffer_init(&self->answer, &h2o_socket_buffer_prototype);
    self->opening.options = (gm_exchange_options_t){.events = &events,
                                                    .data = self,
                                                    .must_be_open = true,
                                                    .read_ms = options->timeout_ms,
                                                    .write_ms = options->timeout_ms};
    self->opening.record = &self->record;
    self->opening.turn = &self->turn;
    self->opening.cb = on_opened;
    gm_watch_start(options->watches, &self->limit, options->timeout_ms, on_limit);
    start(self);
    return self;
}

void gm_post_cancel(gm_post_t *self)
{
    destroy(self);
}
