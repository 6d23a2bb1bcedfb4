/*
 * Here alone a record is filled, so that log, metrics and traces cannot disagree. Called by proxy/request and
 * the engines; worker's thread.
 */
#include "proxy/finish.h"

#include "front/downstream.h"
#include "proxy/grpc_call.h"
#include "proxy/logged_fields.h"
#include "proxy/policy_chain.h"
#include "proxy/trace.h"
#include "telemetry/log.h"
#include "telemetry/otlp.h"

static gm_record_text_t text_of(h2o_iovec_t text)
{
    return (gm_record_text_t){text.base, text.len};
}

/* ---- the beginning */

static void log_started(const gm_request_t *request)
{
    gm_record_text_t method = text_of(request->req->input.method);
    gm_record_text_t path = text_of(request->req->input.path);
    gm_log_field_t fields[2];

    gm_request_find_asked(request, &method, &path);
    fields[0] = (gm_log_field_t){"method", method.base, method.length};
    fields[1] = (gm_log_field_t){"path", path.base, path.length};
    gm_log_with(GM_LOG_DEBUG, fields, GM_COUNT_OF(fields), "Request started: %.*s %.*s", (int)method.length,
                method.base, (int)(path.length < 4096 ? path.length : 4096), path.base);
}

static bool is_ours(const gm_request_t *request)
{
    return gm_proxy_is_ours(request->context->proxy);
}

static void begin_time(gm_request_t *request)
{
    const gm_downstream_t *downstream = is_ours(request) ? gm_downstream_of(request->req) : NULL;
    gm_record_t *record = &request->record;
    bool is_known = downstream != NULL && downstream->began_ns != 0;

    record->phase = GM_PHASE_ROUTE;
    record->began_ns = is_known ? downstream->began_ns : gm_clock_monotonic_ns();
    record->marked_ns = is_known ? downstream->headed_ns : record->began_ns;
    record->phase_ns[GM_PHASE_HEAD] = record->marked_ns - record->began_ns;
}

/* False for all where the configuration names none. */
static bool shows_fields(const gm_request_t *request)
{
    const gm_proxy_context_t *context = request->context;

    return context->proxy->shown != NULL && context->access_log != NULL &&
           gm_access_log_is_on(context->access_log);
}

void gm_finish_open(gm_request_t *request)
{
    request->record.failure = GM_NO_FAILURE;
    if (gm_log_is_on(GM_LOG_DEBUG))
        log_started(request);
    if (gm_proxy_keeps_records(request->context))
        begin_time(request);
    if (shows_fields(request))
        gm_logged_fields_take_request(request);
}

/* ---- on the way */

void gm_finish_begin_attempt(gm_request_t *request)
{
    ++request->record.attempts;
    if (request->record.spans != NULL)
        gm_trace_begin_attempt(request);
}

void gm_finish_use_connection(gm_request_t *request, const gm_exchange_t *exchange)
{
    gm_record_t *record = &request->record;

    record->is_reused = exchange->is_reused;
    if (record->marked_ns != 0) { /* the connection may go before the record is read */
        char *copy = h2o_mem_alloc_pool(&request->req->pool, GM_ENDPOINT_TEXT_BYTES);
        record->endpoint = memcpy(copy, exchange->endpoint, GM_ENDPOINT_TEXT_BYTES);
    }
    if (record->spans != NULL)
        gm_spans_last(record->spans)->endpoint = record->endpoint;
}

void gm_finish_note_answer(gm_request_t *request, int status)
{
    gm_attempt_t *attempt = request->record.spans != NULL ? gm_spans_last(request->record.spans) : NULL;

    if (attempt != NULL)
        attempt->status = status;
}

void gm_finish_end_attempt(gm_request_t *request, int failure)
{
    gm_attempt_t *attempt = request->record.spans != NULL ? gm_spans_last(request->record.spans) : NULL;

    if (attempt == NULL || attempt->ended_ns != 0)
        return;
    attempt->ended_ns = gm_clock_monotonic_ns();
    attempt->failure = failure;
}

void gm_finish_forget(gm_request_t *request)
{
    if (request->policies != NULL)
        gm_policy_chain_forget(request);
    request->record.marked_ns = 0;
}

/* ---- the end */

/* The library keeps no text of it. */
static gm_record_text_t find_peer(const gm_request_t *request)
{
    h2o_req_t *req = request->req;
    struct sockaddr_storage address;
    char text[NI_MAXHOST];
    size_t length;
    socklen_t bytes;

    if (is_ours(request)) {
        const gm_downstream_t *downstream = gm_downstream_of(req);
        return (gm_record_text_t){downstream->peer.base, downstream->peer.length};
    }
    if ((bytes = req->conn->callbacks->get_peername(req->conn, (void *)&address)) == 0 ||
        (length = h2o_socket_getnumerichost((void *)&address, bytes, text)) == SIZE_MAX)
        return (gm_record_text_t){NULL, 0};
    return text_of(h2o_strdup(&req->pool, text, length));
}

static void fill(gm_request_t *request)
{
    const h2o_req_t *req = request->req;
    gm_record_t *record = &request->record;

    record->method = text_of(req->input.method);
    if (req->input.authority.base != req->conn->hosts[0]->authority.hostport.base) /* the library's own */
        record->host = text_of(req->input.authority);
    record->path = text_of(req->input.path);
    if (record->failure != GM_NO_FAILURE)
        gm_request_find_asked(request, &record->method, &record->path);
    record->remote_addr = find_peer(request);
    record->protocol = req->version >= 0x200 ? "HTTP/2" : req->version >= 0x101 ? "HTTP/1.1" : "HTTP/1.0";
    record->tls = is_ours(request) ? gm_downstream_of(request->req)->tls : NULL;
    record->route = request->route != NULL ? request->route->name : NULL;
    record->cluster = request->cluster != NULL ? gm_cluster_name(request->cluster) : NULL;
    if (request->has_begun)
        record->status = req->res.status;
    else if (record->failure != GM_NO_FAILURE)
        record->status = gm_failure_row(record->failure)->status;
    record->bytes_out = req->bytes_sent;
    if (request->grpc != NULL)
        gm_grpc_call_finish(request);
    if (shows_fields(request) && request->has_begun)
        gm_logged_fields_take_response(request);
}

/* Only what spans have, and nobody else asks for. */
static void fill_spans(gm_request_t *request)
{
    const h2o_req_t *req = request->req;
    gm_spans_t *spans = request->record.spans;
    ssize_t agent = h2o_find_header(&req->headers, H2O_TOKEN_USER_AGENT, -1);

    spans->scheme = req->scheme == &H2O_URL_SCHEME_HTTPS ? "https" : "http";
    spans->route_path = request->route != NULL ? request->route->path : NULL;
    if (request->cluster != NULL) {
        spans->authority = gm_cluster_authority(request->cluster);
        spans->has_secure_backend = request->context->proxy->tls[request->route->cluster] != NULL;
    }
    if (agent != -1)
        spans->user_agent = text_of(req->headers.entries[agent].value);
}

static void export_spans(gm_request_t *request)
{
    gm_buffer_t text = {0};
    size_t count;

    fill_spans(request);
    count = gm_otlp_write_spans(&request->record, &text);
    gm_span_queue_submit(request->context->proxy->spans, text.text, text.length, count);
    gm_buffer_dispose(&text);
}

void gm_finish(gm_request_t *request)
{
    gm_proxy_context_t *context = request->context;
    gm_record_t *record = &request->record;
    uint64_t now;

    if (record->marked_ns == 0)
        return; /* then no policy wants to know either: see gm_proxy_keeps_records */
    now = gm_clock_monotonic_ns();
    record->phase_ns[record->phase] += now - record->marked_ns;
    record->began_us = gm_clock_real_us() - gm_record_total_ns(record) / 1000;
    fill(request);
    if (context->ring != NULL)
        gm_ring_add(context->ring, record);
    if (request->policies != NULL)
        gm_policy_chain_finish(request);
    if (record->spans != NULL)
        export_spans(request);
}
