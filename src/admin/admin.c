/*
 * The admin window: one h2o handler and the table of its pages. It has a thread and a loop of its own, so
 * that it answers when a worker is stuck, and costs the workers nothing while nobody looks. Registered by
 * server/generation on the main thread; requests are served on the window's.
 */
#include "admin/admin.h"

#include <string.h>

#include "admin/guard.h"
#include "admin/probe.h"
#include "base/clock.h"
#include "front/downstream.h"
#include "http/reason.h"
#include "telemetry/log.h"

/* of surveys and probes: the loop's clock may jump, so the limits are no timers */
#define POLL_MS 2
#define PATIENCE_MS 1000

typedef struct gm_admin {
    h2o_handler_t super;
    gm_admin_options_t options; /* immutable; its snapshot and clusters are shared */
    gm_cluster_t **clusters;    /* owned array */
} gm_admin_t;

/* What belongs to the loop of the window's one worker. */
typedef struct gm_admin_context {
    h2o_timeout_t poll;
    h2o_loop_t *loop;
    gm_probe_t *probe;           /* owned; NULL = readiness needs no backend */
    h2o_timeout_entry_t probing; /* linked while a round is under way, whoever still waits for it */
} gm_admin_context_t;

/* clang-format off */
static const gm_admin_page_t pages[] = { /* the first that fits is served */
    {"/",          GM_ADMIN_GET,                  GM_SURVEY_NOTHING,  false, gm_admin_page_index,     "this list"},
    {"/healthz",   GM_ADMIN_GET,                  GM_SURVEY_NOTHING,  false, gm_admin_page_healthz,   "200 while the process lives"},
    {"/readyz",    GM_ADMIN_GET,                  GM_SURVEY_NOTHING,  true,  gm_admin_page_readyz,    "200, or 503 and why no request should be sent here"},
    {"/config",    GM_ADMIN_GET,                  GM_SURVEY_NOTHING,  false, gm_admin_page_config,    "the configuration in effect, defaults filled in"},
    {"/clusters",  GM_ADMIN_GET,                  GM_SURVEY_NUMBERS,  false, gm_admin_page_clusters,  "the backends: addresses, look-ups, idle connections"},
    {"/workers",   GM_ADMIN_GET,                  GM_SURVEY_NUMBERS,  false, gm_admin_page_workers,   "the event loops: connections, requests in flight"},
    {"/metrics",   GM_ADMIN_GET,                  GM_SURVEY_NOTHING,  false, gm_admin_page_metrics,   "the page for Prometheus"},
    {"/requests",  GM_ADMIN_GET,                  GM_SURVEY_REQUESTS, false, gm_admin_page_requests,  "the last requests; ?failed, ?slow, ?limit=100"},
    {"/requests/", GM_ADMIN_GET,                  GM_SURVEY_REQUESTS, false, gm_admin_page_request,   "the requests of one trace, /requests/<X-Trace-ID>, and where their time went"},
    {"/version",   GM_ADMIN_GET,                  GM_SURVEY_NOTHING,  false, gm_admin_page_version,   "versions, process id, uptime"},
    {"/log/level", GM_ADMIN_GET | GM_ADMIN_POST,  GM_SURVEY_NOTHING,  false, gm_admin_page_log_level, "which log lines are printed; POST ?level=debug changes it"},
    {"/drain",     GM_ADMIN_POST,                 GM_SURVEY_NOTHING,  false, gm_admin_page_drain,     "end in good order, as SIGTERM does"},
};
/* clang-format on */

const gm_admin_page_t *gm_admin_page_at(size_t index)
{
    return index < GM_COUNT_OF(pages) ? &pages[index] : NULL;
}

static const gm_admin_page_t *find_page(h2o_iovec_t path, const char **argument, h2o_mem_pool_t *pool)
{
    for (const gm_admin_page_t *page = pages; page != pages + GM_COUNT_OF(pages); ++page) {
        size_t length = strlen(page->path);
        bool is_prefix = length > 1 && page->path[length - 1] == '/';
        if (path.len < length || memcmp(path.base, page->path, length) != 0 ||
            (!is_prefix && path.len != length))
            continue;
        *argument = h2o_strdup(pool, path.base + length, path.len - length).base;
        return page;
    }
    return NULL;
}

/* ---- the answer */

/* @param lower  the name in lower case */
static void add_header(h2o_req_t *req, const char *lower, const char *name, const char *value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, lower, strlen(lower), 1, name, value, strlen(value));
}

static bool is_method(const h2o_req_t *req, const char *method)
{
    return h2o_memis(req->input.method.base, req->input.method.len, method, strlen(method));
}

static void send_answer(h2o_req_t *req, const gm_admin_call_t *call)
{
    static h2o_generator_t generator; /* a whole answer has nothing to go on with */
    h2o_iovec_t body =
        h2o_strdup(&req->pool, call->out->text != NULL ? call->out->text : "", call->out->length);

    gm_log(GM_LOG_DEBUG, "Admin: %.*s %.*s → %d", (int)req->input.method.len, req->input.method.base,
           (int)(req->input.path.len < 256 ? req->input.path.len : 256), req->input.path.base, call->status);
    req->res.status = call->status;
    req->res.reason = gm_reason_phrase((unsigned)call->status);
    req->res.content_length = body.len;
    add_header(req, "content-type", "Content-Type", call->content_type);
    add_header(req, "cache-control", "Cache-Control", "no-store");
    /* what a browser shows is for whoever sits at it, not for the page beside it */
    add_header(req, "x-content-type-options", "X-Content-Type-Options", "nosniff");
    add_header(req, "cross-origin-resource-policy", "Cross-Origin-Resource-Policy", "same-origin");
    add_header(req, "x-frame-options", "X-Frame-Options", "DENY");
    h2o_start_response(req, &generator);
    if (is_method(req, "HEAD"))
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    else
        h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
}

/* ---- who may ask */

static const h2o_iovec_t *find_field(const h2o_req_t *req, const char *name)
{
    ssize_t index = h2o_find_header_by_str(&req->headers, name, strlen(name), -1);
    return index != -1 ? &req->headers.entries[index].value : NULL;
}

/* HTTP/1.0 may leave it out, and no browser speaks that. */
static bool has_no_host(const h2o_req_t *req)
{
    return req->input.authority.base == req->conn->hosts[0]->authority.hostport.base;
}

static bool is_local_socket(h2o_req_t *req)
{
    return gm_downstream_of(req)->peer.length == 0;
}

static bool is_foreign_host(const gm_admin_t *self, h2o_req_t *req)
{
    const h2o_iovec_t *host = &req->input.authority;

    return !has_no_host(req) && !is_local_socket(req) &&
           !gm_guard_is_host(host->base, host->len, self->options.listen_host);
}

static bool is_foreign_page(const h2o_req_t *req, bool may_be_link)
{
    const h2o_iovec_t *origin = find_field(req, "origin"), *site = find_field(req, "sec-fetch-site"),
                      *dest = find_field(req, "sec-fetch-dest");
    gm_guard_signs_t signs = {.origin = origin != NULL ? origin->base : NULL};

    if (site != NULL) {
        signs.site = site->base;
        signs.site_length = site->len;
    }
    if (dest != NULL) {
        signs.dest = dest->base;
        signs.dest_length = dest->len;
    }
    return gm_guard_is_foreign_page(&signs, may_be_link);
}

/* Why a request gets no page; all texts are static. */
typedef struct refusal {
    int status; /* 0 = it gets one */
    const char *why;
    const char *allow; /* the methods there are; NULL = does not matter */
} refusal_t;

/* @param page  NULL = there is none */
static refusal_t judge(const gm_admin_t *self, h2o_req_t *req, const gm_admin_page_t *page)
{
    const gm_downstream_t *downstream = gm_downstream_of(req);
    unsigned method = is_method(req, "POST")                            ? GM_ADMIN_POST
                      : is_method(req, "GET") || is_method(req, "HEAD") ? GM_ADMIN_GET
                                                                        : 0;

    if (downstream->is_refused)
        return (refusal_t){.status = gm_failure_row(downstream->refusal)->status, .why = downstream->why};
    if (is_foreign_host(self, req))
        return (refusal_t){.status = 403,
                           .why = "this Host is refused, as a web page's might be: use an address, "
                                  "localhost, or the host in admin.listen"};
    if (is_foreign_page(req, method == GM_ADMIN_GET))
        return (refusal_t){.status = 403, .why = "other sites' web pages must not ask here"};
    if (page == NULL)
        return (refusal_t){.status = 404, .why = "there is no such page; / lists those that there are"};
    if (!(page->methods & method))
        return (refusal_t){.status = 405,
                           .why = "this page does not know that method",
                           .allow = page->methods == GM_ADMIN_GET    ? "GET, HEAD"
                                    : page->methods == GM_ADMIN_POST ? "POST"
                                                                     : "GET, HEAD, POST"};
    return (refusal_t){0};
}

/* ---- requests */

/*
 * @param asked    argument, query, and the survey where the page has one
 * @param page     NULL = there is a refusal
 */
static void answer(gm_admin_t *self, h2o_req_t *req, const gm_admin_call_t *asked,
                   const gm_admin_page_t *page, const refusal_t *refusal)
{
    gm_buffer_t out = {0};
    gm_json_t json = {.out = &out};
    gm_admin_call_t call = *asked;

    call.options = &self->options;
    call.is_post = is_method(req, "POST");
    call.wants_text = gm_admin_has_word(call.query, "text");
    call.status = 200;
    call.content_type = call.wants_text ? "text/plain; charset=utf-8" : "application/json";
    call.out = &out;
    call.json = &json;
    if (page == NULL) {
        gm_admin_refuse(&call, refusal->status, "%s", refusal->why);
        if (refusal->allow != NULL)
            add_header(req, "allow", "Allow", refusal->allow);
    } else {
        page->serve(&call);
        if (out.length == 0 || out.text[out.length - 1] != '\n')
            gm_buffer_append_char(&out, '\n');
    }
    send_answer(req, &call); /* is written by the loop: the request lives on */
    gm_buffer_dispose(&out);
    if (call.is_to_drain)
        self->options.drain(self->options.data);
}

/* ---- pages that ask first: the workers, or whether a backend is there */

typedef struct inquiry {
    h2o_timeout_entry_t poll;
    gm_admin_t *admin;
    gm_admin_context_t *context;
    h2o_req_t *req; /* owns this */
    const gm_admin_page_t *page;
    gm_admin_call_t call; /* argument and query are in req pool */
    gm_survey_t *survey;  /* shared with the workers; NULL = the probe is waited for */
    uint64_t deadline_ms;
} inquiry_t;

static gm_admin_context_t *context_of(gm_admin_t *self, h2o_req_t *req)
{
    return h2o_context_get_handler_context(req->conn->ctx, &self->super);
}

/* The client may leave before the workers have answered. */
static void on_inquiry_dispose(void *memory)
{
    inquiry_t *self = memory;

    h2o_timeout_unlink(&self->poll);
    gm_survey_release(self->survey);
}

static bool is_over(const inquiry_t *self)
{
    if (self->survey == NULL)
        return !gm_probe_is_under_way(self->context->probe); /* which has a limit of its own */
    return gm_survey_is_over(self->survey) || gm_clock_monotonic_ms() >= self->deadline_ms;
}

/* The sheets go at once: a client may take its time over the answer. */
static void conclude(inquiry_t *self)
{
    answer(self->admin, self->req, &self->call, self->page, NULL);
    gm_survey_release(self->survey);
    self->survey = NULL;
}

static void on_poll(h2o_timeout_entry_t *entry)
{
    inquiry_t *self = H2O_STRUCT_FROM_MEMBER(inquiry_t, poll, entry);

    if (is_over(self))
        conclude(self);
    else
        h2o_timeout_link(self->req->conn->ctx->loop, &self->context->poll, &self->poll);
}

/* Goes on when nobody waits any more, too: no connection to a backend is to be left open. */
static void on_probing(h2o_timeout_entry_t *entry)
{
    gm_admin_context_t *self = H2O_STRUCT_FROM_MEMBER(gm_admin_context_t, probing, entry);

    if (gm_probe_go_on(self->probe, gm_clock_monotonic_ms()))
        h2o_timeout_link(self->loop, &self->poll, &self->probing);
}

/* @return whether there is a round to wait for */
static bool start_probe(gm_admin_t *self, gm_admin_context_t *context)
{
    if (context->probe == NULL || self->options.is_draining(self->options.data) ||
        !gm_probe_start(context->probe, gm_clock_monotonic_ms()))
        return false;
    if (!h2o_timeout_is_linked(&context->probing))
        h2o_timeout_link(context->loop, &context->poll, &context->probing);
    return true;
}

static gm_survey_t *start_survey(gm_admin_t *self, gm_survey_question_t question)
{
    const gm_admin_options_t *options = &self->options;
    gm_survey_t *survey = gm_survey_create(options->worker_count, options->cluster_count, question);

    for (size_t i = 0; i != options->worker_count; ++i)
        options->ask(options->data, i, survey);
    return survey;
}

/* Answers at once, or when what it asks for is known. */
static void inquire(gm_admin_t *self, h2o_req_t *req, const gm_admin_call_t *call,
                    const gm_admin_page_t *page)
{
    inquiry_t *inquiry = h2o_mem_alloc_shared(&req->pool, sizeof(*inquiry), on_inquiry_dispose);

    *inquiry = (inquiry_t){.poll = {.cb = on_poll},
                           .admin = self,
                           .context = context_of(self, req),
                           .req = req,
                           .page = page,
                           .call = *call,
                           .deadline_ms = gm_clock_monotonic_ms() + PATIENCE_MS};
    if (page->question != GM_SURVEY_NOTHING)
        inquiry->call.survey = inquiry->survey = start_survey(self, page->question);
    if (page->needs_probe ? start_probe(self, inquiry->context) : !is_over(inquiry))
        h2o_timeout_link(req->conn->ctx->loop, &inquiry->context->poll, &inquiry->poll);
    else
        conclude(inquiry);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    gm_admin_t *self = (gm_admin_t *)handler;
    const h2o_iovec_t *target = &req->input.path;
    size_t mark = req->input.query_at != SIZE_MAX ? req->input.query_at : target->len;
    gm_admin_call_t call = {.argument = "", .query = ""};
    const gm_admin_page_t *page = find_page(h2o_iovec_init(target->base, mark), &call.argument, &req->pool);
    refusal_t refusal = judge(self, req, page); /* before anybody is asked for its sake */

    if (mark != target->len)
        call.query = h2o_strdup(&req->pool, target->base + mark + 1, target->len - mark - 1).base;
    if (refusal.status != 0)
        answer(self, req, &call, NULL, &refusal);
    else if (page->question != GM_SURVEY_NOTHING || page->needs_probe)
        inquire(self, req, &call, page);
    else
        answer(self, req, &call, page, NULL);
    return 0;
}

/* ---- the handler */

static void on_context_init(h2o_handler_t *handler, h2o_context_t *context)
{
    const gm_admin_options_t *options = &((gm_admin_t *)handler)->options;
    const gm_config_t *config = gm_snapshot_config(options->snapshot);
    uint64_t timeout_ms = config->proxy.timeout.connect_timeout_ms;
    gm_admin_context_t *self = gm_alloc(sizeof(*self));

    self->loop = context->loop;
    self->probing.cb = on_probing;
    if (config->admin.ready_needs_backend)
        self->probe = gm_probe_create(options->clusters, options->cluster_count,
                                      timeout_ms < PATIENCE_MS ? timeout_ms : PATIENCE_MS);
    h2o_timeout_init(context->loop, &self->poll, POLL_MS);
    h2o_context_set_handler_context(context, handler, self);
}

static void on_context_dispose(h2o_handler_t *handler, h2o_context_t *context)
{
    gm_admin_context_t *self = h2o_context_get_handler_context(context, handler);

    h2o_timeout_unlink(&self->probing);
    h2o_timeout_dispose(context->loop, &self->poll);
    gm_probe_destroy(self->probe);
    free(self);
}

static void on_dispose(h2o_handler_t *handler)
{
    gm_admin_t *self = (gm_admin_t *)handler;

    for (size_t i = 0; i != self->options.cluster_count; ++i)
        gm_cluster_release(self->clusters[i]);
    free(self->clusters);
    gm_snapshot_release(self->options.snapshot);
}

void gm_admin_register(h2o_pathconf_t *pathconf, const gm_admin_options_t *options)
{
    gm_admin_t *self = (gm_admin_t *)h2o_create_handler(pathconf, sizeof(*self));

    self->super.on_req = on_request;
    self->super.on_context_init = on_context_init;
    self->super.on_context_dispose = on_context_dispose;
    self->super.dispose = on_dispose;
    self->options = *options;
    gm_snapshot_retain(options->snapshot);
    self->clusters = gm_alloc((options->cluster_count + 1) * sizeof(self->clusters[0]));
    for (size_t i = 0; i != options->cluster_count; ++i)
        self->clusters[i] = gm_cluster_retain(options->clusters[i]);
    self->options.clusters = self->clusters;
}
