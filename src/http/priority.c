/*
 * A reader of structured fields, as far as two members need it: all of the syntax, and none of the values but
 * small integers and booleans. Pure; called by http2/ on the connection's worker.
 */
#include "http/priority.h"

#include <string.h>

typedef struct reader {
    const char *at, *end;
} reader_t;

typedef struct value {
    enum { IS_OTHER, IS_INTEGER, IS_BOOLEAN } kind;
    long number;
} value_t;

static bool is_next(const reader_t *self, char c)
{
    return self->at != self->end && *self->at == c;
}

static bool take(reader_t *self, char c)
{
    if (!is_next(self, c))
        return false;
    ++self->at;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alpha(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* Also what ends the list: a zero is in no set. */
static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static void skip(reader_t *self, const char *set)
{
    while (self->at != self->end && is_one_of(*self->at, set))
        ++self->at;
}

static bool read_key(reader_t *self, gm_span_t *key)
{
    const char *start = self->at;

    if (self->at == self->end || (!is_lower(*self->at) && *self->at != '*'))
        return false;
    while (self->at != self->end &&
           (is_lower(*self->at) || is_digit(*self->at) || is_one_of(*self->at, "_-.*")))
        ++self->at;
    *key = (gm_span_t){start, (size_t)(self->at - start)};
    return true;
}

/* At most 15 digits, or 12 and 3 behind a point (RFC 8941, 4.2.4). */
static bool read_number(reader_t *self, value_t *value)
{
    bool is_negative = take(self, '-');
    size_t digits = 0, decimals = 0;

    value->kind = IS_INTEGER;
    value->number = 0;
    for (; self->at != self->end && is_digit(*self->at); ++self->at)
        if (++digits <= 15)
            value->number = value->number * 10 + (*self->at - '0');
    if (is_negative)
        value->number = -value->number;
    if (digits == 0 || digits > 15)
        return false;
    if (!take(self, '.'))
        return true;
    value->kind = IS_OTHER;
    for (; self->at != self->end && is_digit(*self->at); ++self->at)
        ++decimals;
    return digits <= 12 && decimals >= 1 && decimals <= 3;
}

static bool read_string(reader_t *self)
{
    for (++self->at; self->at != self->end; ++self->at) {
        unsigned char c = (unsigned char)*self->at;
        if (c == '"') {
            ++self->at;
            return true;
        }
        if (c == '\\' && (++self->at == self->end || (*self->at != '\\' && *self->at != '"')))
            return false;
        if (c < 0x20 || c >= 0x7f)
            return false;
    }
    return false;
}

static bool read_bytes(reader_t *self)
{
    ++self->at;
    while (self->at != self->end &&
           (is_alpha(*self->at) || is_digit(*self->at) || is_one_of(*self->at, "+/=")))
        ++self->at;
    return take(self, ':');
}

static bool read_boolean(reader_t *self, value_t *value)
{
    ++self->at;
    value->kind = IS_BOOLEAN;
    value->number = is_next(self, '1');
    return take(self, '1') || take(self, '0');
}

static void skip_token(reader_t *self)
{
    while (self->at != self->end &&
           (is_alpha(*self->at) || is_digit(*self->at) || is_one_of(*self->at, "!#$%&'*+-.^_`|~:/")))
        ++self->at;
}

static bool read_bare_item(reader_t *self, value_t *value)
{
    value->kind = IS_OTHER;
    if (self->at == self->end)
        return false;
    switch (*self->at) {
    case '"':
        return read_string(self);
    case ':':
        return read_bytes(self);
    case '?':
        return read_boolean(self, value);
    case '*':
        skip_token(self);
        return true;
    default:
        if (!is_alpha(*self->at))
            return read_number(self, value);
        skip_token(self);
        return true;
    }
}

static bool read_parameters(reader_t *self)
{
    gm_span_t key;
    value_t value;

    while (take(self, ';')) {
        skip(self, " ");
        if (!read_key(self, &key) || (take(self, '=') && !read_bare_item(self, &value)))
            return false;
    }
    return true;
}

static bool read_inner_list(reader_t *self)
{
    value_t value;

    ++self->at;
    for (;;) {
        skip(self, " ");
        if (take(self, ')'))
            return true;
        if (!read_bare_item(self, &value) || !read_parameters(self) ||
            (!is_next(self, ' ') && !is_next(self, ')')))
            return false;
    }
}

static bool read_member(reader_t *self, value_t *value)
{
    *value = (value_t){IS_BOOLEAN, 1}; /* without a value */
    if (take(self, '=')) {
        if (is_next(self, '(')) {
            value->kind = IS_OTHER;
            if (!read_inner_list(self))
                return false;
        } else if (!read_bare_item(self, value)) {
            return false;
        }
    }
    return read_parameters(self);
}

/* @return false = it is a member that we know, of a kind that we do not */
static bool learn(gm_span_t key, const value_t *value, gm_priority_t *priority)
{
    if (key.length != 1 || (*key.base != 'u' && *key.base != 'i'))
        return true;
    if (*key.base == 'i') {
        priority->is_incremental = value->number != 0;
        return value->kind == IS_BOOLEAN;
    }
    priority->urgency = (unsigned)value->number;
    return value->kind == IS_INTEGER && value->number >= 0 && value->number <= 7;
}

bool gm_priority_read(gm_span_t field, gm_priority_t *priority)
{
    reader_t reader = {field.base, field.base + field.length};
    gm_priority_t read = *priority;
    gm_span_t key;
    value_t value;

    skip(&reader, " ");
    while (reader.at != reader.end) {
        if (!read_key(&reader, &key) || !read_member(&reader, &value) || !learn(key, &value, &read))
            return false;
        skip(&reader, " \t");
        if (reader.at == reader.end)
            break;
        if (!take(&reader, ','))
            return false;
        skip(&reader, " \t");
        if (reader.at == reader.end) /* a comma that nothing follows */
            return false;
    }
    *priority = read;
    return true;
}
