/*
 * The line of a request that is over. Which requests have one is said by log.access, for all routes and for
 * one; each worker's access log keeps the rules apart. Worker's thread but for its making.
 */
#include "proxy/policy.h"

#include "telemetry/log.h"

typedef struct logging {
    size_t rule; /* index into gm_proxy_t.access_rules */
} logging_t;

/* What the file says so far. */
typedef struct said {
    bool is_on;
    gm_access_log_rule_t rule;
} said_t;

static void listen_to(said_t *said, const gm_logging_policy_conf_t *item)
{
    if (item->enabled != GM_SWITCH_AUTO)
        said->is_on = item->enabled == GM_SWITCH_ON;
    if (item->only_failures != GM_SWITCH_AUTO)
        said->rule.only_failures = item->only_failures == GM_SWITCH_ON;
    if (item->sample != GM_LEFT_OPEN)
        said->rule.sample = (uint32_t)item->sample;
    if (item->slower_than_ms != GM_LEFT_OPEN)
        said->rule.slower_than_ns = item->slower_than_ms * 1000000;
}

static bool is_same(const gm_access_log_rule_t *a, const gm_access_log_rule_t *b)
{
    return a->only_failures == b->only_failures && a->sample == b->sample &&
           a->slower_than_ns == b->slower_than_ns;
}

/* Routes that say the same share a rule, and so what is counted for its samples. */
static size_t find_or_add_rule(gm_proxy_t *proxy, const gm_access_log_rule_t *rule)
{
    for (size_t i = 0; i != proxy->access_rules.size; ++i)
        if (is_same(&proxy->access_rules.items[i], rule))
            return i;
    *gm_vector_push(&proxy->access_rules) = *rule;
    return proxy->access_rules.size - 1;
}

/* Without a file of their own, lines come with level info, which can be changed through the admin window. */
static bool may_be_read(const gm_proxy_t *proxy)
{
    return gm_snapshot_config(proxy->snapshot)->log.access.path != NULL || proxy->has_window ||
           gm_log_is_on(GM_LOG_INFO);
}

static bool settle(gm_proxy_t *proxy, const void *for_all, const void *of_route, void **self)
{
    const gm_access_conf_t *conf = &gm_snapshot_config(proxy->snapshot)->log.access;
    said_t said = {.is_on = conf->enabled,
                   .rule = {.only_failures = conf->only_failures,
                            .slower_than_ns = conf->slower_than_ms * 1000000,
                            .sample = (uint32_t)conf->sample}};
    logging_t *logging;

    if (for_all != NULL)
        listen_to(&said, for_all);
    if (of_route != NULL)
        listen_to(&said, of_route);
    if (!said.is_on || !may_be_read(proxy))
        return false;
    *self = logging = gm_alloc(sizeof(*logging));
    logging->rule = find_or_add_rule(proxy, &said.rule);
    return true;
}

static void on_finish(const void *self, gm_request_t *request, void **own)
{
    (void)own;
    gm_access_log_write(request->context->access_log, ((const logging_t *)self)->rule, &request->record);
}

const gm_policy_ops_t gm_policy_logging = {
    .name = "logging", .settle = settle, .destroy = free, .on_finish = on_finish};
