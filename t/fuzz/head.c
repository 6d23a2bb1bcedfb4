/*
 * Fuzz target: any bytes as a head. The first byte chooses request or answer, and how the bytes arrive. What
 * is read lies inside the bytes and keeps what the header promises; what arrives in pieces reads as the whole
 * does; a complete head written out again reads the same, also when its parts come one by one; and an empty
 * line always ends the waiting. If the first byte says so, the bytes are such parts instead, each ended by a
 * line feed: what is accepted of them, and only that, could have been a head in one piece.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "http/field_list.h"
#include "http/fields.h"
#include "http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*parse_t)(char *bytes, size_t size, size_t seen, const gm_head_limits_t *limits,
                       gm_head_t *head);

static const gm_head_limits_t limits = {
    .max_bytes = 2048, .max_field_bytes = 512, .max_target_bytes = 256, .max_fields = 12};

/* Not assert: a build with NDEBUG must find mistakes, too. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

static void require_inside(gm_span_t span, const char *bytes, size_t size)
{
    if (span.base == NULL)
        require(span.length == 0);
    else
        require(span.base >= bytes && span.base + span.length <= bytes + size);
    for (size_t i = 0; i != span.length; ++i)
        require((unsigned char)span.base[i] >= 0x20 ? span.base[i] != 0x7f : span.base[i] == '\t');
}

static void require_field(const gm_head_field_t *field, const char *bytes, size_t size)
{
    const char *name = field->name.base, *value = field->value.base;
    size_t length = field->value.length;

    require_inside(field->name, bytes, size);
    require_inside(field->value, bytes, size);
    require(field->name.length != 0 && name != NULL && value != NULL);
    for (size_t i = 0; i != field->name.length; ++i)
        require((name[i] < 'A' || name[i] > 'Z') && strchr(" :,;()[]{}<>@\"/\\?=", name[i]) == NULL);
    require(length == 0 || (strchr(" \t", value[0]) == NULL && strchr(" \t", value[length - 1]) == NULL));
    require(field->name.length + length <= limits.max_field_bytes);
    require(!gm_fields_is_hop_by_hop(name, field->name.length));
    require(!gm_fields_is_underscore_twin(name, field->name.length));
}

static void require_sound(const gm_head_t *head, const char *bytes, bool is_answer)
{
    const gm_span_t spans[] = {head->method, head->target, head->host, head->reason, head->upgrade};

    require(head->length <= limits.max_bytes && head->minor_version <= 1 &&
            head->field_count <= limits.max_fields);
    for (size_t i = 0; i != GM_COUNT_OF(spans); ++i)
        require_inside(spans[i], bytes, head->length);
    for (size_t i = 0; i != head->field_count; ++i)
        require_field(&head->fields[i], bytes, head->length);
    require(!head->is_chunked || (head->content_length == GM_HEAD_NO_LENGTH && head->minor_version == 1));
    if (is_answer) {
        require(head->status >= 100 && head->status <= 599);
        return;
    }
    require(head->method.length != 0 && head->target.length != 0);
    require(head->target.base[0] == '/' || (head->target.length == 1 && head->target.base[0] == '*'));
    require(memchr(head->target.base, ' ', head->target.length) == NULL);
    require(head->host.base != NULL ? gm_head_is_host(head->host.base, head->host.length)
                                    : head->minor_version == 0);
}

static void write_span(gm_buffer_t *out, const char *before, gm_span_t span)
{
    gm_buffer_append_text(out, before);
    gm_buffer_append(out, span.base != NULL ? span.base : "", span.length);
}

/* A head that says the same; also the description by which heads are compared. */
static void write_head(const gm_head_t *head, bool is_answer, gm_buffer_t *out)
{
    if (is_answer) {
        gm_buffer_printf(out, "HTTP/1.%u %03u", head->minor_version, head->status);
        write_span(out, " ", head->reason);
    } else {
        write_span(out, "", head->method);
        write_span(out, " ", head->target);
        gm_buffer_printf(out, " HTTP/1.%u", head->minor_version);
        if (head->host.base != NULL)
            write_span(out, "\r\nhost: ", head->host);
    }
    if (head->content_length != GM_HEAD_NO_LENGTH)
        gm_buffer_printf(out, "\r\ncontent-length: %ju", (uintmax_t)head->content_length);
    if (head->is_chunked)
        gm_buffer_append_text(out, "\r\ntransfer-encoding: chunked");
    if (head->expects_continue)
        gm_buffer_append_text(out, "\r\nexpect: 100-continue");
    if (head->accepts_trailers)
        gm_buffer_append_text(out, "\r\nte: trailers");
    if (head->upgrade.base != NULL)
        write_span(out, "\r\nconnection: upgrade\r\nupgrade: ", head->upgrade);
    if (head->keep_alive_s != 0)
        gm_buffer_printf(out, "\r\nkeep-alive: timeout=%u", head->keep_alive_s);
    gm_buffer_append_text(out, head->keeps_alive ? "\r\nconnection: keep-alive" : "\r\nconnection: close");
    for (size_t i = 0; i != head->field_count; ++i) {
        write_span(out, "\r\n", head->fields[i].name);
        write_span(out, ": ", head->fields[i].value);
    }
    gm_buffer_append_text(out, "\r\n\r\n");
}

static void check_written(parse_t parse, bool is_answer, const gm_buffer_t *written)
{
    static const gm_head_limits_t wide = {1 << 16, 1 << 16, 1 << 16, GM_HEAD_MAX_FIELDS};
    char *bytes = gm_strndup(written->text, written->length);
    gm_head_t head;
    gm_buffer_t again = {0};

    require(parse(bytes, written->length, 0, &wide, &head) == 1 && head.length == written->length);
    write_head(&head, is_answer, &again);
    require(again.length == written->length && memcmp(again.text, written->text, again.length) == 0);
    gm_buffer_dispose(&again);
    free(bytes);
}

/* ---- heads in parts */

/* Cuts off what stands before `mark`, or all of it. */
static gm_span_t cut(const char **at, const char *end, const char *mark)
{
    const char *start = *at, *found = memmem(start, (size_t)(end - start), mark, strlen(mark));

    *at = found != NULL ? found + strlen(mark) : end;
    return (gm_span_t){start, (size_t)((found != NULL ? found : end) - start)};
}

static bool is_text(gm_span_t span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.base, text, span.length) == 0;
}

static int read_parts(const gm_head_parts_t *parts, bool is_answer, const gm_head_limits_t *with,
                      gm_head_t *head)
{
    memset(head, 0xa5, sizeof(*head));
    return (is_answer ? gm_head_read_response : gm_head_read_request)(parts, with, head);
}

/* What was written in one piece, part by part. */
static void check_as_parts(bool is_answer, const gm_head_t *whole, const gm_buffer_t *written)
{
    static const gm_head_limits_t wide = {1 << 16, 1 << 16, 1 << 16, GM_HEAD_MAX_FIELDS};
    const char *at = written->text, *end = at + written->length - 2;
    gm_span_t first = cut(&at, end, " "), second = cut(&at, end, " "), rest = cut(&at, end, "\r\n");
    gm_buffer_t list = {0}, again = {0};
    gm_head_parts_t parts = {.method = first, .target = second};
    gm_head_t head;

    (void)rest;
    if (is_answer)
        parts = (gm_head_parts_t){.status = second};
    while (at != end) {
        gm_span_t name = cut(&at, end, ": "), value = cut(&at, end, "\r\n");
        require(gm_head_why_no_field(&(gm_head_field_t){name, value}) == NULL);
        if (!is_answer && is_text(name, "host"))
            parts.host = value;
        else
            gm_field_list_add(&list, name, value);
    }
    parts.fields = list.text;
    parts.fields_length = list.length;
    require(read_parts(&parts, is_answer, &wide, &head) == 0);
    head.reason = whole->reason; /* of lines only */
    write_head(&head, is_answer, &again);
    require(again.length == written->length && memcmp(again.text, written->text, again.length) == 0);
    gm_buffer_dispose(&list);
    gm_buffer_dispose(&again);
}

/* Method, target and host, or a status, then names and values. */
static void check_parts(const char *bytes, size_t size, bool is_answer)
{
    const char *at = bytes, *end = bytes + size;
    gm_buffer_t list = {0}, written = {0};
    gm_head_parts_t parts = {0};
    gm_head_t head;

    if (is_answer) {
        parts.status = cut(&at, end, "\n");
    } else {
        parts.method = cut(&at, end, "\n");
        parts.target = cut(&at, end, "\n");
        parts.host = cut(&at, end, "\n");
    }
    while (at != end) {
        const gm_head_field_t field = {cut(&at, end, "\n"), cut(&at, end, "\n")};
        if (gm_head_why_no_field(&field) == NULL)
            gm_field_list_add(&list, field.name, field.value);
    }
    gm_field_list_add(&list, (gm_span_t){"last", 4}, (gm_span_t){"", 0});
    parts.fields = list.text;
    parts.fields_length = list.length;
    if (read_parts(&parts, is_answer, &limits, &head) == 0) {
        require(head.field_count != 0 || head.option_count != 0);
        write_head(&head, is_answer, &written);
        check_written(is_answer ? gm_head_parse_response : gm_head_parse_request, is_answer, &written);
    } else {
        require(head.why != NULL && head.why[0] != '\0' && head.refusal >= 400);
    }
    gm_buffer_dispose(&list);
    gm_buffer_dispose(&written);
}

/* Reads growing prefixes, each in memory of its own size. */
static void check_pieces(parse_t parse, const uint8_t *data, size_t size, unsigned cut,
                         const gm_head_t *whole, int expected)
{
    size_t seen = 0, at = 0;
    gm_head_t head;
    char *bytes = NULL;
    int ret;

    do {
        at += 1 + (cut * (at + 1) ^ at >> 2) % 61;
        at = at < size ? at : size;
        free(bytes);
        bytes = gm_alloc(at + (at == 0));
        memcpy(bytes, data, at);
        ret = parse(bytes, at, seen, &limits, &head);
        seen = at;
    } while (ret == 0 && at != size);
    require(ret == expected);
    if (ret == 1)
        require(head.length == whole->length && head.field_count == whole->field_count &&
                head.content_length == whole->content_length && head.target.length == whole->target.length);
    free(bytes);
}

/* What lines say of a head, whatever it is: a word, and no more than the first line of what was given. */
static void check_glimpse(const char *bytes, size_t size)
{
    const gm_head_glimpse_t glimpse = gm_head_glimpse(bytes, size);
    const gm_span_t *method = &glimpse.method, *target = &glimpse.target;

    if (method->base == NULL) {
        require(target->base == NULL);
        return;
    }
    require_inside(*method, bytes, size);
    require(method->length != 0 && method->length <= 64 && memchr(method->base, ' ', method->length) == NULL);
    require(target->base == NULL || target->base == method->base + method->length + 1);
    require(target->base == NULL || target->base + target->length <= bytes + size);
    require(target->length == 0 || (memchr(target->base, '\n', target->length) == NULL &&
                                    memchr(target->base, ' ', target->length) == NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool is_answer = size != 0 && data[0] % 2 != 0;
    parse_t parse = is_answer ? gm_head_parse_response : gm_head_parse_request;
    gm_buffer_t written = {0};
    gm_head_t head;
    char *bytes;
    int ret;

    if (size == 0)
        return 0;
    if (data[0] >= 0x80) {
        check_parts((const char *)data + 1, size - 1, is_answer);
        return 0;
    }
    bytes = gm_alloc(size - 1 + (size == 1));
    memcpy(bytes, data + 1, size - 1);
    memset(&head, 0xa5, sizeof(head));
    ret = parse(bytes, size - 1, 0, &limits, &head);
    if (ret == 1) {
        require_sound(&head, bytes, is_answer);
        require(memmem(data + 1, head.length, "\r\n\r\n", 4) != NULL &&
                memcmp(bytes + head.length - 4, "\r\n\r\n", 4) == 0);
        write_head(&head, is_answer, &written);
        check_written(parse, is_answer, &written);
        if (head.minor_version == 1)
            check_as_parts(is_answer, &head, &written);
    } else if (ret == 0) {
        require(size - 1 < limits.max_bytes && memmem(bytes, size - 1, "\r\n\r\n", 4) == NULL);
        require(memmem(bytes, size - 1, "\n\n", 2) == NULL && memmem(bytes, size - 1, "\n\r\n", 3) == NULL);
    } else {
        static const unsigned refusals[] = {400, 414, 417, 431, 501, 502, 505};
        bool is_known = false;
        for (size_t i = 0; i != GM_COUNT_OF(refusals); ++i)
            is_known |= head.refusal == refusals[i] && (refusals[i] == 502) == is_answer;
        require(is_known && head.why != NULL && head.why[0] != '\0');
    }
    check_glimpse((const char *)data + 1, size - 1);
    check_pieces(parse, data + 1, size - 1, data[0], &head, ret);
    gm_buffer_dispose(&written);
    free(bytes);
    return 0;
}
