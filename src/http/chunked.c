/*
 * The chunked transfer coding, as strictly as RFC 9112, 7.1 allows: what two readers could take differently
 * is malformed. Pure; called through http/framing for each piece of a body that arrives, on its worker.
 */
#include "http/chunked.h"

#include <stdbool.h>
#include <string.h>

#define SIZE_DIGITS_MAX 15 /* below 2^60: sums with it cannot overflow */
#define EXTENSIONS_MAX_BYTES 4096
#define TRAILERS_MAX_BYTES 8192

enum {
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER, /* at the beginning of a line */
    TRAILER_LINE,
    TRAILER_LF,
    LAST_LF,
    ENDED,
    MALFORMED
};

void gm_chunked_dispose(gm_chunked_t *self)
{
    gm_buffer_dispose(&self->trailers);
}

static bool is_text(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static unsigned read_size(gm_chunked_t *self, unsigned char c)
{
    int digit = hex_value(c);

    if (digit >= 0) {
        self->left = self->left << 4 | (unsigned)digit;
        return ++self->digits <= SIZE_DIGITS_MAX ? SIZE : MALFORMED;
    }
    if (self->digits == 0)
        return MALFORMED;
    return c == '\r' ? SIZE_LF : c == ';' ? EXTENSION : MALFORMED;
}

static unsigned read_extension(gm_chunked_t *self, unsigned char c)
{
    if (c == '\r')
        return SIZE_LF;
    return is_text(c) && ++self->overhead <= EXTENSIONS_MAX_BYTES ? EXTENSION : MALFORMED;
}

static unsigned read_trailer(gm_chunked_t *self, unsigned char c)
{
    if (c == '\r')
        return TRAILER_LF;
    if (!is_text(c) || self->trailers.length == TRAILERS_MAX_BYTES)
        return MALFORMED;
    gm_buffer_append_char(&self->trailers, (char)c);
    return TRAILER_LINE;
}

static unsigned end_trailer(gm_chunked_t *self)
{
    if (self->trailers.length > TRAILERS_MAX_BYTES - 2)
        return MALFORMED;
    gm_buffer_append(&self->trailers, "\r\n", 2);
    return TRAILER;
}

/* One byte of anything but data; @return the state that follows. */
static unsigned read_byte(gm_chunked_t *self, unsigned char c)
{
    switch (self->state) {
    case SIZE:
        return read_size(self, c);
    case EXTENSION:
        return read_extension(self, c);
    case SIZE_LF:
        self->digits = 0;
        return c != '\n' ? MALFORMED : self->left != 0 ? DATA : TRAILER;
    case DATA_CR:
        return c == '\r' ? DATA_LF : MALFORMED;
    case DATA_LF:
        return c == '\n' ? SIZE : MALFORMED;
    case TRAILER:
        return c == '\r' ? LAST_LF : read_trailer(self, c);
    case TRAILER_LINE:
        return read_trailer(self, c);
    case TRAILER_LF:
        return c == '\n' ? end_trailer(self) : MALFORMED;
    case LAST_LF:
        return c == '\n' ? ENDED : MALFORMED;
    default:
        return MALFORMED;
    }
}

int gm_chunked_decode(gm_chunked_t *self, char *bytes, size_t *size, size_t *data)
{
    const char *in = bytes, *end = bytes + *size;
    char *out = bytes;

    while (in != end && self->state < ENDED) {
        if (self->state == DATA) {
            size_t length = (size_t)(end - in) < self->left ? (size_t)(end - in) : (size_t)self->left;
            if (out != in)
                memmove(out, in, length);
            out += length;
            in += length;
            if ((self->left -= length) == 0)
                self->state = DATA_CR;
        } else {
            self->state = read_byte(self, (unsigned char)*in++);
        }
    }
    *data = (size_t)(out - bytes);
    if (out != in && in != end)
        memmove(out, in, (size_t)(end - in)); /* the next message, as a rule nothing */
    *size = *data + (size_t)(end - in);
    return self->state == ENDED ? 1 : self->state == MALFORMED ? -1 : 0;
}
