/*
 * Frames that cost their sender little and us something are allowed at a rate, and where they are an answer
 * to something of ours. Beyond that the connection ends. Called by http2/session on its worker.
 */
#include "http2/session_state.h"

#include "base/clock.h"

#define ALLOWANCE 120      /* of small offences, before the peer is asked to calm down … */
#define ALLOWANCE_PER_S 40 /* … and as many come back each second */
#define MAX_CONTINUATIONS 8
#define SMALL_UPDATE 256   /* bytes */
#define STRAY_LEAST 64     /* bytes that a frame counts for */
#define MAX_EXPECTED 10000 /* frames that a peer may have earned */
#define LAST_KNOWN 0x10    /* of the types of frames that somebody has defined: PRIORITY_UPDATE */

static void set_default(uint32_t *value, uint32_t usual)
{
    if (*value == 0)
        *value = usual;
}

void gm_http2_judge_init(gm_http2_session_t *self)
{
    set_default(&self->options.offences, ALLOWANCE);
    set_default(&self->options.offences_per_s, ALLOWANCE_PER_S);
    set_default(&self->options.max_continuations, MAX_CONTINUATIONS);
    self->allowance = self->options.offences;
    self->allowed_ms = gm_clock_coarse_ms();
}

void gm_http2_session_set_options(const gm_http2_session_t *self, nghttp2_option *option)
{
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_http_messaging(option, 1); /* see message.c */
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_continuations(option, self->options.max_continuations);
    nghttp2_option_set_max_settings(option, 32);
    for (unsigned type = LAST_KNOWN + 1; type <= UINT8_MAX; ++type)
        nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
}

void gm_http2_offend(gm_http2_session_t *self, gm_offence_t why)
{
    const gm_http2_session_options_t *options = &self->options;
    uint64_t now = gm_clock_coarse_ms(), back = (now - self->allowed_ms) * options->offences_per_s / 1000;

    if (back != 0) {
        self->allowance = self->allowance + back < options->offences ? (uint32_t)(self->allowance + back)
                                                                     : options->offences;
        self->allowed_ms = now;
    }
    if (self->allowance != 0) {
        --self->allowance;
        return;
    }
    if (self->is_over)
        return;
    self->is_over = true;
    options->events->on_offence(options->data, why);
    nghttp2_session_terminate_session(self->ng, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* RFC 9113, 6.5.3: until then our limits bind nobody. nghttp2 has no clock. */
static void on_unacknowledged(gm_watch_t *watch)
{
    gm_http2_session_t *self = H2O_STRUCT_FROM_MEMBER(gm_http2_session_t, acking, watch);

    if (self->is_over)
        return;
    self->is_over = true;
    self->options.events->on_offence(self->options.data, GM_OFFENCE_SETTINGS_TIMEOUT);
    nghttp2_session_terminate_session(self->ng, NGHTTP2_SETTINGS_TIMEOUT);
    gm_http2_session_flush_soon(self);
}

void gm_http2_judge_await_ack(gm_http2_session_t *self)
{
    if (self->options.ack_ms != 0)
        gm_watch_start(self->options.watches, &self->acking, self->options.ack_ms, on_unacknowledged);
}

static bool has_stream(const gm_http2_session_t *self, int32_t id)
{
    return nghttp2_session_find_stream(self->ng, id) != NULL;
}

/* ---- frames of the peer */

/* What comes for an answer that we did not want any more was under way, as long as it is not too much. */
static bool is_expected_stray(gm_http2_session_t *self, const nghttp2_frame_hd *head)
{
    uint64_t cost = head->length < STRAY_LEAST ? STRAY_LEAST : head->length;

    if (self->expected_strays < cost)
        return false;
    self->expected_strays -= cost;
    return true;
}

/* What is left of streams that are over is thrown away by nghttp2, as it may have been under way; but much is
 * not. Priorities count here, as nghttp2 says nothing of those that it has no use for. */
void gm_http2_judge_beginning(gm_http2_session_t *self, const nghttp2_frame_hd *head)
{
    if ((head->type == NGHTTP2_HEADERS || head->type == NGHTTP2_DATA) &&
        (self->is_client || head->stream_id <= nghttp2_session_get_last_proc_stream_id(self->ng)) &&
        !has_stream(self, head->stream_id) && !is_expected_stray(self, head))
        gm_http2_offend(self, GM_OFFENCE_LATE);
    if (head->type == NGHTTP2_PRIORITY || head->type == NGHTTP2_PRIORITY_UPDATE)
        gm_http2_offend(self, GM_OFFENCE_PRIORITY);
    if (head->type == NGHTTP2_PRIORITY && head->stream_id == 0) /* RFC 9113, 6.3 */
        nghttp2_session_terminate_session(self->ng, NGHTTP2_PROTOCOL_ERROR);
}

/* An endpoint may reset each of our streams once, also one that we have just reset. */
static void judge_reset(gm_http2_session_t *self, int32_t id)
{
    if (self->is_client && nghttp2_session_get_stream_user_data(self->ng, id) != NULL)
        return;
    if (self->expected_resets != 0)
        --self->expected_resets;
    else
        gm_http2_offend(self, GM_OFFENCE_RESET);
}

/* gRPC's clients and servers measure the way to their peer, with a PING for as little as one DATA frame. */
static void judge_ping(gm_http2_session_t *self, bool is_ack)
{
    if (!is_ack && self->expected_pings != 0)
        --self->expected_pings;
    else
        gm_http2_offend(self, GM_OFFENCE_PING);
}

static void judge_update(gm_http2_session_t *self, int32_t increment)
{
    if (increment >= SMALL_UPDATE)
        return;
    if (self->expected_updates != 0)
        --self->expected_updates;
    else
        gm_http2_offend(self, GM_OFFENCE_SMALL_UPDATE);
}

void gm_http2_judge(gm_http2_session_t *self, const nghttp2_frame *frame)
{
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        if (frame->hd.length == frame->data.padlen && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
            gm_http2_offend(self, GM_OFFENCE_EMPTY_DATA);
        break;
    case NGHTTP2_RST_STREAM:
        judge_reset(self, frame->hd.stream_id);
        break;
    case NGHTTP2_PING:
        judge_ping(self, (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0);
        break;
    case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
            gm_watch_stop(&self->acking);
        gm_http2_offend(self, GM_OFFENCE_SETTINGS);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        judge_update(self, frame->window_update.window_size_increment);
        break;
    default:
        if (frame->hd.type > LAST_KNOWN)
            gm_http2_offend(self, GM_OFFENCE_UNKNOWN);
        break;
    }
}

int gm_http2_judge_unknown(nghttp2_session *ng, void **payload, const nghttp2_frame_hd *head, void *data)
{
    (void)ng;
    (void)payload;
    (void)head;
    (void)data;
    return 0;
}

/* ---- our frames that say something about the peer */

void gm_http2_judge_sent(gm_http2_session_t *self)
{
    if (self->expected_updates < MAX_EXPECTED)
        self->expected_updates += 2; /* for the stream and for the connection */
    if (self->expected_pings < MAX_EXPECTED)
        ++self->expected_pings;
}

/* nghttp2 ends connections by itself, too. */
static void note_end(gm_http2_session_t *self)
{
    if (self->is_over)
        return;
    self->is_over = true;
    self->options.events->on_offence(self->options.data, GM_OFFENCE_NONSENSE);
}

/* What makes us reset streams costs more than what it costs the peer. */
static bool is_provoked(uint32_t error)
{
    return error == NGHTTP2_PROTOCOL_ERROR || error == NGHTTP2_STREAM_CLOSED ||
           error == NGHTTP2_FLOW_CONTROL_ERROR || error == NGHTTP2_REFUSED_STREAM;
}

void gm_http2_judge_answer(gm_http2_session_t *self, const nghttp2_frame *frame)
{
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
        note_end(self);
    if (frame->hd.type != NGHTTP2_RST_STREAM)
        return;
    if (self->is_client) {
        if (self->expected_resets < MAX_EXPECTED)
            ++self->expected_resets;
        self->expected_strays += self->options.stream_window;
        if (self->expected_strays > self->options.connection_window) /* more cannot be under way */
            self->expected_strays = self->options.connection_window;
    }
    if (is_provoked(frame->rst_stream.error_code))
        gm_http2_offend(self, GM_OFFENCE_PROVOKED_RESET);
}
