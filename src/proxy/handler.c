/*
 * One request's way: admission, route, header, on to the engine. Each pathconf has one such handler, with the
 * routes that can match there. Worker's thread.
 */
#include "proxy/handler.h"

#include "front/downstream.h"
#include "proxy/admission.h"
#include "proxy/forward.h"
#include "proxy/forward_h2o.h"
#include "proxy/grpc_call.h"
#include "proxy/max_forwards.h"
#include "proxy/policy.h"
#include "proxy/reply.h"
#include "proxy/request_fields.h"
#include "proxy/scrape.h"
#include "telemetry/log.h"

typedef struct gm_handler {
    h2o_handler_t super;
    uint32_t *candidates; /* owned */
    size_t count;
} gm_handler_t;

/*
 * The library chose the pathconf by its own reading of the path. Where that is not our canonical path, to the
 * letter, its choice means nothing and all routes are asked.
 */
static const gm_snapshot_route_t *find_route(const gm_handler_t *self, const gm_proxy_t *proxy,
                                             const h2o_req_t *req, const gm_route_key_t *key)
{
    if (h2o_memis(req->path_normalized.base, req->path_normalized.len, key->path, key->path_length) &&
        req->authority.base == req->input.authority.base)
        return gm_route_find_among(proxy->routes, self->candidates, self->count, key);
    return gm_route_find(proxy->routes, proxy->route_count, key);
}

static void log_forwarding(const gm_request_t *request)
{
    const h2o_req_t *req = request->req;
    const char *authority = gm_cluster_authority(request->cluster);
    const gm_log_field_t fields[] = {
        {"method", req->method.base, req->method.len},
        {"path", req->path.base, req->path.len},
        {"route", request->route->name, strlen(request->route->name)},
        {"backend", authority, strlen(authority)},
    };

    gm_log_with(gm_log_is_json() ? GM_LOG_DEBUG : GM_LOG_INFO, fields, GM_COUNT_OF(fields),
                "Forwarding: %.*s %.*s → %s", (int)req->method.len, req->method.base,
                (int)(req->path.len < 4096 ? req->path.len : 4096), req->path.base, authority);
}

/* The library's server hands on all that a client wrote. */
static void drop_fields(h2o_req_t *req)
{
    req->http1_is_persistent = gm_request_fields_keep_alive(req);
    gm_request_fields_drop(req);
}

/* @return whether one has answered */
static bool has_policy_answered(gm_request_t *request, const gm_route_key_t *key)
{
    const gm_proxy_t *proxy = request->context->proxy;

    if (!gm_proxy_is_ours(proxy)) /* a client's Connection must not name the fields that policies set */
        drop_fields(request->req);
    return proxy->policies != NULL && gm_policy_run(request, key);
}

/* Before it had a route. */
static void refuse(gm_request_t *request, gm_failure_t failure, const char *why)
{
    if (request->context->proxy->policies != NULL)
        gm_policy_see_refused(request);
    gm_reply_failure(request, failure, why);
}

static void forward(gm_request_t *request)
{
    h2o_req_t *req = request->req;

    if (req->authority.len == 0) { /* HTTP/1.0 without Host: the backend gets its own name */
        const char *authority = gm_cluster_host_field(request->cluster);
        req->authority = h2o_iovec_init(authority, strlen(authority));
    }
    /* for people; a machine has all of it in one line when the request is over */
    if (gm_log_is_on(gm_log_is_json() ? GM_LOG_DEBUG : GM_LOG_INFO))
        log_forwarding(request);
    if (gm_proxy_is_ours(request->context->proxy)) {
        gm_forward_start(request);
    } else {
        gm_request_fields_add(req);
        req->authority = gm_policy_host(request);
        gm_forward_h2o_start(request);
    }
}

/* What our front end could not accept. */
static bool is_refused(gm_request_t *request)
{
    const gm_downstream_t *downstream;

    if (!gm_proxy_is_ours(request->context->proxy))
        return false;
    downstream = gm_downstream_of(request->req);
    if (downstream->is_refused)
        refuse(request, downstream->refusal, downstream->why);
    return downstream->is_refused;
}

static int on_req(h2o_handler_t *super, h2o_req_t *req)
{
    gm_handler_t *self = (void *)super;
    gm_request_t *request = gm_request_open(req);
    gm_proxy_t *proxy = request->context->proxy;
    const gm_proxy_conf_t *conf = &gm_snapshot_config(proxy->snapshot)->proxy;
    const gm_admission_rules_t rules = {.needs_host = proxy->has_hosts,
                                        .keeps_path = conf->normalize_path == GM_NORMALIZE_PATH_OFF,
                                        .max_body_bytes = gm_proxy_max_body(&conf->limits)};
    gm_route_key_t key;
    gm_refusal_t refusal;
    const char *why;

    gm_grpc_call_open(request);
    if (is_refused(request))
        return 0;
    if (gm_admission_check(req, &rules, &key, &refusal) != 0) {
        req->http1_is_persistent = 0;
        refuse(request, refusal.failure, refusal.why);
        return 0;
    }
    if (request->grpc != NULL && (why = gm_grpc_call_read(request, &key)) != NULL) {
        refuse(request, GM_FAILURE_BAD_REQUEST, why);
        return 0;
    }
    request->route = find_route(self, proxy, req, &key);
    if (request->route != NULL && request->route->cluster != GM_NO_CLUSTER)
        request->cluster = proxy->clusters[request->route->cluster];
    if (has_policy_answered(request, &key) || gm_scrape_answers(request, &key))
        return 0;
    if (request->cluster == NULL)
        gm_reply_failure(request, GM_FAILURE_NO_ROUTE,
                         request->route == NULL
                             ? "no route matches, and there is no proxy.backend"
                             : "its route has no backend, and it is where the redirect leads");
    else if (!gm_max_forwards_is_over(request))
        forward(request);
    return 0;
}

static void on_dispose(h2o_handler_t *super)
{
    free(((gm_handler_t *)super)->candidates);
}

void gm_handler_register(h2o_pathconf_t *pathconf, const gm_planned_path_t *plan)
{
    gm_handler_t *self = (void *)h2o_create_handler(pathconf, sizeof(*self));

    self->super.on_req = on_req;
    self->super.dispose = on_dispose;
    self->count = plan->count;
    self->candidates = gm_alloc((plan->count + 1) * sizeof(*self->candidates));
    if (plan->count != 0)
        memcpy(self->candidates, plan->candidates, plan->count * sizeof(*self->candidates));
}
