/*
 * The line of a request, for people or for machines; both say the same. Made on the worker, as a record's
 * texts go with its request; written by the log's thread.
 */
#include "telemetry/access_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "base/write.h"
#include "telemetry/failure.h"
#include "telemetry/log.h"

#define SECOND_LENGTH 20 /* "2026-01-02T03:04:05." */

struct gm_access_log {
    gm_access_log_options_t options;
    gm_buffer_t line, escaped;               /* kept for the next one */
    uint64_t second;                         /* that `second_text` is of */
    char second_text[32];                    /* making it is dear, and many requests end in one second */
    const char *plain_route, *plain_cluster; /* known to need no escapes; borrowed */
    uint32_t *sampled; /* owned: millionths that have added up since the last line, by rule */
};

gm_access_log_t *gm_access_log_create(const gm_access_log_options_t *options)
{
    gm_access_log_t *self = gm_alloc(sizeof(*self));

    self->options = *options;
    self->second = UINT64_MAX; /* no text yet */
    self->sampled = gm_alloc((options->rule_count + 1) * sizeof(self->sampled[0]));
    return self;
}

void gm_access_log_destroy(gm_access_log_t *self)
{
    if (self == NULL)
        return;
    gm_buffer_dispose(&self->line);
    gm_buffer_dispose(&self->escaped);
    free(self->sampled);
    free(self);
}

bool gm_access_log_is_on(const gm_access_log_t *self)
{
    return self->options.stream != NULL || gm_log_is_on(GM_LOG_INFO);
}

/* ---- values; each of these returns where the next one goes */

/* Six digits, so that the phases add up. */
static char *put_ms(char *at, uint64_t ns)
{
    at = gm_write_number(at, ns / 1000000);
    *at++ = '.';
    return gm_write_six_digits(at, (uint32_t)(ns % 1000000));
}

static bool is_traced(const gm_record_t *record)
{
    static const uint8_t none[GM_TRACE_ID_BYTES];

    return memcmp(record->trace.trace_id, none, sizeof(none)) != 0;
}

static char *put_time(gm_access_log_t *self, const gm_record_t *record, uint64_t total_ns, char *at)
{
    uint64_t us = record->began_us + total_ns / 1000;
    struct timeval second = {.tv_sec = (time_t)(us / 1000000)};

    if (self->second != us / 1000000) {
        gm_clock_format(self->second_text, sizeof(self->second_text), &second);
        self->second = us / 1000000;
    }
    at = gm_write(at, self->second_text, SECOND_LENGTH);
    at = gm_write_six_digits(at, (uint32_t)(us % 1000000));
    *at++ = 'Z';
    return at;
}

/* ---- JSON */

/* Of what we have written ourselves. */
static char *put_json_plain(char *at, const char *text, size_t length)
{
    if (text == NULL)
        return GM_WRITE_LITERAL(at, "null");
    *at++ = '"';
    at = gm_write(at, text, length);
    *at++ = '"';
    return at;
}

static char *put_json_bytes(gm_access_log_t *self, char *at, const char *bytes, size_t length)
{
    gm_json_t json = {.out = &self->escaped};

    if (bytes == NULL || gm_json_is_plain(bytes, length))
        return put_json_plain(at, bytes, length);
    self->escaped.length = 0;
    gm_json_bytes(&json, bytes, length);
    return gm_write(at, self->escaped.text, self->escaped.length);
}

/* Names of the configuration come again and again: what was looked at once is known by its address. */
static char *put_json_name(gm_access_log_t *self, char *at, const gm_record_text_t *name, const char **plain)
{
    if (name->base == *plain)
        return put_json_plain(at, name->base, name->length);
    if (name->base != NULL && gm_json_is_plain(name->base, name->length))
        *plain = name->base;
    return put_json_bytes(self, at, name->base, name->length);
}

static size_t length_of(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

static char *put_json_phases(char *at, const gm_record_t *record)
{
    static const struct {
        char text[16]; /* copied whole, as that is one instruction; limit() leaves room enough */
        size_t length;
    } keys[] = {
#define PHASE_KEY(name, label) {",\"" label "\":", sizeof(",\"" label "\":") - 1},
        GM_PHASES(PHASE_KEY)
#undef PHASE_KEY
    };
    char *open;

    at = GM_WRITE_LITERAL(at, ",\"phases\":");
    open = at; /* in the place of the first key's comma */
    for (size_t i = 0; i != GM_PHASE_COUNT; ++i)
        if (record->phase_ns[i] != 0) {
            memcpy(at, keys[i].text, sizeof(keys[i].text));
            at += keys[i].length;
            at = put_ms(at, record->phase_ns[i]);
        }
    at += at == open ? 1 : 0;
    *open = '{';
    *at++ = '}';
    return at;
}

static const char *label_of(const gm_record_t *record)
{
    return record->failure != GM_NO_FAILURE ? gm_failure_row((gm_failure_t)record->failure)->label : NULL;
}

/* A record's texts that end with a zero, measured once. */
typedef struct measured {
    gm_record_text_t protocol, tls, route, cluster, endpoint, label, detail;
} measured_t;

static gm_record_text_t measure(const char *text)
{
    return (gm_record_text_t){text, length_of(text)};
}

static measured_t measure_all(const gm_record_t *record)
{
    return (measured_t){.protocol = measure(record->protocol),
                        .tls = measure(record->tls),
                        .route = measure(record->route),
                        .cluster = measure(record->cluster),
                        .endpoint = measure(record->endpoint),
                        .label = measure(label_of(record)),
                        .detail = measure(record->detail)};
}

/* Every byte may become six. */
static size_t limit_of_fields(const gm_record_field_t *fields)
{
    size_t size = 0;

    if (fields != NULL)
        for (size = 32; fields->name.base != NULL; ++fields)
            size += 8 + 6 * (fields->name.length + fields->value.length);
    return size;
}

static size_t limit(const gm_record_t *record, const measured_t *texts)
{
    size_t length = record->method.length + record->host.length + record->path.length +
                    record->remote_addr.length + texts->protocol.length + texts->tls.length +
                    texts->route.length + texts->cluster.length + texts->endpoint.length +
                    texts->label.length + texts->detail.length;

    if (record->grpc != NULL)
        length += record->grpc->service.length + record->grpc->method.length;

    return 1536 + 6 * length + limit_of_fields(record->request_fields) +
           limit_of_fields(record->response_fields);
}

static char *put_json_way(gm_access_log_t *self, char *at, const gm_record_t *record, const measured_t *texts)
{
    at = GM_WRITE_LITERAL(at, ",\"route\":");
    at = put_json_name(self, at, &texts->route, &self->plain_route);
    at = GM_WRITE_LITERAL(at, ",\"cluster\":");
    at = put_json_name(self, at, &texts->cluster, &self->plain_cluster);
    at = GM_WRITE_LITERAL(at, ",\"endpoint\":");
    at = put_json_bytes(self, at, texts->endpoint.base, texts->endpoint.length);
    at = GM_WRITE_LITERAL(at, ",\"attempts\":");
    at = gm_write_number(at, record->attempts);
    at = record->is_reused ? GM_WRITE_LITERAL(at, ",\"reused\":true")
                           : GM_WRITE_LITERAL(at, ",\"reused\":false");
    at = GM_WRITE_LITERAL(at, ",\"failure\":");
    at = put_json_plain(at, texts->label.base, texts->label.length);
    if (record->detail == NULL)
        return at;
    at = GM_WRITE_LITERAL(at, ",\"detail\":");
    return put_json_bytes(self, at, texts->detail.base, texts->detail.length);
}

static char *put_json_grpc(gm_access_log_t *self, char *at, const gm_record_grpc_t *grpc)
{
    const char *status = gm_grpc_status_name(grpc->status);

    at = GM_WRITE_LITERAL(at, ",\"grpc_service\":");
    at = put_json_bytes(self, at, grpc->service.base, grpc->service.length);
    at = GM_WRITE_LITERAL(at, ",\"grpc_method\":");
    at = put_json_bytes(self, at, grpc->method.base, grpc->method.length);
    at = GM_WRITE_LITERAL(at, ",\"grpc_status\":");
    at = put_json_plain(at, status, strlen(status));
    return grpc->is_missing ? GM_WRITE_LITERAL(at, ",\"grpc_status_missing\":true") : at;
}

static char *put_json_fields(gm_access_log_t *self, char *at, const gm_record_field_t *fields)
{
    *at++ = '{';
    for (const gm_record_field_t *field = fields; field->name.base != NULL; ++field) {
        if (field != fields)
            *at++ = ',';
        at = put_json_bytes(self, at, field->name.base, field->name.length);
        *at++ = ':';
        at = put_json_bytes(self, at, field->value.base, field->value.length);
    }
    *at++ = '}';
    return at;
}

static void make_json(gm_access_log_t *self, const gm_record_t *record, gm_buffer_t *out)
{
    const measured_t texts = measure_all(record);
    char *start = gm_buffer_reserve(out, limit(record, &texts)), *at = start;
    uint64_t total_ns = gm_record_total_ns(record);

    at = GM_WRITE_LITERAL(at, "{\"level\":\"info\",\"timestamp\":\"");
    at = put_time(self, record, total_ns, at);
    at = GM_WRITE_LITERAL(at, "\",\"msg\":\"request completed\"");
    if (is_traced(record)) {
        at = GM_WRITE_LITERAL(at, ",\"trace_id\":\"");
        at = record->trace_text != NULL ? gm_write(at, record->trace_text, 2 * GM_TRACE_ID_BYTES)
                                        : gm_write_hex(at, record->trace.trace_id, GM_TRACE_ID_BYTES);
        *at++ = '"';
    }
    at = GM_WRITE_LITERAL(at, ",\"method\":");
    at = put_json_bytes(self, at, record->method.base, record->method.length);
    at = GM_WRITE_LITERAL(at, ",\"host\":");
    at = put_json_bytes(self, at, record->host.base, record->host.length);
    at = GM_WRITE_LITERAL(at, ",\"path\":");
    at = put_json_bytes(self, at, record->path.base, record->path.length);
    at = GM_WRITE_LITERAL(at, ",\"status\":");
    at = gm_write_number(at, (uint64_t)record->status);
    at = GM_WRITE_LITERAL(at, ",\"latency_ms\":");
    at = put_ms(at, total_ns);
    at = GM_WRITE_LITERAL(at, ",\"remote_addr\":");
    at = put_json_plain(at, record->remote_addr.base, record->remote_addr.length);
    at = GM_WRITE_LITERAL(at, ",\"bytes_in\":");
    at = gm_write_number(at, record->bytes_in);
    at = GM_WRITE_LITERAL(at, ",\"bytes_out\":");
    at = gm_write_number(at, record->bytes_out);
    at = GM_WRITE_LITERAL(at, ",\"protocol\":");
    at = put_json_plain(at, texts.protocol.base, texts.protocol.length);
    at = GM_WRITE_LITERAL(at, ",\"tls\":");
    at = put_json_plain(at, texts.tls.base, texts.tls.length);
    at = put_json_way(self, at, record, &texts);
    if (record->grpc != NULL)
        at = put_json_grpc(self, at, record->grpc);
    if (record->request_fields != NULL) {
        at = GM_WRITE_LITERAL(at, ",\"request_headers\":");
        at = put_json_fields(self, at, record->request_fields);
    }
    if (record->response_fields != NULL) {
        at = GM_WRITE_LITERAL(at, ",\"response_headers\":");
        at = put_json_fields(self, at, record->response_fields);
    }
    at = put_json_phases(at, record);
    at = GM_WRITE_LITERAL(at, "}\n");
    out->length += (size_t)(at - start);
    out->text[out->length] = '\0';
}

/* ---- text */

static void append_text_fact(gm_buffer_t *out, const char *name, const char *bytes, size_t length)
{
    if (bytes == NULL)
        return;
    gm_buffer_append_text(out, name);
    gm_log_append_visible(out, bytes, length);
}

/* In quotes, and whoever looks for the end of the value finds it: quotes and backslashes are escaped, too. */
static void append_quoted(gm_buffer_t *out, const char *bytes, size_t length)
{
    gm_buffer_append_char(out, '"');
    for (size_t at = 0, step; at != length; at += step) {
        unsigned char c = (unsigned char)bytes[at];
        bool is_valid;
        step = gm_utf8_measure(bytes + at, length - at, &is_valid);
        if (c == '"' || c == '\\')
            gm_buffer_append_char(out, '\\');
        if (is_valid && c >= 0x20 && c != 0x7f && !(c == 0xc2 && (unsigned char)bytes[at + 1] < 0xa0)) {
            gm_buffer_append(out, bytes + at, step);
            continue;
        }
        for (size_t i = 0; i != step; ++i)
            gm_buffer_printf(out, "\\x%02x", (unsigned)(unsigned char)bytes[at + i]);
    }
    gm_buffer_append_char(out, '"');
}

static void append_text_fields(gm_buffer_t *out, const gm_record_field_t *fields)
{
    for (; fields != NULL && fields->name.base != NULL; ++fields) {
        append_text_fact(out, " ", fields->name.base, fields->name.length);
        gm_buffer_append_char(out, '=');
        append_quoted(out, fields->value.base, fields->value.length);
    }
}

static void make_text(const gm_record_t *record, gm_buffer_t *out)
{
    const char *failure = label_of(record);
    char digits[64], *at = digits;

    append_text_fact(out, "[INFO] request completed: ", record->method.base, record->method.length);
    append_text_fact(out, " ", record->path.base, record->path.length);
    *at++ = ' ';
    at = gm_write_number(at, (uint64_t)record->status);
    *at++ = ' ';
    at = put_ms(at, gm_record_total_ns(record)) - 3; /* microseconds are enough for people */
    gm_buffer_append(out, digits, (size_t)(at - digits));
    gm_buffer_append_text(out, "ms");
    if (record->grpc != NULL) {
        const char *status = gm_grpc_status_name(record->grpc->status);
        append_text_fact(out, " grpc_status=", status, strlen(status));
    }
    if (failure != NULL)
        append_text_fact(out, " failure=", failure, strlen(failure));
    append_text_fact(out, " remote_addr=", record->remote_addr.base, record->remote_addr.length);
    append_text_fact(out, " route=", record->route, length_of(record->route));
    append_text_fact(out, " endpoint=", record->endpoint, length_of(record->endpoint));
    if (is_traced(record)) {
        gm_buffer_append_text(out, " trace_id=");
        gm_buffer_append(out, digits,
                         (size_t)(gm_write_hex(digits, record->trace.trace_id, GM_TRACE_ID_BYTES) - digits));
    }
    append_text_fields(out, record->request_fields);
    append_text_fields(out, record->response_fields);
    gm_buffer_append_char(out, '\n');
}

/* ---- which lines */

static bool is_wanted(gm_access_log_t *self, size_t index, const gm_record_t *record)
{
    const gm_access_log_rule_t *rule = &self->options.rules[index];

    if (record->failure != GM_NO_FAILURE)
        return true;
    if (rule->slower_than_ns != 0 && gm_record_total_ns(record) >= rule->slower_than_ns)
        return true;
    if (rule->only_failures || rule->slower_than_ns != 0)
        return false;
    self->sampled[index] += rule->sample;
    if (self->sampled[index] < GM_FRACTION_ONE)
        return false;
    self->sampled[index] -= GM_FRACTION_ONE;
    return true;
}

void gm_access_log_make_line(gm_access_log_t *self, const gm_record_t *record, gm_buffer_t *line)
{
    line->length = 0;
    if (self->options.json)
        make_json(self, record, line);
    else
        make_text(record, line);
}

void gm_access_log_write(gm_access_log_t *self, size_t rule, const gm_record_t *record)
{
    if (!gm_access_log_is_on(self) || !is_wanted(self, rule, record))
        return;
    gm_access_log_make_line(self, record, &self->line);
    if (self->options.stream != NULL)
        gm_log_stream_submit(self->options.stream, self->line.text, self->line.length);
    else
        gm_log_submit(self->line.text, self->line.length);
}
