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
    gm_connector_t *connector; /* owned while connecting */
    gm_client_t *client;       /* owned while the exchange runs */
    gm_record_t record;        /* the connector wants one; nobody reads it */
    gm_watch_t limit;
    h2o_buffer_t *answer; /* owned; what was taken last */
    size_t answer_bytes;
    gm_post_result_t result;
};

static void start(gm_post_t *self);

static void destroy(gm_post_t *self)
{
    gm_watch_stop(&self->limit);
    if (self->connector != NULL)
        gm_connector_cancel(self->connector);
    if (self->client != NULL)
        gm_client_abort(self->client);
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
    gm_client_t *client = self->client;

    gm_transport_clear(&self->answer);
    gm_client_take(client, &self->answer);
    self->answer_bytes += self->answer->size;
    if (gm_client_has_ended(client)) {
        self->client = NULL;
        gm_pool_give(self->options.pool, client);
        finish(self);
    } else if (gm_client_has_broken_off(client) || self->answer_bytes > MAX_ANSWER_BYTES) {
        finish(self); /* the status is known */
    }
}

static void on_written(void *data)
{
    (void)data;
}

static void on_error(void *data, const gm_client_error_t *error)
{
    gm_post_t *self = data;

    self->client = NULL;
    if (error->was_stale)
        start(self);
    else
        fail(self, error->failure, error->detail);
}

static const gm_client_events_t events = {.on_interim = on_interim,
                                          .on_head = on_head,
                                          .on_body = on_body,
                                          .on_written = on_written,
                                          .on_error = on_error};

static void begin_exchange(gm_post_t *self, gm_client_t *client)
{
    h2o_iovec_t bufs[2] = {self->head, self->body};

    self->client = client;
    gm_client_begin(client, &events, self, false, self->options.timeout_ms, self->options.timeout_ms);
    gm_client_write(client, bufs, 2, true);
}

/* ---- the connection */

static void on_connected(void *data, const gm_connected_t *result)
{
    gm_post_t *self = data;

    self->connector = NULL;
    if (result->sock == NULL)
        fail(self, result->failure, result->detail);
    else
        begin_exchange(self, gm_pool_adopt(self->options.pool, result));
}

static void start(gm_post_t *self)
{
    gm_client_t *client = gm_pool_take(self->options.pool, true);

    if (client != NULL) {
        begin_exchange(self, client);
        return;
    }
    self->connector = gm_connector_start(self->options.connecting, self->options.cluster,
                                         gm_pool_preferred_address(self->options.pool), self->options.tls,
                                         &self->record, on_connected, self);
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
    gm_watch_start(options->connecting->watches, &self->limit, options->timeout_ms, on_limit);
    start(self);
    return self;
}

void gm_post_cancel(gm_post_t *self)
{
    destroy(self);
}
