/*
 * One request in a hundred comes by here, and yet what all of it costs is measured per request: so texts are
 * written into memory that was measured before, and what is known beforehand is copied in one go. Names of
 * attributes are those of the conventions; what they have no name for begins with "gomesh.". Called by
 * proxy/finish on workers, and by server/exporter.
 */
#include "telemetry/otlp.h"

#include <string.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "base/write.h"
#include "telemetry/failure.h"

#define MAX_TEXT 2048
#define MAX_DETAIL 400
#define MAX_ENDPOINT 128

/* trace flags of OTLP: sampled, and whether the parent is remote is known; it is */
#define FLAGS_LOCAL "257"
#define FLAGS_REMOTE "769"

/* ---- small pieces; each of these returns where the next one goes */

static gm_record_text_t text_of(const char *text)
{
    return (gm_record_text_t){text, text != NULL ? strlen(text) : 0};
}

static size_t capped(size_t length)
{
    return length < MAX_TEXT ? length : MAX_TEXT;
}

/* A string's inside. */
static char *put_inside(char *at, const char *bytes, size_t length)
{
    gm_buffer_t escaped = {0};
    gm_json_t json = {.out = &escaped};

    if (gm_json_is_plain(bytes, length))
        return gm_write(at, bytes, length);
    gm_json_bytes(&json, bytes, length);
    at = gm_write(at, escaped.text + 1, escaped.length - 2);
    gm_buffer_dispose(&escaped);
    return at;
}

#define BEGIN_TEXT(at, name) GM_WRITE_LITERAL(at, "{\"key\":\"" name "\",\"value\":{\"stringValue\":\"")
#define END_TEXT(at) GM_WRITE_LITERAL(at, "\"}},")
#define BEGIN_NUMBER(at, name) GM_WRITE_LITERAL(at, "{\"key\":\"" name "\",\"value\":{\"intValue\":\"")
#define END_NUMBER(at)                                                                                       \
    END_TEXT(at) /* 64 bits are more than readers of JSON keep, so ProtoJSON has quotes                      \
                  */

/* @param text  without a base: there is no such attribute */
#define PUT_TEXT(at, name, text)                                                                             \
    do {                                                                                                     \
        gm_record_text_t put_ = (text);                                                                      \
        if (put_.base != NULL)                                                                               \
            (at) = END_TEXT(put_inside(BEGIN_TEXT(at, name), put_.base, capped(put_.length)));               \
    } while (0)

/* The same for a text of our own, which needs no look. */
#define PUT_PLAIN(at, name, text)                                                                            \
    do {                                                                                                     \
        const char *put_ = (text);                                                                           \
        if (put_ != NULL)                                                                                    \
            (at) = END_TEXT(gm_write(BEGIN_TEXT(at, name), put_, strlen(put_)));                             \
    } while (0)

#define PUT_NUMBER(at, name, value) ((at) = END_NUMBER(gm_write_number(BEGIN_NUMBER(at, name), value)))

/* An address and a port, in the two attributes that are named. */
#define PUT_ADDRESS(at, name, text)                                                                          \
    do {                                                                                                     \
        gm_record_text_t address_;                                                                           \
        uint64_t port_ = split_address(text, &address_);                                                     \
        PUT_TEXT(at, name ".address", address_);                                                             \
        if (port_ != 0)                                                                                      \
            PUT_NUMBER(at, name ".port", port_);                                                             \
    } while (0)

/* Attributes end with commas; the last one becomes the end of the list. */
static char *end_list(char *at)
{
    at[-1] = ']';
    return at;
}

static uint64_t read_port(const char *at, const char *end)
{
    uint64_t port = 0;

    for (; at < end && *at >= '0' && *at <= '9' && port < 65536; ++at)
        port = port * 10 + (uint64_t)(*at - '0');
    return port < 65536 ? port : 0;
}

/*
 * "host:port", "[v6]:port", or a host alone; "unix:/path" is the path.
 * @param address  set to the host; without a base if the text is empty
 * @return the port; 0 = none
 */
static uint64_t split_address(gm_record_text_t text, gm_record_text_t *address)
{
    const char *end, *colon;

    *address = (gm_record_text_t){NULL, 0};
    if (text.length == 0)
        return 0;
    if (text.length > 5 && memcmp(text.base, "unix:", 5) == 0) {
        *address = (gm_record_text_t){text.base + 5, text.length - 5};
        return 0;
    }
    end = text.base + text.length;
    colon = memrchr(text.base, ':', text.length);
    if (colon == NULL || memchr(colon, ']', (size_t)(end - colon)) != NULL)
        colon = end;
    *address = (gm_record_text_t){text.base, (size_t)(colon - text.base)};
    if (text.base[0] == '[' && address->length > 2 && colon[-1] == ']')
        *address = (gm_record_text_t){text.base + 1, address->length - 2};
    return read_port(colon + 1, end);
}

/* ---- what both kinds of spans have */

static bool is_known_method(gm_record_text_t method)
{
    static const char *const known[] = {"GET",     "POST",    "HEAD",  "PUT",  "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH"};

    for (size_t i = 0; i != sizeof(known) / sizeof(known[0]); ++i)
        if (method.length == strlen(known[i]) && memcmp(method.base, known[i], method.length) == 0)
            return true;
    return false;
}

static char *put_method(char *at, gm_record_text_t method)
{
    if (is_known_method(method)) {
        PUT_TEXT(at, "http.request.method", method);
        return at;
    }
    PUT_PLAIN(at, "http.request.method", "_OTHER");
    if (method.length != 0)
        PUT_TEXT(at, "http.request.method_original", method);
    return at;
}

/* Few different ones, whatever clients send. */
static char *put_name(char *at, const gm_record_t *record, const char *route_path)
{
    at = GM_WRITE_LITERAL(at, ",\"name\":\"");
    if (is_known_method(record->method))
        at = gm_write(at, record->method.base, record->method.length);
    else
        at = GM_WRITE_LITERAL(at, "HTTP");
    if (route_path != NULL) {
        *at++ = ' ';
        at = put_inside(at, route_path, capped(strlen(route_path)));
    }
    return GM_WRITE_LITERAL(at, "\"");
}

static const char *label_of(int failure)
{
    return failure != GM_NO_FAILURE ? gm_failure_row((gm_failure_t)failure)->label : NULL;
}

/* The failure's word, or the status where that is an error by itself. */
static char *put_error(char *at, int failure, int status, int least)
{
    if (failure != GM_NO_FAILURE)
        PUT_PLAIN(at, "error.type", label_of(failure));
    else if (status >= least)
        at = END_TEXT(gm_write_number(BEGIN_TEXT(at, "error.type"), (uint64_t)status));
    return at;
}

static char *put_status(char *at, bool is_error, const char *label, const char *detail)
{
    size_t length = detail != NULL ? strlen(detail) : 0;

    if (!is_error)
        return at;
    at = GM_WRITE_LITERAL(at, ",\"status\":{\"code\":2");
    if (label != NULL) {
        at = GM_WRITE_LITERAL(at, ",\"message\":\"");
        at = gm_write(at, label, strlen(label));
        if (length != 0)
            at = put_inside(GM_WRITE_LITERAL(at, ": "), detail, length < MAX_DETAIL ? length : MAX_DETAIL);
        *at++ = '"';
    }
    *at++ = '}';
    return at;
}

/* @param parent_id  NULL = none */
static char *begin_span(char *at, const gm_record_t *record, const uint8_t *span_id, const uint8_t *parent_id)
{
    gm_record_text_t state = record->spans->trace_state;

    at = GM_WRITE_LITERAL(at, "{\"traceId\":\"");
    at = gm_write_hex(at, record->trace.trace_id, GM_TRACE_ID_BYTES);
    at = GM_WRITE_LITERAL(at, "\",\"spanId\":\"");
    at = gm_write_hex(at, span_id, GM_SPAN_ID_BYTES);
    if (parent_id != NULL) {
        at = GM_WRITE_LITERAL(at, "\",\"parentSpanId\":\"");
        at = gm_write_hex(at, parent_id, GM_SPAN_ID_BYTES);
    }
    if (state.length != 0)
        at = put_inside(GM_WRITE_LITERAL(at, "\",\"traceState\":\""), state.base, state.length);
    return GM_WRITE_LITERAL(at, "\"");
}

static char *put_times(char *at, const gm_record_t *record, uint64_t began_ns, uint64_t ended_ns)
{
    uint64_t began = record->began_us * 1000;

    at = GM_WRITE_LITERAL(at, ",\"startTimeUnixNano\":\"");
    at = gm_write_number(at, began + (began_ns - record->began_ns));
    at = GM_WRITE_LITERAL(at, "\",\"endTimeUnixNano\":\"");
    at = gm_write_number(at, began + (ended_ns - record->began_ns));
    return GM_WRITE_LITERAL(at, "\"");
}

static char *put_grpc(char *at, const gm_record_grpc_t *grpc, bool has_status)
{
    PUT_PLAIN(at, "rpc.system", "grpc");
    PUT_TEXT(at, "rpc.service", grpc->service);
    PUT_TEXT(at, "rpc.method", grpc->method);
    if (has_status)
        PUT_NUMBER(at, "rpc.grpc.status_code", (uint64_t)grpc->status);
    return at;
}

/* ---- the request */

static char *put_target(char *at, gm_record_text_t path)
{
    const char *query = path.length != 0 ? memchr(path.base, '?', path.length) : NULL;
    size_t length = query != NULL ? (size_t)(query - path.base) : path.length;

    PUT_TEXT(at, "url.path", ((gm_record_text_t){path.base, length}));
    if (query != NULL)
        PUT_TEXT(at, "url.query", ((gm_record_text_t){query + 1, path.length - length - 1}));
    return at;
}

/* Where the time went: the ten phases add up to the span. */
static char *put_phases(char *at, const gm_record_t *record)
{
    static const struct {
        const char *text;
        size_t length;
    } keys[] = {
#define KEY(label) "{\"key\":\"gomesh.phase." label "_ms\",\"value\":{\"doubleValue\":"
#define PHASE_KEY(name, label) {KEY(label), sizeof(KEY(label)) - 1},
        GM_PHASES(PHASE_KEY)
#undef PHASE_KEY
#undef KEY
    };

    for (int i = 0; i != GM_PHASE_COUNT; ++i) {
        uint64_t ns = record->phase_ns[i];
        if (ns == 0)
            continue;
        at = gm_write(at, keys[i].text, keys[i].length);
        at = gm_write_number(at, ns / 1000000);
        *at++ = '.';
        at = gm_write_six_digits(at, (uint32_t)(ns % 1000000));
        at = GM_WRITE_LITERAL(at, "}},");
    }
    return at;
}

/* gRPC's clients are told of some of their own mistakes by failures: such a span is no error. */
static bool is_server_error(const gm_record_t *record)
{
    if (record->grpc != NULL)
        return gm_grpc_status_is_of_server(record->grpc->status);
    return record->failure != GM_NO_FAILURE || record->status >= 500;
}

static char *put_server_attributes(char *at, const gm_record_t *record)
{
    const gm_spans_t *spans = record->spans;

    at = GM_WRITE_LITERAL(at, ",\"attributes\":[");
    at = put_method(at, record->method);
    PUT_PLAIN(at, "url.scheme", spans->scheme);
    at = put_target(at, record->path);
    PUT_ADDRESS(at, "server", record->host);
    PUT_TEXT(at, "client.address", record->remote_addr);
    PUT_TEXT(at, "network.peer.address", record->remote_addr);
    PUT_PLAIN(at, "network.protocol.version",
              record->protocol != NULL ? record->protocol + strlen("HTTP/") : NULL);
    PUT_PLAIN(at, "tls.protocol.version", record->tls);
    PUT_TEXT(at, "user_agent.original", spans->user_agent);
    PUT_TEXT(at, "http.route", text_of(spans->route_path));
    if (record->status != 0)
        PUT_NUMBER(at, "http.response.status_code", (uint64_t)record->status);
    PUT_NUMBER(at, "http.request.body.size", record->bytes_in);
    PUT_NUMBER(at, "http.response.body.size", record->bytes_out);
    if (record->grpc != NULL)
        at = put_grpc(at, record->grpc, true);
    if (record->grpc != NULL && record->failure == GM_NO_FAILURE && is_server_error(record))
        PUT_PLAIN(at, "error.type", gm_grpc_status_name(record->grpc->status));
    else
        at = put_error(at, record->failure, record->status, 500);
    PUT_TEXT(at, "gomesh.route", text_of(record->route));
    PUT_TEXT(at, "gomesh.cluster", text_of(record->cluster));
    PUT_NUMBER(at, "gomesh.attempts", record->attempts);
    return end_list(put_phases(at, record));
}

static char *write_server_span(char *at, const gm_record_t *record)
{
    bool has_parent = record->spans->has_parent;

    at = begin_span(at, record, record->trace.span_id, has_parent ? record->trace.parent_id : NULL);
    at = has_parent ? GM_WRITE_LITERAL(at, ",\"flags\":" FLAGS_REMOTE ",\"kind\":2")
                    : GM_WRITE_LITERAL(at, ",\"flags\":" FLAGS_LOCAL ",\"kind\":2");
    at = put_name(at, record, record->spans->route_path);
    at = put_times(at, record, record->began_ns, record->began_ns + gm_record_total_ns(record));
    at = put_server_attributes(at, record);
    at = put_status(at, is_server_error(record), label_of(record->failure), record->detail);
    *at++ = '}';
    return at;
}

/* ---- its attempts */

static char *put_url(char *at, const gm_record_t *record)
{
    const gm_spans_t *spans = record->spans;

    at = BEGIN_TEXT(at, "url.full");
    at = spans->has_secure_backend ? GM_WRITE_LITERAL(at, "https://") : GM_WRITE_LITERAL(at, "http://");
    if (strncmp(spans->authority, "unix:", 5) != 0)
        at = put_inside(at, spans->authority, strlen(spans->authority));
    else if (record->host.length != 0) /* a socket has no place in a URL */
        at = put_inside(at, record->host.base, capped(record->host.length));
    if (record->path.length != 0)
        at = put_inside(at, record->path.base, capped(record->path.length));
    return END_TEXT(at);
}

/* What the endpoint said of it in gRPC's way; NULL = nothing. */
static const gm_record_grpc_t *find_grpc_answer(const gm_record_t *record, const gm_attempt_t *attempt)
{
    if (record->grpc == NULL || record->grpc->is_ours || record->failure != GM_NO_FAILURE)
        return NULL;
    return attempt->failure == GM_NO_FAILURE && attempt->status != 0 ? record->grpc : NULL;
}

static char *put_client_attributes(char *at, const gm_record_t *record, const gm_attempt_t *attempt,
                                   size_t number, int failure)
{
    const gm_record_grpc_t *answer = find_grpc_answer(record, attempt);

    at = GM_WRITE_LITERAL(at, ",\"attributes\":[");
    at = put_method(at, record->method);
    if (record->spans->authority != NULL) {
        at = put_url(at, record);
        PUT_ADDRESS(at, "server", text_of(record->spans->authority));
    }
    PUT_ADDRESS(at, "network.peer", text_of(attempt->endpoint)); /* below MAX_ENDPOINT */
    PUT_PLAIN(at, "network.protocol.version", "1.1");
    if (attempt->status != 0)
        PUT_NUMBER(at, "http.response.status_code", (uint64_t)attempt->status);
    if (number != 0)
        PUT_NUMBER(at, "http.request.resend_count", number);
    if (record->grpc != NULL)
        at = put_grpc(at, record->grpc, answer != NULL);
    if (answer != NULL && failure == GM_NO_FAILURE && answer->status != GM_GRPC_OK)
        PUT_PLAIN(at, "error.type", gm_grpc_status_name(answer->status));
    else
        at = put_error(at, failure, attempt->status, 400);
    return end_list(at);
}

static char *write_client_span(char *at, const gm_record_t *record, const gm_attempt_t *attempt,
                               size_t number)
{
    bool is_last = attempt->ended_ns == 0; /* what became of the request became of it */
    int failure = is_last ? record->failure : attempt->failure;
    const gm_record_grpc_t *answer = find_grpc_answer(record, attempt);
    bool is_error = failure != GM_NO_FAILURE || attempt->status >= 400 ||
                    (answer != NULL && answer->status != GM_GRPC_OK);
    uint64_t ended_ns = is_last ? record->began_ns + gm_record_total_ns(record) : attempt->ended_ns;

    at = begin_span(at, record, attempt->span_id, record->trace.span_id);
    at = GM_WRITE_LITERAL(at, ",\"flags\":" FLAGS_LOCAL ",\"kind\":3");
    at = put_name(at, record, NULL);
    at = put_times(at, record, attempt->began_ns, ended_ns);
    at = put_client_attributes(at, record, attempt, number, failure);
    at = put_status(at, is_error, label_of(failure), is_last ? record->detail : NULL);
    *at++ = '}';
    return at;
}

/* ---- all of it */

static size_t length_of(const char *text)
{
    return text != NULL ? capped(strlen(text)) : 0;
}

/* For one span: every byte may become six, and some texts come twice. */
static size_t room_for_span(const gm_record_t *record)
{
    const gm_spans_t *spans = record->spans;
    size_t texts = capped(record->method.length) + capped(record->path.length) + capped(record->host.length) +
                   capped(record->remote_addr.length) + spans->trace_state.length +
                   capped(spans->user_agent.length) + length_of(spans->route_path) +
                   length_of(spans->authority) + length_of(record->route) + length_of(record->cluster) +
                   MAX_DETAIL + MAX_ENDPOINT;

    if (record->grpc != NULL)
        texts += capped(record->grpc->service.length) + capped(record->grpc->method.length);

    return 4096 + 2 * 6 * texts;
}

size_t gm_otlp_write_spans(const gm_record_t *record, gm_buffer_t *out)
{
    const gm_spans_t *spans = record->spans;
    size_t kept = spans->count < GM_ATTEMPTS_MAX ? spans->count : GM_ATTEMPTS_MAX;
    char *start = gm_buffer_reserve(out, (1 + kept) * room_for_span(record)), *at = start;

    at = write_server_span(at, record);
    for (size_t i = 0; i != kept; ++i) {
        *at++ = ',';
        at = write_client_span(at, record, &spans->attempts[i], i + 1 == kept ? spans->count - 1 : i);
    }
    out->length += (size_t)(at - start);
    out->text[out->length] = '\0';
    return 1 + kept;
}

void gm_otlp_write_prefix(const char *service_name, const char *version, gm_buffer_t *out)
{
    char host[256] = "", *start, *at;

    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    start = at = gm_buffer_reserve(out, 1024 + 6 * (strlen(host) + capped(strlen(service_name))));
    at = GM_WRITE_LITERAL(at, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    PUT_TEXT(at, "service.name", text_of(service_name));
    PUT_PLAIN(at, "service.version", version);
    if (host[0] != '\0')
        PUT_TEXT(at, "host.name", text_of(host));
    PUT_NUMBER(at, "process.pid", (uint64_t)getpid());
    at = end_list(at);
    at = GM_WRITE_LITERAL(at, "},\"scopeSpans\":[{\"scope\":{\"name\":\"gomesh\"},\"spans\":[");
    out->length += (size_t)(at - start);
    out->text[out->length] = '\0';
}
