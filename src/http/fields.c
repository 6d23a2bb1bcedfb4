/*
 * Rules about header fields that hold for both directions. Pure; called by proxy/handler for each field of a
 * request and by proxy/response for each field of an answer.
 */
#include "http/fields.h"

#include <string.h>
#include <strings.h>

#include "base/memory.h"

#define KNOWN_BYTES 64 /* of the longest name that has a rule, and more */

typedef struct name {
    const char *text;
    size_t length;
} name_t;

#define NAME(text)                                                                                           \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

/* clang-format off */
#define HOP_BY_HOP(X) \
    X("connection") X("keep-alive") X("proxy-connection") X("te") X("transfer-encoding") X("upgrade") \
    X("trailer") X("http2-settings")
#define ROW(text) NAME(text),
#define LENGTH_BIT(text) | 1u << (sizeof(text) - 1)
/* clang-format on */

static const name_t hop_by_hop[] = {HOP_BY_HOP(ROW)};
static const unsigned hop_by_hop_lengths = 0 HOP_BY_HOP(LENGTH_BIT); /* tells most other fields at once */

/* fields that the proxy itself sets or decides by */
static const name_t guarded[] = {
    NAME("content-length"),   NAME("transfer-encoding"), NAME("keep-alive"),
    NAME("proxy-connection"), NAME("x-trace-id"),        NAME("x-real-ip"),
};

static const name_t forwarded = NAME("x-forwarded-"); /* whatever follows: who a client is */

/* what must be known before the body: framing, routing, who may do what, caching, how to read the body */
static const name_t not_trailers[] = {
    NAME("host"),
    NAME("content-length"),
    NAME("content-encoding"),
    NAME("content-type"),
    NAME("content-range"),
    NAME("content-location"),
    NAME("authorization"),
    NAME("proxy-authorization"),
    NAME("proxy-authenticate"),
    NAME("www-authenticate"),
    NAME("authentication-info"),
    NAME("proxy-authentication-info"),
    NAME("cookie"),
    NAME("set-cookie"),
    NAME("expect"),
    NAME("max-forwards"),
    NAME("range"),
    NAME("if-match"),
    NAME("if-none-match"),
    NAME("if-modified-since"),
    NAME("if-unmodified-since"),
    NAME("if-range"),
    NAME("cache-control"),
    NAME("pragma"),
    NAME("age"),
    NAME("date"),
    NAME("expires"),
    NAME("vary"),
    NAME("warning"),
    NAME("location"),
    NAME("retry-after"),
    NAME("forwarded"),
    NAME("via"),
    NAME("x-real-ip"),
    NAME("x-trace-id"),
};

bool gm_fields_is_hop_by_hop(const char *name, size_t length)
{
    if (length >= 32 || (hop_by_hop_lengths >> length & 1) == 0)
        return false;
    for (size_t i = 0; i != GM_COUNT_OF(hop_by_hop); ++i)
        if (length == hop_by_hop[i].length && *name == *hop_by_hop[i].text &&
            memcmp(name, hop_by_hop[i].text, length) == 0)
            return true;
    return false;
}

bool gm_fields_connection_names(const char *value, size_t value_length, const char *name, size_t name_length)
{
    const char *end = value + value_length;

    while (value < end) {
        const char *comma = memchr(value, ',', (size_t)(end - value)), *stop = comma != NULL ? comma : end;
        const char *last = stop;
        while (value < last && (*value == ' ' || *value == '\t'))
            ++value;
        while (last > value && (last[-1] == ' ' || last[-1] == '\t'))
            --last;
        if ((size_t)(last - value) == name_length && strncasecmp(value, name, name_length) == 0)
            return true;
        value = stop + 1;
    }
    return false;
}

static bool is_twin(const char *name, const name_t *of)
{
    for (size_t i = 0; i != of->length; ++i)
        if (name[i] != of->text[i] && !(name[i] == '_' && of->text[i] == '-'))
            return false;
    return true;
}

static bool is_among(const char *const *names, const char *name)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        ++names;
    return *names != NULL;
}

static bool is_token(const char *text)
{
    for (const char *c = text; *c != '\0'; ++c)
        if (!(*c >= '0' && *c <= '9') && !(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') &&
            strchr("!#$%&'*+-.^_`|~", *c) == NULL)
            return false;
    return *text != '\0';
}

/* Of requests the proxy says itself who came by it; of answers, when they were made. */
static bool is_written_by_proxy(const char *lower, bool is_answer)
{
    static const char *const of_requests[] = {"x-forwarded-for",
                                              "x-forwarded-proto",
                                              "x-forwarded-host",
                                              "x-forwarded-by",
                                              "forwarded",
                                              "x-forwarded-client-cert",
                                              NULL};

    return is_answer ? strcmp(lower, "date") == 0 : is_among(of_requests, lower);
}

static int refuse_name(const char *name, gm_error_t *err)
{
    return gm_error_set(err, NULL, "\"%.200s\" is not the name of a header field", name);
}

/* @return the length; 0 and an empty text for a name that is longer than any that has a rule */
static size_t put_lower(const char *name, char lower[KNOWN_BYTES])
{
    size_t length = strlen(name);

    if (length >= KNOWN_BYTES)
        length = 0;
    for (size_t i = 0; i != length; ++i)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A') : name[i]);
    lower[length] = '\0';
    return length;
}

int gm_fields_check_change(const char *name, bool is_answer, gm_error_t *err)
{
    static const char *const framing[] = {"content-length", "expect", "max-forwards", NULL};
    char lower[KNOWN_BYTES];
    size_t length;

    if (!is_token(name))
        return refuse_name(name, err);
    length = put_lower(name, lower);
    if (strcmp(lower, "host") == 0)
        return gm_error_set(err, NULL, "\"%s\" cannot be changed here; the policy rewrite has \"host\"",
                            name);
    if (gm_fields_is_hop_by_hop(lower, length) || is_among(framing, lower))
        return gm_error_set(err, NULL,
                            "\"%s\" belongs to one connection or frames a message: it is the proxy's", name);
    if (is_written_by_proxy(lower, is_answer))
        return gm_error_set(err, NULL, "\"%s\" is written by the proxy itself", name);
    if (gm_fields_is_underscore_twin(lower, length))
        return gm_error_set(err, NULL, "\"%s\" could pass for a field of the proxy's; write it with \"-\"",
                            name);
    return 0;
}

int gm_fields_check_shown(const char *name, bool is_answer, gm_error_t *err)
{
    char lower[KNOWN_BYTES];
    size_t length;

    if (!is_token(name))
        return refuse_name(name, err);
    length = put_lower(name, lower);
    if (!is_answer && strcmp(lower, "host") == 0)
        return gm_error_set(err, NULL, "\"%s\" is in each line already, as \"host\"", name);
    if (!is_answer && strcmp(lower, "content-length") == 0)
        return gm_error_set(err, NULL, "\"%s\" is not kept; \"bytes_in\" in each line says what came", name);
    if (gm_fields_is_hop_by_hop(lower, length) || strcmp(lower, "expect") == 0)
        return gm_error_set(err, NULL, "\"%s\" is about one connection and not kept: it cannot be shown",
                            name);
    if (gm_fields_is_underscore_twin(lower, length))
        return gm_error_set(err, NULL,
                            "\"%s\" could pass for a field of the proxy's and is not kept; write "
                            "it with \"-\"",
                            name);
    return 0;
}

bool gm_fields_may_be_trailer(const char *name, size_t length)
{
    if (gm_fields_is_hop_by_hop(name, length) || gm_fields_is_underscore_twin(name, length) ||
        (length >= forwarded.length && is_twin(name, &forwarded)))
        return false;
    for (size_t i = 0; i != GM_COUNT_OF(not_trailers); ++i)
        if (length == not_trailers[i].length && memcmp(name, not_trailers[i].text, length) == 0)
            return false;
    return true;
}

bool gm_fields_is_underscore_twin(const char *name, size_t length)
{
    if (memchr(name, '_', length) == NULL)
        return false;
    if (length > forwarded.length && is_twin(name, &forwarded))
        return true;
    for (size_t i = 0; i != GM_COUNT_OF(guarded); ++i)
        if (length == guarded[i].length && is_twin(name, &guarded[i]))
            return true;
    return false;
}
