/*
 * Failed requests get a status, the failure's one word in Proxy-Status (RFC 9209) and in a short body, and a
 * line in the log with that word. Names and addresses go into the log only. Worker's thread.
 */
#include "proxy/reply.h"

#include "proxy/request.h"
#include "telemetry/log.h"

typedef struct replacing_ostream {
    h2o_ostream_t super;
    h2o_iovec_t body;
} replacing_ostream_t;

h2o_iovec_t gm_reply_fill(h2o_req_t *req, gm_failure_t failure)
{
    const gm_failure_row_t *row = gm_failure_row(failure);
    h2o_iovec_t body = h2o_concat(
        &req->pool, h2o_iovec_init(row->label, strlen(row->label)), h2o_iovec_init(H2O_STRLIT(": ")),
        h2o_iovec_init(row->sentence, strlen(row->sentence)), h2o_iovec_init("\n", 1));
    h2o_iovec_t proxy_status =
        h2o_concat(&req->pool, h2o_iovec_init(H2O_STRLIT("gomesh; error=")),
                   h2o_iovec_init(row->proxy_status, strlen(row->proxy_status)),
                   h2o_iovec_init(H2O_STRLIT("; details=\"")), h2o_iovec_init(row->label, strlen(row->label)),
                   h2o_iovec_init("\"", 1));

    req->res.status = row->status;
    req->res.reason = gm_failure_reason_phrase(row->status);
    req->res.content_length = body.len;
    req->res.headers = (h2o_headers_t){0};
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, "Content-Type",
                   H2O_STRLIT("text/plain; charset=utf-8"));
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("proxy-status"), 0, "Proxy-Status",
                          proxy_status.base, proxy_status.len);
    return body;
}

void gm_reply_failure(gm_request_t *request, gm_failure_t failure, const char *detail)
{
    h2o_req_t *req = request->req;
    h2o_iovec_t body = gm_reply_fill(req, failure);

    request->is_failed = true;
    gm_request_log_failure(request, gm_failure_row(failure)->label, detail);
    h2o_send_inline(req, body.base, body.len);
}

static void send_replacement(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *bufs, size_t bufcnt,
                             h2o_send_state_t state)
{
    replacing_ostream_t *self = (void *)super;
    bool has_body = bufcnt != 0; /* not for HEAD */

    (void)bufs;
    /* the library's errors come in one piece */
    h2o_ostream_send_next(super, req, &self->body, has_body ? 1 : 0, state);
}

h2o_ostream_t **gm_reply_replace_body(h2o_req_t *req, h2o_ostream_t **slot, h2o_iovec_t body)
{
    replacing_ostream_t *ostream = (void *)h2o_add_ostream(req, sizeof(*ostream), slot);

    ostream->super.do_send = send_replacement;
    ostream->body = body;
    return &ostream->super.next;
}

static gm_failure_t failure_of_status(int status)
{
    return status == 413   ? GM_FAILURE_PAYLOAD_TOO_LARGE
           : status == 417 ? GM_FAILURE_EXPECTATION_FAILED
           : status < 500  ? GM_FAILURE_BAD_REQUEST
                           : GM_FAILURE_INTERNAL;
}

static void on_setup_ostream(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    (void)self;
    if (gm_request_of(req) == NULL && req->res.status >= 400) {
        gm_request_t stub = {.req = req};
        const char *detail = req->res.reason;
        gm_failure_t failure = failure_of_status(req->res.status);
        gm_request_log_failure(&stub, gm_failure_row(failure)->label, detail);
        slot = gm_reply_replace_body(req, slot, gm_reply_fill(req, failure));
    }
    h2o_setup_next_ostream(req, slot);
}

void gm_reply_register_filter(h2o_pathconf_t *pathconf)
{
    h2o_create_filter(pathconf, sizeof(h2o_filter_t))->on_setup_ostream = on_setup_ostream;
}
