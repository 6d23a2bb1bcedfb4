/*
 * Strict where it reads, as what is passed on must make sense to whoever comes next; what is not valid is as
 * if it were not there. Pure; called by proxy/trace.
 */
#include "telemetry/trace_context.h"

#include <string.h>

#include "base/write.h"

#define FLAG_SAMPLED 1
#define ONE_MILLION 1000000
#define MAX_STATE 512
#define MAX_MEMBERS 32
#define MAX_KEY 256
#define MAX_VALUE 256

static int digit_of(char c, bool takes_upper)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return takes_upper && c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* @return whether it is all digits, and not all zero unless that is allowed */
static bool read_hex(const char *text, uint8_t *out, size_t bytes, bool takes_upper, bool takes_zero)
{
    uint8_t any = 0;

    for (size_t i = 0; i != bytes; ++i) {
        int high = digit_of(text[2 * i], takes_upper), low = digit_of(text[2 * i + 1], takes_upper);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
        any |= out[i];
    }
    return any != 0 || takes_zero;
}

/* "00-<32 digits>-<16 digits>-<2 digits>" */
bool gm_traceparent_read(const char *text, size_t length, gm_trace_t *trace)
{
    gm_trace_t read = *trace;
    uint8_t version, flags;

    if (length < GM_TRACEPARENT_LENGTH || text[2] != '-' || text[35] != '-' || text[52] != '-' ||
        !read_hex(text, &version, 1, false, true) || version == 0xff ||
        (length > GM_TRACEPARENT_LENGTH && (version == 0 || text[GM_TRACEPARENT_LENGTH] != '-')))
        return false;
    if (!read_hex(text + 3, read.trace_id, sizeof(read.trace_id), false, false) ||
        !read_hex(text + 36, read.parent_id, sizeof(read.parent_id), false, false) ||
        !read_hex(text + 53, &flags, 1, false, true))
        return false;
    read.is_sampled = flags & FLAG_SAMPLED;
    *trace = read;
    return true;
}

bool gm_trace_id_read(const char *text, size_t length, gm_trace_t *trace)
{
    uint8_t id[GM_TRACE_ID_BYTES];

    if (length != GM_TRACE_ID_LENGTH || !read_hex(text, id, sizeof(id), true, false))
        return false;
    memcpy(trace->trace_id, id, sizeof(id));
    return true;
}

bool gm_trace_is_chosen(const gm_trace_t *trace, uint32_t share)
{
    uint64_t low = 0;

    for (size_t i = GM_TRACE_ID_BYTES - 7; i != GM_TRACE_ID_BYTES; ++i)
        low = low << 8 | trace->trace_id[i];
    return (low >> 20) * ONE_MILLION >= (uint64_t)(ONE_MILLION - share) << 36;
}

void gm_traceparent_write(const gm_trace_t *trace, const uint8_t span_id[GM_SPAN_ID_BYTES], char *out)
{
    *out++ = '0';
    *out++ = '0';
    *out++ = '-';
    out = gm_write_hex(out, trace->trace_id, sizeof(trace->trace_id));
    *out++ = '-';
    out = gm_write_hex(out, span_id, GM_SPAN_ID_BYTES);
    *out++ = '-';
    *out++ = '0';
    *out = trace->is_sampled ? '1' : '0';
}

void gm_trace_id_write(const gm_trace_t *trace, char *out)
{
    gm_write_hex(out, trace->trace_id, sizeof(trace->trace_id));
}

/* ---- tracestate */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* key = ( lcalpha / DIGIT ) *255( lcalpha / DIGIT / "_" / "-" / "*" / "/" / "@" ); section 3.3.1.3.1. */
static size_t measure_key(const char *text, size_t length)
{
    size_t at = 0;

    if (length == 0 || !(is_lower(text[0]) || is_digit(text[0])))
        return 0;
    while (at != length && (is_lower(text[at]) || is_digit(text[at]) || memchr("_-*/@", text[at], 5) != NULL))
        ++at;
    return at <= MAX_KEY ? at : 0;
}

/* Printable ASCII but comma and equals sign, up to 256, not ending in a blank. */
static bool is_value(const char *text, size_t length)
{
    for (size_t i = 0; i != length; ++i)
        if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '=')
            return false;
    return length != 0 && length <= MAX_VALUE && text[length - 1] != ' ';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

typedef struct member {
    const char *key;
    size_t length;
} member_t;

static bool has_key(const member_t *members, size_t count, const char *key, size_t length)
{
    for (size_t i = 0; i != count; ++i)
        if (members[i].length == length && memcmp(members[i].key, key, length) == 0)
            return true;
    return false;
}

/* Members may be empty, keys may not come twice. */
bool gm_tracestate_is_valid(const char *text, size_t length)
{
    member_t members[MAX_MEMBERS];
    const char *end = text + length, *at = text;
    size_t count = 0;

    if (length == 0 || length > MAX_STATE)
        return false;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *last = comma != NULL ? comma : end;
        size_t key;
        while (at != last && is_blank(*at))
            ++at;
        while (last != at && is_blank(last[-1]))
            --last;
        if (at != last) {
            key = measure_key(at, (size_t)(last - at));
            if (key == 0 || at + key == last || at[key] != '=' || count == MAX_MEMBERS ||
                !is_value(at + key + 1, (size_t)(last - at) - key - 1) || has_key(members, count, at, key))
                return false;
            members[count++] = (member_t){at, key};
        }
        at = comma != NULL ? comma + 1 : end;
    }
    return count != 0;
}
