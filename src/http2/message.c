/*
 * The rules for messages, of both sides. nghttp2 has them too, but it passes over fields that are none, which
 * RFC 9113, 8.2.1, calls malformed, and looks at each byte once more than is needed. Pure; called by
 * session.c on the connection's worker.
 */
#include "http2/message.h"

#include <string.h>
#include <strings.h>

enum {
    SEEN_METHOD = 1,
    SEEN_SCHEME = 2,
    SEEN_PATH = 4,
    SEEN_AUTHORITY = 8,
    SEEN_PROTOCOL = 16,
    SEEN_STATUS = 32,
    SEEN_HOST = 64,
    SEEN_FIELD = 128, /* one that is no pseudo-field */
    IS_CONNECT = 256,
    IS_HTTP = 512, /* the scheme */
    IS_OPTIONS = 1024,
    IS_PATH = 2048,    /* begins with a slash */
    IS_ASTERISK = 4096 /* "*", for the server as a whole */
};

/* A literal's length is known to the compiler. */
static inline bool is_same(gm_span_t span, const char *text, size_t length)
{
    return span.length == length && memcmp(span.base, text, length) == 0;
}
#define IS(span, literal) is_same(span, literal, sizeof(literal) - 1)

static bool is_word(gm_span_t span, const char *word)
{
    return span.length == strlen(word) && strncasecmp(span.base, word, span.length) == 0;
}

/* Each once, with a value, and before all others. */
static bool see(gm_http2_message_t *self, unsigned what, gm_span_t value)
{
    bool is_first = (self->seen & (what | SEEN_FIELD)) == 0;

    self->seen |= (uint16_t)what;
    return is_first && value.length != 0;
}

static bool read_status(gm_http2_message_t *self, gm_span_t value)
{
    if (!see(self, SEEN_STATUS, value) || value.length != 3)
        return false;
    self->status = 0;
    for (size_t i = 0; i != 3; ++i) {
        if (value.base[i] < '0' || value.base[i] > '9')
            return false;
        self->status = (uint16_t)(self->status * 10 + (value.base[i] - '0'));
    }
    return self->status >= 100 && self->status != 101; /* 8.6 */
}

/* 8.3 */
static bool read_pseudo(gm_http2_message_t *self, gm_span_t name, gm_span_t value)
{
    if (self->is_answer)
        return IS(name, ":status") && read_status(self, value);
    if (IS(name, ":method")) {
        self->seen |= IS(value, "CONNECT") ? IS_CONNECT : IS(value, "OPTIONS") ? IS_OPTIONS : 0;
        return see(self, SEEN_METHOD, value);
    }
    if (IS(name, ":scheme")) {
        self->seen |= is_word(value, "http") || is_word(value, "https") ? IS_HTTP : 0;
        return see(self, SEEN_SCHEME, value);
    }
    if (IS(name, ":path")) {
        self->seen |= value.length != 0 && *value.base == '/' ? IS_PATH : IS(value, "*") ? IS_ASTERISK : 0;
        return see(self, SEEN_PATH, value);
    }
    if (IS(name, ":authority"))
        return see(self, SEEN_AUTHORITY, value);
    return IS(name, ":protocol") && see(self, SEEN_PROTOCOL, value);
}

static bool read_length(gm_http2_message_t *self, gm_span_t value)
{
    if (self->has_length || value.length == 0)
        return false;
    if (self->is_answer && (self->status < 200 || self->status == 204)) /* it has no meaning there */
        return true;
    for (size_t i = 0; i != value.length; ++i) {
        unsigned digit = (unsigned char)value.base[i] - (unsigned)'0';
        if (digit > 9 || self->length > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        self->length = self->length * 10 + digit;
    }
    self->has_length = true;
    return true;
}

/* Those with rules of their own. 8.2.2: nothing of one connection only. */
static bool read_regular(gm_http2_message_t *self, gm_span_t name, gm_span_t value)
{
    switch (name.length) {
    case 2:
        return !IS(name, "te") || is_word(value, "trailers");
    case 4:
        if (!IS(name, "host") || self->is_answer || self->has_head)
            return true;
        if ((self->seen & SEEN_HOST) != 0 || value.length == 0)
            return false;
        self->seen |= SEEN_HOST;
        return true;
    case 7:
        return !IS(name, "upgrade");
    case 10:
        return !IS(name, "connection") && !IS(name, "keep-alive");
    case 14:
        return self->has_head || !IS(name, "content-length") || read_length(self, value);
    case 16:
        return !IS(name, "proxy-connection");
    case 17:
        return !IS(name, "transfer-encoding");
    default:
        return true;
    }
}

bool gm_http2_message_field(gm_http2_message_t *self, gm_span_t name, gm_span_t value)
{
    const gm_head_field_t field = {name, value};

    if (name.length != 0 && *name.base == ':')
        return !self->has_head && read_pseudo(self, name, value);
    self->seen |= SEEN_FIELD;
    return gm_head_why_no_field(&field) == NULL && read_regular(self, name, value);
}

/* 8.3.1, 8.5, and RFC 8441, 4 */
static bool is_request(const gm_http2_message_t *self)
{
    const unsigned whole = SEEN_METHOD | SEEN_SCHEME | SEEN_PATH, seen = self->seen;

    if ((seen & (IS_CONNECT | SEEN_PROTOCOL)) == IS_CONNECT)
        return (seen & (SEEN_SCHEME | SEEN_PATH)) == 0 && (seen & SEEN_AUTHORITY) != 0;
    if ((seen & whole) != whole || (seen & (SEEN_AUTHORITY | SEEN_HOST)) == 0)
        return false;
    if ((seen & SEEN_PROTOCOL) != 0 && ((seen & IS_CONNECT) == 0 || (seen & SEEN_AUTHORITY) == 0))
        return false;
    return (seen & (IS_HTTP | IS_PATH)) != IS_HTTP ||
           (seen & (IS_OPTIONS | IS_ASTERISK)) == (IS_OPTIONS | IS_ASTERISK);
}

/* @return whether there may be more of it */
static bool read_answer(gm_http2_message_t *self, bool has_ended)
{
    if ((self->seen & SEEN_STATUS) == 0)
        return false;
    if (self->status < 200) { /* another head follows */
        self->seen = 0;
        return !has_ended;
    }
    self->is_without_body = self->is_without_body || self->status == 204 || self->status == 304;
    return true;
}

bool gm_http2_message_block(gm_http2_message_t *self, bool has_ended)
{
    if (self->has_head)
        return has_ended; /* 8.1 */
    if (self->is_answer ? !read_answer(self, has_ended) : !is_request(self))
        return false;
    self->has_head = !self->is_answer || self->status >= 200;
    return true;
}

bool gm_http2_message_data(gm_http2_message_t *self, size_t length)
{
    self->got += length;
    if (!self->has_head || (self->is_without_body && self->got != 0))
        return false;
    return !self->has_length || self->got <= self->length;
}

bool gm_http2_message_end(const gm_http2_message_t *self)
{
    return self->has_head && (self->is_without_body || !self->has_length || self->got == self->length);
}
