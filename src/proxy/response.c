/*
 * Looks at the head of each answer. The library reports what went wrong with a backend only as an error
 * answer with a sentence in req->error_logs; here it becomes a failure of our table. Worker's thread.
 */
#include "proxy/response.h"

#include "http/fields.h"
#include "proxy/finish.h"
#include "proxy/forward_h2o.h"
#include "proxy/policy.h"
#include "proxy/reply.h"

static bool is_token(const h2o_header_t *header)
{
    return h2o_iovec_is_token(header->name);
}

/* RFC 9110, 7.6.1. Names are in lower case here. */
static void drop_hop_by_hop(h2o_req_t *req)
{
    h2o_headers_t *headers = &req->res.headers;
    size_t kept = 0;

    for (size_t i = 0; i != headers->size; ++i) {
        const h2o_header_t *header = &headers->entries[i];
        if (!gm_fields_is_hop_by_hop(header->name->base, header->name->len) ||
            (is_token(header) && header->name == &H2O_TOKEN_UPGRADE->buf && req->res.status == 426))
            headers->entries[kept++] = *header;
    }
    headers->size = kept;
}

static bool has_body(const h2o_req_t *req)
{
    return !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD")) && req->res.status != 204 &&
           req->res.status != 304;
}

/* What the library decided when the request came in, and may be wrong by now. */
static void decide_persistence(h2o_req_t *req)
{
    /* RFC 9112, 6.3: without chunks and without a length only the end of the connection ends a body */
    if (req->version < 0x101 && req->res.content_length == SIZE_MAX && has_body(req))
        req->http1_is_persistent = 0;
    if (req->conn->ctx->shutdown_requested)
        req->http1_is_persistent = 0;
}

/* Status, fields and body become those of a failure. */
static void answer_instead(gm_request_t *request, h2o_ostream_t **slot, gm_failure_t failure,
                           const char *detail)
{
    h2o_iovec_t body = gm_reply_fill(request, failure, detail);

    request->is_failed = true;
    gm_request_fail(request, failure, detail);
    (void)!gm_request_begin_answer(request);
    slot = gm_reply_replace_body(request->req, slot, body);
    h2o_setup_next_ostream(request->req, slot);
}

int gm_response_begin(gm_request_t *request, h2o_ostream_t **slot)
{
    h2o_req_t *req = request->req;
    const char *message;

    if (request->is_expired) { /* it came after request_timeout's own answer was written */
        gm_forward_h2o_swallow(request, slot);
        return 1;
    }
    request->is_answered = true;
    decide_persistence(req);
    if (request->is_failed)
        return 0;
    gm_record_enter(&request->record, GM_PHASE_LAST_BYTE);
    if (req->error_logs.size == request->errors_seen) {
        gm_connection_begin_answer(request->connection);
        gm_finish_note_answer(request, req->res.status);
        drop_hop_by_hop(req);
        if (gm_request_begin_answer(request) == 0)
            return 0;
        answer_instead(request, slot, GM_FAILURE_INTERNAL, request->policies->error);
        return 1;
    }
    message = req->error_logs.entries[req->error_logs.size - 1].msg.base;
    request->errors_seen = req->error_logs.size;
    if (gm_forward_h2o_retry(request, message, slot)) {
        request->is_answered = false;
        return 1;
    }
    answer_instead(request, slot, gm_forward_h2o_failure(message), message);
    return 1;
}
