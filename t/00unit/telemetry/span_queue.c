/* Spans between workers and exporter: their order, their bounds, who is woken, and that none is lost
 * uncounted. */
#include "telemetry/span_queue.h"

#include <pthread.h>
#include <string.h>

#include "picotest.h"

static void count_call(void *data)
{
    ++*(int *)data;
}

static void submit(gm_span_queue_t *queue, const char *text, size_t spans)
{
    gm_span_queue_submit(queue, text, strlen(text), spans);
}

static void test_order(void)
{
    gm_span_queue_t *queue = gm_span_queue_create(100, 4);
    gm_span_batch_t batch = {.spans = 0};

    submit(queue, "a,b", 2);
    submit(queue, "c,d", 2);
    submit(queue, "e,f,g,h,i", 5); /* those of one request stay together */
    ok(gm_span_queue_count(queue) == 9);
    gm_span_queue_take(queue, &batch);
    ok(batch.spans == 4 && strcmp(batch.text.text, "a,b,c,d") == 0);
    gm_span_queue_take(queue, &batch);
    ok(batch.spans == 5 && strcmp(batch.text.text, "e,f,g,h,i") == 0);
    gm_span_queue_take(queue, &batch);
    ok(batch.spans == 0 && batch.text.length == 0);
    submit(queue, "j", 1); /* the end of the list is in its place again */
    gm_span_queue_take(queue, &batch);
    ok(batch.spans == 1 && strcmp(batch.text.text, "j") == 0);
    gm_buffer_dispose(&batch.text);
    gm_span_queue_destroy(queue);
}

static void test_bounds(void)
{
    static char large[GM_SPAN_QUEUE_MAX_BYTES / 2 + 1];
    gm_span_queue_t *queue = gm_span_queue_create(5, 5);
    gm_span_batch_t batch = {.spans = 0};

    submit(queue, "a,b,c", 3);
    submit(queue, "d,e,f", 3);
    ok(gm_span_queue_count(queue) == 3 && gm_span_queue_dropped(queue) == 3);
    submit(queue, "g,h", 2);
    ok(gm_span_queue_count(queue) == 5 && gm_span_queue_dropped(queue) == 3);
    gm_span_queue_take(queue, &batch);
    gm_span_queue_submit(queue, large, sizeof(large), 1);
    gm_span_queue_submit(queue, large, sizeof(large), 1);
    ok(gm_span_queue_count(queue) == 1 && gm_span_queue_dropped(queue) == 4);
    gm_span_queue_note_exported(queue, batch.spans);
    ok(gm_span_queue_exported(queue) == 5);
    gm_buffer_dispose(&batch.text);
    gm_span_queue_destroy(queue);
}

static void test_wake(void)
{
    gm_span_queue_t *queue = gm_span_queue_create(100, 4);
    gm_span_batch_t batch = {.spans = 0};
    int calls = 0;

    submit(queue, "a", 1); /* nobody is there yet */
    gm_span_queue_set_wake(queue, count_call, &calls);
    submit(queue, "b", 1);
    ok(calls == 0);
    submit(queue, "c,d", 2);
    ok(calls == 1); /* a batch is full */
    submit(queue, "e", 1);
    submit(queue, "f", 1);
    ok(calls == 1);
    gm_span_queue_take(queue, &batch);
    gm_span_queue_take(queue, &batch);
    submit(queue, "g", 1);
    ok(calls == 2); /* the first of an empty queue */
    gm_span_queue_set_wake(queue, NULL, NULL);
    gm_span_queue_take(queue, &batch);
    submit(queue, "h", 1);
    ok(calls == 2);
    gm_buffer_dispose(&batch.text);
    gm_span_queue_destroy(queue);
}

#define THREADS 4
#define EACH 20000

static void *submit_many(void *data)
{
    for (int i = 0; i != EACH; ++i)
        submit(data, "x", 1);
    return NULL;
}

static void test_threads(void)
{
    gm_span_queue_t *queue = gm_span_queue_create(64, 16);
    gm_span_batch_t batch = {.spans = 0};
    pthread_t threads[THREADS];
    size_t taken = 0;

    for (int i = 0; i != THREADS; ++i)
        pthread_create(&threads[i], NULL, submit_many, queue);
    for (int i = 0; i != 2000; ++i) {
        gm_span_queue_take(queue, &batch);
        taken += batch.spans;
    }
    for (int i = 0; i != THREADS; ++i)
        pthread_join(threads[i], NULL);
    do {
        gm_span_queue_take(queue, &batch);
        taken += batch.spans;
    } while (batch.spans != 0);
    ok(taken + gm_span_queue_dropped(queue) == THREADS * EACH);
    gm_buffer_dispose(&batch.text);
    gm_span_queue_destroy(queue);
}

int main(void)
{
    subtest("order", test_order);
    subtest("bounds", test_bounds);
    subtest("wake", test_wake);
    subtest("threads", test_threads);
    return done_testing();
}
