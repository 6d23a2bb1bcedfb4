/*
 * Counts requests: in flight while they are, and what became of them when they are over. What is counted of
 * connections is counted all the same. Worker's thread but for its making.
 */
#include "proxy/policy.h"

static bool settle(gm_proxy_t *proxy, const void *for_all, const void *of_route, void **self)
{
    const gm_metrics_policy_conf_t *items[] = {for_all, of_route};
    bool is_on = true;

    (void)self;
    for (size_t i = 0; i != GM_COUNT_OF(items); ++i)
        if (items[i] != NULL && items[i]->enabled != GM_SWITCH_AUTO)
            is_on = items[i]->enabled == GM_SWITCH_ON;
    return is_on && proxy->metrics != NULL; /* otherwise nobody can read them */
}

static gm_verdict_t on_request(const void *self, gm_request_t *request, void **own, gm_error_t *err)
{
    (void)self;
    (void)own;
    (void)err;
    gm_metrics_begin(request->context->metrics);
    return GM_VERDICT_PASS;
}

static void on_forget(const void *self, gm_request_t *request, void **own)
{
    (void)self;
    (void)own;
    gm_metrics_cancel(request->context->metrics);
}

static void on_finish(const void *self, gm_request_t *request, void **own)
{
    (void)self;
    (void)own;
    gm_metrics_record(request->context->metrics, &request->record);
}

const gm_policy_ops_t gm_policy_metrics = {.name = "metrics",
                                           .sees_refused = true,
                                           .settle = settle,
                                           .on_request = on_request,
                                           .on_forget = on_forget,
                                           .on_finish = on_finish};
