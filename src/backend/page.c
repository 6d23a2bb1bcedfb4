/*
 * What the pages of the test backend share: whole answers, refusals, tasks that end with their request, and
 * the parts of a request's target. Called by the pages and by backend.c, on the thread of the request's loop.
 */
#include "backend/page.h"

#include <stdarg.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "http/reason.h"

void gm_page_set_status(h2o_req_t *req, int status)
{
    req->res.status = status;
    req->res.reason = gm_reason_phrase((unsigned)status);
}

void gm_page_add_header(h2o_req_t *req, const char *lower_case_name, const char *name, const char *value)
{
    /* maybe_token: the library's filters find well-known names by their token */
    h2o_add_header_by_str(&req->pool, &req->res.headers, lower_case_name, strlen(lower_case_name), 1, name,
                          value, strlen(value));
}

void gm_page_reply(h2o_req_t *req, int status, const char *content_type, const char *body, size_t length)
{
    static h2o_generator_t generator; /* a whole answer has nothing to go on with */
    h2o_iovec_t text;

    gm_page_set_status(req, status);
    gm_page_add_header(req, "content-type", "Content-Type", content_type);
    req->res.content_length = length;
    h2o_start_response(req, &generator);
    if (gm_page_is_head(req) || length == 0) {
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
        return;
    }
    text = h2o_strdup(&req->pool, body, length);
    h2o_send(req, &text, 1, H2O_SEND_STATE_FINAL);
}

void gm_page_refuse(const gm_page_call_t *call, const char *format, ...)
{
    gm_buffer_t body = {0};
    va_list args;

    va_start(args, format);
    gm_buffer_vprintf(&body, format, args);
    va_end(args);
    gm_buffer_printf(&body, "\n%s\n", call->page->help);
    gm_page_reply(call->req, 400, "text/plain; charset=utf-8", body.text, body.length);
    gm_buffer_dispose(&body);
}

int gm_page_parse_pause(const gm_page_call_t *call, const char *text, uint64_t *ms)
{
    gm_error_t err = {0};

    if (gm_text_parse_duration(text, ms, &err) != 0) {
        gm_page_refuse(call, "%s", err.text);
        return -1;
    }
    if (*ms > GM_PAGE_LONGEST_PAUSE_MS) {
        gm_page_refuse(call, "\"%s\" is more than 10m", text);
        return -1;
    }
    return 0;
}

static void on_task_dispose(void *memory)
{
    gm_page_task_t *self = memory;

    gm_alarm_clear(&self->alarm);
}

void *gm_page_task_create(const gm_page_call_t *call, size_t size_bytes)
{
    /* "shared" memory, because that is what a pool calls back for when it is cleared: however a request ends
     */
    gm_page_task_t *self = h2o_mem_alloc_shared(&call->req->pool, size_bytes, on_task_dispose);

    memset(self, 0, size_bytes);
    self->alarms = call->alarms;
    self->req = call->req;
    return self;
}

bool gm_page_is_head(const h2o_req_t *req)
{
    return h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
}

h2o_iovec_t gm_page_path(const h2o_req_t *req)
{
    const h2o_iovec_t *whole = &req->input.path;

    return h2o_iovec_init(whole->base, req->input.query_at != SIZE_MAX ? req->input.query_at : whole->len);
}

h2o_iovec_t gm_page_query(const h2o_req_t *req)
{
    const h2o_iovec_t *whole = &req->input.path;
    size_t start = req->input.query_at != SIZE_MAX ? req->input.query_at + 1 : whole->len;

    return h2o_iovec_init(whole->base + start, whole->len - start);
}
