/*
 * metrics.path: one path that is not the backend's. Called by proxy/handler; worker's thread.
 */
#include "proxy/scrape.h"

#include "proxy/finish.h"
#include "proxy/policy.h"
#include "proxy/reply.h"

static bool is_page(const gm_request_t *request, const gm_route_key_t *key)
{
    const gm_proxy_t *proxy = request->context->proxy;
    const char *path = gm_snapshot_config(proxy->snapshot)->metrics.path;
    const h2o_iovec_t *method = &request->req->method;

    return proxy->metrics != NULL && path[0] == '/' &&
           h2o_memis(key->path, key->path_length, path, strlen(path)) &&
           (h2o_memis(method->base, method->len, H2O_STRLIT("GET")) ||
            h2o_memis(method->base, method->len, H2O_STRLIT("HEAD")));
}

bool gm_scrape_answers(gm_request_t *request, const gm_route_key_t *key)
{
    h2o_req_t *req = request->req;
    gm_buffer_t page = {0};
    h2o_iovec_t body;

    if (!is_page(request, key))
        return false;
    gm_finish_forget(request);
    gm_proxy_render_metrics(request->context->proxy, &page);
    body = h2o_strdup(&req->pool, page.text, page.length);
    gm_buffer_dispose(&page);
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = body.len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT(GM_METRICS_CONTENT_TYPE));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL, H2O_STRLIT("no-store"));
    if (gm_request_begin_answer(request) != 0)
        gm_reply_failure(request, GM_FAILURE_INTERNAL, request->policies->error);
    else
        h2o_send_inline(req, body.base, body.len);
    return true;
}
