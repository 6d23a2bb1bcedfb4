/* session_state: what the files of http2/ share */
#ifndef GM_HTTP2_SESSION_STATE_H
#define GM_HTTP2_SESSION_STATE_H

#include <nghttp2/nghttp2.h>

#include "base/buffer.h"
#include "http2/session.h"
#include "net/transport.h"

struct gm_http2_session {
    gm_http2_session_options_t options;
    nghttp2_session *ng; /* owned */
    gm_reader_t reader;
    gm_buffer_t out;          /* being written, or filled */
    gm_http2_stream_t *found; /* the last one that was looked for, as a rule also the next; NULL = none */
    h2o_linklist_t sent;      /* streams whose bytes are all in `out` */
    gm_watch_t writing;       /* the peer is to take something */
    h2o_timeout_entry_t soon; /* linked while something is queued */
    gm_watch_t acking;        /* the peer is to acknowledge our settings */
    gm_watch_t leaving;       /* between the two steps, or before the socket is closed */
    uint64_t acked;           /* by the peer's kernel, at the last look */
    uint64_t allowed_ms;      /* when the allowance was last looked at */
    uint32_t allowance;
    uint64_t expected_resets;  /* a client's: of streams that we have reset */
    uint64_t expected_strays;  /* likewise: bytes that may have been under way */
    uint64_t expected_pings;   /* for DATA that was sent */
    uint64_t expected_updates; /* of windows, however small: for DATA that was sent */
    size_t stream_count;       /* that an owner knows */
    bool is_reading, is_busy;  /* is_busy: within nghttp2; what is queued is written afterwards */
    uint64_t heard;            /* bytes */
    const char *error;         /* of the socket, when it was that; NULL = not */
    bool is_leaving, has_left, is_over, has_write_failed;
    bool is_client, has_begun; /* has_begun: a client's, and the peer has said something */
};

/** All but `ng`. Takes the socket's data. */
gm_http2_session_t *gm_http2_session_new(const gm_http2_session_options_t *options);

/** Makes `ng`, for the side that is_client says, and queues what is said first. */
void gm_http2_session_open(gm_http2_session_t *self, const nghttp2_settings_entry *settings, size_t count);

/** Those of both sides. */
void gm_http2_session_set_options(const gm_http2_session_t *self, nghttp2_option *option);

/** The body of a stream, as nghttp2 asks for it. */
nghttp2_data_provider gm_http2_stream_body(gm_http2_stream_t *stream);

/**
 * Fields in nghttp2's form; `on_stack` where there are few, otherwise the caller's, free().
 * @param are_lent  their texts stay valid until the frame is made, or its stream is over
 */
#define GM_HTTP2_FIELDS_ON_STACK 64
nghttp2_nv *gm_http2_session_pairs(const gm_http2_field_t *fields, size_t count, bool are_lent,
                                   nghttp2_nv *on_stack);

/** @return NULL = its owner does not know it, or nobody does */
static inline gm_http2_stream_t *gm_http2_session_find(gm_http2_session_t *self, int32_t id)
{
    if (self->found == NULL || self->found->id != id)
        self->found = nghttp2_session_get_stream_user_data(self->ng, id);
    return self->found;
}

/** Session and stream know each other no more. */
void gm_http2_session_part(gm_http2_session_t *self, gm_http2_stream_t *stream);

/** What was queued is written when the event loop's callback is over. */
void gm_http2_session_flush_soon(gm_http2_session_t *self);

/* ---- incoming.c: what comes in */

void gm_http2_incoming_set(nghttp2_session_callbacks *callbacks);

/* ---- judge.c: what peers may do, but not as often as they like */

void gm_http2_judge_init(gm_http2_session_t *self);

/** Ends the connection if it is once too often. */
void gm_http2_offend(gm_http2_session_t *self, gm_offence_t why);

/** Limits the time for the acknowledgement of our settings. */
void gm_http2_judge_await_ack(gm_http2_session_t *self);

/** A frame that begins, one that is whole, and one of ours. */
void gm_http2_judge_beginning(gm_http2_session_t *self, const nghttp2_frame_hd *head);
void gm_http2_judge(gm_http2_session_t *self, const nghttp2_frame *frame);
void gm_http2_judge_answer(gm_http2_session_t *self, const nghttp2_frame *frame);

/** A DATA frame of ours went out: the peer may answer it. */
void gm_http2_judge_sent(gm_http2_session_t *self);

/** For nghttp2, which says nothing of frames that nobody knows unless somebody takes them. */
int gm_http2_judge_unknown(nghttp2_session *ng, void **payload, const nghttp2_frame_hd *head, void *data);

#endif
