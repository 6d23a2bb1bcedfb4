/*
 * A worker serves its own connections on its own loop and never waits for anybody. The main thread and the
 * admin window's talk to it by messages only.
 */
#include "server/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash.h"

#define KEPT_BUFFERS 128       /* of 4 KiB, for the next requests; the library's own number is 16 */
#define LAG_WINDOW_US 15000000 /* as often as people scrape */
#define LAST_CALL_MS 300       /* for answers that say that the time is over */

typedef enum order { ORDER_DRAIN, ORDER_EXPIRE, ORDER_CUT, ORDER_REPORT } order_t;

typedef struct message {
    h2o_multithread_message_t super;
    order_t order;
    gm_survey_t *survey; /* of ORDER_REPORT */
} message_t;

struct gm_worker {
    gm_worker_options_t options;
    pthread_t thread;
    bool is_running; /* main thread only */
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool takes_orders;
    /* worker only */
    h2o_evloop_t *loop;
    h2o_context_t *context;
    gm_front_t *front;
    gm_watches_t *watches;         /* borrowed */
    gm_metrics_shard_t *metrics;   /* borrowed from the generation; NULL = nobody counts */
    uint64_t lag_us, lag_since_us; /* the longest round of late, and when it was */
    gm_listener_t *listeners[2 * GM_LISTENER_MAX_SOCKETS];
    size_t listener_count;
    h2o_multithread_receiver_t orders;
    bool is_draining;
    gm_watch_t last_call; /* until all connections are cut */
    /* atomic */
    atomic_size_t cut, in_flight; /* in_flight: when draining began */
    atomic_bool drain_began, has_ended;
};

static void drain(gm_worker_t *self)
{
    if (self->is_draining)
        return;
    self->is_draining = true;
    self->context->shutdown_requested = 1; /* answers from now on say "Connection: close" */
    for (size_t i = 0; i != self->listener_count; ++i)
        gm_listener_close(self->listeners[i]);
    gm_front_drain(self->front);
    atomic_store(&self->in_flight, gm_front_in_flight(self->front));
    atomic_store(&self->drain_began, true);
}

static void on_last_call(gm_watch_t *watch)
{
    gm_front_cut(H2O_STRUCT_FROM_MEMBER(gm_worker_t, last_call, watch)->front);
}

static void expire(gm_worker_t *self)
{
    if (gm_watch_is_running(&self->last_call))
        return;
    atomic_fetch_add(&self->cut, gm_front_expire(self->front));
    gm_watch_start(self->watches, &self->last_call, LAST_CALL_MS, on_last_call);
}

static void report(gm_worker_t *self, gm_survey_t *survey)
{
    gm_sheet_t *sheet = gm_survey_sheet(survey, self->options.index);

    sheet->is_draining = self->is_draining;
    sheet->connections = gm_front_count(self->front);
    sheet->in_flight = gm_front_in_flight(self->front);
    gm_generation_count_idle(self->options.generation, self->context, sheet->idle);
    if (gm_survey_question(survey) == GM_SURVEY_REQUESTS)
        sheet->kept_count =
            gm_generation_copy_requests(self->options.generation, self->context, &sheet->kept);
    gm_survey_hand_in(survey, self->options.index, true);
}

static void follow(gm_worker_t *self, order_t order)
{
    drain(self);
    self->options.on_news(self->options.data);
    if (order == ORDER_EXPIRE)
        expire(self);
    else if (order == ORDER_CUT)
        gm_front_cut(self->front);
}

static void on_orders(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    gm_worker_t *self = H2O_STRUCT_FROM_MEMBER(gm_worker_t, orders, receiver);

    while (!h2o_linklist_is_empty(messages)) {
        message_t *message = H2O_STRUCT_FROM_MEMBER(message_t, super.link, messages->next);
        h2o_linklist_unlink(&message->super.link);
        if (message->order == ORDER_REPORT)
            report(self, message->survey);
        else
            follow(self, message->order);
        free(message);
    }
}

static void create_listeners(gm_worker_t *self, gm_listener_sockets_t *sockets, SSL_CTX *tls)
{
    gm_listener_options_t options = {.context = self->context,
                                     .front = self->front,
                                     .tls = tls,
                                     .places = self->options.places,
                                     .crowd = self->options.crowd};

    for (size_t i = 0; i != sockets->count; ++i)
        self->listeners[self->listener_count++] = gm_listener_create(sockets->fds[i], &options);
    sockets->count = 0;
}

static void set_up(gm_worker_t *self)
{
    h2o_socket_buffer_prototype.allocator.max = KEPT_BUFFERS; /* of this thread */
    self->loop = h2o_evloop_create();
    self->context = gm_generation_create_context(self->options.generation, self->loop);
    self->front = gm_generation_create_front(self->options.generation, self->context,
                                             gm_places_open(self->options.places));
    self->watches = gm_generation_watches(self->options.generation, self->context);
    self->metrics = gm_generation_metrics(self->options.generation, self->context);
    h2o_multithread_register_receiver(self->context->queue, &self->orders, on_orders);
    create_listeners(self, &self->options.plain_sockets, NULL);
    create_listeners(self, &self->options.tls_sockets, self->options.tls);
}

/* The library asserts that nobody waits in this queue. */
static void empty_queue(gm_worker_t *self)
{
    while (!h2o_linklist_is_empty(&self->orders._messages)) {
        message_t *message = H2O_STRUCT_FROM_MEMBER(message_t, super.link, self->orders._messages.next);
        h2o_linklist_unlink(&message->super.link);
        if (message->order == ORDER_REPORT)
            gm_survey_hand_in(message->survey, self->options.index, false);
        free(message);
    }
}

static void stop_taking_orders(gm_worker_t *self)
{
    pthread_mutex_lock(&self->lock);
    self->takes_orders = false;
    pthread_mutex_unlock(&self->lock);
    empty_queue(self);
}

static void tear_down(gm_worker_t *self)
{
    gm_watch_stop(&self->last_call);
    stop_taking_orders(self); /* first: an order to cut may come when the last connection has just gone */
    for (size_t i = 0; i != self->listener_count; ++i)
        gm_listener_destroy(self->listeners[i]);
    gm_front_destroy(self->front);
    h2o_evloop_run(self->loop, 0); /* lets closed sockets go */
    h2o_multithread_unregister_receiver(self->context->queue, &self->orders);
    gm_generation_destroy_context(self->options.generation, self->context);
    h2o_evloop_run(self->loop, 0);
    h2o_evloop_destroy(self->loop);
}

static int32_t tend_listeners(gm_worker_t *self, int32_t longest_ms)
{
    for (size_t i = 0; i != self->listener_count; ++i)
        longest_ms = gm_listener_tend(self->listeners[i], longest_ms);
    return longest_ms;
}

/*
 * How long the round that is over took, but for the sleep at its beginning: so long somebody may have waited.
 * The longest of the last seconds is kept, as one that nobody looks at in time is of interest too.
 */
static void measure_lag(gm_worker_t *self)
{
    uint64_t now_us = gm_clock_real_us(), woke_us = h2o_now(self->loop) * 1000 + 999; /* as it cuts off */
    uint64_t lag_us = now_us > woke_us ? now_us - woke_us : 0;

    if (lag_us < self->lag_us && now_us - self->lag_since_us < LAG_WINDOW_US)
        return;
    self->lag_us = lag_us;
    self->lag_since_us = now_us;
    gm_metrics_set_loop_lag(self->metrics, lag_us * 1000);
}

static void serve(gm_worker_t *self)
{
    while (!self->is_draining || gm_front_count(self->front) != 0) {
        int32_t longest_ms = tend_listeners(self, gm_watches_patience_ms(self->watches));
        if (h2o_evloop_run(self->loop, longest_ms) != 0 && errno != EINTR)
            break;
        gm_watches_sweep(self->watches);
        if (self->metrics != NULL)
            measure_lag(self);
    }
}

/*
 * Loop and context are made and destroyed on their own thread: the library's socket buffers keep a pointer to
 * the allocator of the thread that made their socket, and two threads at one allocator corrupt it.
 */
static void *run(void *data)
{
    gm_worker_t *self = data;

    gm_crash_enter_thread();
    set_up(self);
    gm_crash_set_witness(gm_front_report, self->front);
    pthread_mutex_lock(&self->lock);
    self->takes_orders = true;
    pthread_cond_signal(&self->ready);
    pthread_mutex_unlock(&self->lock);
    serve(self);
    gm_crash_set_witness(NULL, NULL);
    tear_down(self);
    gm_crash_leave_thread();
    atomic_store(&self->has_ended, true);
    self->options.on_news(self->options.data);
    return NULL;
}

gm_worker_t *gm_worker_create(const gm_worker_options_t *options)
{
    gm_worker_t *self = gm_alloc(sizeof(*self));

    self->options = *options;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->ready, NULL);
    return self;
}

int gm_worker_start(gm_worker_t *self, gm_error_t *err)
{
    char name[16];
    int error = pthread_create(&self->thread, NULL, run, self);

    if (error != 0)
        return gm_error_set(err, NULL, "a worker thread cannot be started: %s", strerror(error));
    self->is_running = true;
    snprintf(name, sizeof(name), "gm-worker-%u", self->options.index % 1000);
    pthread_setname_np(self->thread, self->options.thread_name != NULL ? self->options.thread_name : name);
    pthread_mutex_lock(&self->lock);
    while (!self->takes_orders)
        pthread_cond_wait(&self->ready, &self->lock);
    pthread_mutex_unlock(&self->lock);
    return 0;
}

/* @return false = it has served its last client */
static bool send_order(gm_worker_t *self, order_t order, gm_survey_t *survey)
{
    message_t *message = gm_alloc(sizeof(*message));
    bool is_sent;

    message->order = order;
    message->survey = survey;
    pthread_mutex_lock(&self->lock);
    if ((is_sent = self->takes_orders))
        h2o_multithread_send_message(&self->orders, &message->super);
    else
        free(message);
    pthread_mutex_unlock(&self->lock);
    return is_sent;
}

void gm_worker_ask(gm_worker_t *self, gm_survey_t *survey)
{
    if (!send_order(self, ORDER_REPORT, survey))
        gm_survey_hand_in(survey, self->options.index, false);
}

void gm_worker_drain(gm_worker_t *self)
{
    send_order(self, ORDER_DRAIN, NULL);
}

void gm_worker_expire(gm_worker_t *self)
{
    send_order(self, ORDER_EXPIRE, NULL);
}

void gm_worker_cut(gm_worker_t *self)
{
    send_order(self, ORDER_CUT, NULL);
}

bool gm_worker_is_draining(const gm_worker_t *self)
{
    return atomic_load(&self->drain_began);
}

size_t gm_worker_in_flight(const gm_worker_t *self)
{
    return atomic_load(&self->in_flight);
}

size_t gm_worker_cut_count(const gm_worker_t *self)
{
    return atomic_load(&self->cut);
}

bool gm_worker_has_ended(const gm_worker_t *self)
{
    return atomic_load(&self->has_ended);
}

void gm_worker_abandon(gm_worker_t *self)
{
    if (self->is_running)
        pthread_detach(self->thread);
    self->is_running = false;
}

void gm_worker_destroy(gm_worker_t *self)
{
    if (self == NULL)
        return;
    if (self->is_running)
        pthread_join(self->thread, NULL);
    gm_listener_close_sockets(&self->options.plain_sockets); /* if it never ran */
    gm_listener_close_sockets(&self->options.tls_sockets);
    pthread_cond_destroy(&self->ready);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
