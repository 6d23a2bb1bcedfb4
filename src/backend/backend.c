/*
 * The test backend: one h2o handler and the table of its pages. Registered by the server for `gomesh backend`
 * and `gomesh demo`, main thread; requests are served on the threads of the loops.
 */
#include "backend/backend.h"

#include "backend/page.h"
#include "backend/upload.h"
#include "base/buffer.h"
#include "net/alarm.h"

typedef struct gm_backend {
    h2o_handler_t super;
    gm_backend_options_t options; /* immutable */
} gm_backend_t;

/* clang-format off */
static const gm_page_t pages[] = { /* the first that fits is served */
    {"/health",  gm_page_health, "/health: OK, at once"},
    {"/delay/",  gm_page_delay,  "/delay/<duration>: the plain answer after that time, 10m at most"},
    {"/status/", gm_page_status, "/status/<200..599>: an answer with that status"},
    {"/bytes/",  gm_page_bytes,  "/bytes/<size>: so many bytes, 0 to 4GiB; byte i is 'a' + i % 26"},
    {"/stream/", gm_page_stream, "/stream/<count>/<duration>: up to 100000 chunks, that time apart"},
    {"/sse",     gm_page_sse,    "/sse?interval=<duration>&count=<number>: events, 1s apart, without end"},
    {"/echo",    gm_page_echo,   "/echo: the request as JSON, with the length and SHA-256 of its body"},
    {"/close",   gm_page_close,  "/close: drops the connection without an answer"},
    {"/panic",   gm_page_close,  "/panic: the same, as the original's handler that dies"},
    {"",         gm_page_hello,  "any other path: a greeting as JSON, after a short pause"},
};
/* clang-format on */

static const gm_page_t *find_page(h2o_iovec_t path, size_t *prefix_length)
{
    const gm_page_t *page = pages;

    for (;; page++) { /* ends at "", which fits all */
        size_t length = strlen(page->path);
        bool is_prefix = length == 0 || page->path[length - 1] == '/';

        if (path.len < length || memcmp(path.base, page->path, length) != 0 ||
            (!is_prefix && path.len != length))
            continue;
        *prefix_length = length;
        return page;
    }
}

/* The bytes come from outside and go to somebody's terminal. */
static void append_printable(gm_buffer_t *line, h2o_iovec_t bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.base[i] > ' ' && bytes.base[i] <= '~')
            gm_buffer_append_char(line, bytes.base[i]);
        else
            gm_buffer_printf(line, "\\x%02x", (unsigned char)bytes.base[i]);
    }
}

static void say_received(const gm_backend_t *self, const h2o_req_t *req)
{
    gm_buffer_t line = {0};

    if (self->options.say == NULL)
        return;
    gm_buffer_append_text(&line, "[BACKEND] Received: ");
    append_printable(&line, req->input.method);
    gm_buffer_append_char(&line, ' ');
    append_printable(&line, gm_page_path(req));
    self->options.say(self->options.data, line.text);
    gm_buffer_dispose(&line);
}

static void serve(void *data, h2o_req_t *req, const gm_stream_t *body)
{
    gm_backend_t *self = data;
    h2o_iovec_t path = gm_page_path(req);
    gm_page_call_t call = {.req = req, .answer_delay_ms = self->options.answer_delay_ms};
    size_t prefix_length;

    if (body != NULL && body->has_failed) {
        req->http1_is_persistent = 0;
        gm_page_reply(req, gm_failure_row(body->failure)->status, "text/plain", body->why, strlen(body->why));
        return;
    }
    say_received(self, req);
    call.alarms = h2o_context_get_handler_context(req->conn->ctx, &self->super);
    call.page = find_page(path, &prefix_length);
    call.argument = h2o_strdup(&req->pool, path.base + prefix_length, path.len - prefix_length).base;
    call.page->serve(&call);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    gm_downstream_t *downstream = gm_downstream_of(req);

    if (downstream->is_refused) {
        const gm_failure_row_t *row = gm_failure_row(downstream->refusal);
        gm_page_reply(req, row->status, "text/plain", downstream->why, strlen(downstream->why));
    } else if (downstream->body != NULL) {
        gm_upload_collect(req, downstream->body, serve, handler);
    } else {
        serve(handler, req, NULL);
    }
    return 0;
}

static void on_context_init(h2o_handler_t *handler, h2o_context_t *context)
{
    h2o_context_set_handler_context(context, handler, gm_alarms_create(context->loop));
}

static void on_context_dispose(h2o_handler_t *handler, h2o_context_t *context)
{
    gm_alarms_destroy(h2o_context_get_handler_context(context, handler));
}

void gm_backend_register(h2o_pathconf_t *pathconf, const gm_backend_options_t *options)
{
    gm_backend_t *self = (gm_backend_t *)h2o_create_handler(pathconf, sizeof(*self));

    self->super.on_req = on_request;
    self->super.on_context_init = on_context_init;
    self->super.on_context_dispose = on_context_dispose;
    self->options = *options;
}

const char *gm_backend_help(size_t index)
{
    return index < GM_COUNT_OF(pages) ? pages[index].help : NULL;
}
