/*
 * gRPC's requests are forwarded as all others are. What differs is here: how they are told from others, how
 * long they may take, and how those answers look that are made by GoMesh. Called by proxy/handler, forward,
 * reply, policy and finish; worker's thread.
 */
#include "proxy/grpc_call.h"

#include "base/write.h"
#include "front/downstream.h"

#define TIMEOUT "grpc-timeout"

/* ---- the beginning */

/* A head that was refused has no method but the one that stands there, and "-" in its place. */
static bool is_post(const gm_request_t *request)
{
    const h2o_iovec_t *own = &request->req->input.method;
    gm_record_text_t method = {own->base, own->len}, target;

    if (own->base[0] == '-')
        (void)gm_request_find_asked(request, &method, &target);
    return method.length == 4 && memcmp(method.base, "POST", 4) == 0;
}

static bool is_grpc(const gm_request_t *request)
{
    const h2o_req_t *req = request->req;
    ssize_t at;

    if (!is_post(request))
        return false;
    at = h2o_find_header(&req->headers, H2O_TOKEN_CONTENT_TYPE, -1);
    return at != -1 &&
           gm_grpc_is_content_type(req->headers.entries[at].value.base, req->headers.entries[at].value.len);
}

void gm_grpc_call_open(gm_request_t *request)
{
    gm_grpc_call_t *self;

    if (!is_grpc(request) || !gm_proxy_is_ours(request->context->proxy))
        return;
    self = h2o_mem_alloc_pool(&request->req->pool, sizeof(*self));
    memset(self, 0, sizeof(*self));
    request->grpc = self;
    request->record.grpc = &self->record;
}

static void read_names(gm_grpc_call_t *self, const gm_route_key_t *key)
{
    size_t service, method;

    if (!gm_grpc_path_split(key->path, key->path_length, &service, &method))
        return;
    self->record.service = (gm_record_text_t){key->path + 1, service};
    self->record.method = (gm_record_text_t){key->path + service + 2, method};
}

static uint64_t add_times(uint64_t a, uint64_t b)
{
    return a + b >= a ? a + b : UINT64_MAX;
}

/* It counts from the request's head, as far as that is known. */
static uint64_t find_start(gm_request_t *request)
{
    const gm_downstream_t *downstream = gm_downstream_of(request->req);

    return downstream->headed_ns != 0 ? downstream->headed_ns : gm_clock_monotonic_ns();
}

const char *gm_grpc_call_read(gm_request_t *request, const gm_route_key_t *key)
{
    gm_grpc_call_t *self = request->grpc;
    h2o_headers_t *headers = &request->req->headers;
    ssize_t at = h2o_find_header_by_str(headers, H2O_STRLIT(TIMEOUT), -1);
    h2o_iovec_t *value;

    read_names(self, key);
    if (at == -1)
        return NULL;
    if (h2o_find_header_by_str(headers, H2O_STRLIT(TIMEOUT), at) != -1)
        return "it has several fields " TIMEOUT;
    value = &headers->entries[at].value;
    if (gm_grpc_timeout_read(value->base, value->len, &self->asked_ns) != 0)
        return "its " TIMEOUT " is not one to eight digits and a unit";
    self->due_ns = add_times(find_start(request), self->asked_ns);
    memcpy(self->field, value->base, value->len);
    value->base = self->field;
    return NULL;
}

/* ---- the deadline */

static uint64_t find_left(const gm_grpc_call_t *self)
{
    uint64_t now = gm_clock_monotonic_ns();

    return self->due_ns > now ? self->due_ns - now : 0;
}

static void on_due(gm_alarm_t *alarm)
{
    gm_grpc_call_t *self = H2O_STRUCT_FROM_MEMBER(gm_grpc_call_t, alarm, alarm);

    self->on_late(self->data);
}

static gm_alarms_t *find_alarms(gm_proxy_context_t *context)
{
    if (context->alarms == NULL)
        context->alarms = gm_alarms_create(context->super.loop);
    return context->alarms;
}

bool gm_grpc_call_watch(gm_request_t *request, void (*on_late)(void *data), void *data)
{
    gm_grpc_call_t *self = request->grpc;
    uint64_t left;

    if (self->due_ns == 0)
        return true;
    if ((left = find_left(self)) == 0)
        return false;
    self->on_late = on_late;
    self->data = data;
    self->alarm.on_due = on_due;
    gm_alarm_set(find_alarms(request->context), &self->alarm, left / 1000000);
    return true;
}

void gm_grpc_call_unwatch(gm_request_t *request)
{
    gm_alarm_clear(&request->grpc->alarm);
}

bool gm_grpc_call_shorten(gm_request_t *request)
{
    gm_grpc_call_t *self = request->grpc;
    h2o_headers_t *headers = &request->req->headers;
    ssize_t at;
    uint64_t left;

    if (self->due_ns == 0)
        return false;
    at = h2o_find_header_by_str(headers, H2O_STRLIT(TIMEOUT), -1);
    if (at == -1 || headers->entries[at].value.base != self->field)
        return false; /* a policy has had its say */
    left = find_left(self);
    headers->entries[at].value.len =
        gm_grpc_timeout_write(left < self->asked_ns ? left : self->asked_ns, self->field);
    return true;
}

/* ---- answers that are made here */

void gm_grpc_call_fill(const gm_request_t *request, gm_grpc_status_t status, gm_buffer_t *message)
{
    h2o_req_t *req = request->req;
    h2o_headers_t *headers = &req->res.headers;
    char *number = h2o_mem_alloc_pool(&req->pool, 2);
    size_t length = (size_t)(gm_write_number(number, status) - number);
    h2o_iovec_t text = h2o_strdup(&req->pool, message->text, message->length);

    gm_buffer_dispose(message);
    request->grpc->record.status = status;
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = req->version >= 0x200 ? SIZE_MAX : 0; /* there the stream's end says it */
    *headers = (h2o_headers_t){0};
    h2o_add_header(&req->pool, headers, H2O_TOKEN_CONTENT_TYPE, "Content-Type",
                   H2O_STRLIT("application/grpc"));
    h2o_add_header_by_str(&req->pool, headers, H2O_STRLIT("grpc-status"), 0, "grpc-status", number, length);
    h2o_add_header_by_str(&req->pool, headers, H2O_STRLIT("grpc-message"), 0, "grpc-message", text.base,
                          text.len);
}

void gm_grpc_call_translate(gm_request_t *request)
{
    h2o_req_t *req = request->req;
    ssize_t at = h2o_find_header(&req->res.headers, H2O_TOKEN_LOCATION, -1);
    gm_grpc_status_t status = gm_grpc_status_of_http(req->res.status);
    gm_buffer_t message = {0};

    gm_buffer_printf(&message, "%d %s", req->res.status, req->res.reason);
    if (at != -1) {
        const h2o_iovec_t *location = &req->res.headers.entries[at].value;
        gm_buffer_append_text(&message, ": ");
        gm_grpc_status_append_message(&message, location->base, location->len);
    }
    request->grpc->record.is_ours = true;
    gm_grpc_call_fill(request, status, &message);
}

/* ---- the end */

static bool is_status(const char *name, size_t length)
{
    return length == 11 && memcmp(name, "grpc-status", 11) == 0;
}

/* In the trailers, or in the head of an answer without a body. */
static bool find_status(gm_request_t *request, h2o_iovec_t *status)
{
    const gm_downstream_t *downstream = gm_downstream_of(request->req);
    const h2o_headers_t *headers = &request->req->res.headers;
    ssize_t at;

    for (size_t i = 0; i != downstream->trailer_count; ++i) {
        const gm_head_field_t *field = &downstream->trailers[i];
        if (!is_status(field->name.base, field->name.length))
            continue;
        *status = h2o_iovec_init(field->value.base, field->value.length);
        return true;
    }
    if ((at = h2o_find_header_by_str(headers, H2O_STRLIT("grpc-status"), -1)) != -1)
        *status = headers->entries[at].value;
    return at != -1;
}

void gm_grpc_call_finish(gm_request_t *request)
{
    gm_record_grpc_t *record = &request->grpc->record;
    h2o_iovec_t status;

    if (request->record.failure != GM_NO_FAILURE) {
        record->is_ours = request->is_failed;
        record->status = gm_failure_row((gm_failure_t)request->record.failure)->grpc;
    } else if (!record->is_ours) {
        record->is_missing = !find_status(request, &status);
        record->status = record->is_missing ? gm_grpc_status_of_http(request->record.status)
                                            : gm_grpc_status_read(status.base, status.len);
    }
}
