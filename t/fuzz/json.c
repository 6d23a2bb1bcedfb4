/*
 * By the grammar of RFC 8259, one function per rule. Numbers and literals are strict, strings must be UTF-8
 * and every level is counted, so that no text can exhaust the stack.
 */
#include "json.h"

#include <string.h>

#include "base/utf8.h"

#define MAX_DEPTH 64

typedef struct cursor {
    const char *at, *end;
    unsigned depth;
} cursor_t;

static bool read_value(cursor_t *self);

static void skip_blanks(cursor_t *self)
{
    while (self->at != self->end &&
           (*self->at == ' ' || *self->at == '\t' || *self->at == '\n' || *self->at == '\r'))
        ++self->at;
}

static bool take(cursor_t *self, char c)
{
    if (self->at == self->end || *self->at != c)
        return false;
    ++self->at;
    return true;
}

static bool take_word(cursor_t *self, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(self->end - self->at) < length || memcmp(self->at, word, length) != 0)
        return false;
    self->at += length;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool read_escape(cursor_t *self)
{
    if (self->at == self->end)
        return false;
    if (*self->at != 'u')
        return memchr("\"\\/bfnrt", *self->at++, 8) != NULL;
    if (self->end - self->at < 5)
        return false;
    for (int i = 1; i != 5; ++i)
        if (!is_hex(self->at[i]))
            return false;
    self->at += 5;
    return true;
}

static bool is_utf8(const char *text, size_t length)
{
    bool is_valid = true;

    for (size_t i = 0; i != length && is_valid;)
        i += gm_utf8_measure(text + i, length - i, &is_valid);
    return is_valid;
}

static bool read_string(cursor_t *self)
{
    const char *from;

    if (!take(self, '"'))
        return false;
    for (from = self->at; self->at != self->end;) {
        unsigned char c = (unsigned char)*self->at++;
        if (c == '"')
            return is_utf8(from, (size_t)(self->at - 1 - from));
        if (c < 0x20 || (c == '\\' && !read_escape(self)))
            return false;
    }
    return false;
}

static bool read_digits(cursor_t *self)
{
    const char *from = self->at;

    while (self->at != self->end && is_digit(*self->at))
        ++self->at;
    return self->at != from;
}

static bool read_number(cursor_t *self)
{
    take(self, '-');
    if (!take(self, '0') && !read_digits(self))
        return false;
    if (take(self, '.') && !read_digits(self))
        return false;
    if (take(self, 'e') || take(self, 'E')) {
        if (!take(self, '+'))
            take(self, '-');
        return read_digits(self);
    }
    return true;
}

static bool read_member(cursor_t *self, bool has_name)
{
    if (has_name) {
        skip_blanks(self);
        if (!read_string(self))
            return false;
        skip_blanks(self);
        if (!take(self, ':'))
            return false;
    }
    return read_value(self);
}

static bool read_members(cursor_t *self, bool has_names)
{
    char bracket = has_names ? '}' : ']';

    skip_blanks(self);
    if (take(self, bracket))
        return true;
    do {
        if (!read_member(self, has_names))
            return false;
    } while (take(self, ','));
    return take(self, bracket);
}

static bool read_value(cursor_t *self)
{
    bool is_good;

    if (++self->depth > MAX_DEPTH)
        return false;
    skip_blanks(self);
    if (self->at == self->end)
        return false;
    if (*self->at == '"')
        is_good = read_string(self);
    else if (*self->at == '-' || is_digit(*self->at))
        is_good = read_number(self);
    else if (take(self, '{'))
        is_good = read_members(self, true);
    else if (take(self, '['))
        is_good = read_members(self, false);
    else
        is_good = take_word(self, "true") || take_word(self, "false") || take_word(self, "null");
    skip_blanks(self);
    --self->depth;
    return is_good;
}

bool json_is_whole(const char *text, size_t length)
{
    cursor_t cursor = {.at = text, .end = text + length};

    return read_value(&cursor) && cursor.at == cursor.end;
}
