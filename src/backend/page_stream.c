/*
 * /stream and /sse: answers in small pieces with pauses between them, each sent at once and the first
 * together with the head. The pause begins when the library has written the piece before, so a slow reader
 * costs no memory. Called from the table in backend.c, then by alarms and by the library, on the thread of
 * the request's loop.
 */
#include "backend/page.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/text.h"

#define MOST_CHUNKS 100000
#define MOST_EVENTS 1000000000
#define WITHOUT_END UINT64_MAX

typedef struct gm_pieces {
    gm_page_task_t task;
    h2o_generator_t generator;
    uint64_t sent, count; /* pieces; a count of WITHOUT_END goes on until the client or the server leaves */
    uint64_t interval_ms;
    void (*format)(char *out, size_t out_bytes, uint64_t number);
    char piece[96]; /* lent to the library until it asks for more */
} gm_pieces_t;      /* in req pool */

static void send_piece(gm_pieces_t *self)
{
    h2o_req_t *req = self->task.req;
    h2o_iovec_t bytes;
    bool is_last;

    self->format(self->piece, sizeof(self->piece), ++self->sent);
    bytes = h2o_iovec_init(self->piece, strlen(self->piece));
    is_last = self->sent == self->count;
    if (self->count == WITHOUT_END && req->conn->ctx->shutdown_requested) {
        is_last = true;
        req->http1_is_persistent = 0; /* a server that drains waits for its connections */
    }
    h2o_send(req, &bytes, 1, is_last ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

static void on_due(gm_alarm_t *alarm)
{
    send_piece(H2O_STRUCT_FROM_MEMBER(gm_pieces_t, task.alarm, alarm));
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    gm_pieces_t *self = H2O_STRUCT_FROM_MEMBER(gm_pieces_t, generator, generator);

    (void)req;
    if (self->interval_ms == 0)
        send_piece(self);
    else
        gm_alarm_set(self->task.alarms, &self->task.alarm, self->interval_ms);
}

static void start_pieces(const gm_page_call_t *call, uint64_t count, uint64_t interval_ms,
                         void (*format)(char *, size_t, uint64_t), const char *content_type)
{
    h2o_req_t *req = call->req;
    gm_pieces_t *self = gm_page_task_create(call, sizeof(*self));

    self->task.alarm.on_due = on_due;
    self->generator.proceed = on_proceed;
    self->count = count;
    self->interval_ms = interval_ms;
    self->format = format;
    gm_page_set_status(req, 200);
    gm_page_add_header(req, "content-type", "Content-Type", content_type);
    gm_page_add_header(req, "cache-control", "Cache-Control", "no-store");
    if (req->version < 0x101)
        req->http1_is_persistent =
            0; /* no chunks in HTTP/1.0: only the end of the connection ends the body */
    h2o_start_response(req, &self->generator);
    if (count == 0 || gm_page_is_head(req))
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    else
        send_piece(self);
}

static void format_chunk(char *out, size_t out_bytes, uint64_t number)
{
    snprintf(out, out_bytes, "chunk %" PRIu64 "\n", number);
}

void gm_page_stream(const gm_page_call_t *call)
{
    const char *slash = strchr(call->argument, '/');
    gm_error_t err = {0};
    uint64_t count, interval_ms;
    h2o_iovec_t count_text;

    if (slash == NULL) {
        gm_page_refuse(call, "the time between two chunks is missing");
        return;
    }
    count_text = h2o_strdup(&call->req->pool, call->argument, slash - call->argument);
    if (gm_text_parse_integer(count_text.base, 0, MOST_CHUNKS, &count, &err) != 0) {
        gm_page_refuse(call, "%s", err.text);
        return;
    }
    if (gm_page_parse_pause(call, slash + 1, &interval_ms) == 0)
        start_pieces(call, count, interval_ms, format_chunk, "text/plain; charset=utf-8");
}

static void format_event(char *out, size_t out_bytes, uint64_t number)
{
    struct timeval now;
    char timestamp[32];

    gettimeofday(&now, NULL);
    gm_clock_format(timestamp, sizeof(timestamp), &now);
    snprintf(out, out_bytes, "data: {\"n\":%" PRIu64 ",\"timestamp\":\"%s\"}\n\n", number, timestamp);
}

/* The value of a parameter, in req pool, or NULL. Values here are numbers and durations: nothing to decode.
 */
static const char *find_parameter(h2o_req_t *req, const char *name)
{
    h2o_iovec_t query = gm_page_query(req);
    const char *at = query.base, *end = query.base + query.len;
    size_t name_length = strlen(name);

    while (at < end) {
        const char *next = memchr(at, '&', end - at);
        size_t length = (next != NULL ? next : end) - at;

        if (length > name_length && memcmp(at, name, name_length) == 0 && at[name_length] == '=')
            return h2o_strdup(&req->pool, at + name_length + 1, length - name_length - 1).base;
        at += length + 1;
    }
    return NULL;
}

void gm_page_sse(const gm_page_call_t *call)
{
    const char *interval = find_parameter(call->req, "interval"),
               *count_text = find_parameter(call->req, "count");
    uint64_t interval_ms = 1000, count = WITHOUT_END;
    gm_error_t err = {0};

    if (count_text != NULL && gm_text_parse_integer(count_text, 1, MOST_EVENTS, &count, &err) != 0) {
        gm_page_refuse(call, "%s", err.text);
        return;
    }
    if (interval != NULL && gm_page_parse_pause(call, interval, &interval_ms) != 0)
        return;
    start_pieces(call, count, interval_ms, format_event, "text/event-stream");
}
