/*
 * JSON for people and programs: admin pages, the configuration dump, log lines. Misuse of the nesting is a
 * mistake in the program and asserts; the text may be anything. Any thread; the writer is the caller's.
 */
#include "base/json_writer.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

static void break_line(gm_json_t *self)
{
    if (!self->pretty)
        return;
    gm_buffer_append_char(self->out, '\n');
    for (unsigned i = 0; i < self->depth; ++i)
        gm_buffer_append(self->out, "  ", 2);
}

/* What comes between the element before and the next one. */
static void separate(gm_json_t *self)
{
    if (self->after_key) {
        self->after_key = false;
        return;
    }
    if (self->depth == 0)
        return;
    if (self->filled[self->depth - 1])
        gm_buffer_append_char(self->out, ',');
    self->filled[self->depth - 1] = true;
    break_line(self);
}

/*
 * Eight bytes at a time. Where none has its highest bit, adding sets it in those bytes that are large enough;
 * where one has it, the sums next to it may be wrong, but the word is not plain anyway.
 */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define ARE_AT_LEAST(word, n) ((word) + EACH(0x80 - (n)))
#define DIFFER_FROM(word, byte) ARE_AT_LEAST((word) ^ EACH(byte), 1)

static inline bool is_plain_word(uint64_t word)
{
    uint64_t good = ARE_AT_LEAST(word, 0x20) & DIFFER_FROM(word, '"') & DIFFER_FROM(word, '\\');
    uint64_t bad = word | ARE_AT_LEAST(word, 0x7f);

    return ((bad | ~good) & EACH(0x80)) == 0;
}

bool gm_json_is_plain(const char *bytes, size_t length)
{
    const char *end = bytes + length;
    uint64_t word = EACH('a');

    if (length < sizeof(word)) {
        for (; bytes != end; ++bytes)
            word = word << 8 | (unsigned char)*bytes;
        return is_plain_word(word);
    }
    for (; (size_t)(end - bytes) > sizeof(word); bytes += sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        if (!is_plain_word(word))
            return false;
    }
    memcpy(&word, end - sizeof(word), sizeof(word)); /* some bytes a second time */
    return is_plain_word(word);
}

static void append_escaped(gm_buffer_t *out, unsigned char c)
{
    static const char specials[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *special = memchr(specials, c, sizeof(specials) - 1);

    if (special != NULL)
        gm_buffer_printf(out, "\\%c", letters[special - specials]);
    else
        gm_buffer_printf(out, "\\u%04x", c);
}

static void append_quoted(gm_buffer_t *out, const char *bytes, size_t length)
{
    size_t at = gm_json_is_plain(bytes, length) ? length : 0, plain = 0; /* from plain to at: to be copied */

    gm_buffer_append_char(out, '"');
    while (at < length) {
        unsigned char c = (unsigned char)bytes[at];
        bool is_valid, must_escape = c < 0x20 || c == 0x7f || c == '"' || c == '\\';
        size_t step = gm_utf8_measure(bytes + at, length - at, &is_valid);

        if (must_escape || !is_valid) {
            gm_buffer_append(out, bytes + plain, at - plain);
            plain = at + step;
        }
        if (must_escape)
            append_escaped(out, c);
        else if (!is_valid)
            gm_buffer_append_text(out, GM_UTF8_REPLACEMENT);
        at += step;
    }
    if (at > plain)
        gm_buffer_append(out, bytes + plain, at - plain);
    gm_buffer_append_char(out, '"');
}

void gm_json_open(gm_json_t *self, char bracket)
{
    assert(bracket == '{' || bracket == '[');
    assert(self->depth < GM_JSON_MAX_DEPTH);
    separate(self);
    gm_buffer_append_char(self->out, bracket);
    self->filled[self->depth++] = false;
}

void gm_json_close(gm_json_t *self, char bracket)
{
    assert(bracket == '}' || bracket == ']');
    assert(self->depth > 0 && !self->after_key);
    if (self->filled[--self->depth])
        break_line(self);
    gm_buffer_append_char(self->out, bracket);
}

void gm_json_key(gm_json_t *self, const char *name)
{
    assert(self->depth > 0 && !self->after_key);
    separate(self);
    append_quoted(self->out, name, strlen(name));
    gm_buffer_append_text(self->out, self->pretty ? ": " : ":");
    self->after_key = true;
}

void gm_json_string(gm_json_t *self, const char *text)
{
    if (text != NULL) {
        gm_json_bytes(self, text, strlen(text));
        return;
    }
    separate(self);
    gm_buffer_append_text(self->out, "null");
}

void gm_json_bytes(gm_json_t *self, const char *bytes, size_t length)
{
    separate(self);
    append_quoted(self->out, bytes, length);
}

void gm_json_integer(gm_json_t *self, int64_t value)
{
    separate(self);
    gm_buffer_printf(self->out, "%" PRId64, value);
}

void gm_json_boolean(gm_json_t *self, bool value)
{
    separate(self);
    gm_buffer_append_text(self->out, value ? "true" : "false");
}
