/*
 * Each request has a trace, which both sides are told; what is said about traces, and what is believed, is in
 * proxy/trace. Worker's thread but for its making.
 */
#include "proxy/policy.h"
#include "proxy/trace.h"

static bool settle(gm_proxy_t *proxy, const void *for_all, const void *of_route, void **self)
{
    const gm_tracing_policy_conf_t *items[] = {for_all, of_route};
    bool is_on = gm_snapshot_config(proxy->snapshot)->tracing.enabled;

    (void)self;
    for (size_t i = 0; i != GM_COUNT_OF(items); ++i)
        if (items[i] != NULL && items[i]->enabled != GM_SWITCH_AUTO)
            is_on = items[i]->enabled == GM_SWITCH_ON;
    return is_on;
}

static gm_verdict_t on_request(const void *self, gm_request_t *request, void **own, gm_error_t *err)
{
    (void)self;
    (void)own;
    (void)err;
    gm_trace_begin(request);
    return GM_VERDICT_PASS;
}

static int on_response(const void *self, gm_request_t *request, void **own, gm_error_t *err)
{
    (void)self;
    (void)own;
    (void)err;
    gm_trace_answer(request);
    return 0;
}

const gm_policy_ops_t gm_policy_tracing = {.name = "tracing",
                                           .sees_refused = true,
                                           .settle = settle,
                                           .on_request = on_request,
                                           .on_response = on_response};
