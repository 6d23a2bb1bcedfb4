/*
 * Spans go out in batches, one at a time, from a thread and a loop of their own: a collector that is slow or
 * away holds up this thread and nobody else. What it does not take is tried again for a while, and then
 * dropped and counted. A span is never asked about by requests; they only fill the queue.
 */
#include "server/exporter.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/url.h"
#include "telemetry/log.h"
#include "telemetry/otlp.h"
#include "tls/client_context.h"
#include "upstream/post.h"
#include "upstream/resolver.h"

#define KEEP_IDLE_MS 30000
#define POLL_MS 20
#define SHORTEST_MS 80   /* watches of shorter times would make for a busy loop */
#define REFRESH_MS 30000 /* of the collector's addresses */
#define RETRY_MS 5000    /* the same after a failure */
#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS 30000
#define MAX_TRIES 5 /* for one batch */
#define LAST_CALL_MS 1000

typedef enum state {
    STATE_EMPTY,   /* the queue is; it wakes us */
    STATE_WAITING, /* for more spans, or for the time to be over */
    STATE_SENDING,
    STATE_PAUSING /* before the same batch goes out again */
} state_t;

typedef struct message {
    h2o_multithread_message_t super;
    bool is_last; /* nobody sends another: the thread is to end */
} message_t;

struct gm_exporter {
    /* immutable */
    const gm_otlp_conf_t *conf; /* borrowed */
    gm_span_queue_t *queue;     /* borrowed */
    gm_url_t url;
    gm_cluster_t *cluster;    /* shared with the resolver */
    SSL_CTX *tls;             /* owned; NULL = plain */
    gm_buffer_t head, prefix; /* owned; of every request, but for its length and an empty line */
    gm_resolver_t *resolver;  /* owned */
    pthread_t thread;
    sem_t is_ready; /* the receiver is there */
    h2o_multithread_receiver_t receiver;
    /* exporter's thread only */
    h2o_loop_t *loop;
    h2o_multithread_queue_t *messages; /* owned */
    gm_watches_t *watches;
    gm_pool_t *pool;
    h2o_timeout_t poll;
    gm_connecting_t connecting;
    state_t state;
    gm_watch_t timer; /* of WAITING and PAUSING */
    gm_watch_t last_call;
    gm_post_t *post; /* of SENDING */
    gm_span_batch_t batch;
    gm_buffer_t body, request;
    unsigned tries; /* of this batch */
    uint64_t pause_ms, dropped_before;
    bool is_failing, is_ending, has_ended;
};

static void look(gm_exporter_t *self);
static void send_batch(gm_exporter_t *self);

/* ---- telling people, when something changes and not for every batch */

static void tell_failing(gm_exporter_t *self, const char *label, const char *detail)
{
    if (self->is_failing)
        return;
    self->is_failing = true;
    self->dropped_before = gm_span_queue_dropped(self->queue);
    gm_log(GM_LOG_WARN,
           "spans do not reach %s: %s (%s); they wait, up to tracing.otlp.queue, and are then dropped",
           self->conf->endpoint, label, detail);
}

static void tell_working(gm_exporter_t *self)
{
    if (!self->is_failing)
        return;
    self->is_failing = false;
    gm_log(GM_LOG_INFO, "spans reach %s again; %llu were dropped meanwhile", self->conf->endpoint,
           (unsigned long long)(gm_span_queue_dropped(self->queue) - self->dropped_before));
}

/* ---- what became of a batch */

static void forget_batch(gm_exporter_t *self)
{
    self->batch.spans = 0;
    self->tries = 0;
}

static void drop_batch(gm_exporter_t *self)
{
    gm_span_queue_note_dropped(self->queue, self->batch.spans);
    forget_batch(self);
}

static void on_pause_over(gm_watch_t *watch)
{
    send_batch(H2O_STRUCT_FROM_MEMBER(gm_exporter_t, timer, watch));
}

/* @param asked_ms  by the collector; 0 = nothing */
static void pause_sending(gm_exporter_t *self, uint64_t asked_ms)
{
    uint64_t pause_ms = asked_ms > self->pause_ms ? asked_ms : self->pause_ms;

    self->state = STATE_PAUSING;
    self->pause_ms = self->pause_ms * 2 < LONGEST_PAUSE_MS ? self->pause_ms * 2 : LONGEST_PAUSE_MS;
    gm_watch_start(self->watches, &self->timer, pause_ms, on_pause_over);
}

static void end(gm_exporter_t *self)
{
    if (self->post != NULL)
        gm_post_cancel(self->post);
    self->post = NULL;
    do {
        gm_span_queue_note_dropped(self->queue, self->batch.spans);
        gm_span_queue_take(self->queue, &self->batch);
    } while (self->batch.spans != 0);
    gm_watch_stop(&self->timer);
    gm_watch_stop(&self->last_call);
    self->has_ended = true;
}

/* Those that OTLP/HTTP names; whatever else is wrong with a batch is wrong with it the next time, too. */
static bool is_worth_another(const gm_post_result_t *result)
{
    return result->status == 0 || result->status == 429 || (result->status >= 502 && result->status <= 504);
}

static void on_posted(void *data, const gm_post_result_t *result)
{
    gm_exporter_t *self = data;
    char status[32];

    self->post = NULL;
    if (result->status >= 200 && result->status < 300) {
        gm_span_queue_note_exported(self->queue, self->batch.spans);
        forget_batch(self);
        self->pause_ms = FIRST_PAUSE_MS;
        tell_working(self);
        look(self);
        return;
    }
    snprintf(status, sizeof(status), "status %d", result->status);
    tell_failing(self, result->status != 0 ? status : gm_failure_row(result->failure)->label,
                 result->status == 0                              ? result->detail
                 : result->status == 401 || result->status == 403 ? "see tracing.otlp.headers"
                 : result->status == 404 || result->status == 405 ? "see the path of tracing.otlp.endpoint"
                                                                  : "from the collector");
    if (self->is_ending) {
        end(self);
        return;
    }
    if (!is_worth_another(result) || ++self->tries == MAX_TRIES)
        drop_batch(self);
    pause_sending(self, result->retry_after_s * 1000);
}

/* ---- sending */

static void make_request(gm_exporter_t *self)
{
    self->body.length = self->request.length = 0;
    gm_buffer_append(&self->body, self->prefix.text, self->prefix.length);
    gm_buffer_append(&self->body, self->batch.text.text, self->batch.text.length);
    gm_buffer_append_text(&self->body, GM_OTLP_SUFFIX);
    gm_buffer_append(&self->request, self->head.text, self->head.length);
    gm_buffer_printf(&self->request, "content-length: %zu\r\n\r\n", self->body.length);
}

static void send_batch(gm_exporter_t *self)
{
    const gm_post_options_t options = {
        .pool = self->pool, .watches = self->watches, .timeout_ms = self->conf->timeout_ms};

    gm_watch_stop(&self->timer);
    if (self->batch.spans == 0)
        gm_span_queue_take(self->queue, &self->batch);
    if (self->batch.spans == 0) {
        look(self);
        return;
    }
    make_request(self);
    self->state = STATE_SENDING;
    self->post = gm_post_start(&options, h2o_iovec_init(self->request.text, self->request.length),
                               h2o_iovec_init(self->body.text, self->body.length), on_posted, self);
}

static void on_delay_over(gm_watch_t *watch)
{
    send_batch(H2O_STRUCT_FROM_MEMBER(gm_exporter_t, timer, watch));
}

/* What is to be done next, while nothing is under way? */
static void look(gm_exporter_t *self)
{
    size_t count = gm_span_queue_count(self->queue);

    self->state = count == 0 ? STATE_EMPTY : STATE_WAITING;
    if (count == 0 && self->is_ending)
        end(self);
    else if (count >= self->conf->batch || (count != 0 && self->is_ending))
        send_batch(self);
    else if (count != 0 && !gm_watch_is_running(&self->timer))
        gm_watch_start(self->watches, &self->timer, self->conf->delay_ms, on_delay_over);
}

static void on_last_call_over(gm_watch_t *watch)
{
    end(H2O_STRUCT_FROM_MEMBER(gm_exporter_t, last_call, watch));
}

static void begin_to_end(gm_exporter_t *self)
{
    self->is_ending = true;
    gm_watch_start(self->watches, &self->last_call, LAST_CALL_MS, on_last_call_over);
    if (self->state == STATE_PAUSING)
        send_batch(self);
}

static void on_message(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    gm_exporter_t *self = H2O_STRUCT_FROM_MEMBER(gm_exporter_t, receiver, receiver);

    while (!h2o_linklist_is_empty(messages)) {
        message_t *message = H2O_STRUCT_FROM_MEMBER(message_t, super.link, messages->next);
        h2o_linklist_unlink(&message->super.link);
        if (message->is_last)
            begin_to_end(self);
        free(message);
    }
    if (!self->has_ended && (self->state == STATE_EMPTY || self->state == STATE_WAITING))
        look(self);
}

static void send_message(gm_exporter_t *self, bool is_last)
{
    message_t *message = gm_alloc(sizeof(*message));

    message->is_last = is_last;
    h2o_multithread_send_message(&self->receiver, &message->super);
}

static void wake(void *data)
{
    send_message(data, false);
}

/* ---- the thread */

static void set_up(gm_exporter_t *self)
{
    const gm_pool_options_t pool = {.connecting = &self->connecting,
                                    .tls = self->tls,
                                    .protocol = GM_PROTOCOL_HTTP1,
                                    .idle_ms = KEEP_IDLE_MS,
                                    .max_idle = 1};

    self->loop = h2o_evloop_create();
    self->messages = h2o_multithread_create_queue(self->loop);
    h2o_multithread_register_receiver(self->messages, &self->receiver, on_message);
    self->watches =
        gm_watches_create(self->conf->delay_ms < SHORTEST_MS ? SHORTEST_MS : self->conf->delay_ms);
    h2o_timeout_init(self->loop, &self->poll, POLL_MS);
    self->connecting = (gm_connecting_t){.loop = self->loop,
                                         .watches = self->watches,
                                         .timeout_ms = self->conf->timeout_ms,
                                         .poll = &self->poll};
    self->pool = gm_pool_create(self->cluster, &pool);
}

static void tear_down(gm_exporter_t *self)
{
    gm_pool_destroy(self->pool);
    h2o_timeout_dispose(self->loop, &self->poll);
    h2o_multithread_unregister_receiver(self->messages, &self->receiver);
    h2o_multithread_destroy_queue(self->messages);
    h2o_evloop_run(self->loop, 0); /* lets closed sockets go */
    free(self->messages);          /* which the library closes and forgets */
    gm_watches_destroy(self->watches);
    h2o_evloop_destroy(self->loop);
}

/* Nothing is looked at twice while there is nothing to do. */
static int32_t patience_ms(const gm_exporter_t *self)
{
    return self->state == STATE_EMPTY && gm_pool_idle_count(self->pool) == 0
               ? INT32_MAX
               : gm_watches_patience_ms(self->watches);
}

static void *run(void *data)
{
    gm_exporter_t *self = data;

    gm_crash_enter_thread();
    set_up(self);
    sem_post(&self->is_ready);
    while (!self->has_ended) {
        if (h2o_evloop_run(self->loop, patience_ms(self)) != 0 && errno != EINTR)
            break;
        gm_watches_sweep(self->watches);
    }
    tear_down(self);
    gm_crash_leave_thread();
    return NULL;
}

/* ---- for the server */

static void make_head(gm_exporter_t *self)
{
    const gm_header_confs_t *headers = &self->conf->headers;
    char authority[272];

    gm_buffer_printf(
        &self->head,
        "POST %s HTTP/1.1\r\nhost: %s\r\nuser-agent: gomesh/%s\r\ncontent-type: " GM_OTLP_CONTENT_TYPE "\r\n",
        strcmp(self->url.path, "") == 0 || strcmp(self->url.path, "/") == 0 ? GM_OTLP_DEFAULT_PATH
                                                                            : self->url.path,
        gm_text_format_hostport(authority, sizeof(authority), self->url.at.host, self->url.at.port),
        GM_VERSION);
    for (size_t i = 0; i != headers->size; ++i)
        gm_buffer_printf(&self->head, "%s: %s\r\n", headers->items[i]->name, headers->items[i]->value);
    gm_otlp_write_prefix(self->conf->service_name, GM_VERSION, &self->prefix);
}

static int open_tls(gm_exporter_t *self, gm_error_t *err)
{
    gm_backend_tls_conf_t defaults = {.present = true, .verify = 1};
    const gm_backend_tls_conf_t *conf = self->conf->tls.present ? &self->conf->tls : &defaults;

    if (!self->url.is_https)
        return 0;
    if ((self->tls = gm_tls_client_context_create(conf, self->url.at.host, GM_PROTOCOL_HTTP1, err)) == NULL)
        return -1;
    gm_connector_prepare(self->tls);
    return 0;
}

static void destroy(gm_exporter_t *self)
{
    sem_destroy(&self->is_ready);
    gm_resolver_destroy(self->resolver);
    if (self->cluster != NULL)
        gm_cluster_release(self->cluster);
    SSL_CTX_free(self->tls);
    gm_buffer_dispose(&self->head);
    gm_buffer_dispose(&self->prefix);
    gm_buffer_dispose(&self->body);
    gm_buffer_dispose(&self->request);
    gm_buffer_dispose(&self->batch.text);
    free(self);
}

static void create_cluster(gm_exporter_t *self)
{
    const gm_resolver_options_t options = {.refresh_ms = REFRESH_MS, .retry_ms = RETRY_MS};
    char authority[272];

    gm_text_format_hostport(authority, sizeof(authority), self->url.at.host, self->url.at.port);
    self->cluster = gm_cluster_create("tracing.otlp", self->url.at.host, self->url.at.port, authority);
    self->resolver = gm_resolver_create(&self->cluster, 1, &options);
}

gm_exporter_t *gm_exporter_start(const gm_otlp_conf_t *conf, gm_span_queue_t *queue, gm_error_t *err)
{
    gm_exporter_t *self = gm_alloc(sizeof(*self));
    int error;

    self->conf = conf;
    self->queue = queue;
    self->pause_ms = FIRST_PAUSE_MS;
    sem_init(&self->is_ready, 0, 0);
    if (gm_url_parse(conf->endpoint, &self->url, err) != 0 || open_tls(self, err) != 0) {
        destroy(self);
        return NULL;
    }
    make_head(self);
    create_cluster(self);
    if ((error = pthread_create(&self->thread, NULL, run, self)) != 0) {
        gm_error_set(err, NULL, "the thread that exports spans cannot be started: %s", strerror(error));
        destroy(self);
        return NULL;
    }
    pthread_setname_np(self->thread, "gm-spans");
    while (sem_wait(&self->is_ready) != 0)
        ; /* EINTR */
    gm_span_queue_set_wake(queue, wake, self);
    return self;
}

void gm_exporter_stop(gm_exporter_t *self)
{
    if (self == NULL)
        return;
    gm_span_queue_set_wake(self->queue, NULL, NULL);
    send_message(self, true);
    pthread_join(self->thread, NULL);
    destroy(self);
}
