/*
 * nghttp2 knows the protocol; here it is connected to a socket of the library's, with the same bounded
 * reading as everywhere, and to owners that know nothing of it. Owners' calls only queue; frames are written
 * when the event loop's callback is over. Worker's thread.
 */
#include "http2/session_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define OUT_MAX ((size_t)64 * 1024) /* written at once */
#define OUT_FIRST ((size_t)4000)    /* room to begin with */
#define MAX_QUEUED 1000             /* frames; beyond, nothing is read until some are out */
#define LINGER_MS 1000              /* without a byte: so that the last words are read */
#define LINGER_TOTAL_MS 30000
#define NOTICE_MS 100 /* between the two steps of leaving: longer than a round trip, as a rule */

static void on_read(h2o_socket_t *sock, const char *err);
static void flush(gm_http2_session_t *self);

static gm_http2_session_t *session_of(void *data)
{
    return data;
}

static void set_reading(gm_http2_session_t *self, bool on)
{
    if (self->is_reading == on)
        return;
    self->is_reading = on;
    if (on)
        h2o_socket_read_start(self->options.sock, on_read);
    else
        h2o_socket_read_stop(self->options.sock);
}

static void on_soon(h2o_timeout_entry_t *entry)
{
    flush(H2O_STRUCT_FROM_MEMBER(gm_http2_session_t, soon, entry));
}

void gm_http2_session_flush_soon(gm_http2_session_t *self)
{
    if (self->is_busy || h2o_timeout_is_linked(&self->soon))
        return;
    self->soon.cb = on_soon;
    h2o_timeout_link(self->options.loop, self->options.soon, &self->soon);
}

/* ---- what goes out; called by nghttp2 */

static void tell_when_out(gm_http2_session_t *self, gm_http2_stream_t *stream)
{
    if (!h2o_linklist_is_linked(&stream->link))
        h2o_linklist_insert(&self->sent, &stream->link);
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *data)
{
    gm_http2_session_t *self = session_of(data);
    const gm_http2_events_t *events = self->options.events;
    gm_http2_stream_t *stream;

    gm_http2_judge_answer(self, frame);
    if (frame->hd.type == NGHTTP2_RST_STREAM && events->on_reset != NULL)
        events->on_reset(self->options.data, false, frame->rst_stream.error_code);
    if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 ||
        (stream = gm_http2_session_find(self, frame->hd.stream_id)) == NULL)
        return 0;
    if (self->is_client)
        tell_when_out(self, stream);
    else if (nghttp2_session_get_stream_remote_close(ng, frame->hd.stream_id) == 0)
        events->on_early(stream);
    return 0;
}

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

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Values have no spaces around them (8.2.1), which in HTTP/1 are none of the value; policies may make some.
 */
static __attribute__((noinline, cold)) h2o_iovec_t trim(h2o_iovec_t value)
{
    while (value.len != 0 && is_space(value.base[value.len - 1]))
        --value.len;
    while (value.len != 0 && is_space(value.base[0])) {
        ++value.base;
        --value.len;
    }
    return value;
}

static inline nghttp2_nv pair_of(h2o_iovec_t name, h2o_iovec_t value, uint8_t flags)
{
    if (value.len != 0 && (value.base[0] <= ' ' || value.base[value.len - 1] <= ' '))
        value = trim(value);
    return (nghttp2_nv){.name = (uint8_t *)name.base,
                        .value = (uint8_t *)value.base,
                        .namelen = name.len,
                        .valuelen = value.len,
                        .flags = flags};
}

nghttp2_nv *gm_http2_session_pairs(const gm_http2_field_t *fields, size_t count, bool are_lent,
                                   nghttp2_nv *on_stack)
{
    uint8_t flags =
        are_lent ? NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE : NGHTTP2_NV_FLAG_NONE;
    /* fields are few, as a rule; but none is left out */
    nghttp2_nv *pairs = count <= GM_HTTP2_FIELDS_ON_STACK ? on_stack : gm_alloc(count * sizeof(*pairs));

    for (size_t i = 0; i != count; ++i)
        pairs[i] = pair_of(fields[i].name, fields[i].value, flags);
    return pairs;
}

static void submit_trailers(gm_http2_stream_t *stream)
{
    size_t count = stream->trailer_count;
    nghttp2_nv *pairs = gm_alloc(count * sizeof(*pairs));

    for (size_t i = 0; i != count; ++i) {
        const gm_head_field_t *field = &stream->trailers[i];
        pairs[i] = pair_of(h2o_iovec_init(field->name.base, field->name.length),
                           h2o_iovec_init(field->value.base, field->value.length), NGHTTP2_NV_FLAG_NONE);
    }
    nghttp2_submit_trailer(stream->session->ng, stream->id, pairs, count);
    free(pairs);
}

/* nghttp2 asks how much there is; the bytes go from the owner's memory into `out` without a detour. */
static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *data)
{
    gm_http2_stream_t *stream = source->ptr;
    size_t length = stream->out_left < room ? stream->out_left : room;

    (void)ng;
    (void)id;
    (void)buf;
    (void)data;
    if (length == 0 && !stream->is_last) {
        stream->is_waiting = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (stream->is_last && length == stream->out_left) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->trailer_count != 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            submit_trailers(stream);
        }
    }
    return (ssize_t)length;
}

nghttp2_data_provider gm_http2_stream_body(gm_http2_stream_t *stream)
{
    return (nghttp2_data_provider){.source.ptr = stream, .read_callback = read_body};
}

static void copy_out(gm_http2_stream_t *stream, size_t length, gm_buffer_t *out)
{
    stream->out_left -= length;
    stream->sent_bytes += length;
    while (length != 0) {
        const h2o_iovec_t *from = &stream->out[stream->out_at];
        size_t piece = from->len - stream->out_offset < length ? from->len - stream->out_offset : length;
        gm_buffer_append(out, from->base + stream->out_offset, piece);
        length -= piece;
        stream->out_offset += piece;
        if (stream->out_offset == from->len) {
            ++stream->out_at;
            stream->out_offset = 0;
        }
    }
}

static int send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t length,
                     nghttp2_data_source *source, void *data)
{
    gm_http2_session_t *self = session_of(data);
    gm_http2_stream_t *stream = source->ptr;

    (void)ng;
    (void)frame; /* no padding is ever asked for */
    gm_buffer_append(&self->out, (const char *)head, 9);
    copy_out(stream, length, &self->out);
    gm_http2_judge_sent(self);
    if (stream->out_left == 0 && !stream->is_last)
        tell_when_out(self, stream);
    return 0;
}

static void go(gm_http2_session_t *self, const char *err)
{
    self->is_over = true;
    self->error = err;
    self->options.events->on_gone(self->options.data);
}

/* Streams whose owners have room for more; each of them may give some, or end. */
static void tell_sent(gm_http2_session_t *self)
{
    h2o_linklist_t told;

    h2o_linklist_init_anchor(&told);
    h2o_linklist_insert_list(&told, &self->sent);
    while (!h2o_linklist_is_empty(&told)) {
        gm_http2_stream_t *stream = H2O_STRUCT_FROM_MEMBER(gm_http2_stream_t, link, told.next);
        h2o_linklist_unlink(&stream->link);
        self->options.events->on_sent(stream);
    }
}

static void on_stalled(gm_watch_t *watch)
{
    gm_http2_session_t *self = H2O_STRUCT_FROM_MEMBER(gm_http2_session_t, writing, watch);

    if (gm_transport_is_taken(self->options.sock, &self->acked)) {
        gm_watch_start(self->options.watches, watch, self->options.write_ms, on_stalled);
        return;
    }
    self->is_over = true;
    self->options.events->on_stalled(self->options.data);
}

static void on_lingered(gm_watch_t *watch)
{
    go(H2O_STRUCT_FROM_MEMBER(gm_http2_session_t, leaving, watch), NULL);
}

static void on_lingered_long(gm_watch_t *watch)
{
    go(H2O_STRUCT_FROM_MEMBER(gm_http2_session_t, writing, watch), NULL);
}

/* All is said. What the peer still sends is thrown away for a moment: a reset could overtake the last words.
 */
static void leave(gm_http2_session_t *self)
{
    if (self->has_left)
        return;
    self->has_left = true;
    if (self->options.events->on_leaving != NULL)
        self->options.events->on_leaving(self->options.data);
    if (self->is_client) { /* nobody waits for our last words */
        gm_http2_session_flush_soon(self);
        return;
    }
    gm_transport_half_close(self->options.sock, self->options.wire);
    gm_watch_start(self->options.watches, &self->leaving, LINGER_MS, on_lingered);
    gm_watch_start(self->options.watches, &self->writing, LINGER_TOTAL_MS, on_lingered_long);
    set_reading(self, true);
}

static void on_written(h2o_socket_t *sock, const char *err)
{
    gm_http2_session_t *self = sock->data;

    gm_watch_stop(&self->writing);
    self->out.length = 0;
    if (err != NULL) { /* what the peer said before it closed may lie in the kernel still: reading tells */
        self->has_write_failed = true;
        set_reading(self, true);
        gm_watch_start(self->options.watches, &self->writing, LINGER_MS, on_lingered_long);
        return;
    }
    self->is_busy = true;
    tell_sent(self);
    self->is_busy = false;
    set_reading(self, true);
    flush(self);
}

/* @return whether there is something to write */
static bool fill_out(gm_http2_session_t *self)
{
    self->is_busy = true;
    while (self->out.length < OUT_MAX) {
        const uint8_t *bytes;
        ssize_t length = nghttp2_session_mem_send(self->ng, &bytes);
        if (length <= 0)
            break; /* nothing more, or out of memory, which cannot be */
        if (self->out.text == NULL)
            gm_buffer_reserve(&self->out, OUT_FIRST);
        gm_buffer_append(&self->out, (const char *)bytes, (size_t)length);
    }
    self->is_busy = false;
    return self->out.length != 0;
}

/* An idle connection holds no buffers. */
static void rest(gm_http2_session_t *self)
{
    gm_buffer_dispose(&self->out);
    gm_transport_shrink(&self->options.sock->input);
}

static void flush(gm_http2_session_t *self)
{
    h2o_iovec_t buf;

    if (self->has_left && self->is_client) {
        go(self, NULL);
        return;
    }
    if (self->is_busy || self->has_left || self->has_write_failed ||
        h2o_socket_is_writing(self->options.sock))
        return;
    if (!fill_out(self)) {
        if (nghttp2_session_want_read(self->ng) == 0)
            leave(self);
        else if (self->stream_count == 0)
            rest(self);
        return;
    }
    buf = h2o_iovec_init(self->out.text, self->out.length);
    gm_watch_start(self->options.watches, &self->writing, self->options.write_ms, on_stalled);
    gm_transport_write(self->options.sock, &buf, 1, on_written);
}

/* ---- the socket */

static bool is_flood(ssize_t error)
{
    return error == NGHTTP2_ERR_FLOODED || error == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
}

/* @return 0, or -1: the session is over, and its last words are queued */
static int feed(gm_http2_session_t *self)
{
    h2o_buffer_t *input = self->options.sock->input;
    ssize_t taken;

    if (input->size == 0)
        return 0;
    if (self->is_client && !self->has_begun && input->bytes[0] != '\0' && !self->is_over) {
        self->is_over = true; /* SETTINGS are shorter than 64 KiB: this is no frame of HTTP/2 */
        self->options.events->on_offence(self->options.data, GM_OFFENCE_OTHER_PROTOCOL);
    }
    self->has_begun = true;
    self->heard += input->size;
    self->is_busy = true;
    taken = nghttp2_session_mem_recv(self->ng, (const uint8_t *)input->bytes, input->size);
    if (self->options.events->on_told != NULL)
        self->options.events->on_told(self->options.data);
    self->is_busy = false;
    gm_transport_clear(&self->options.sock->input);
    if (taken >= 0)
        return 0;
    if (!self->is_over) {
        self->is_over = true;
        self->options.events->on_offence(self->options.data, taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC
                                                                 ? GM_OFFENCE_NO_PREFACE
                                                             : is_flood(taken) ? GM_OFFENCE_ENDLESS
                                                                               : GM_OFFENCE_NONSENSE);
    }
    nghttp2_session_terminate_session(self->ng,
                                      is_flood(taken) ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
    return -1;
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    gm_http2_session_t *self = sock->data;

    if (err == NULL)
        err = gm_transport_read(sock, self->options.wire, &self->reader, 0);
    if (err != NULL) {
        go(self, err);
        return;
    }
    if (self->has_left) {
        gm_watch_renew(&self->leaving);
        gm_transport_clear(&sock->input);
        return;
    }
    feed(self);
    if (self->is_client && self->is_over && h2o_socket_is_writing(sock)) {
        leave(self); /* it talks, but does not listen */
        return;
    }
    if (h2o_socket_is_writing(sock) && nghttp2_session_get_outbound_queue_size(self->ng) > MAX_QUEUED)
        set_reading(self, false); /* it asks faster than it listens */
    flush(self);
}

/* ---- the owner's side */

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        abort();
    gm_http2_incoming_set(callbacks);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, gm_http2_judge_unknown);
    return callbacks;
}

/* ---- nghttp2's memory: some ten pieces for each stream */

static void *allocate(size_t size, void *blocks)
{
    return gm_blocks_alloc(blocks, size);
}

static void *allocate_zeroed(size_t count, size_t size, void *blocks)
{
    return gm_blocks_alloc_zeroed(blocks, count * size); /* of its own structures: no overflow */
}

static void *resize(void *block, size_t size, void *blocks)
{
    return gm_blocks_resize(blocks, block, size);
}

static void release(void *block, void *blocks)
{
    gm_blocks_free(blocks, block);
}

void gm_http2_session_open(gm_http2_session_t *self, const nghttp2_settings_entry *settings, size_t count)
{
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_mem mem = {self->options.blocks, allocate, release, allocate_zeroed, resize};
    nghttp2_option *option;

    if (nghttp2_option_new(&option) != 0)
        abort();
    gm_http2_session_set_options(self, option);
    if (!self->is_client)
        nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    if ((self->is_client ? nghttp2_session_client_new3
                         : nghttp2_session_server_new3)(&self->ng, callbacks, self, option, &mem) != 0)
        abort();
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(self->ng, NGHTTP2_FLAG_NONE, settings, count);
    nghttp2_session_set_local_window_size(self->ng, NGHTTP2_FLAG_NONE, 0,
                                          (int32_t)self->options.connection_window);
}

static void open_server(gm_http2_session_t *self)
{
    const gm_http2_session_options_t *options = &self->options;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options->max_header_list},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
    };

    gm_http2_session_open(self, settings, GM_COUNT_OF(settings));
}

gm_http2_session_t *gm_http2_session_new(const gm_http2_session_options_t *options)
{
    gm_http2_session_t *self = gm_alloc(sizeof(*self));

    self->options = *options;
    gm_http2_judge_init(self);
    h2o_linklist_init_anchor(&self->sent);
    options->sock->data = self;
    return self;
}

gm_http2_session_t *gm_http2_session_create_server(const gm_http2_session_options_t *options)
{
    gm_http2_session_t *self = gm_http2_session_new(options);

    open_server(self);
    gm_http2_judge_await_ack(self);
    return self;
}

void gm_http2_session_start(gm_http2_session_t *self)
{
    set_reading(self, true);
    feed(self);
    flush(self);
}

void gm_http2_session_close(gm_http2_session_t *self)
{
    gm_watch_stop(&self->writing);
    gm_watch_stop(&self->leaving);
    gm_watch_stop(&self->acking);
    h2o_timeout_unlink(&self->soon);
    nghttp2_session_del(self->ng);
    gm_buffer_dispose(&self->out);
    free(self);
}

static void on_noticed(gm_watch_t *watch)
{
    gm_http2_session_t *self = H2O_STRUCT_FROM_MEMBER(gm_http2_session_t, leaving, watch);

    nghttp2_submit_goaway(self->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(self->ng),
                          NGHTTP2_NO_ERROR, NULL, 0);
    flush(self);
}

void gm_http2_session_drain(gm_http2_session_t *self)
{
    if (self->is_leaving || self->is_over)
        return;
    self->is_leaving = true;
    nghttp2_submit_shutdown_notice(self->ng);
    gm_watch_start(self->options.watches, &self->leaving, NOTICE_MS, on_noticed);
    gm_http2_session_flush_soon(self);
}

void gm_http2_session_terminate(gm_http2_session_t *self, gm_http2_error_t error)
{
    if (self->is_over)
        return;
    self->is_over = true;
    nghttp2_session_terminate_session(self->ng, error);
    gm_http2_session_flush_soon(self);
}

void gm_http2_stream_send_head(gm_http2_stream_t *self, const gm_http2_field_t *fields, size_t count,
                               gm_http2_head_t kind)
{
    nghttp2_session *ng = self->session->ng;
    nghttp2_nv on_stack[GM_HTTP2_FIELDS_ON_STACK];
    nghttp2_nv *pairs = gm_http2_session_pairs(fields, count, kind != GM_HTTP2_HEAD_INTERIM, on_stack);
    nghttp2_data_provider provider = gm_http2_stream_body(self);

    if (kind == GM_HTTP2_HEAD_INTERIM) {
        nghttp2_submit_headers(ng, NGHTTP2_FLAG_NONE, self->id, NULL, pairs, count, NULL);
    } else {
        nghttp2_submit_response(ng, self->id, pairs, count, kind == GM_HTTP2_HEAD_ALONE ? NULL : &provider);
    }
    if (pairs != on_stack)
        free(pairs);
    gm_http2_session_flush_soon(self->session);
}

void gm_http2_stream_send(gm_http2_stream_t *self, const h2o_iovec_t *bufs, size_t count, bool is_last,
                          const gm_head_field_t *trailers, size_t trailer_count)
{
    self->out = bufs;
    self->out_at = self->out_offset = self->out_left = 0;
    for (size_t i = 0; i != count; ++i)
        self->out_left += bufs[i].len;
    self->is_last = is_last;
    self->trailers = trailers;
    self->trailer_count = trailer_count;
    if (self->out_left == 0 && !is_last) { /* only a head: more is asked for when that is out */
        h2o_linklist_insert(&self->session->sent, &self->link);
    } else if (self->is_waiting) {
        self->is_waiting = false;
        nghttp2_session_resume_data(self->session->ng, self->id);
    }
    gm_http2_session_flush_soon(self->session);
}

void gm_http2_stream_reset(gm_http2_stream_t *self, gm_http2_error_t error)
{
    self->out_left = 0; /* what the owner lent is not touched any more */
    self->is_last = false;
    if (h2o_linklist_is_linked(&self->link))
        h2o_linklist_unlink(&self->link);
    nghttp2_submit_rst_stream(self->session->ng, NGHTTP2_FLAG_NONE, self->id, error);
    gm_http2_session_flush_soon(self->session);
}

void gm_http2_session_consume(gm_http2_session_t *self, size_t bytes)
{
    nghttp2_session_consume_connection(self->ng, bytes);
    gm_http2_session_flush_soon(self);
}

void gm_http2_stream_consume(gm_http2_stream_t *self, size_t bytes)
{
    if (self->session->is_client)
        nghttp2_session_consume_stream(self->session->ng, self->id, bytes);
    else
        nghttp2_session_consume(self->session->ng, self->id, bytes);
    gm_http2_session_flush_soon(self->session);
}
