/*
 * While the library's client holds a request nothing may answer it: the client's own answer, a moment later,
 * would meet an assertion. So the late request leaves by the one door that takes the connection from the
 * library: its upgrade, with our 504 as the head (lib/http1.c, h2o_http1_upgrade). That ends the request, and
 * with it the client's hold on the backend. Worker's thread.
 */
#include "proxy/deadline.h"

#include <h2o/http1.h>

#include "proxy/forward_h2o.h"
#include "proxy/reply.h"

static void on_written(void *data, h2o_socket_t *sock, size_t request_size)
{
    (void)data;
    (void)request_size;
    if (sock != NULL)
        h2o_socket_close(sock);
}

static void answer_past_client(gm_request_t *request)
{
    h2o_req_t *req = request->req;
    const char *why = "request_timeout is over";
    h2o_iovec_t body = gm_reply_fill(request, GM_FAILURE_REQUEST_TOTAL_TIMEOUT, why);
    size_t with_body = !h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));

    request->is_expired = request->is_failed = true;
    gm_request_fail(request, GM_FAILURE_REQUEST_TOTAL_TIMEOUT, why);
    (void)!gm_request_begin_answer(request);
    /* the library writes "Connection: upgrade" without asking; this makes it a list that says close */
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONNECTION, NULL, H2O_STRLIT("close"));
    h2o_http1_upgrade(req, &body, with_body, on_written, NULL);
}

static void on_deadline(h2o_timeout_entry_t *entry)
{
    gm_request_t *request = H2O_STRUCT_FROM_MEMBER(gm_request_t, deadline, entry);
    h2o_socket_t *sock = request->req->conn->callbacks->get_socket(request->req->conn);

    if (request->is_answered)
        return;
    if (gm_forward_h2o_cancel(request))
        gm_reply_failure(request, GM_FAILURE_REQUEST_TOTAL_TIMEOUT, "request_timeout is over");
    else if (!h2o_socket_is_writing(sock))
        answer_past_client(request);
    else /* the client is slow to take an interim answer */
        h2o_timeout_link(request->context->super.loop, &request->context->request_timeout, entry);
}

void gm_deadline_start(gm_request_t *request)
{
    const gm_proxy_context_t *context = request->context;

    if (gm_snapshot_config(context->proxy->snapshot)->proxy.timeout.request_timeout_ms == 0)
        return;
    request->deadline.cb = on_deadline;
    h2o_timeout_link(context->super.loop, &request->context->request_timeout, &request->deadline);
}

void gm_deadline_stop(gm_request_t *request)
{
    h2o_timeout_unlink(&request->deadline);
}
