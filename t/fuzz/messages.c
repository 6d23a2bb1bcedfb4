/*
 * A second reading of HTTP/1.1, strict and simple: it has whole streams before it and need not be fast. Where
 * the proxy writes what this does not take, another program may read something else in it.
 */
#include "messages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "http/framing.h"
#include "http/head.h"

#define NO_LENGTH UINT64_MAX

typedef struct cursor {
    const char *at, *end;
    const char *fault;
    gm_buffer_t *body; /* borrowed; NULL = bodies are not kept */
} cursor_t;

typedef struct fields {
    unsigned hosts, lengths, codings;
    bool is_chunked, closes, upgrades;
    uint64_t length;
} fields_t;

typedef struct line {
    const char *base;
    size_t length;
} line_t;

static bool fail(cursor_t *self, const char *fault)
{
    self->fault = fault;
    return false;
}

/* @return whether a whole line was there; without its CRLF */
static bool next_line(cursor_t *self, line_t *line)
{
    const char *at = self->at;

    for (; at != self->end; ++at) {
        unsigned char c = (unsigned char)*at;
        if (c == '\r') {
            if (at + 1 == self->end)
                return false;
            if (at[1] != '\n')
                return fail(self, "a CR alone");
            *line = (line_t){self->at, (size_t)(at - self->at)};
            self->at = at + 2;
            return true;
        }
        if (c == '\n')
            return fail(self, "an LF alone");
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return fail(self, "a control byte");
    }
    return false;
}

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is(line_t text, const char *wanted)
{
    return text.length == strlen(wanted) && strncasecmp(text.base, wanted, text.length) == 0;
}

static bool read_number(line_t text, unsigned base, uint64_t *number)
{
    *number = 0;
    if (text.length == 0 || text.length > (base == 16 ? 15 : 19))
        return false;
    for (size_t i = 0; i != text.length; ++i) {
        char c = text.base[i];
        unsigned digit = c >= '0' && c <= '9'                 ? (unsigned)(c - '0')
                         : base == 16 && c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                                              : 99;
        if (digit == 99)
            return false;
        *number = *number * base + digit;
    }
    return true;
}

static bool read_field(cursor_t *self, line_t line, fields_t *fields)
{
    line_t name = {line.base, 0}, value;

    while (name.length != line.length && is_token_char(line.base[name.length]))
        ++name.length;
    if (name.length == 0 || name.length == line.length || line.base[name.length] != ':')
        return fail(self, "a field without name or colon");
    value = (line_t){line.base + name.length + 1, line.length - name.length - 1};
    while (value.length != 0 && (*value.base == ' ' || *value.base == '\t')) {
        ++value.base;
        --value.length;
    }
    if (is(name, "host"))
        ++fields->hosts;
    if (is(name, "transfer-encoding")) {
        ++fields->codings;
        fields->is_chunked = is(value, "chunked");
        if (!fields->is_chunked)
            return fail(self, "a transfer coding other than chunked");
    }
    if (is(name, "content-length")) {
        ++fields->lengths;
        if (!read_number(value, 10, &fields->length))
            return fail(self, "a Content-Length that is no number");
    }
    if (is(name, "connection"))
        fields->closes = fields->closes || is(value, "close");
    if (is(name, "upgrade"))
        fields->upgrades = true;
    return true;
}

/* @return whether all fields and the empty line were there */
static bool read_fields(cursor_t *self, fields_t *fields)
{
    line_t line;

    *fields = (fields_t){.length = NO_LENGTH};
    while (next_line(self, &line)) {
        if (line.length == 0)
            return fields->lengths + fields->codings <= 1 || fail(self, "more than one framing");
        if (!read_field(self, line, fields))
            return false;
    }
    return false;
}

static bool skip(cursor_t *self, uint64_t length)
{
    size_t left = (size_t)(self->end - self->at), size = left < length ? left : (size_t)length;

    if (self->body != NULL && size != 0)
        gm_buffer_append(self->body, self->at, size);
    self->at += size;
    return size == length;
}

static bool skip_chunks(cursor_t *self)
{
    uint64_t size;
    fields_t trailers;
    line_t line;

    do {
        if (!next_line(self, &line))
            return false;
        if (!read_number(line, 16, &size))
            return fail(self, "a chunk without a size");
        if (size == 0)
            return read_fields(self, &trailers) &&
                   (trailers.hosts + trailers.lengths + trailers.codings == 0 ||
                    fail(self, "trailers that look like a head"));
        if (!skip(self, size))
            return false;
    } while (next_line(self, &line) && (line.length == 0 || fail(self, "more than the chunk's size")));
    return false;
}

static messages_found_t found_at(const cursor_t *self, const char *bytes, const char *from, size_t count)
{
    messages_found_t found = {.fault = self->fault, .at = (size_t)(from - bytes), .count = count};

    found.is_whole = self->fault == NULL && from == self->end;
    return found;
}

/* ---- what a client sent */

/* @return how long the body is with its framing; SIZE_MAX = not whole, or not good */
static size_t read_body(const gm_head_t *head, const char *bytes, size_t size, messages_request_t *request)
{
    gm_framing_t framing;
    gm_buffer_t copy = {0};
    bool has_length = head->content_length != GM_HEAD_NO_LENGTH, is_good, is_whole;
    size_t left = size;

    gm_framing_init(&framing, head->is_chunked ? GM_FRAMING_CHUNKED : GM_FRAMING_LENGTH,
                    !head->is_chunked && has_length ? head->content_length : 0);
    if (framing.has_ended)
        return 0;
    request->is_cut = size == 0;
    if (size == 0)
        return SIZE_MAX;
    gm_buffer_append(&copy, bytes, size);
    is_good = gm_framing_feed(&framing, copy.text, &left) == 0;
    is_whole = is_good && framing.has_ended;
    request->is_cut = is_good && !is_whole;
    if (framing.ready != 0)
        gm_buffer_append(&request->body, copy.text, framing.ready);
    size -= left - framing.ready; /* what follows */
    gm_framing_dispose(&framing);
    gm_buffer_dispose(&copy);
    return is_whole ? size : SIZE_MAX;
}

void messages_read_client(const char *bytes, size_t size, messages_requests_t *requests)
{
    static const gm_head_limits_t limits = {1 << 20, 1 << 20, 1 << 20, GM_HEAD_MAX_FIELDS};
    size_t body;

    while (size != 0 && requests->count != MESSAGES_MAX_REQUESTS) {
        messages_request_t *request = &requests->items[requests->count];
        gm_head_t head;
        char *copy = gm_strndup(bytes, size);
        int ret = gm_head_parse_request(copy, size, 0, &limits, &head);
        if (ret == 1) {
            ++requests->count;
            *request = (messages_request_t){.is_head = head.method.length == 4 &&
                                                       memcmp(head.method.base, "HEAD", 4) == 0,
                                            .is_old = head.minor_version == 0};
        }
        free(copy);
        if (ret != 1)
            return;
        bytes += head.length;
        size -= head.length;
        if ((body = read_body(&head, bytes, size, request)) == SIZE_MAX)
            return;
        bytes += body;
        size -= body;
    }
}

void messages_dispose_requests(messages_requests_t *requests)
{
    while (requests->count != 0)
        gm_buffer_dispose(&requests->items[--requests->count].body);
}

/* ---- what an origin got */

static bool read_request_line(cursor_t *self)
{
    line_t line;
    const char *target, *version;

    if (!next_line(self, &line))
        return false;
    for (target = line.base; target != self->at && is_token_char(*target); ++target)
        ;
    if (target == line.base || *target++ != ' ')
        return fail(self, "a request line without a method");
    version = memchr(target, ' ', (size_t)(line.base + line.length - target));
    if (version == NULL || version == target || (*target != '/' && *target != '*'))
        return fail(self, "a request line without a target");
    return is((line_t){version, (size_t)(line.base + line.length - version)}, " HTTP/1.1") ||
           fail(self, "a request line without a version");
}

static bool is_known(const gm_buffer_t *body, const messages_requests_t *requests)
{
    for (size_t i = 0; i != requests->count; ++i) {
        const gm_buffer_t *sent = &requests->items[i].body;
        if (body->length <= sent->length &&
            (body->length == 0 || memcmp(body->text, sent->text, body->length) == 0))
            return true;
    }
    return false;
}

/* @return whether a whole request was there */
static bool read_request(cursor_t *self, fields_t *fields, const messages_requests_t *requests, size_t *count)
{
    gm_buffer_t body = {0};
    bool is_whole;

    if (!read_request_line(self) || !read_fields(self, fields))
        return false;
    ++*count;
    if (fields->hosts != 1)
        return fail(self, "not one Host");
    self->body = &body;
    is_whole =
        fields->is_chunked ? skip_chunks(self) : fields->length == NO_LENGTH || skip(self, fields->length);
    self->body = NULL;
    if (self->fault == NULL && requests != NULL && !is_known(&body, requests))
        fail(self, "a body that no client sent");
    gm_buffer_dispose(&body);
    return is_whole && self->fault == NULL;
}

messages_found_t messages_check_requests(const char *bytes, size_t size, bool may_switch,
                                         const messages_requests_t *requests)
{
    cursor_t cursor = {bytes, bytes + size, NULL, NULL};
    size_t count = 0;

    while (cursor.at != cursor.end) {
        const char *from = cursor.at;
        fields_t fields = {0};
        bool is_whole = read_request(&cursor, &fields, requests, &count);
        if (cursor.fault == NULL && fields.upgrades && may_switch)
            return (messages_found_t){.count = count, .is_open_end = true};
        if (!is_whole)
            return found_at(&cursor, bytes, from, count);
    }
    return found_at(&cursor, bytes, cursor.at, count);
}

/* ---- what a client got */

static bool read_status_line(cursor_t *self, unsigned *status)
{
    line_t line;
    uint64_t number;

    if (!next_line(self, &line))
        return false;
    if (line.length < 13 || memcmp(line.base, "HTTP/1.1 ", 9) != 0 || line.base[12] != ' ' ||
        !read_number((line_t){line.base + 9, 3}, 10, &number) || number < 100 || number > 599)
        return fail(self, "no status line");
    *status = (unsigned)number;
    return true;
}

typedef enum body { BODY_INCOMPLETE, BODY_WHOLE, BODY_OPEN } body_t;

static body_t skip_answer_body(cursor_t *self, unsigned status, const fields_t *fields,
                               const messages_request_t *request)
{
    if (status < 200 || status == 204) {
        if (fields->codings + fields->lengths != 0)
            return fail(self, "framing where no body can be") ? BODY_WHOLE : BODY_INCOMPLETE;
        return BODY_WHOLE;
    }
    if (request->is_old && fields->is_chunked)
        return fail(self, "chunks for HTTP/1.0") ? BODY_WHOLE : BODY_INCOMPLETE;
    if (status == 304 || request->is_head)
        return BODY_WHOLE;
    if (fields->is_chunked)
        return skip_chunks(self) ? BODY_WHOLE : BODY_INCOMPLETE;
    if (fields->length != NO_LENGTH)
        return skip(self, fields->length) ? BODY_WHOLE : BODY_INCOMPLETE;
    if (!fields->closes)
        fail(self, "a body without an end");
    return BODY_OPEN;
}

messages_found_t messages_check_answers(const char *bytes, size_t size, const messages_requests_t *requests)
{
    static const messages_request_t refused = {0};
    cursor_t cursor = {bytes, bytes + size, NULL, NULL};
    size_t count = 0;

    while (cursor.at != cursor.end) {
        const char *from = cursor.at;
        const messages_request_t *request = count < requests->count ? &requests->items[count] : &refused;
        fields_t fields;
        unsigned status;
        body_t body;
        if (!read_status_line(&cursor, &status) || !read_fields(&cursor, &fields))
            return found_at(&cursor, bytes, from, count);
        if (status == 101)
            return (messages_found_t){.count = count + 1, .is_open_end = true};
        if (status < 200 && (request->is_old || request == &refused))
            fail(&cursor, "an interim answer that nobody can read");
        count += status >= 200;
        if (count > requests->count + 1)
            fail(&cursor, "more answers than requests");
        body = cursor.fault == NULL ? skip_answer_body(&cursor, status, &fields, request) : BODY_INCOMPLETE;
        if (cursor.fault == NULL && body == BODY_OPEN)
            return (messages_found_t){.count = count, .is_open_end = true};
        if (cursor.fault == NULL && body == BODY_WHOLE && fields.closes && cursor.at != cursor.end)
            fail(&cursor, "something behind the last answer");
        if (cursor.fault != NULL || body != BODY_WHOLE)
            return found_at(&cursor, bytes, from, count);
    }
    return found_at(&cursor, bytes, cursor.at, count);
}
