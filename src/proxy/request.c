/*
 * Opening and closing of the file on a request. The library tells nobody when a request ends, but it frees
 * what is in the request's pool, and that is where the file lies. Worker's thread.
 */
#include "proxy/request.h"

#include "front/downstream.h"
#include "proxy/deadline.h"
#include "proxy/finish.h"
#include "proxy/policy_chain.h"
#include "proxy/response.h"
#include "telemetry/log.h"

/* What the library lets us hang on a request: found again through req->prefilters. */
typedef struct gm_request_link {
    h2o_req_prefilter_t super;
    gm_request_t *request;
} gm_request_link_t;

static void on_setup_ostream(h2o_req_prefilter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    gm_request_t *request = ((gm_request_link_t *)self)->request;

    if (gm_response_begin(request, slot) == 0)
        h2o_setup_next_prefilter(self, req, slot);
}

static void on_dispose(void *data)
{
    gm_request_t *self = data;
    const h2o_req_t *req = self->req;

    if (self->forward != NULL)
        self->end_forward(self->forward);
    if (self->connector != NULL)
        gm_connector_cancel(self->connector);
    h2o_timeout_unlink(&self->retry);
    gm_deadline_stop(self);
    if (self->is_answered && !self->is_failed && req->error_logs.size > self->errors_seen)
        gm_request_fail(self, GM_FAILURE_RESPONSE_TRUNCATED,
                        req->error_logs.entries[req->error_logs.size - 1].msg.base);
    gm_finish(self);
    gm_connection_end_request(self->connection);
}

/* The engine "h2o" has no other places from which the end of an answer, or the lack of one, could be seen. */
static void watch_library(gm_request_t *self)
{
    gm_request_link_t *link = (void *)h2o_add_prefilter(self->req, sizeof(*link));

    link->super.on_setup_ostream = on_setup_ostream;
    link->request = self;
    self->connection = gm_connection_of(self->req);
    gm_connection_begin_request(self->connection);
    gm_deadline_start(self);
}

gm_request_t *gm_request_open(h2o_req_t *req)
{
    gm_request_t *self = h2o_mem_alloc_shared(&req->pool, sizeof(*self), on_dispose);

    *self = (gm_request_t){.req = req, .context = gm_proxy_context_of(req)};
    gm_finish_open(self);
    if (!gm_proxy_is_ours(self->context->proxy))
        watch_library(self);
    return self;
}

gm_request_t *gm_request_of(h2o_req_t *req)
{
    for (h2o_req_prefilter_t *filter = req->prefilters; filter != NULL; filter = filter->next)
        if (filter->on_setup_ostream == on_setup_ostream)
            return ((gm_request_link_t *)filter)->request;
    return NULL;
}

bool gm_request_find_asked(const gm_request_t *self, gm_record_text_t *method, gm_record_text_t *target)
{
    const gm_downstream_t *downstream;

    if (!gm_proxy_is_ours(self->context->proxy))
        return false;
    downstream = gm_downstream_of(self->req);
    if (downstream->asked_method.base == NULL)
        return false;
    *method = (gm_record_text_t){downstream->asked_method.base, downstream->asked_method.length};
    *target = (gm_record_text_t){downstream->asked_target.base, downstream->asked_target.length};
    return true;
}

static void log_asked(const gm_request_t *self, gm_log_level_t level, const char *label, const char *detail,
                      gm_record_text_t method, gm_record_text_t path)
{
    const char *authority = self->cluster != NULL ? gm_cluster_authority(self->cluster) : "";
    const gm_log_field_t fields[] = {
        {"failure", label, strlen(label)},
        {"method", method.base, method.length},
        {"path", path.base, path.length},
        {"backend", authority, strlen(authority)},
        {"trace_id", self->trace_id.base, self->trace_id.len},
    };
    size_t count = GM_COUNT_OF(fields) - (self->trace_id.base == NULL ? 1 : 0);

    gm_log_with(level, fields, count, "%.*s %.*s%s%s failed: %s (%s)", (int)method.length, method.base,
                (int)(path.length < 2048 ? path.length : 2048), path.base, self->cluster != NULL ? " → " : "",
                authority, label, detail);
}

static void log_failure(const gm_request_t *self, gm_log_level_t level, const char *label, const char *detail)
{
    const h2o_req_t *req = self->req;
    gm_record_text_t method = {req->input.method.base, req->input.method.len};
    gm_record_text_t path = {req->path.base, req->path.len};

    gm_request_find_asked(self, &method, &path);
    log_asked(self, level, label, detail, method, path);
}

int gm_request_begin_answer(gm_request_t *self)
{
    /* the engine "h2o" comes by twice with answers that were made here */
    if (self->policies != NULL && !self->has_begun && gm_policy_chain_respond(self) != 0)
        return -1;
    self->has_begun = true;
    gm_record_enter(&self->record, GM_PHASE_LAST_BYTE);
    return 0;
}

static void note(gm_request_t *self, gm_failure_t failure, const char *detail)
{
    if (self->record.failure != GM_NO_FAILURE)
        return;
    self->record.failure = (int)failure;
    self->record.detail = h2o_strdup(&self->req->pool, detail, SIZE_MAX).base;
}

/* Of the failures of routed requests, those that tell something of the backend. */
static bool is_of_backend(gm_failure_t failure)
{
    int status = gm_failure_row(failure)->status;

    return status >= 502 && status <= 504 && failure != GM_FAILURE_DRAINING &&
           failure != GM_FAILURE_DEADLINE_EXCEEDED;
}

void gm_request_fail(gm_request_t *self, gm_failure_t failure, const char *detail)
{
    if (self->cluster != NULL && is_of_backend(failure))
        gm_cluster_note_failure(self->cluster, failure);
    note(self, failure, detail);
    log_failure(self, self->cluster != NULL ? GM_LOG_ERROR : GM_LOG_WARN, gm_failure_row(failure)->label,
                detail);
}

void gm_request_leave(gm_request_t *self, const char *detail)
{
    note(self, GM_FAILURE_CLIENT_GONE, detail);
    log_failure(self, GM_LOG_INFO, gm_failure_row(GM_FAILURE_CLIENT_GONE)->label, detail);
}
