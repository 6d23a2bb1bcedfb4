/*
 * What becomes of a request whose policies fail: by default it gets a 500; with `on_failure: pass` it goes on
 * without the one that failed, and the log says so. Worker's thread but for its making.
 */
#include "proxy/policy.h"

#include "telemetry/log.h"

static const gm_recovery_policy_conf_t answers = {.on_failure = GM_ON_FAILURE_ANSWER},
                                       passes = {.on_failure = GM_ON_FAILURE_PASS};

static bool settle(gm_proxy_t *proxy, const void *for_all, const void *of_route, void **self)
{
    const gm_recovery_policy_conf_t *items[] = {for_all, of_route}, *settled = &answers;

    (void)proxy;
    for (size_t i = 0; i != GM_COUNT_OF(items); ++i)
        if (items[i] != NULL && items[i]->on_failure != GM_ON_FAILURE_AUTO)
            settled = items[i]->on_failure == GM_ON_FAILURE_PASS ? &passes : &answers;
    *self = (void *)(uintptr_t)settled;
    return true;
}

static void warn(const gm_request_t *request, const char *name, const gm_error_t *err)
{
    const h2o_req_t *req = request->req;
    const gm_log_field_t fields[] = {
        {"policy", name, strlen(name)},
        {"method", req->input.method.base, req->input.method.len},
        {"path", req->input.path.base, req->input.path.len},
        {"trace_id", request->trace_id.base, request->trace_id.len},
    };
    size_t count = GM_COUNT_OF(fields) - (request->trace_id.base == NULL ? 1 : 0);

    gm_log_with(GM_LOG_WARN, fields, count, "%.*s %.*s goes on without policy %s: %s",
                (int)req->input.method.len, req->input.method.base,
                (int)(req->input.path.len < 2048 ? req->input.path.len : 2048), req->input.path.base, name,
                err->text);
}

static bool on_failure(const void *self, gm_request_t *request, const char *name, const gm_error_t *err)
{
    if (self != &passes)
        return false;
    warn(request, name, err);
    return true;
}

const gm_policy_ops_t gm_policy_recovery = {.name = "recovery", .settle = settle, .on_failure = on_failure};
