/*
 * What comes in, frame by frame: it is checked (message.c), judged (judge.c), and told to the stream's owner.
 * Called by nghttp2 while it reads, on the connection's worker.
 */
#include "http2/session_state.h"

static gm_http2_session_t *session_of(void *data)
{
    return data;
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *head, void *data)
{
    (void)ng;
    gm_http2_judge_beginning(session_of(data), head);
    return 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *data)
{
    gm_http2_session_t *self = session_of(data);
    gm_http2_stream_t *stream;

    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if ((stream = self->options.events->on_begin(self->options.data)) == NULL) {
        nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    ++self->stream_count;
    stream->id = frame->hd.stream_id;
    stream->session = self;
    stream->priority.urgency = GM_PRIORITY_URGENCY;
    nghttp2_session_set_stream_user_data(ng, stream->id, stream);
    self->found = stream;
    return 0;
}

/* As often as it comes; one that cannot be read spoils all. */
static void note_priority(gm_http2_stream_t *stream, gm_span_t value)
{
    stream->has_priority = true;
    if (!gm_priority_read(value, &stream->priority))
        stream->has_bad_priority = true;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name_bytes,
                     size_t name_length, const uint8_t *value_bytes, size_t value_length, uint8_t flags,
                     void *data)
{
    gm_http2_session_t *self = session_of(data);
    const gm_span_t name = {(const char *)name_bytes, name_length};
    const gm_span_t value = {(const char *)value_bytes, value_length};
    gm_http2_stream_t *stream = gm_http2_session_find(self, frame->hd.stream_id);
    bool is_trailer;

    (void)ng;
    (void)flags;
    if (stream == NULL || stream->is_malformed)
        return 0;
    is_trailer = stream->message.has_head;
    if (!gm_http2_message_field(&stream->message, name, value)) {
        stream->is_malformed = true; /* the peer is told when all of it is here */
        return 0;
    }
    if (!self->is_client && !is_trailer && h2o_memis(name.base, name.length, H2O_STRLIT("priority")))
        note_priority(stream, value);
    self->options.events->on_field(stream, name, value, is_trailer);
    return 0;
}

/* 8.1.1 */
static void refuse(gm_http2_session_t *self, gm_http2_stream_t *stream)
{
    if (stream->is_told)
        return;
    stream->is_malformed = stream->is_told = true;
    nghttp2_submit_rst_stream(self->ng, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_PROTOCOL_ERROR);
    gm_http2_offend(self, GM_OFFENCE_INVALID);
    if (!self->is_client)
        self->options.events->on_malformed(stream);
}

static void apply_priority(gm_http2_session_t *self, const gm_http2_stream_t *stream)
{
    const nghttp2_extpri priority = {stream->priority.urgency, stream->priority.is_incremental};

    if (stream->has_priority && !stream->has_bad_priority)
        nghttp2_session_change_extpri_stream_priority(self->ng, stream->id, &priority, 0);
}

static void take_block(gm_http2_session_t *self, gm_http2_stream_t *stream, bool has_ended)
{
    const gm_http2_events_t *events = self->options.events;
    bool is_trailer = stream->message.has_head;

    if (stream->is_malformed || !gm_http2_message_block(&stream->message, has_ended) ||
        (has_ended && !gm_http2_message_end(&stream->message))) {
        refuse(self, stream);
    } else if (is_trailer) {
        events->on_end(stream);
    } else {
        apply_priority(self, stream);
        events->on_head(stream, has_ended);
    }
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *data)
{
    gm_http2_session_t *self = session_of(data);
    const gm_http2_events_t *events = self->options.events;
    gm_http2_stream_t *stream =
        frame->hd.stream_id != 0 ? gm_http2_session_find(self, frame->hd.stream_id) : NULL;
    bool has_ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    (void)ng;
    gm_http2_judge(self, frame);
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0 &&
        events->on_settings != NULL)
        events->on_settings(self->options.data);
    if (frame->hd.type == NGHTTP2_GOAWAY && events->on_goaway != NULL)
        events->on_goaway(self->options.data);
    if (stream == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        stream->was_reset = true;
        if (events->on_reset != NULL)
            events->on_reset(self->options.data, true, frame->rst_stream.error_code);
    } else if (frame->hd.type == NGHTTP2_HEADERS) {
        take_block(self, stream, has_ended);
    } else if (frame->hd.type == NGHTTP2_DATA && has_ended && !stream->is_malformed) {
        if (gm_http2_message_end(&stream->message))
            events->on_end(stream);
        else
            refuse(self, stream);
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length,
                         void *data)
{
    gm_http2_session_t *self = session_of(data);
    gm_http2_stream_t *stream = gm_http2_session_find(self, id);

    (void)flags;
    if (stream != NULL && !stream->is_malformed && !gm_http2_message_data(&stream->message, length))
        refuse(self, stream);
    if (stream != NULL && stream->is_malformed)
        stream = NULL;
    if (self->is_client) /* the connection never waits for one stream's taker */
        nghttp2_session_consume_connection(ng, length);
    if (stream != NULL)
        self->options.events->on_data(stream, (const char *)bytes, length);
    else if (!self->is_client) /* of a stream that is over for us: the connection's window must not shrink by
                                  it */
        nghttp2_session_consume_connection(ng, length);
    return 0;
}

/* The other way round nghttp2 forgets it, or is made to. */
static void forget(gm_http2_session_t *self, gm_http2_stream_t *stream)
{
    if (h2o_linklist_is_linked(&stream->link))
        h2o_linklist_unlink(&stream->link);
    if (self->found == stream)
        self->found = NULL;
    stream->session = NULL;
}

void gm_http2_session_part(gm_http2_session_t *self, gm_http2_stream_t *stream)
{
    nghttp2_session_set_stream_user_data(self->ng, stream->id, NULL);
    forget(self, stream);
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t error, void *data)
{
    gm_http2_session_t *self = session_of(data);
    gm_http2_stream_t *stream = gm_http2_session_find(self, id);

    (void)ng;
    if (stream == NULL)
        return 0;
    --self->stream_count;
    forget(self, stream);
    self->options.events->on_close(stream, error);
    return 0;
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *data)
{
    gm_http2_session_t *self = session_of(data);
    gm_http2_stream_t *stream;

    (void)ng;
    (void)error;
    gm_http2_offend(self, GM_OFFENCE_INVALID);
    stream = frame->hd.stream_id != 0 ? gm_http2_session_find(self, frame->hd.stream_id) : NULL;
    if (stream != NULL && frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        self->options.events->on_malformed(stream);
    return 0;
}

void gm_http2_incoming_set(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
}
