/*
 * What clients say about traces is believed only where it is valid to the letter; the rest is as if it were
 * not there, and never passed on. Called by proxy/policy_tracing; worker's thread.
 */
#include "proxy/trace.h"

#include <string.h>

#include "base/write.h"
#include "telemetry/trace_context.h"

#define MAX_STATE 512

static const h2o_iovec_t traceparent_name = {H2O_STRLIT("traceparent")},
                         tracestate_name = {H2O_STRLIT("tracestate")},
                         trace_id_name = {H2O_STRLIT("x-trace-id")};

/* What the client said. */
typedef struct said {
    h2o_iovec_t parent, id;
    unsigned parents;
    char state[MAX_STATE];
    size_t state_length; /* SIZE_MAX = too long */
} said_t;

static bool is_called(const h2o_iovec_t *name, const h2o_iovec_t *wanted)
{
    return memcmp(name->base, wanted->base, wanted->len) == 0;
}

static void add_state(said_t *said, h2o_iovec_t value)
{
    size_t comma = said->state_length != 0 ? 1 : 0;

    if (said->state_length == SIZE_MAX || value.len > MAX_STATE ||
        said->state_length + comma + value.len > MAX_STATE) {
        said->state_length = SIZE_MAX;
        return;
    }
    if (comma != 0)
        said->state[said->state_length++] = ',';
    memcpy(said->state + said->state_length, value.base, value.len);
    said->state_length += value.len;
}

/* @return whether the field is about traces */
static bool listen_to(const h2o_header_t *header, said_t *said)
{
    const h2o_iovec_t *name = header->name;

    if (name->len != tracestate_name.len && name->len != traceparent_name.len)
        return false;
    if (name->len == traceparent_name.len) {
        if (!is_called(name, &traceparent_name))
            return false;
        said->parent = header->value;
        ++said->parents;
    } else if (is_called(name, &trace_id_name)) {
        said->id = header->value;
    } else if (is_called(name, &tracestate_name)) {
        add_state(said, header->value);
    } else {
        return false;
    }
    return true;
}

static void take_off(h2o_headers_t *headers, said_t *said)
{
    size_t kept = 0;

    for (size_t i = 0; i != headers->size; ++i)
        if (!listen_to(&headers->entries[i], said))
            headers->entries[kept++] = headers->entries[i];
    headers->size = kept;
}

static void add(h2o_req_t *req, h2o_headers_t *headers, const h2o_iovec_t *name, h2o_iovec_t value)
{
    h2o_vector_reserve(&req->pool, headers, headers->size + 1);
    headers->entries[headers->size++] = (h2o_header_t){.name = (h2o_iovec_t *)name, .value = value};
}

/* Whose spans are exported: a client's traceparent decides for its trace, otherwise the share does. */
static void begin_spans(gm_request_t *request, bool has_parent, const said_t *said)
{
    gm_trace_t *trace = &request->record.trace;
    gm_spans_t *spans;

    if (!has_parent)
        trace->is_sampled = gm_trace_is_chosen(trace, request->context->sample);
    if (!trace->is_sampled)
        return;
    spans = h2o_mem_alloc_pool(&request->req->pool, sizeof(*spans));
    memset(spans, 0, sizeof(*spans));
    spans->has_parent = has_parent;
    if (said->state_length != SIZE_MAX && gm_tracestate_is_valid(said->state, said->state_length)) {
        h2o_iovec_t state = h2o_strdup(&request->req->pool, said->state, said->state_length);
        spans->trace_state = (gm_record_text_t){state.base, state.len};
    }
    gm_random_fill(&request->context->random, spans->attempts[0].span_id, GM_SPAN_ID_BYTES);
    request->record.spans = spans;
}

/* Both ids are made at once. */
_Static_assert(offsetof(gm_trace_t, span_id) == offsetof(gm_trace_t, trace_id) + GM_TRACE_ID_BYTES,
               "side by side");

static bool has_span(const gm_trace_t *trace)
{
    uint64_t span;

    memcpy(&span, trace->span_id, sizeof(span));
    return span != 0;
}

void gm_trace_begin(gm_request_t *request)
{
    h2o_req_t *req = request->req;
    gm_trace_t *trace = &request->record.trace;
    gm_random_t *random = &request->context->random;
    said_t said;
    bool has_parent;
    char *parent;

    said.parents = 0;
    said.state_length = 0;
    said.id = h2o_iovec_init(NULL, 0);
    take_off(&req->headers, &said);
    /* two of them: nobody knows which is meant (section 2.3) */
    has_parent = said.parents == 1 && gm_traceparent_read(said.parent.base, said.parent.len, trace);
    if (!has_parent) {
        said.state_length = 0;
        if (!gm_trace_id_read(said.id.base, said.id.len, trace))
            gm_random_fill(random, trace->trace_id, sizeof(trace->trace_id) + sizeof(trace->span_id));
    }
    if (!has_span(trace))
        gm_random_fill(random, trace->span_id, sizeof(trace->span_id));
    if (request->context->proxy->spans != NULL)
        begin_spans(request, has_parent, &said);
    parent = h2o_mem_alloc_pool(&req->pool, GM_TRACEPARENT_LENGTH);
    gm_traceparent_write(
        trace, request->record.spans != NULL ? request->record.spans->attempts[0].span_id : trace->span_id,
        parent);
    request->record.trace_text = parent + 3;
    request->trace_id = h2o_iovec_init(parent + 3, GM_TRACE_ID_LENGTH); /* it stands there, too */
    add(req, &req->headers, &traceparent_name, h2o_iovec_init(parent, GM_TRACEPARENT_LENGTH));
    if (said.state_length != SIZE_MAX && gm_tracestate_is_valid(said.state, said.state_length))
        add(req, &req->headers, &tracestate_name, h2o_strdup(&req->pool, said.state, said.state_length));
    add(req, &req->headers, &trace_id_name, request->trace_id);
}

/* The text stands in the request's own field; the first attempt's span is there from the beginning. */
void gm_trace_begin_attempt(gm_request_t *request)
{
    gm_spans_t *spans = request->record.spans;
    gm_attempt_t *attempt;

    ++spans->count;
    attempt = gm_spans_last(spans);
    if (spans->count > 1) {
        *attempt = (gm_attempt_t){.status = 0};
        gm_random_fill(&request->context->random, attempt->span_id, GM_SPAN_ID_BYTES);
        gm_write_hex(request->trace_id.base + GM_TRACEPARENT_SPAN_AT - 3, attempt->span_id, GM_SPAN_ID_BYTES);
    }
    attempt->failure = GM_NO_FAILURE;
    attempt->began_ns = gm_clock_monotonic_ns();
}

void gm_trace_answer(gm_request_t *request)
{
    h2o_headers_t *headers = &request->req->res.headers;
    size_t kept = 0;

    if (request->trace_id.base == NULL)
        return;
    for (size_t i = 0; i != headers->size; ++i) {
        const h2o_iovec_t *name = headers->entries[i].name;
        if (name->len != trace_id_name.len || !is_called(name, &trace_id_name))
            headers->entries[kept++] = headers->entries[i];
    }
    headers->size = kept;
    add(request->req, headers, &trace_id_name, request->trace_id);
}
