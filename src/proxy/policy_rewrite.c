/*
 * The backend sees another path, or another host, than the client wrote. The path that is forwarded is a
 * canonical one, whatever proxy.normalize_path says: the rest of it was matched in that form. Worker's
 * thread.
 */
#include "http/path.h"
#include "proxy/policy.h"

/* @return -1 for a path that some programs would take for a host */
static int replace_prefix(gm_request_t *request, const char *prefix)
{
    h2o_req_t *req = request->req;
    const gm_policy_state_t *state = request->policies;
    const gm_path_match_t match = {state->path.base, state->path.len, strlen(request->route->path),
                                   request->route->exact};
    const char *mark = memchr(req->path.base, '?', req->path.len);
    size_t query = mark != NULL ? (size_t)(req->path.base + req->path.len - mark) : 0, length;
    char *out = h2o_mem_alloc_pool(&req->pool, state->path.len + strlen(prefix) + query + 1);

    if ((length = gm_path_replace(&match, prefix, out)) == 0)
        return -1;
    if (query != 0)
        memcpy(out + length, mark, query);
    req->path = h2o_iovec_init(out, length + query);
    return 0;
}

static void replace_host(gm_request_t *request, const char *host)
{
    h2o_iovec_t text = h2o_iovec_init(host, strlen(host));

    if (strchr(host, ':') != NULL)
        text = h2o_concat(&request->req->pool, h2o_iovec_init(H2O_STRLIT("[")), text,
                          h2o_iovec_init(H2O_STRLIT("]")));
    request->policies->host = text;
}

static gm_verdict_t on_request(const void *self, gm_request_t *request, void **own, gm_error_t *err)
{
    const gm_rewrite_policy_conf_t *conf = self;
    const h2o_iovec_t *path = &request->req->path;
    bool has_path = request->route != NULL && !h2o_memis(path->base, path->len, H2O_STRLIT("*"));

    (void)own;
    (void)err;
    if (conf->host != NULL)
        replace_host(request, conf->host);
    if (conf->prefix == NULL || !has_path || replace_prefix(request, conf->prefix) == 0)
        return GM_VERDICT_PASS;
    gm_policy_refuse(request, GM_FAILURE_BAD_REQUEST, "its path, as rewritten, would begin like a host");
    return GM_VERDICT_ANSWERED;
}

const gm_policy_ops_t gm_policy_rewrite = {.name = "rewrite", .on_request = on_request};
