/* span_queue: spans on their way to whoever exports them, never waited for */
#ifndef GM_TELEMETRY_SPAN_QUEUE_H
#define GM_TELEMETRY_SPAN_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/memory.h"

typedef struct gm_span_queue gm_span_queue_t; /* owned by the proxy */

/** What an exporter takes at once. All zero = nothing; `text` is kept for the next one. */
typedef struct gm_span_batch {
    gm_buffer_t text; /* JSON objects with commas between them */
    size_t spans;
} gm_span_batch_t;

/**
 * @param max_spans  as many are kept, and at most GM_SPAN_QUEUE_MAX_BYTES; what finds no room is dropped
 * @param batch      as soon as so many are there, the exporter is woken
 */
GM_MUST_USE gm_span_queue_t *gm_span_queue_create(size_t max_spans, size_t batch);
/** Accepts NULL. */
void gm_span_queue_destroy(gm_span_queue_t *self);

#define GM_SPAN_QUEUE_MAX_BYTES ((size_t)4 << 20)

/**
 * Who is to be told when the first span comes into an empty queue, and when a batch is full.
 * @param wake  any thread, under the queue's lock; NULL = nobody any more
 */
void gm_span_queue_set_wake(gm_span_queue_t *self, void (*wake)(void *data), void *data);

/**
 * The spans of one request, JSON objects with commas between them; copied, kept or dropped together. Any
 * thread; never blocks for longer than it takes to copy.
 */
void gm_span_queue_submit(gm_span_queue_t *self, const char *text, size_t length, size_t spans);

/** How many spans wait. Any thread. */
size_t gm_span_queue_count(gm_span_queue_t *self);

/**
 * Takes the oldest spans: up to a batch, or those of one request. Exporter's thread.
 * @param batch  with no spans in it
 */
void gm_span_queue_take(gm_span_queue_t *self, gm_span_batch_t *batch);

/** What became of spans that were taken. Exporter's thread. */
void gm_span_queue_note_exported(gm_span_queue_t *self, size_t spans);
void gm_span_queue_note_dropped(gm_span_queue_t *self, size_t spans);

/** Any thread. */
uint64_t gm_span_queue_exported(const gm_span_queue_t *self);
uint64_t gm_span_queue_dropped(const gm_span_queue_t *self);

#endif
