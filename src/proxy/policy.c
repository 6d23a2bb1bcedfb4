/*
 * Which chains there are: one per route, and one for requests that have none. At the head of each are the
 * kinds that are always there, with the settings that hold for it; then come those for all in the order of
 * the file, then those of the route. What would do nothing is left out when the configuration is loaded. Made
 * by proxy/proxy on the main thread; run by proxy/handler on workers.
 */
#include "proxy/policy.h"

#include "config/schema.h"
#include "proxy/grpc_call.h"
#include "proxy/policy_chain.h"
#include "proxy/reply.h"

/* To add a kind: a file, a row in config/schema, an entry here. Those that are always there come first, in
 * the order in which requests meet them. */
static const gm_policy_ops_t *const kinds[] = {&gm_policy_recovery, &gm_policy_tracing, &gm_policy_metrics,
                                               &gm_policy_logging,  &gm_policy_access,  &gm_policy_headers,
                                               &gm_policy_redirect, &gm_policy_rewrite, &gm_policy_cors};

typedef struct gm_policy {
    const gm_policy_ops_t *ops;
    void *self; /* owned if the kind made it */
} gm_policy_t;

struct gm_policies {
    gm_policy_chain_t *for_all;  /* owned; NULL = it would do nothing; these, too: */
    gm_policy_chain_t **routes;  /* owned array of owned ones, in the order of the snapshot's */
    GM_VECTOR(gm_policy_t) made; /* all; what the items for all have made comes first */
    size_t route_count, for_all_count;
};

/* ---- making */

/* The one section that an item of the list has. */
static const void *find_section(const gm_policy_conf_t *conf, const char *name)
{
    const gm_field_t *row = gm_policy_section.fields;
    const char *section;

    while (strcmp(row->name, name) != 0)
        ++row;
    section = (const char *)conf + row->offset;
    return *(const bool *)(section + row->section->present_offset) ? section : NULL;
}

/* @param confs  NULL = an empty list */
static const void *find_setting(const gm_policy_confs_t *confs, const char *name)
{
    const void *section = NULL;

    for (size_t i = 0; confs != NULL && section == NULL && i != confs->size; ++i)
        section = find_section(confs->items[i], name);
    return section;
}

static void make(gm_policies_t *self, const gm_policy_confs_t *confs, const gm_snapshot_t *snapshot)
{
    for (size_t i = 0; confs != NULL && i != confs->size; ++i)
        for (size_t j = 0; j != GM_COUNT_OF(kinds); ++j) {
            const void *section = find_section(confs->items[i], kinds[j]->name);
            gm_policy_t *policy;
            if (section == NULL || kinds[j]->settle != NULL)
                continue;
            policy = gm_vector_push(&self->made);
            policy->ops = kinds[j];
            policy->self =
                kinds[j]->create != NULL ? kinds[j]->create(section, snapshot) : (void *)(uintptr_t)section;
        }
}

static void add_settled(gm_policies_t *self, gm_policy_chain_t *chain, gm_proxy_t *proxy,
                        const gm_policy_confs_t *of_route)
{
    const gm_policy_confs_t *for_all = &gm_snapshot_config(proxy->snapshot)->policies;

    for (size_t i = 0; i != GM_COUNT_OF(kinds); ++i) {
        const char *name = kinds[i]->name;
        void *made = NULL;
        if (kinds[i]->settle == NULL ||
            !kinds[i]->settle(proxy, find_setting(for_all, name), find_setting(of_route, name), &made))
            continue;
        *gm_vector_push(&self->made) = (gm_policy_t){kinds[i], made};
        gm_policy_chain_add(chain, kinds[i], made);
    }
}

static void add_made(const gm_policies_t *self, gm_policy_chain_t *chain, size_t from, size_t to)
{
    for (size_t i = from; i != to; ++i)
        gm_policy_chain_add(chain, self->made.items[i].ops, self->made.items[i].self);
}

/*
 * @param of_route  NULL = it has none of its own, or there is no route
 * @return NULL if it would do nothing
 */
static gm_policy_chain_t *create_chain(gm_policies_t *self, gm_proxy_t *proxy,
                                       const gm_policy_confs_t *of_route)
{
    gm_policy_chain_t *chain = gm_policy_chain_create();
    size_t own;

    add_settled(self, chain, proxy, of_route);
    add_made(self, chain, 0, self->for_all_count);
    own = self->made.size;
    make(self, of_route, proxy->snapshot);
    add_made(self, chain, own, self->made.size);
    if (!gm_policy_chain_is_idle(chain))
        return chain;
    gm_policy_chain_destroy(chain);
    return NULL;
}

gm_policies_t *gm_policies_create(gm_proxy_t *proxy)
{
    gm_policies_t *self = gm_alloc(sizeof(*self));
    bool has_any;

    self->routes = gm_alloc((proxy->route_count + 1) * sizeof(self->routes[0]));
    self->route_count = proxy->route_count;
    make(self, &gm_snapshot_config(proxy->snapshot)->policies, proxy->snapshot);
    self->for_all_count = self->made.size;
    self->for_all = create_chain(self, proxy, NULL);
    has_any = self->for_all != NULL;
    for (size_t i = 0; i != self->route_count; ++i) {
        self->routes[i] = create_chain(self, proxy, proxy->routes[i].policies);
        has_any = has_any || self->routes[i] != NULL;
    }
    if (has_any)
        return self;
    gm_policies_destroy(self);
    return NULL;
}

void gm_policies_destroy(gm_policies_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i != self->made.size; ++i)
        if (self->made.items[i].ops->destroy != NULL)
            self->made.items[i].ops->destroy(self->made.items[i].self);
    for (size_t i = 0; i != self->route_count; ++i)
        gm_policy_chain_destroy(self->routes[i]);
    gm_policy_chain_destroy(self->for_all);
    gm_vector_dispose(&self->made);
    free(self->routes);
    free(self);
}

bool gm_policies_have_finish(const gm_policies_t *self)
{
    if (self == NULL)
        return false;
    for (size_t i = 0; i != self->route_count; ++i)
        if (self->routes[i] != NULL && gm_policy_chain_has_finish(self->routes[i]))
            return true;
    return self->for_all != NULL && gm_policy_chain_has_finish(self->for_all);
}

/* ---- running */

void gm_policy_open(gm_request_t *request)
{
    const gm_policies_t *policies = request->context->proxy->policies;

    if (policies->for_all != NULL)
        gm_policy_chain_open(policies->for_all, request);
}

void gm_policy_see_refused(gm_request_t *request)
{
    gm_policy_open(request);
    if (request->policies != NULL)
        gm_policy_chain_see_refused(request);
}

bool gm_policy_run(gm_request_t *request, const gm_route_key_t *key)
{
    const gm_proxy_t *proxy = request->context->proxy;
    const gm_policy_chain_t *chain = request->route != NULL
                                         ? proxy->policies->routes[request->route - proxy->routes]
                                         : proxy->policies->for_all;
    gm_verdict_t verdict;

    if (chain == NULL)
        return false;
    gm_policy_chain_open(chain, request);
    request->policies->path = h2o_iovec_init(key->path, key->path_length);
    verdict = gm_policy_chain_enter(request);
    if (verdict == GM_VERDICT_FAILED)
        gm_policy_refuse(request, GM_FAILURE_INTERNAL, request->policies->error);
    return verdict != GM_VERDICT_PASS;
}

void gm_policy_refuse(gm_request_t *request, gm_failure_t failure, const char *detail)
{
    request->cluster = NULL;
    gm_reply_failure(request, failure, detail);
}

void gm_policy_answer(gm_request_t *request)
{
    h2o_req_t *req = request->req;

    if (request->grpc != NULL)
        gm_grpc_call_translate(request);
    if (gm_request_begin_answer(request) != 0)
        gm_reply_failure(request, GM_FAILURE_INTERNAL, request->policies->error);
    else
        h2o_send_inline(req, "", 0);
}
