/*
 * A bounded list between workers and the exporter. Workers hold its lock for as long as it takes to hang a
 * copy on it, and what finds no room is counted and forgotten.
 */
#include "telemetry/span_queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct node {
    struct node *next;
    size_t spans, length;
    char text[];
} node_t;

struct gm_span_queue {
    /* immutable */
    size_t max_spans, batch;
    /* atomic */
    atomic_uint_fast64_t exported, dropped;
    /* under lock */
    pthread_mutex_t lock;
    node_t *first, **end; /* owned list */
    size_t spans, bytes;
    void (*wake)(void *data); /* NULL = nobody exports */
    void *data;
};

gm_span_queue_t *gm_span_queue_create(size_t max_spans, size_t batch)
{
    gm_span_queue_t *self = gm_alloc(sizeof(*self));

    self->max_spans = max_spans;
    self->batch = batch;
    self->end = &self->first;
    atomic_init(&self->exported, 0);
    atomic_init(&self->dropped, 0);
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

void gm_span_queue_destroy(gm_span_queue_t *self)
{
    node_t *node, *next;

    if (self == NULL)
        return;
    for (node = self->first; node != NULL; node = next) {
        next = node->next;
        free(node);
    }
    pthread_mutex_destroy(&self->lock);
    free(self);
}

void gm_span_queue_set_wake(gm_span_queue_t *self, void (*wake)(void *data), void *data)
{
    pthread_mutex_lock(&self->lock);
    self->wake = wake;
    self->data = data;
    pthread_mutex_unlock(&self->lock);
}

static node_t *create_node(const char *text, size_t length, size_t spans)
{
    node_t *node = gm_alloc(sizeof(*node) + length);

    node->spans = spans;
    node->length = length;
    memcpy(node->text, text, length);
    return node;
}

/* Under the lock. @return whether the exporter wants to know */
static bool append(gm_span_queue_t *self, node_t *node)
{
    size_t before = self->spans;

    *self->end = node;
    self->end = &node->next;
    self->spans += node->spans;
    self->bytes += node->length;
    return before == 0 || (before < self->batch && self->spans >= self->batch);
}

void gm_span_queue_submit(gm_span_queue_t *self, const char *text, size_t length, size_t spans)
{
    node_t *node = create_node(text, length, spans);

    pthread_mutex_lock(&self->lock);
    if (self->spans + spans <= self->max_spans && self->bytes + length <= GM_SPAN_QUEUE_MAX_BYTES) {
        if (append(self, node) && self->wake != NULL)
            self->wake(self->data);
        node = NULL;
    }
    pthread_mutex_unlock(&self->lock);
    if (node != NULL)
        gm_span_queue_note_dropped(self, spans);
    free(node);
}

size_t gm_span_queue_count(gm_span_queue_t *self)
{
    size_t spans;

    pthread_mutex_lock(&self->lock);
    spans = self->spans;
    pthread_mutex_unlock(&self->lock);
    return spans;
}

/* @return the oldest ones, taken off the list, their number in *spans */
static node_t *take_off(gm_span_queue_t *self, size_t *spans)
{
    node_t *first, **at;

    *spans = 0;
    pthread_mutex_lock(&self->lock);
    first = self->first;
    for (at = &self->first; *at != NULL && (*spans == 0 || *spans + (*at)->spans <= self->batch);
         at = &(*at)->next) {
        *spans += (*at)->spans;
        self->bytes -= (*at)->length;
    }
    self->spans -= *spans;
    self->first = *at;
    if (self->first == NULL)
        self->end = &self->first;
    *at = NULL;
    pthread_mutex_unlock(&self->lock);
    return first;
}

void gm_span_queue_take(gm_span_queue_t *self, gm_span_batch_t *batch)
{
    node_t *next;

    batch->text.length = 0;
    for (node_t *node = take_off(self, &batch->spans); node != NULL; node = next) {
        next = node->next;
        if (batch->text.length != 0)
            gm_buffer_append_char(&batch->text, ',');
        gm_buffer_append(&batch->text, node->text, node->length);
        free(node);
    }
}

void gm_span_queue_note_exported(gm_span_queue_t *self, size_t spans)
{
    atomic_fetch_add_explicit(&self->exported, spans, memory_order_relaxed);
}

void gm_span_queue_note_dropped(gm_span_queue_t *self, size_t spans)
{
    atomic_fetch_add_explicit(&self->dropped, spans, memory_order_relaxed);
}

uint64_t gm_span_queue_exported(const gm_span_queue_t *self)
{
    return atomic_load_explicit(&self->exported, memory_order_relaxed);
}

uint64_t gm_span_queue_dropped(const gm_span_queue_t *self)
{
    return atomic_load_explicit(&self->dropped, memory_order_relaxed);
}
