/*
 * A client may ask how far OPTIONS or TRACE goes; everything else has no such limit. Called by proxy/handler
 * on a worker.
 */
#include "proxy/max_forwards.h"

#include <stdio.h>

#include "proxy/policy.h"
#include "proxy/reply.h"

static const char methods[] = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE";

static bool is_limited(const h2o_req_t *req)
{
    return h2o_memis(req->method.base, req->method.len, H2O_STRLIT("OPTIONS")) ||
           h2o_memis(req->method.base, req->method.len, H2O_STRLIT("TRACE"));
}

/* Up to nine digits; what is no number limits nothing. */
static bool read_number(h2o_iovec_t text, unsigned *number)
{
    *number = 0;
    for (size_t i = 0; i != text.len; ++i) {
        if (text.base[i] < '0' || text.base[i] > '9')
            return false;
        *number = *number * 10 + (unsigned)(text.base[i] - '0');
    }
    return text.len != 0 && text.len <= 9;
}

static void answer(gm_request_t *request)
{
    h2o_req_t *req = request->req;

    if (req->method.base[0] == 'T') { /* it would show what was added on the way here */
        gm_reply_failure(request, GM_FAILURE_NOT_IMPLEMENTED, "TRACE that ends at this proxy");
        return;
    }
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = 0;
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("allow"), 0, "Allow", methods,
                          sizeof(methods) - 1);
    gm_policy_answer(request);
}

bool gm_max_forwards_is_over(gm_request_t *request)
{
    h2o_req_t *req = request->req;
    h2o_header_t *header;
    unsigned number;
    ssize_t at;
    char *text;

    if (!is_limited(req) || (at = h2o_find_header(&req->headers, H2O_TOKEN_MAX_FORWARDS, -1)) == -1)
        return false;
    header = &req->headers.entries[at];
    if (!read_number(header->value, &number))
        return false;
    if (number == 0) {
        answer(request);
        return true;
    }
    text = h2o_mem_alloc_pool(&req->pool, 12);
    header->value = h2o_iovec_init(text, (size_t)snprintf(text, 12, "%u", number - 1));
    return false;
}
