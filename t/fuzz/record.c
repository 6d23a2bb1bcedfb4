/*
 * Fuzz target: any bytes as the texts of a record, into both forms of its line. Whatever they are, it is one
 * line without control bytes, and the JSON form is well-formed JSON in valid UTF-8.
 */
#include "telemetry/access_log.h"

#include <stdlib.h>
#include <string.h>

#include "telemetry/failure.h"

#include "json.h"

#define FIELDS_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

typedef struct input {
    const uint8_t *data;
    size_t size;
} input_t;

static uint8_t take_byte(input_t *self)
{
    if (self->size == 0)
        return 0;
    --self->size;
    return *self->data++;
}

static gm_record_text_t take_text(input_t *self)
{
    size_t length = take_byte(self);
    gm_record_text_t text = {(const char *)self->data, length < self->size ? length : self->size};

    self->data += text.length;
    self->size -= text.length;
    return text;
}

static uint64_t take_number(input_t *self)
{
    uint64_t value = 0;

    for (unsigned i = take_byte(self) % 9; i != 0; --i)
        value = value << 8 | take_byte(self);
    return value;
}

/* @return how many; the list ends as a record's does */
static size_t take_fields(input_t *self, gm_record_field_t *fields, size_t max)
{
    size_t count = take_byte(self) % (max + 1);

    for (size_t i = 0; i != count; ++i) {
        fields[i].name = take_text(self);
        fields[i].value = take_text(self);
    }
    fields[count] = (gm_record_field_t){{NULL, 0}, {NULL, 0}};
    return count;
}

static void require_one_line(const gm_buffer_t *line)
{
    require(line->length != 0 && line->text[line->length - 1] == '\n');
    for (size_t i = 0; i + 1 < line->length; ++i)
        require((unsigned char)line->text[i] >= 0x20 && line->text[i] != 0x7f);
}

/* The text form's values in quotes: each ends where its reader takes it to end, in valid UTF-8. */
static const char *read_quoted(const char *at)
{
    require(*at++ == '"');
    while (*at != '"') {
        unsigned char c = (unsigned char)*at++;
        unsigned more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        require(c >= 0x20 && (c < 0x80 || (c >= 0xc2 && c <= 0xf4)));
        if (c == '\\')
            require(*at != '\0' && strchr("\"\\x", *at++) != NULL);
        for (; more != 0; --more)
            require(((unsigned char)*at++ & 0xc0) == 0x80);
    }
    return at + 1;
}

/* A record with a plain name and any value: what is behind the value is the end of the line. */
static void require_closed(const gm_record_t *record)
{
    const gm_record_field_t fields[] = {{{"name", 4}, record->path}, {{NULL, 0}, {NULL, 0}}};
    const gm_access_log_options_t options = {.json = false};
    const gm_record_t plain = {.failure = GM_NO_FAILURE, .request_fields = fields};
    gm_access_log_t *self = gm_access_log_create(&options);
    gm_buffer_t line = {0};

    gm_access_log_make_line(self, &plain, &line);
    require(strcmp(read_quoted(strstr(line.text, " name=") + 6), "\n") == 0);
    gm_buffer_dispose(&line);
    gm_access_log_destroy(self);
}

static void make(const gm_record_t *record, bool json)
{
    const gm_access_log_options_t options = {.json = json};
    gm_access_log_t *self = gm_access_log_create(&options);
    gm_buffer_t line = {0};

    gm_access_log_make_line(self, record, &line);
    require_one_line(&line);
    if (json)
        require(json_is_whole(line.text, line.length));
    gm_buffer_dispose(&line);
    gm_access_log_destroy(self);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t input = {data, size};
    gm_record_t record = {.protocol = "HTTP/1.1", .marked_ns = 1};
    gm_record_field_t asked[FIELDS_MAX + 1], told[FIELDS_MAX + 1];
    gm_record_grpc_t grpc = {.is_ours = false};
    gm_record_text_t detail;
    char copy[257];

    record.method = take_text(&input);
    record.host = take_text(&input);
    record.path = take_text(&input);
    record.remote_addr = (gm_record_text_t){"127.0.0.1", 9};
    detail = take_text(&input);
    if (detail.length != 0)
        memcpy(copy, detail.base, detail.length);
    copy[detail.length] = '\0';
    record.detail = record.route = copy;
    record.failure = (int)(take_byte(&input) % (GM_FAILURE_COUNT + 1)) - 1;
    record.status = take_byte(&input);
    record.began_us = take_number(&input) >> 12;
    record.bytes_in = take_number(&input);
    for (size_t i = 0; i != GM_PHASE_COUNT; ++i)
        record.phase_ns[i] = take_number(&input) >> 4;
    for (size_t i = 0; i != GM_TRACE_ID_BYTES; ++i)
        record.trace.trace_id[i] = take_byte(&input);
    record.request_fields = take_fields(&input, asked, FIELDS_MAX) != 0 ? asked : NULL;
    record.response_fields = take_fields(&input, told, FIELDS_MAX) != 0 ? told : NULL;
    grpc.service = record.host;
    grpc.method = record.path;
    grpc.status = (gm_grpc_status_t)(take_byte(&input) % GM_GRPC_STATUS_COUNT);
    grpc.is_missing = take_byte(&input) & 1;
    record.grpc = take_byte(&input) & 1 ? &grpc : NULL;
    make(&record, true);
    make(&record, false);
    require_closed(&record);
    return 0;
}
