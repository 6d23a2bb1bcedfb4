/*
 * dechunk: reads the Transfer-Encoding: chunked of an answer piece by piece and compares the body in it with
 * the one expected. Proxies may cut chunks anew, so their sizes are free; extensions and trailers are passed
 * over. Called by load.c only, on its one thread.
 */
#include "dechunk.h"

#include <string.h>

#define MAX_CHUNK (1u << 30) /* no proxy sends more at once; keeps the size from running over */

enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, FIELD, END_LF, OVER };

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;

    if (found == NULL)
        return -1;
    return (int)(found - digits) - (found - digits >= 16 ? 6 : 0);
}

static bool take_size(dechunk_t *self, char c)
{
    int digit = hex_digit(c);

    if (digit >= 0) {
        self->has_size = true;
        self->left = self->left * 16 + (size_t)digit;
        return self->left <= MAX_CHUNK;
    }
    self->state = c == '\r' ? SIZE_LF : EXTENSION;
    return self->has_size && (c == '\r' || c == ';' || c == ' ' || c == '\t');
}

/* One byte outside of a chunk's data; false if it does not belong there. */
static bool take_framing(dechunk_t *self, char c)
{
    switch (self->state) {
    case SIZE:
        return take_size(self, c);
    case EXTENSION:
        if (c == '\r')
            self->state = SIZE_LF;
        return c != '\n';
    case SIZE_LF:
        self->state = self->left != 0 ? DATA : TRAILER;
        return c == '\n';
    case DATA_CR:
        self->state = DATA_LF;
        return c == '\r';
    case DATA_LF:
        self->state = SIZE;
        self->has_size = false;
        return c == '\n';
    case TRAILER: /* at the start of a line */
        self->state = c == '\r' ? END_LF : FIELD;
        return c != '\n';
    case FIELD:
        if (c == '\n')
            self->state = TRAILER;
        return true;
    case END_LF:
        self->state = OVER;
        return c == '\n';
    default:
        return false;
    }
}

const char *dechunk_take(dechunk_t *self, const char *bytes, size_t length, const char *expected,
                         size_t expected_length)
{
    const char *end = bytes + length;

    while (bytes < end) {
        size_t n = (size_t)(end - bytes);

        if (self->state == OVER)
            return "bytes after the body";
        if (self->state != DATA) {
            if (!take_framing(self, *bytes++))
                return "bad chunk";
            continue;
        }
        if (n > self->left)
            n = self->left;
        if (n > expected_length - self->decoded)
            return "body too long";
        if (memcmp(bytes, expected + self->decoded, n) != 0)
            return "wrong body";
        bytes += n;
        self->decoded += n;
        self->left -= n;
        if (self->left == 0)
            self->state = DATA_CR;
    }
    return self->state == OVER && self->decoded != expected_length ? "body too short" : NULL;
}

bool dechunk_is_over(const dechunk_t *self)
{
    return self->state == OVER;
}
