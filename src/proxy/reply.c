/*
 * Failed requests get a status, the failure's one word in Proxy-Status (RFC 9209) and in a short body, text
 * or JSON as the client likes, and a line in the log with that word. Names and addresses go into the log, and
 * to clients on this machine. Nothing here runs for a request that succeeds. Worker's thread.
 */
#include "proxy/reply.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "http/accept.h"
#include "proxy/grpc_call.h"
#include "proxy/policy.h"
#include "telemetry/log.h"
#include "telemetry/problem.h"

typedef struct replacing_ostream {
    h2o_ostream_t super;
    h2o_iovec_t body;
    bool is_sent;
} replacing_ostream_t;

/* ---- who is told what */

static bool is_loopback(const struct sockaddr_storage *address)
{
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;

    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->ss_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127));
}

/* Another proxy on this machine hands on requests of who knows whom. */
static bool is_handed_on(const h2o_req_t *req)
{
    return h2o_find_header(&req->headers, H2O_TOKEN_X_FORWARDED_FOR, -1) != -1 ||
           h2o_find_header(&req->headers, H2O_TOKEN_VIA, -1) != -1 ||
           h2o_find_header_by_str(&req->headers, H2O_STRLIT("forwarded"), -1) != -1;
}

static bool is_on_this_machine(const h2o_req_t *req)
{
    struct sockaddr_storage address;

    return req->conn->callbacks->get_peername(req->conn, (void *)&address) != 0 && is_loopback(&address) &&
           !is_handed_on(req);
}

static gm_problem_t describe(const gm_request_t *request, gm_failure_t failure, const char *detail)
{
    uint64_t details = gm_snapshot_config(request->context->proxy->snapshot)->proxy.error_details;
    bool is_told_all = details == GM_ERROR_DETAILS_ALL ||
                       (details == GM_ERROR_DETAILS_AUTO && is_on_this_machine(request->req));
    gm_problem_t problem = {.failure = failure, .has_next_step = is_told_all};

    if (is_told_all ||
        (details != GM_ERROR_DETAILS_NONE && gm_failure_row(failure)->cause == GM_FAILURE_CAUSE_ALL))
        problem.cause = detail;
    if (is_told_all && request->cluster != NULL) {
        problem.backend = gm_cluster_authority(request->cluster);
        problem.is_tls = request->context->proxy->tls[request->route->cluster] != NULL;
    }
    return problem;
}

/* ---- the answer */

static bool wants_json(const h2o_req_t *req)
{
    gm_accept_t accept = {0};
    ssize_t at = -1;

    while ((at = h2o_find_header(&req->headers, H2O_TOKEN_ACCEPT, at)) != -1)
        gm_accept_read(&accept, req->headers.entries[at].value.base, req->headers.entries[at].value.len);
    return gm_accept_prefers_json(&accept);
}

static h2o_iovec_t move_to_pool(h2o_req_t *req, gm_buffer_t *text)
{
    h2o_iovec_t copy = h2o_strdup(&req->pool, text->text, text->length);

    gm_buffer_dispose(text);
    return copy;
}

static h2o_iovec_t fill_grpc(const gm_request_t *request, const gm_problem_t *problem)
{
    gm_buffer_t text = {0};

    gm_problem_write_grpc_message(problem, &text);
    gm_grpc_call_fill(request, gm_failure_row(problem->failure)->grpc, &text);
    return h2o_iovec_init(NULL, 0);
}

static h2o_iovec_t fill_http(const gm_request_t *request, const gm_problem_t *problem)
{
    h2o_req_t *req = request->req;
    gm_buffer_t text = {0};
    bool is_json = wants_json(req);
    h2o_iovec_t body;

    (is_json ? gm_problem_write_json : gm_problem_write_text)(problem, &text);
    body = move_to_pool(req, &text);
    req->res.status = gm_failure_row(problem->failure)->status;
    req->res.reason = gm_failure_reason_phrase(req->res.status);
    req->res.content_length = body.len;
    req->res.headers = (h2o_headers_t){0};
    if (is_json)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, "Content-Type",
                       H2O_STRLIT("application/problem+json"));
    else
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, "Content-Type",
                       H2O_STRLIT("text/plain; charset=utf-8"));
    return body;
}

h2o_iovec_t gm_reply_fill(const gm_request_t *request, gm_failure_t failure, const char *detail)
{
    h2o_req_t *req = request->req;
    gm_problem_t problem = describe(request, failure, detail);
    h2o_iovec_t body = (request->grpc != NULL ? fill_grpc : fill_http)(request, &problem), proxy_status;
    gm_buffer_t text = {0};

    gm_problem_write_proxy_status(&problem, &text);
    proxy_status = move_to_pool(req, &text);
    /* it says how things are now, to this client */
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, "Cache-Control",
                   H2O_STRLIT("no-store"));
    if (gm_failure_row(failure)->status == 503)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_RETRY_AFTER, "Retry-After", H2O_STRLIT("1"));
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("proxy-status"), 0, "Proxy-Status",
                          proxy_status.base, proxy_status.len);
    return body;
}

void gm_reply_failure(gm_request_t *request, gm_failure_t failure, const char *detail)
{
    h2o_iovec_t body = gm_reply_fill(request, failure, detail);

    request->is_failed = true;
    gm_request_fail(request, failure, detail);
    (void)!gm_request_begin_answer(request);
    h2o_send_inline(request->req, body.len != 0 ? body.base : "", body.len);
}

/* ---- in the place of the library's own answers */

static void send_replacement(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *bufs, size_t bufcnt,
                             h2o_send_state_t state)
{
    replacing_ostream_t *self = (void *)super;
    bool has_body =
        !self->is_sent && !h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));

    (void)bufs;
    (void)bufcnt;
    self->is_sent = true; /* an answer of a backend's comes in many pieces */
    h2o_ostream_send_next(super, req, &self->body, has_body ? 1 : 0, state);
}

h2o_ostream_t **gm_reply_replace_body(h2o_req_t *req, h2o_ostream_t **slot, h2o_iovec_t body)
{
    replacing_ostream_t *ostream = (void *)h2o_add_ostream(req, sizeof(*ostream), slot);

    ostream->super.do_send = send_replacement;
    ostream->is_sent = false;
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
        gm_request_t stub = {.req = req, .context = gm_proxy_context_of(req), .is_failed = true};
        const char *detail = req->res.reason;
        gm_failure_t failure = failure_of_status(req->res.status);
        h2o_iovec_t body = gm_reply_fill(&stub, failure, detail);
        if (stub.context->proxy->policies != NULL)
            gm_policy_open(&stub);
        gm_request_fail(&stub, failure, detail);
        (void)!gm_request_begin_answer(&stub);
        slot = gm_reply_replace_body(req, slot, body);
    }
    h2o_setup_next_ostream(req, slot);
}

void gm_reply_register_filter(h2o_pathconf_t *pathconf)
{
    h2o_create_filter(pathconf, sizeof(h2o_filter_t))->on_setup_ostream = on_setup_ostream;
}
