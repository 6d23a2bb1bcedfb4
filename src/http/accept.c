/*
 * Content negotiation for answers that exist as text and as JSON. Called by proxy/reply when a request
 * failed; pure.
 */
#include "http/accept.h"

#include <string.h>
#include <strings.h>

typedef struct span {
    const char *at, *end;
} span_t;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static span_t trim(span_t text)
{
    while (text.at != text.end && is_blank(*text.at))
        ++text.at;
    while (text.at != text.end && is_blank(text.end[-1]))
        --text.end;
    return text;
}

/* Takes off what stands before the next delimiter that is not inside quotes. */
static span_t take_part(span_t *rest, char delimiter)
{
    span_t part = *rest;
    bool is_quoted = false;

    for (part.end = part.at; part.end != rest->end && (is_quoted || *part.end != delimiter); ++part.end) {
        if (*part.end == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && *part.end == '\\' && part.end + 1 != rest->end)
            ++part.end;
    }
    rest->at = part.end == rest->end ? part.end : part.end + 1;
    return trim(part);
}

static bool is(span_t text, const char *word)
{
    return (size_t)(text.end - text.at) == strlen(word) && strncasecmp(text.at, word, strlen(word)) == 0;
}

static bool ends_in_json(span_t type)
{
    const char *slash = memchr(type.at, '/', (size_t)(type.end - type.at));

    return slash != NULL && type.end - slash > 6 && strncasecmp(type.end - 5, "+json", 5) == 0;
}

/* "0.5" is 500. @return -1 if it is not a weight (RFC 9110, 12.4.2) */
static int read_weight(span_t text)
{
    int weight, unit = 100;

    if (text.at == text.end || (*text.at != '0' && *text.at != '1'))
        return -1;
    weight = (*text.at++ - '0') * 1000;
    if (text.at != text.end && *text.at++ != '.')
        return -1;
    for (; text.at != text.end; ++text.at, unit /= 10) {
        if (*text.at < '0' || *text.at > '9' || unit == 0)
            return -1;
        weight += (*text.at - '0') * unit;
    }
    return weight <= 1000 ? weight : -1;
}

static int find_weight(span_t parameters)
{
    while (parameters.at != parameters.end) {
        span_t parameter = take_part(&parameters, ';');
        if (parameter.end - parameter.at >= 2 && (*parameter.at | 0x20) == 'q' && parameter.at[1] == '=')
            return read_weight((span_t){parameter.at + 2, parameter.end});
    }
    return 1000;
}

static void take_text(gm_accept_t *self, unsigned fit, unsigned weight)
{
    if (fit < self->text_fit || (fit == self->text_fit && weight <= self->text))
        return;
    self->text_fit = fit;
    self->text = weight;
}

static void take_element(gm_accept_t *self, span_t element)
{
    span_t type = take_part(&element, ';');
    int weight = find_weight(element);

    if (weight < 0)
        return;
    if (is(type, "application/json") || ends_in_json(type)) {
        if ((unsigned)weight > self->json)
            self->json = (unsigned)weight;
    } else if (is(type, "text/plain")) {
        take_text(self, 3, (unsigned)weight);
    } else if (is(type, "text/*")) {
        take_text(self, 2, (unsigned)weight);
    } else if (is(type, "*/*")) {
        take_text(self, 1, (unsigned)weight);
    }
}

void gm_accept_read(gm_accept_t *self, const char *value, size_t length)
{
    span_t rest = {value, value + length};

    while (rest.at != rest.end)
        take_element(self, take_part(&rest, ','));
}

bool gm_accept_prefers_json(const gm_accept_t *self)
{
    return self->json != 0 && self->json >= self->text;
}
