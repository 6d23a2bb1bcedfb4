/*
 * The client's side of a session: requests of ours to an endpoint. Called by upstream/h2_client on its
 * worker.
 */
#include "http2/session_state.h"

#include <stdlib.h>

/* It waited for its turn among the streams, and the peer went away meanwhile. on_stream_close follows. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *data)
{
    gm_http2_stream_t *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);

    (void)error;
    (void)data;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST && stream != NULL)
        stream->was_not_sent = true;
    return 0;
}

static void create_client(gm_http2_session_t *self)
{
    nghttp2_session_callbacks *callbacks = gm_http2_session_callbacks();
    nghttp2_option *option;

    if (nghttp2_option_new(&option) != 0)
        abort();
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    gm_http2_session_set_options(self, option);
    if (nghttp2_session_client_new2(&self->ng, callbacks, self, option) != 0)
        abort();
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
}

static void submit_settings(gm_http2_session_t *self)
{
    const gm_http2_session_options_t *options = &self->options;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options->max_header_list},
    };

    nghttp2_submit_settings(self->ng, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0]));
    nghttp2_session_set_local_window_size(self->ng, NGHTTP2_FLAG_NONE, 0,
                                          (int32_t)options->connection_window);
}

gm_http2_session_t *gm_http2_session_create_client(const gm_http2_session_options_t *options)
{
    gm_http2_session_t *self = gm_http2_session_new(options);

    self->is_client = true;
    create_client(self);
    submit_settings(self);
    return self;
}

int gm_http2_session_request(gm_http2_session_t *self, gm_http2_stream_t *stream,
                             const gm_http2_field_t *fields, size_t count, bool has_body)
{
    nghttp2_nv on_stack[GM_HTTP2_FIELDS_ON_STACK], *pairs = gm_http2_session_pairs(fields, count, on_stack);
    nghttp2_data_provider provider = gm_http2_stream_body(stream);
    int32_t id = nghttp2_submit_request(self->ng, NULL, pairs, count, has_body ? &provider : NULL, stream);

    if (pairs != on_stack)
        free(pairs);
    if (id < 0)
        return -1;
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
    if (h2o_linklist_is_linked(&self->link))
        h2o_linklist_unlink(&self->link);
    nghttp2_session_set_stream_user_data(self->session->ng, self->id, NULL);
    self->session = NULL;
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

bool gm_http2_stream_is_sent(const gm_http2_stream_t *self)
{
    return nghttp2_session_get_stream_local_close(self->session->ng, self->id) == 1;
}
