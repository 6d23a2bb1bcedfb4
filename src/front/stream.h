/* stream: the body of a request, as it arrives */
#ifndef GM_FRONT_STREAM_H
#define GM_FRONT_STREAM_H

#include <stdbool.h>

#include <h2o.h>

#include "http/head.h"
#include "telemetry/failure.h"

typedef struct gm_stream gm_stream_t;

/**
 * Offered by a front end, used by one handler. Back-pressure needs no calls of its own: the front end stops
 * reading when enough has piled up, and taking makes room. If the client leaves, there is no call either: the
 * request is disposed of, and with it whatever hangs on its pool. Worker only.
 */
struct gm_stream {
    void (*start)(gm_stream_t *self); /* the handler wants the body: "100 Continue" goes out if it is due */
    void (*take)(gm_stream_t *self, h2o_buffer_t **to); /* moves what is available into *to, which is empty */
    void (*rewind)(gm_stream_t *self);    /* begins again; NULL = what was taken cannot be had again */
    void (*on_change)(gm_stream_t *self); /* set by the handler: more is available, it has ended, or failed */
    void *data;                           /* the handler's */
    uint64_t length;                      /* announced; GM_HEAD_NO_LENGTH = chunked */
    size_t available;
    bool is_taker_busy; /* set by the handler: what it took last is still on its way */
    bool has_ended;     /* nothing comes after what is available */
    bool has_failed;    /* it will never be whole: `failure` and `why` say what to answer */
    gm_failure_t failure;
    const char *why;
    gm_head_field_t *trailers; /* in the request's pool; complete when has_ended */
    size_t trailer_count;
};

#endif
