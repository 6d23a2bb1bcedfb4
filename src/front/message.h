/* message: what our grammar read, in the form of libh2o's pipeline, for both directions */
#ifndef GM_FRONT_MESSAGE_H
#define GM_FRONT_MESSAGE_H

#include <h2o.h>

#include "base/buffer.h"
#include "http/head.h"
#include "telemetry/failure.h"

/**
 * Adds the fields of a head. They are borrowed.
 * @param distance  from the bytes that were parsed to the copy that lives as long as `headers`
 */
void gm_message_add_fields(h2o_mem_pool_t *pool, h2o_headers_t *headers, const gm_head_t *head,
                           ptrdiff_t distance);

/** What a head that was refused with this status (gm_head_t.refusal) is called. */
gm_failure_t gm_message_failure(unsigned status);

/** What Connection named in a message's head: its trailers must not have it either. All zero = nothing. */
typedef struct gm_message_options {
    gm_span_t *names; /* in the request's pool */
    size_t count;
} gm_message_options_t;

/** @param distance  as above */
gm_message_options_t gm_message_keep_options(h2o_mem_pool_t *pool, const gm_head_t *head, ptrdiff_t distance);

/**
 * Reads a raw trailer section into the pool, but for what must not be passed on.
 * @return 0, or -1: malformed, and there are none
 */
GM_MUST_USE int gm_message_take_trailers(h2o_mem_pool_t *pool, const gm_buffer_t *raw,
                                         const gm_message_options_t *options, gm_head_field_t **fields,
                                         size_t *count);

/** The last chunk of a body and its trailers; static, or in the pool. */
h2o_iovec_t gm_message_last_chunk(h2o_mem_pool_t *pool, const gm_head_field_t *trailers, size_t count);

#endif
