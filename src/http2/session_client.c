/*
 * The client's side of a session: requests of ours to an endpoint. Called by upstream/h2_client on its
 * worker.
 */
#include "http2/session_state.h"

#include <stdlib.h>

static void open_client(gm_http2_session_t *self)
{
    const gm_http2_session_options_t *options = &self->options;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options->max_header_list},
    };

    gm_http2_session_open(self, settings, GM_COUNT_OF(settings));
}

gm_http2_session_t *gm_http2_session_create_client(const gm_http2_session_options_t *options)
{
    gm_http2_session_t *self = gm_http2_session_new(options);

    self->is_client = true;
    open_client(self);
    return self;
}

int gm_http2_session_request(gm_http2_session_t *self, gm_http2_stream_t *stream,
                             const gm_http2_field_t *fields, size_t count, bool has_body)
{
    nghttp2_nv on_stack[GM_HTTP2_FIELDS_ON_STACK];
    nghttp2_nv *pairs = gm_http2_session_pairs(fields, count, true, on_stack);
    nghttp2_data_provider provider = gm_http2_stream_body(stream);
    int32_t id = nghttp2_submit_request(self->ng, NULL, pairs, count, has_body ? &provider : NULL, stream);

    if (pairs != on_stack)
        free(pairs);
    if (id < 0)
        return -1;
    stream->message = (gm_http2_message_t){
        .is_answer = true,
        .is_without_body = h2o_memis(fields[0].value.base, fields[0].value.len, H2O_STRLIT("HEAD"))};
    stream->id = id;
    stream->session = self;
    ++self->stream_count;
    gm_http2_session_flush_soon(self);
    return 0;
}

size_t gm_http2_session_room(const gm_http2_session_t *self)
{
    uint32_t max = nghttp2_session_get_remote_settings(self->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

    if (self->is_over || self->is_leaving || self->has_left || self->has_write_failed ||
        nghttp2_session_check_request_allowed(self->ng) == 0)
        return 0;
    return max > self->stream_count ? max - self->stream_count : 0;
}

void gm_http2_stream_forget(gm_http2_stream_t *self)
{
    if (self->session == NULL)
        return;
    nghttp2_submit_rst_stream(self->session->ng, NGHTTP2_FLAG_NONE, self->id, NGHTTP2_CANCEL);
    gm_http2_session_part(self->session, self);
}

uint64_t gm_http2_session_heard(const gm_http2_session_t *self)
{
    return self->heard;
}

void gm_http2_session_ping(gm_http2_session_t *self)
{
    nghttp2_submit_ping(self->ng, NGHTTP2_FLAG_NONE, NULL);
    gm_http2_session_flush_soon(self);
}

const char *gm_http2_session_error(const gm_http2_session_t *self)
{
    return self->error;
}

/* Before, nghttp2 has only a frame of it in a queue. */
bool gm_http2_stream_has_begun(const gm_http2_stream_t *self)
{
    return self->session != NULL && nghttp2_session_find_stream(self->session->ng, self->id) != NULL;
}

bool gm_http2_stream_is_sent(const gm_http2_stream_t *self)
{
    return nghttp2_session_get_stream_local_close(self->session->ng, self->id) == 1;
}
