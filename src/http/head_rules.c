/*
 * What single fields of a head mean: framing, the connection's fate, and which fields must not be passed on
 * (RFC 9112, 6 and 9; RFC 9110, 7.6.1). Pure; called by http/head for each field, on the connection's worker.
 */
#include "http/head_rules.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "http/fields.h"

#define CONNECTIONS_MAX 16
#define HOST_MAX_BYTES 255

typedef struct rule {
    const char *name;
    size_t length;
    int (*read)(gm_head_rules_t *self, gm_head_t *head, gm_span_t value); /* 0, or -1: refused */
} rule_t;

int gm_head_rules_refuse(gm_head_t *head, unsigned status, const char *why)
{
    head->refusal = status;
    head->why = why;
    return -1;
}

void gm_head_rules_init(gm_head_rules_t *self, const gm_head_t *head, bool is_answer)
{
    self->is_answer = is_answer;
    self->ignores_framing = is_answer && (head->status < 200 || head->status == 204);
    self->has_transfer_encoding = false;
    self->says_close = self->says_keep_alive = self->says_upgrade = false;
    self->connections = self->upgrades = 0;
}

static const bool is_name[256] = {
    ['-'] = true,         ['.'] = true, ['0' ... '9'] = true,
    ['A' ... 'Z'] = true, ['_'] = true, ['a' ... 'z'] = true,
};

static bool is_port(const char *text, size_t length)
{
    unsigned port = 0;

    if (length == 0 || length > 5)
        return false;
    for (size_t i = 0; i != length; ++i) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port <= 65535;
}

static bool is_ipv6(const char *text, size_t length)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (length >= sizeof(copy) || memchr(text, '\0', length) != NULL)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

bool gm_head_is_host(const char *text, size_t length)
{
    const char *p = text, *end = text + length;

    if (length != 0 && *text == '[') {
        if ((p = memchr(text, ']', length)) == NULL || !is_ipv6(text + 1, (size_t)(p - text - 1)))
            return false;
        ++p;
    } else {
        for (; p != end && is_name[(unsigned char)*p]; ++p)
            if (*p == '.' && (p == text || p[-1] == '.'))
                return false; /* an empty label */
        if (p == text || p - text > HOST_MAX_BYTES)
            return false;
    }
    return p == end || (*p == ':' && is_port(p + 1, (size_t)(end - p - 1)));
}

static bool is_word(gm_span_t span, const char *word, size_t length)
{
    return span.length == length && strncasecmp(span.base, word, length) == 0;
}

#define IS_WORD(span, word) is_word(span, word, sizeof(word) - 1)

/* Cuts the next member off a comma-separated list. A list has at least one member, which may be empty. */
static bool next_member(gm_span_t *list, gm_span_t *member)
{
    const char *end, *comma;

    if (list->base == NULL)
        return false;
    end = list->base + list->length;
    comma = memchr(list->base, ',', list->length);
    *member = (gm_span_t){list->base, (size_t)((comma != NULL ? comma : end) - list->base)};
    *list = comma != NULL ? (gm_span_t){comma + 1, (size_t)(end - comma - 1)} : (gm_span_t){NULL, 0};
    while (member->length != 0 && (*member->base == ' ' || *member->base == '\t')) {
        ++member->base;
        --member->length;
    }
    while (member->length != 0 &&
           (member->base[member->length - 1] == ' ' || member->base[member->length - 1] == '\t'))
        --member->length;
    return true;
}

/* Digits only; signed 64 bits hold the value wherever it goes. */
static bool read_length(gm_span_t text, uint64_t *length)
{
    *length = 0;
    for (size_t i = 0; i != text.length; ++i) {
        unsigned digit = (unsigned char)text.base[i] - (unsigned)'0';
        if (digit > 9 || *length > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        *length = *length * 10 + digit;
    }
    return text.length != 0;
}

static int read_host(gm_head_rules_t *self, gm_head_t *head, gm_span_t value)
{
    if (self->is_answer)
        return 0;
    if (head->host.base != NULL)
        return gm_head_rules_refuse(head, 400, "more than one Host field");
    if (!gm_head_is_host(value.base, value.length))
        return gm_head_rules_refuse(head, 400, "a Host that is not a host");
    head->host = value;
    return 0;
}

static int refuse_length(gm_head_t *head)
{
    return gm_head_rules_refuse(head, 400, "a Content-Length that is not a number");
}

static int read_content_length(gm_head_rules_t *self, gm_head_t *head, gm_span_t value)
{
    gm_span_t member;
    uint64_t length;

    if (self->ignores_framing)
        return 0;
    if (!self->is_answer) {
        if (head->content_length != GM_HEAD_NO_LENGTH)
            return gm_head_rules_refuse(head, 400, "more than one Content-Length");
        return read_length(value, &head->content_length) ? 0 : refuse_length(head);
    }
    while (next_member(&value, &member)) { /* RFC 9112, 6.3: equal ones count once */
        if (!read_length(member, &length))
            return refuse_length(head);
        if (head->content_length != GM_HEAD_NO_LENGTH && head->content_length != length)
            return gm_head_rules_refuse(head, 400, "two different Content-Length");
        head->content_length = length;
    }
    return 0;
}

static int read_transfer_encoding(gm_head_rules_t *self, gm_head_t *head, gm_span_t value)
{
    if (self->ignores_framing)
        return 0;
    if (self->has_transfer_encoding)
        return gm_head_rules_refuse(head, 400, "more than one Transfer-Encoding");
    if (head->minor_version == 0)
        return gm_head_rules_refuse(head, 400, "a Transfer-Encoding in HTTP/1.0");
    if (!IS_WORD(value, "chunked"))
        return gm_head_rules_refuse(head, 400, "a Transfer-Encoding other than \"chunked\"");
    self->has_transfer_encoding = head->is_chunked = true;
    return 0;
}

static int read_connection(gm_head_rules_t *self, gm_head_t *head, gm_span_t value)
{
    gm_span_t option;

    if (++self->connections > CONNECTIONS_MAX)
        return gm_head_rules_refuse(head, 400, "too many Connection fields");
    while (next_member(&value, &option)) {
        if (option.length == 0)
            continue;
        if (IS_WORD(option, "keep-alive"))
            self->says_keep_alive = true;
        else if (IS_WORD(option, "close"))
            self->says_close = true;
        else if (IS_WORD(option, "upgrade"))
            self->says_upgrade = true;
        else if (head->option_count == GM_HEAD_MAX_OPTIONS)
            return gm_head_rules_refuse(head, 400, "a Connection field that names too much");
        else
            head->options[head->option_count++] = option;
    }
    return 0;
}

static int read_expect(gm_head_rules_t *self, gm_head_t *head, gm_span_t value)
{
    if (self->is_answer)
        return 0;
    if (!IS_WORD(value, "100-continue"))
        return gm_head_rules_refuse(head, 417, "an Expect other than \"100-continue\"");
    head->expects_continue = head->minor_version != 0;
    return 0;
}

static int read_te(gm_head_rules_t *self, gm_head_t *head, gm_span_t value)
{
    if (!self->is_answer && head->minor_version != 0 &&
        gm_fields_connection_names(value.base, value.length, "trailers", strlen("trailers")))
        head->accepts_trailers = true;
    return 0;
}

static int read_upgrade(gm_head_rules_t *self, gm_head_t *head, gm_span_t value)
{
    ++self->upgrades;
    head->upgrade = value;
    return 0;
}

/* "timeout=5, max=100"; what cannot be read is as if not given */
static int read_keep_alive(gm_head_rules_t *self, gm_head_t *head, gm_span_t value)
{
    static const char timeout[] = "timeout=";
    const size_t skip = sizeof(timeout) - 1;
    gm_span_t member;
    uint64_t seconds;

    if (!self->is_answer)
        return 0;
    while (next_member(&value, &member))
        if (member.length > skip && strncasecmp(member.base, timeout, skip) == 0 &&
            read_length((gm_span_t){member.base + skip, member.length - skip}, &seconds)) {
            head->keep_alive_s = seconds < UINT32_MAX ? (unsigned)seconds : UINT32_MAX;
            self->says_close = self->says_close || seconds == 0;
        }
    return 0;
}

/* No two of the rules share a place; the compiler would warn that one overrides the other. */
#define PLACE(first, length) (((unsigned char)(first) + (length)) % 32)

/* clang-format off */
#define RULE(first, name, read) [PLACE(first, sizeof(name) - 1)] = {name, sizeof(name) - 1, read}
static const rule_t rules[32] = { /* none of these fields is passed on */
    RULE('h', "host",              read_host),
    RULE('c', "connection",        read_connection),
    RULE('c', "content-length",    read_content_length),
    RULE('t', "transfer-encoding", read_transfer_encoding),
    RULE('e', "expect",            read_expect),
    RULE('t', "te",                read_te),
    RULE('u', "upgrade",           read_upgrade),
    RULE('k', "keep-alive",        read_keep_alive),
};
/* clang-format on */

int gm_head_rules_read(gm_head_rules_t *self, gm_head_t *head, const gm_head_field_t *field)
{
    const char *name = field->name.base;
    size_t length = field->name.length;
    const rule_t *rule = &rules[PLACE(*name, length)];

    if (length == rule->length && memcmp(name, rule->name, length) == 0)
        return rule->read(self, head, field->value);
    return !gm_fields_is_hop_by_hop(name, length) && !gm_fields_is_underscore_twin(name, length);
}

bool gm_head_names_option(const gm_span_t *options, size_t count, gm_span_t name)
{
    for (size_t i = 0; i != count; ++i)
        if (is_word(options[i], name.base, name.length))
            return true;
    return false;
}

/* Takes out the fields that Connection names (RFC 9110, 7.6.1). */
static void remove_named(gm_head_t *head)
{
    size_t kept = 0;

    for (size_t i = 0; i != head->field_count; ++i) {
        const gm_head_field_t *field = &head->fields[i];
        if (!gm_head_names_option(head->options, head->option_count, field->name))
            head->fields[kept++] = *field;
    }
    head->field_count = kept;
}

int gm_head_rules_finish(gm_head_rules_t *self, gm_head_t *head)
{
    if (!self->is_answer && head->host.base == NULL && head->minor_version != 0)
        return gm_head_rules_refuse(head, 400, "no Host field");
    if (self->has_transfer_encoding && head->content_length != GM_HEAD_NO_LENGTH)
        return gm_head_rules_refuse(head, 400, "both Content-Length and Transfer-Encoding");
    head->keeps_alive = !self->says_close && (head->minor_version != 0 || self->says_keep_alive);
    if (!self->says_upgrade || self->upgrades > 1 || head->minor_version == 0)
        head->upgrade = (gm_span_t){NULL, 0};
    if (head->option_count != 0)
        remove_named(head);
    return 0;
}
