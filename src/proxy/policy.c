/*
 * The chain of policies: those for all in the order of the file, then those of the route, on the way in and
 * on the way out alike. A policy that fails costs its request a 500 and nobody else anything. Made by
 * proxy/proxy on the main thread; run by proxy/handler and proxy/request on workers.
 */
#include "proxy/policy.h"

#include "config/schema.h"
#include "proxy/reply.h"
#include "telemetry/log.h"

/* To add a kind: a file, a row in config/schema, an entry here. */
static const gm_policy_ops_t *const kinds[] = {&gm_policy_access, &gm_policy_headers, &gm_policy_redirect,
                                               &gm_policy_rewrite, &gm_policy_cors};

typedef struct gm_policy {
    const gm_policy_ops_t *ops;
    const void *self; /* owned if the kind creates it */
} gm_policy_t;

typedef struct gm_policy_slot {
    void *own; /* the policy's */
    bool has_failed;
} gm_policy_slot_t;

struct gm_policy_chain {
    GM_VECTOR(gm_policy_t) policies; /* shared with the chain for all, but for the route's own */
};

struct gm_policies {
    gm_policy_chain_t for_all;
    gm_policy_chain_t *routes; /* owned; in the order of the snapshot's */
    size_t route_count;
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

static void add_policy(gm_policy_chain_t *chain, const gm_policy_conf_t *conf, const gm_snapshot_t *snapshot)
{
    for (size_t i = 0; i != GM_COUNT_OF(kinds); ++i) {
        const void *section = find_section(conf, kinds[i]->name);
        gm_policy_t *policy;
        if (section == NULL)
            continue;
        policy = gm_vector_push(&chain->policies);
        policy->ops = kinds[i];
        policy->self = kinds[i]->create != NULL ? kinds[i]->create(section, snapshot) : section;
    }
}

static bool has_any(const gm_snapshot_t *snapshot)
{
    size_t count;
    const gm_snapshot_route_t *routes = gm_snapshot_routes(snapshot, &count);
    bool any = gm_snapshot_config(snapshot)->policies.size != 0;

    for (size_t i = 0; i != count; ++i)
        any = any || routes[i].policies != NULL;
    return any;
}

gm_policies_t *gm_policies_create(const gm_snapshot_t *snapshot)
{
    const gm_policy_confs_t *for_all = &gm_snapshot_config(snapshot)->policies;
    gm_policies_t *self;
    size_t count;
    const gm_snapshot_route_t *routes = gm_snapshot_routes(snapshot, &count);

    if (!has_any(snapshot))
        return NULL;
    self = gm_alloc(sizeof(*self));
    self->routes = gm_alloc((count + 1) * sizeof(self->routes[0]));
    self->route_count = count;
    for (size_t i = 0; i != for_all->size; ++i)
        add_policy(&self->for_all, for_all->items[i], snapshot);
    for (size_t i = 0; i != count; ++i) {
        gm_policy_chain_t *chain = &self->routes[i];
        for (size_t j = 0; j != self->for_all.policies.size; ++j)
            *gm_vector_push(&chain->policies) = self->for_all.policies.items[j];
        for (size_t j = 0; routes[i].policies != NULL && j != routes[i].policies->size; ++j)
            add_policy(chain, routes[i].policies->items[j], snapshot);
    }
    return self;
}

/* @param shared  how many at the head of the chain are another's */
static void dispose_chain(gm_policy_chain_t *chain, size_t shared)
{
    for (size_t i = shared; i < chain->policies.size; ++i) {
        const gm_policy_t *policy = &chain->policies.items[i];
        if (policy->ops->destroy != NULL)
            policy->ops->destroy((void *)(uintptr_t)policy->self);
    }
    gm_vector_dispose(&chain->policies);
}

void gm_policies_destroy(gm_policies_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i != self->route_count; ++i)
        dispose_chain(&self->routes[i], self->for_all.policies.size);
    dispose_chain(&self->for_all, 0);
    free(self->routes);
    free(self);
}

/* ---- running */

static void set_chain(gm_request_t *request, const gm_policy_chain_t *chain)
{
    gm_policy_state_t *state = request->policies;
    size_t bytes = (chain->policies.size + 1) * sizeof(state->slots[0]);

    state->chain = chain;
    state->slots = h2o_mem_alloc_pool(&request->req->pool, bytes);
    memset(state->slots, 0, bytes);
}

void gm_policy_open(gm_request_t *request)
{
    request->policies = h2o_mem_alloc_pool(&request->req->pool, sizeof(*request->policies));
    *request->policies = (gm_policy_state_t){.chain = NULL};
    set_chain(request, &request->context->proxy->policies->for_all);
}

/* The sentence that the log and, where they may know, clients get. */
static void note_failure(gm_request_t *request, const gm_policy_t *policy, const gm_error_t *err)
{
    gm_buffer_t text = {0};

    gm_buffer_printf(&text, "policy %s: %s", policy->ops->name, err->text);
    request->policies->error = h2o_strdup(&request->req->pool, text.text, text.length).base;
    gm_buffer_dispose(&text);
}

bool gm_policy_run(gm_request_t *request, const gm_route_key_t *key)
{
    const gm_proxy_t *proxy = request->context->proxy;
    gm_policy_state_t *state = request->policies;

    state->path = h2o_iovec_init(key->path, key->path_length);
    if (request->route != NULL)
        set_chain(request, &proxy->policies->routes[request->route - proxy->routes]);
    for (size_t i = 0; i != state->chain->policies.size; ++i) {
        const gm_policy_t *policy = &state->chain->policies.items[i];
        gm_error_t err = {0};
        gm_verdict_t verdict = GM_VERDICT_PASS;
        if (policy->ops->on_request != NULL)
            verdict = policy->ops->on_request(policy->self, request, &state->slots[i].own, &err);
        if (verdict == GM_VERDICT_FAILED) {
            state->slots[i].has_failed = true;
            note_failure(request, policy, &err);
            gm_policy_refuse(request, GM_FAILURE_INTERNAL, state->error);
        }
        if (verdict != GM_VERDICT_PASS)
            return true;
    }
    return false;
}

int gm_policy_respond(gm_request_t *request)
{
    gm_policy_state_t *state = request->policies;

    for (size_t i = 0; i != state->chain->policies.size; ++i) {
        const gm_policy_t *policy = &state->chain->policies.items[i];
        gm_policy_slot_t *slot = &state->slots[i];
        gm_error_t err = {0};
        if (policy->ops->on_response == NULL || slot->has_failed ||
            policy->ops->on_response(policy->self, request, &slot->own, &err) == 0)
            continue;
        slot->has_failed = true;
        note_failure(request, policy, &err);
        if (!request->is_failed)
            return -1;
        /* it is a failure's answer already, and goes out without this policy */
        gm_request_fail(request, GM_FAILURE_INTERNAL, state->error);
    }
    return 0;
}

void gm_policy_finish(gm_request_t *request)
{
    gm_policy_state_t *state = request->policies;

    for (size_t i = 0; i != state->chain->policies.size; ++i) {
        const gm_policy_t *policy = &state->chain->policies.items[i];
        if (policy->ops->on_finish != NULL)
            policy->ops->on_finish(policy->self, request, &state->slots[i].own);
    }
}

void gm_policy_refuse(gm_request_t *request, gm_failure_t failure, const char *detail)
{
    request->cluster = NULL;
    gm_reply_failure(request, failure, detail);
}

void gm_policy_answer(gm_request_t *request)
{
    h2o_req_t *req = request->req;

    if (gm_request_begin_answer(request) != 0)
        gm_reply_failure(request, GM_FAILURE_INTERNAL, request->policies->error);
    else
        h2o_send_inline(req, "", 0);
}
