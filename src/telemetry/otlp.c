/*
 * Only few requests come by here, so the plain JSON writer is good enough. Names of attributes are those of
 * the conventions; what they have no name for begins with "gomesh.". Called by proxy/finish on workers, and
 * by server/exporter.
 */
#include "telemetry/otlp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "base/write.h"
#include "telemetry/failure.h"

#define MAX_TEXT 2048
#define KIND_SERVER 2
#define KIND_CLIENT 3
#define STATUS_ERROR 2
#define FLAGS_SAMPLED 0x101 /* sampled; whether the parent is remote is known */
#define FLAG_REMOTE 0x200

/* ---- small pieces */

static gm_record_text_t text_of(const char *text)
{
    return (gm_record_text_t){text, text != NULL ? strlen(text) : 0};
}

static void put_hex(gm_json_t *json, const char *key, const uint8_t *bytes, size_t length)
{
    char digits[2 * GM_TRACE_ID_BYTES];

    gm_json_key(json, key);
    gm_json_bytes(json, digits, (size_t)(gm_write_hex(digits, bytes, length) - digits));
}

/* 64 bits are more than JSON's readers keep, so ProtoJSON writes them in quotes. */
static void put_number(gm_json_t *json, const char *key, uint64_t value)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%" PRIu64, value);
    gm_json_key(json, key);
    gm_json_string(json, digits);
}

static void begin_attribute(gm_json_t *json, const char *name)
{
    gm_json_open(json, '{');
    gm_json_key(json, "key");
    gm_json_string(json, name);
    gm_json_key(json, "value");
    gm_json_open(json, '{');
}

static void end_attribute(gm_json_t *json)
{
    gm_json_close(json, '}');
    gm_json_close(json, '}');
}

/* @param text  without a base: there is no such attribute */
static void attribute_text(gm_json_t *json, const char *name, gm_record_text_t text)
{
    if (text.base == NULL)
        return;
    begin_attribute(json, name);
    gm_json_key(json, "stringValue");
    gm_json_bytes(json, text.base, text.length < MAX_TEXT ? text.length : MAX_TEXT);
    end_attribute(json);
}

static void attribute_number(gm_json_t *json, const char *name, uint64_t value)
{
    begin_attribute(json, name);
    put_number(json, "intValue", value);
    end_attribute(json);
}

/* "host:port", "[v6]:port", or a host alone; "unix:/path" is the path. */
static void attribute_address(gm_json_t *json, const char *address, const char *port, gm_record_text_t text)
{
    const char *end = text.base + text.length, *colon;
    uint64_t number = 0;

    if (text.length == 0)
        return;
    if (text.length > 5 && memcmp(text.base, "unix:", 5) == 0) {
        attribute_text(json, address, (gm_record_text_t){text.base + 5, text.length - 5});
        return;
    }
    colon = memrchr(text.base, ':', text.length);
    if (colon == NULL || memchr(colon, ']', (size_t)(end - colon)) != NULL)
        colon = end;
    if (text.base[0] == '[' && colon - text.base > 2 && colon[-1] == ']')
        attribute_text(json, address, (gm_record_text_t){text.base + 1, (size_t)(colon - text.base) - 2});
    else
        attribute_text(json, address, (gm_record_text_t){text.base, (size_t)(colon - text.base)});
    for (const char *at = colon + 1; at < end && *at >= '0' && *at <= '9' && number < 100000; ++at)
        number = number * 10 + (uint64_t)(*at - '0');
    if (number != 0 && number < 65536)
        attribute_number(json, port, number);
}

/* ---- what both kinds of spans have */

static bool is_known_method(gm_record_text_t method)
{
    static const char *const known[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH"};

    for (size_t i = 0; i != sizeof(known) / sizeof(known[0]); ++i)
        if (method.length == strlen(known[i]) && memcmp(method.base, known[i], method.length) == 0)
            return true;
    return false;
}

static void attribute_method(gm_json_t *json, gm_record_text_t method)
{
    bool is_known = is_known_method(method);

    attribute_text(json, "http.request.method", is_known ? method : text_of("_OTHER"));
    if (!is_known && method.length != 0)
        attribute_text(json, "http.request.method_original", method);
}

/* Few different ones, whatever clients send. */
static void put_name(gm_json_t *json, const gm_record_t *record, const char *route_path)
{
    gm_buffer_t name = {0};

    if (is_known_method(record->method))
        gm_buffer_append(&name, record->method.base, record->method.length);
    else
        gm_buffer_append_text(&name, "HTTP");
    if (route_path != NULL)
        gm_buffer_printf(&name, " %s", route_path);
    gm_json_key(json, "name");
    gm_json_string(json, name.text);
    gm_buffer_dispose(&name);
}

static const char *label_of(int failure)
{
    return failure != GM_NO_FAILURE ? gm_failure_row((gm_failure_t)failure)->label : NULL;
}

/* The failure's word, or the status where that is an error by itself. */
static void attribute_error(gm_json_t *json, int failure, int status, int least)
{
    char digits[12];

    if (failure != GM_NO_FAILURE) {
        attribute_text(json, "error.type", text_of(label_of(failure)));
    } else if (status >= least) {
        snprintf(digits, sizeof(digits), "%d", status);
        attribute_text(json, "error.type", text_of(digits));
    }
}

static void put_status(gm_json_t *json, bool is_error, const char *label, const char *detail)
{
    gm_buffer_t message = {0};

    if (!is_error)
        return;
    gm_json_key(json, "status");
    gm_json_open(json, '{');
    gm_json_key(json, "code");
    gm_json_integer(json, STATUS_ERROR);
    if (label != NULL) {
        gm_buffer_printf(&message, "%s%s%.400s", label, detail != NULL ? ": " : "",
                         detail != NULL ? detail : "");
        gm_json_key(json, "message");
        gm_json_string(json, message.text);
    }
    gm_json_close(json, '}');
    gm_buffer_dispose(&message);
}

static void begin_span(gm_json_t *json, const gm_record_t *record, const uint8_t *span_id,
                       const uint8_t *parent_id, int kind, unsigned flags)
{
    gm_record_text_t state = record->spans->trace_state;

    gm_json_open(json, '{');
    put_hex(json, "traceId", record->trace.trace_id, GM_TRACE_ID_BYTES);
    put_hex(json, "spanId", span_id, GM_SPAN_ID_BYTES);
    if (parent_id != NULL)
        put_hex(json, "parentSpanId", parent_id, GM_SPAN_ID_BYTES);
    if (state.length != 0) {
        gm_json_key(json, "traceState");
        gm_json_bytes(json, state.base, state.length);
    }
    gm_json_key(json, "flags");
    gm_json_integer(json, flags);
    gm_json_key(json, "kind");
    gm_json_integer(json, kind);
}

static void put_times(gm_json_t *json, const gm_record_t *record, uint64_t began_ns, uint64_t ended_ns)
{
    uint64_t began = record->began_us * 1000;

    put_number(json, "startTimeUnixNano", began + (began_ns - record->began_ns));
    put_number(json, "endTimeUnixNano", began + (ended_ns - record->began_ns));
}

/* ---- the request */

static void attribute_target(gm_json_t *json, const gm_record_t *record)
{
    gm_record_text_t path = record->path;
    const char *query = path.length != 0 ? memchr(path.base, '?', path.length) : NULL;

    if (query == NULL) {
        attribute_text(json, "url.path", path);
        return;
    }
    attribute_text(json, "url.path", (gm_record_text_t){path.base, (size_t)(query - path.base)});
    ++query;
    attribute_text(json, "url.query", (gm_record_text_t){query, (size_t)(path.base + path.length - query)});
}

/* Where the time went: the ten phases add up to the span. */
static void attribute_phases(gm_json_t *json, const gm_record_t *record)
{
    char name[64], value[32];

    for (int i = 0; i != GM_PHASE_COUNT; ++i) {
        uint64_t ns = record->phase_ns[i];
        if (ns == 0)
            continue;
        snprintf(name, sizeof(name), "gomesh.phase.%s_ms", gm_phase_label((gm_phase_t)i));
        snprintf(value, sizeof(value), "%" PRIu64 ".%06" PRIu64, ns / 1000000, ns % 1000000);
        begin_attribute(json, name);
        gm_json_key(json, "doubleValue");
        gm_json_number(json, value);
        end_attribute(json);
    }
}

static gm_record_text_t version_of(const gm_record_t *record)
{
    return text_of(record->protocol != NULL ? record->protocol + strlen("HTTP/") : NULL);
}

static void put_server_attributes(gm_json_t *json, const gm_record_t *record)
{
    const gm_spans_t *spans = record->spans;

    gm_json_key(json, "attributes");
    gm_json_open(json, '[');
    attribute_method(json, record->method);
    attribute_text(json, "url.scheme", text_of(spans->scheme));
    attribute_target(json, record);
    attribute_address(json, "server.address", "server.port", record->host);
    attribute_text(json, "client.address", record->remote_addr);
    attribute_text(json, "network.peer.address", record->remote_addr);
    attribute_text(json, "network.protocol.version", version_of(record));
    attribute_text(json, "tls.protocol.version", text_of(record->tls));
    attribute_text(json, "user_agent.original", spans->user_agent);
    attribute_text(json, "http.route", text_of(spans->route_path));
    if (record->status != 0)
        attribute_number(json, "http.response.status_code", (uint64_t)record->status);
    attribute_number(json, "http.request.body.size", record->bytes_in);
    attribute_number(json, "http.response.body.size", record->bytes_out);
    attribute_error(json, record->failure, record->status, 500);
    attribute_text(json, "gomesh.route", text_of(record->route));
    attribute_text(json, "gomesh.cluster", text_of(record->cluster));
    attribute_number(json, "gomesh.attempts", record->attempts);
    attribute_phases(json, record);
    gm_json_close(json, ']');
}

static void write_server_span(const gm_record_t *record, gm_json_t *json)
{
    bool has_parent = record->spans->has_parent;

    begin_span(json, record, record->trace.span_id, has_parent ? record->trace.parent_id : NULL, KIND_SERVER,
               FLAGS_SAMPLED | (has_parent ? FLAG_REMOTE : 0));
    put_name(json, record, record->spans->route_path);
    put_times(json, record, record->began_ns, record->began_ns + gm_record_total_ns(record));
    put_server_attributes(json, record);
    put_status(json, record->failure != GM_NO_FAILURE || record->status >= 500, label_of(record->failure),
               record->detail);
    gm_json_close(json, '}');
}

/* ---- its attempts */

static void attribute_url(gm_json_t *json, const gm_record_t *record)
{
    const gm_spans_t *spans = record->spans;
    gm_buffer_t url = {0};
    size_t room = record->path.length < MAX_TEXT ? record->path.length : MAX_TEXT;

    gm_buffer_append_text(&url, spans->has_secure_backend ? "https://" : "http://");
    if (strncmp(spans->authority, "unix:", 5) != 0)
        gm_buffer_append_text(&url, spans->authority);
    else if (record->host.length != 0) /* a socket has no place in a URL */
        gm_buffer_append(&url, record->host.base, record->host.length);
    if (room != 0)
        gm_buffer_append(&url, record->path.base, room);
    attribute_text(json, "url.full", (gm_record_text_t){url.text, url.length});
    gm_buffer_dispose(&url);
}

static void put_client_attributes(gm_json_t *json, const gm_record_t *record, const gm_attempt_t *attempt,
                                  size_t number, int failure)
{
    gm_json_key(json, "attributes");
    gm_json_open(json, '[');
    attribute_method(json, record->method);
    if (record->spans->authority != NULL) {
        attribute_url(json, record);
        attribute_address(json, "server.address", "server.port", text_of(record->spans->authority));
    }
    attribute_address(json, "network.peer.address", "network.peer.port", text_of(attempt->endpoint));
    attribute_text(json, "network.protocol.version", text_of("1.1"));
    if (attempt->status != 0)
        attribute_number(json, "http.response.status_code", (uint64_t)attempt->status);
    if (number != 0)
        attribute_number(json, "http.request.resend_count", number);
    attribute_error(json, failure, attempt->status, 400);
    gm_json_close(json, ']');
}

static void write_client_span(const gm_record_t *record, const gm_attempt_t *attempt, size_t number,
                              gm_json_t *json)
{
    bool is_last = attempt->ended_ns == 0; /* what became of the request became of it */
    int failure = is_last ? record->failure : attempt->failure;
    uint64_t ended_ns = is_last ? record->began_ns + gm_record_total_ns(record) : attempt->ended_ns;

    begin_span(json, record, attempt->span_id, record->trace.span_id, KIND_CLIENT, FLAGS_SAMPLED);
    put_name(json, record, NULL);
    put_times(json, record, attempt->began_ns, ended_ns);
    put_client_attributes(json, record, attempt, number, failure);
    put_status(json, failure != GM_NO_FAILURE || attempt->status >= 400, label_of(failure),
               is_last ? record->detail : NULL);
    gm_json_close(json, '}');
}

size_t gm_otlp_write_spans(const gm_record_t *record, gm_buffer_t *out)
{
    const gm_spans_t *spans = record->spans;
    size_t kept = spans->count < GM_ATTEMPTS_MAX ? spans->count : GM_ATTEMPTS_MAX;
    gm_json_t json = {.out = out};

    write_server_span(record, &json);
    for (size_t i = 0; i != kept; ++i) {
        size_t number = i + 1 == kept ? spans->count - 1 : i;
        gm_buffer_append_char(out, ',');
        json = (gm_json_t){.out = out};
        write_client_span(record, &spans->attempts[i], number, &json);
    }
    return 1 + kept;
}

void gm_otlp_write_prefix(const char *service_name, const char *version, gm_buffer_t *out)
{
    gm_json_t json = {.out = out};
    char host[256] = "";

    gm_buffer_append_text(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":");
    gm_json_open(&json, '[');
    attribute_text(&json, "service.name", text_of(service_name));
    attribute_text(&json, "service.version", text_of(version));
    if (gethostname(host, sizeof(host) - 1) == 0)
        attribute_text(&json, "host.name", text_of(host));
    attribute_number(&json, "process.pid", (uint64_t)getpid());
    gm_json_close(&json, ']');
    gm_buffer_append_text(out, "},\"scopeSpans\":[{\"scope\":{\"name\":\"gomesh\"},\"spans\":[");
}
