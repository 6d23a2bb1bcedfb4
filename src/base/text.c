/*
 * Durations, sizes, numbers and addresses, as people write them in configuration files and on command lines.
 * Digits are read by hand: strtod and friends obey the locale, skip blanks, take signs and make overflow easy
 * to miss. Called by config, the command lines and the control plane; pure functions, any thread.
 */
#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)
#define DURATION_MAX_NS ((wide_t)(UINT64_C(1) << 53) * NS_PER_MS)
#define FRACTION_SCALE_MAX UINT64_C(1000000000000000000)
#define SHOWN_MAX 80 /* bytes of the user's text that a message repeats */
#define NAME_MAX_BYTES 253
#define LABEL_MAX_BYTES 63

#define DURATION_EXAMPLE "expected a duration such as 30s or 1m30s"
#define SIZE_EXAMPLE "expected a size such as 64KiB or 10MB"
#define HOSTPORT_EXAMPLE "expected host:port such as 127.0.0.1:8080 or [::1]:8080"

typedef unsigned __int128 wide_t; /* 2^53 ms in ns does not fit into 64 bits */

typedef struct unit {
    const char *name;
    uint64_t scale;
} unit_t;

/* clang-format off */
static const unit_t duration_units[] = {
    {"ns",           1},
    {"us",           1000},
    {"\xc2\xb5" "s", 1000}, /* U+00B5, the micro sign */
    {"\xce\xbc" "s", 1000}, /* U+03BC, the Greek letter */
    {"ms",           NS_PER_MS},
    {"s",            1000 * NS_PER_MS},
    {"m",            60 * 1000 * NS_PER_MS},
    {"h",            3600 * 1000 * NS_PER_MS},
};

static const unit_t size_units[] = {
    {"B",   1},
    {"KB",  1000},
    {"MB",  1000 * 1000},
    {"GB",  1000 * 1000 * 1000},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
};
/* clang-format on */

/* ctype.h obeys the locale */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_letter(char c)
{
    return to_lower(c) >= 'a' && to_lower(c) <= 'z';
}

static bool is_hex_digit(char c)
{
    return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f');
}

/* What the user wrote, fit for a message: not too long, and nothing in it can steer a terminal or forge a log
 * line. */
typedef struct shown {
    char text[SHOWN_MAX + sizeof("...")];
} shown_t;

static shown_t show_part(const char *text, size_t length)
{
    shown_t shown;
    bool cut = length > SHOWN_MAX;

    if (cut) {
        length = SHOWN_MAX;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) /* not inside a UTF-8 sequence */
            --length;
    }
    for (size_t i = 0; i < length; ++i)
        shown.text[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
    strcpy(shown.text + length, cut ? "..." : "");
    return shown;
}

static shown_t show(const char *text)
{
    return show_part(text, strlen(text));
}

/* Lists the units that any keyboard has. */
static void list_units(char *out, size_t out_bytes, const unit_t *units, size_t count)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count && used < out_bytes; ++i) {
        if ((unsigned char)units[i].name[0] < 0x80)
            used +=
                (size_t)snprintf(out + used, out_bytes - used, "%s%s", used != 0 ? ", " : "", units[i].name);
    }
}

static int unknown_unit(const char *text, const char *unit, size_t unit_length, const char *example,
                        const unit_t *units, size_t count, gm_error_t *err)
{
    char known[128];

    list_units(known, sizeof(known), units, count);
    return gm_error_set(err, NULL, "unknown unit \"%s\" in \"%s\", %s; the units are %s",
                        show_part(unit, unit_length).text, show(text).text, example, known);
}

/* A decimal number without a sign: whole + fraction / scale. */
typedef struct decimal {
    wide_t whole; /* stops growing once it is beyond any duration */
    uint64_t fraction, scale;
    bool has_digits, is_positive;
} decimal_t;

/* Takes "1.5", "1." and ".5" as Go does; returns the first character behind the number. */
static const char *read_decimal(const char *p, decimal_t *number)
{
    *number = (decimal_t){.scale = 1};
    for (; is_digit(*p); ++p) {
        number->has_digits = true;
        number->is_positive |= *p != '0';
        if (number->whole <= DURATION_MAX_NS)
            number->whole = number->whole * 10 + (unsigned)(*p - '0');
    }
    if (*p != '.')
        return p;
    for (++p; is_digit(*p); ++p) {
        number->has_digits = true;
        number->is_positive |= *p != '0';
        if (number->scale < FRACTION_SCALE_MAX) { /* what lies behind is far below a nanosecond */
            number->fraction = number->fraction * 10 + (unsigned)(*p - '0');
            number->scale *= 10;
        }
    }
    return p;
}

static const unit_t *find_duration_unit(const char *name, size_t length)
{
    for (size_t i = 0; i < GM_COUNT_OF(duration_units); ++i) {
        if (strlen(duration_units[i].name) == length && memcmp(duration_units[i].name, name, length) == 0)
            return &duration_units[i];
    }
    return NULL;
}

/* Here the text stops making sense; at its end only a unit can be missing. */
static int not_a_duration(const char *text, const char *here, gm_error_t *err)
{
    uint64_t ms;

    if (text[0] == '-' && text[1] != '-' && gm_text_parse_duration(text + 1, &ms, NULL) == 0)
        return gm_error_set(err, NULL, "%s is out of range: a duration is never negative", show(text).text);
    if (text[0] == '-' || text[0] == '+')
        return gm_error_set(err, NULL, "\"%s\" has a sign, " DURATION_EXAMPLE, show(text).text);
    if (here > text && *here == '\0' && here - text <= SHOWN_MAX)
        return gm_error_set(err, NULL, "\"%s\" has no unit; did you mean \"%ss\"?", show(text).text,
                            show(text).text);
    return gm_error_set(err, NULL, "\"%s\" is not a duration, " DURATION_EXAMPLE, show(text).text);
}

int gm_text_parse_duration(const char *text, uint64_t *ms, gm_error_t *err)
{
    const char *p = text;
    wide_t total_ns = 0;
    bool is_positive = false;

    do {
        decimal_t number;
        const char *unit_name = read_decimal(p, &number);
        size_t unit_length = strcspn(unit_name, ".0123456789");
        const unit_t *unit = find_duration_unit(unit_name, unit_length);

        if (!number.has_digits)
            return not_a_duration(text, text, err);
        if (unit_length == 0)
            return not_a_duration(text, unit_name, err);
        if (unit == NULL)
            return unknown_unit(text, unit_name, unit_length, DURATION_EXAMPLE, duration_units,
                                GM_COUNT_OF(duration_units), err);
        /* 128 bits hold this: whole is below 2^77, a scale below 2^42, a fraction below 2^60 */
        total_ns += number.whole * unit->scale + (wide_t)number.fraction * unit->scale / number.scale;
        if (total_ns > DURATION_MAX_NS)
            return gm_error_set(err, NULL, "\"%s\" is too long, the longest duration is 2^53 ms",
                                show(text).text);
        is_positive |= number.is_positive;
        p = unit_name + unit_length;
    } while (*p != '\0');

    *ms = (uint64_t)((total_ns + NS_PER_MS / 2) / NS_PER_MS);
    if (*ms == 0 && is_positive)
        *ms = 1; /* 0 often means "never" or "off"; 100us does not */
    return 0;
}

/* Digits only; returns the first character behind them, and whether the number fits. */
static const char *read_whole(const char *p, uint64_t *value, bool *fits)
{
    *value = 0;
    *fits = true;
    for (; is_digit(*p); ++p) {
        if (__builtin_mul_overflow(*value, (uint64_t)10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(*p - '0'), value))
            *fits = false;
    }
    return p;
}

static const unit_t *find_size_unit(const char *name)
{
    for (size_t i = 0; i < GM_COUNT_OF(size_units); ++i) {
        const char *a = size_units[i].name, *b = name;

        while (*a != '\0' && to_lower(*a) == to_lower(*b))
            ++a, ++b;
        if (*a == '\0' && *b == '\0')
            return &size_units[i];
    }
    return NULL;
}

int gm_text_parse_size(const char *text, uint64_t *bytes, gm_error_t *err)
{
    uint64_t value;
    bool fits;
    const char *unit_name = read_whole(text, &value, &fits);
    const unit_t *unit = *unit_name != '\0' ? find_size_unit(unit_name) : &size_units[0];

    if (text[0] == '-' && text[1] != '-' && gm_text_parse_size(text + 1, &value, NULL) == 0)
        return gm_error_set(err, NULL, "%s is out of range: a size is never negative", show(text).text);
    if (unit_name == text || (unit == NULL && !is_letter(*unit_name)))
        return gm_error_set(err, NULL, "\"%s\" is not a size, " SIZE_EXAMPLE, show(text).text);
    if (unit == NULL)
        return unknown_unit(text, unit_name, strlen(unit_name), SIZE_EXAMPLE, size_units,
                            GM_COUNT_OF(size_units), err);
    if (!fits || __builtin_mul_overflow(value, unit->scale, &value))
        return gm_error_set(err, NULL, "\"%s\" is too big, " SIZE_EXAMPLE ", at most %llu bytes",
                            show(text).text, (unsigned long long)UINT64_MAX);
    *bytes = value;
    return 0;
}

int gm_text_parse_integer(const char *text, uint64_t min, uint64_t max, uint64_t *value, gm_error_t *err)
{
    uint64_t number;
    bool fits;
    bool is_negative = text[0] == '-' && strspn(text + 1, "0") != strlen(text + 1); /* "-0" is just odd */
    const char *digits = text + (is_negative ? 1 : 0), *end = read_whole(digits, &number, &fits);

    if (end == digits || *end != '\0')
        return gm_error_set(err, NULL, "\"%s\" is not a whole number, expected %llu to %llu", show(text).text,
                            (unsigned long long)min, (unsigned long long)max);
    if (is_negative || !fits || number < min || number > max)
        return gm_error_set(err, NULL, "%s is out of range, expected %llu to %llu", show(text).text,
                            (unsigned long long)min, (unsigned long long)max);
    *value = number;
    return 0;
}

int gm_text_parse_fraction(const char *text, uint64_t *millionths, gm_error_t *err)
{
    uint64_t value, scale = 1000000;
    bool fits;
    const char *at = read_whole(text, &value, &fits);

    if (at == text || (*at == '.' && (at[1] == '\0' || strlen(at + 1) > 6)))
        return gm_error_set(err, NULL, "\"%s\" is not a fraction, expected 0 to 1, for example 0.01",
                            show(text).text);
    value = fits && value <= 1 ? value * scale : 2 * scale;
    for (at += *at == '.' ? 1 : 0; *at >= '0' && *at <= '9'; ++at)
        value += (uint64_t)(*at - '0') * (scale /= 10);
    if (*at != '\0')
        return gm_error_set(err, NULL, "\"%s\" is not a fraction, expected 0 to 1, for example 0.01",
                            show(text).text);
    if (value > 1000000)
        return gm_error_set(err, NULL, "%s is out of range, expected 0 to 1", show(text).text);
    *millionths = value;
    return 0;
}

char *gm_text_format_fraction(char *out, size_t out_bytes, uint64_t millionths)
{
    int length = snprintf(out, out_bytes, "%u.%06u", (unsigned)(millionths / 1000000),
                          (unsigned)(millionths % 1000000));

    while (out[length - 1] == '0')
        --length;
    out[out[length - 1] == '.' ? length - 1 : length] = '\0';
    return out;
}

static bool is_ipv6(const char *text)
{
    struct in6_addr address;
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_ipv4(const char *text)
{
    struct in_addr address;
    return inet_pton(AF_INET, text, &address) == 1;
}

static bool is_label(const char *label, size_t length)
{
    if (length == 0 || length > LABEL_MAX_BYTES || label[0] == '-' || label[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; ++i) {
        if (!is_letter(label[i]) && !is_digit(label[i]) && label[i] != '-' && label[i] != '_')
            return false;
    }
    return true;
}

/* Resolvers take "1.2.3", "0x7f.1" or "256" for odd spellings of an IPv4 address, never for a name. */
static bool is_number(const char *label, size_t length)
{
    bool is_hex = length >= 2 && label[0] == '0' && to_lower(label[1]) == 'x';

    for (size_t i = is_hex ? 2 : 0; i < length; ++i) {
        if (!(is_hex ? is_hex_digit(label[i]) : is_digit(label[i])))
            return false;
    }
    return true;
}

static bool is_name(const char *text)
{
    size_t length = strlen(text), last = 0, start = 0;

    if (length > 0 && text[length - 1] == '.') /* the dot of an absolute name: no search domain is tried */
        --length;
    if (length == 0 || length > NAME_MAX_BYTES)
        return false;
    while (start <= length) {
        const char *dot = memchr(text + start, '.', length - start);
        size_t end = dot != NULL ? (size_t)(dot - text) : length;

        if (!is_label(text + start, end - start))
            return false;
        last = start;
        start = end + 1;
    }
    return !is_number(text + last, length - last);
}

bool gm_text_is_host(const char *text)
{
    return is_ipv4(text) || is_ipv6(text) || is_name(text);
}

/* Finds the two parts; *host is cut out of the brackets. */
static int split_hostport(const char *text, const char **host, size_t *host_length, const char **port,
                          gm_error_t *err)
{
    const char *colon = strrchr(text, ':');

    if (strstr(text, "://") != NULL)
        return gm_error_set(err, NULL, "\"%s\" is a URL, " HOSTPORT_EXAMPLE, show(text).text);
    if (is_ipv6(text)) /* "::1:8080" is a whole address, too: never guess */
        return gm_error_set(err, NULL,
                            "\"%s\" needs brackets around its IPv6 address and a port, as in [::1]:8080",
                            show(text).text);
    *host = text;
    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        if (close == NULL)
            return gm_error_set(err, NULL, "\"%s\" has no closing bracket, " HOSTPORT_EXAMPLE,
                                show(text).text);
        ++*host;
        *host_length = (size_t)(close - *host);
        colon = close + 1;
    } else {
        *host_length = colon != NULL ? (size_t)(colon - text) : 0;
    }
    if (colon == NULL || colon[0] == '\0' || (colon[0] == ':' && colon[1] == '\0'))
        return gm_error_set(err, NULL, "\"%s\" has no port, " HOSTPORT_EXAMPLE, show(text).text);
    if (colon[0] != ':')
        return gm_error_set(err, NULL, "\"%s\" is not an address, " HOSTPORT_EXAMPLE, show(text).text);
    *port = colon + 1;
    return 0;
}

int gm_text_parse_hostport(const char *text, bool host_optional, gm_hostport_t *hostport, gm_error_t *err)
{
    gm_hostport_t result = {.host = ""};
    gm_error_t why = {.text = ""};
    const char *host = "", *port = "";
    size_t host_length = 0;
    uint64_t number;
    bool is_bracketed = text[0] == '[';

    if (split_hostport(text, &host, &host_length, &port, err) != 0)
        return -1;
    if (host_length >= sizeof(result.host))
        return gm_error_set(err, NULL, "the host in \"%s\" is too long, at most %d bytes", show(text).text,
                            NAME_MAX_BYTES);
    memcpy(result.host, host, host_length);
    if (host_length == 0 && !is_bracketed && !host_optional)
        return gm_error_set(err, NULL, "\"%s\" has no host, " HOSTPORT_EXAMPLE, show(text).text);
    if (is_bracketed && !is_ipv6(result.host))
        return gm_error_set(err, NULL, "\"%s\" in brackets is not an IPv6 address, " HOSTPORT_EXAMPLE,
                            show(result.host).text);
    if (!is_bracketed && host_length != 0 && is_ipv6(result.host))
        return gm_error_set(err, NULL, "\"%s\" needs brackets around its IPv6 address, as in [::1]:8080",
                            show(text).text);
    if (!is_bracketed && host_length != 0 && !gm_text_is_host(result.host))
        return gm_error_set(err, NULL, "\"%s\" is not a host name or address, " HOSTPORT_EXAMPLE,
                            show(result.host).text);
    if (gm_text_parse_integer(port, 1, UINT16_MAX, &number, &why) != 0)
        return gm_error_set(err, NULL, "the port in \"%s\": %s, as in 127.0.0.1:8080", show(text).text,
                            why.text);
    result.port = (uint16_t)number;
    *hostport = result;
    return 0;
}

char *gm_text_format_duration(char *out, size_t out_bytes, uint64_t ms)
{
    unsigned long long hours = ms / 3600000;
    unsigned minutes = (unsigned)(ms / 60000 % 60), seconds = (unsigned)(ms / 1000 % 60);
    unsigned rest_ms = (unsigned)(ms % 1000);
    char h[24] = "", m[8] = "", s[12] = "";

    if (hours != 0)
        snprintf(h, sizeof(h), "%lluh", hours);
    if (minutes != 0)
        snprintf(m, sizeof(m), "%um", minutes);
    if (seconds != 0 && rest_ms != 0) {
        int digits = snprintf(s, sizeof(s), "%u.%03u", seconds, rest_ms);
        while (s[digits - 1] == '0')
            --digits;
        strcpy(s + digits, "s");
    } else if (rest_ms != 0) {
        snprintf(s, sizeof(s), "%ums", rest_ms);
    } else if (seconds != 0 || ms == 0) {
        snprintf(s, sizeof(s), "%us", seconds);
    }
    snprintf(out, out_bytes, "%s%s%s", h, m, s);
    return out;
}

char *gm_text_format_size(char *out, size_t out_bytes, uint64_t bytes)
{
    const unit_t *best = &size_units[0];

    for (size_t i = 0; i < GM_COUNT_OF(size_units); ++i) {
        bool is_binary = (size_units[i].scale & (size_units[i].scale - 1)) == 0;
        if (is_binary && size_units[i].scale > best->scale && bytes % size_units[i].scale == 0)
            best = &size_units[i];
    }
    snprintf(out, out_bytes, "%llu%s", (unsigned long long)(bytes / best->scale),
             best->scale == 1 || bytes == 0 ? "" : best->name);
    return out;
}

const char *gm_text_unix_path(const char *host)
{
    return strncmp(host, "unix:", 5) == 0 ? host + 5 : NULL;
}

char *gm_text_format_hostport(char *out, size_t out_bytes, const char *host, uint16_t port)
{
    bool is_v6 = strchr(host, ':') != NULL;

    if (gm_text_unix_path(host) != NULL)
        snprintf(out, out_bytes, "%s", host);
    else
        snprintf(out, out_bytes, "%s%s%s:%u", is_v6 ? "[" : "", host, is_v6 ? "]" : "", (unsigned)port);
    return out;
}
