/*
 * The syntax of heads, by RFC 9112 and without its leniencies: what two readers could take differently is
 * refused, because a proxy stands between two readers. The meaning of fields is in http/head_rules. Pure;
 * called for each message by both ends of the proxy, on the connection's worker. It is on the hot path: one
 * memchr() pass finds the end, so that the second pass needs no bounds, and nothing is copied.
 */
#include "http/head.h"

#include <string.h>
#include <strings.h>

#include "http/field_list.h"
#include "http/fields.h"
#include "http/head_rules.h"

#define METHOD_MAX_BYTES 64
#define VERSION_BYTES 8 /* "HTTP/1.1" */

/* clang-format off */
#define DIGITS(X) X('0') X('1') X('2') X('3') X('4') X('5') X('6') X('7') X('8') X('9')
#define LOWER(X) \
    X('a') X('b') X('c') X('d') X('e') X('f') X('g') X('h') X('i') X('j') X('k') X('l') X('m') \
    X('n') X('o') X('p') X('q') X('r') X('s') X('t') X('u') X('v') X('w') X('x') X('y') X('z')
#define MARKS(X) \
    X('!') X('#') X('$') X('%') X('&') X('\'') X('*') X('+') X('-') X('.') X('^') X('_') X('`') X('|') \
    X('~')
#define SELF(c) [c] = c,
#define BOTH(c) [c] = c, [c - 0x20] = c,

/* Characters of a token (RFC 9110, 5.6.2), each with its lower case; 0 = none */
static const char token_lower[256] = {DIGITS(SELF) LOWER(BOTH) MARKS(SELF)};

/* Characters of a request target: RFC 3986 without the fragment, and ^`{|}[], which browsers send as they are */
static const char is_target[256] = {
    ['!'] = 1, ['$'] = 1, ['%'] = 1, ['&' ... ';'] = 1, ['='] = 1, ['?' ... '['] = 1, [']' ... '~'] = 1,
};
/* clang-format on */

#define AT(table, p) (table)[(unsigned char)*(p)]

static bool is_text(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void init_head(gm_head_t *head)
{
    head->length = 0;
    head->minor_version = head->status = head->keep_alive_s = head->refusal = 0;
    head->option_count = 0;
    head->method = head->target = head->host = head->reason = head->upgrade = (gm_span_t){NULL, 0};
    head->content_length = GM_HEAD_NO_LENGTH;
    head->is_chunked = head->keeps_alive = head->expects_continue = head->accepts_trailers = false;
    head->field_count = 0;
    head->why = NULL;
}

/*
 * Looks for the empty line in what is new since `seen`, and refuses line ends other than CRLF.
 * @return as gm_head_parse_request; the head's length is set if it is complete
 */
static int find_end(const char *bytes, size_t size, size_t start, size_t seen, gm_head_t *head)
{
    const char *first = bytes + start, *end = bytes + size;
    const char *p = seen > start + 2 ? bytes + seen - 2 : first;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        if (p == first || p[-1] != '\r')
            return gm_head_rules_refuse(head, 400, "a line that does not end with CRLF");
        ++p;
        if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') {
            head->length = (size_t)(p + 2 - bytes);
            return 1;
        }
    }
    return 0;
}

/* @return 0, or -1: refused */
static int check_method(gm_head_t *head)
{
    static const char connect[] = "CONNECT";
    const size_t length = sizeof(connect) - 1;

    if (head->method.length > METHOD_MAX_BYTES)
        return gm_head_rules_refuse(head, 501, "a method of more than 64 bytes");
    if (head->method.length == length && memcmp(head->method.base, connect, length) == 0)
        return gm_head_rules_refuse(head, 501, "the method CONNECT");
    return 0;
}

/* "HTTP/1.1"; a later minor version is as good as 1.1 (RFC 9110, 2.5). @return 0, or -1: refused */
static int read_version(const char *p, const char *end, gm_head_t *head)
{
    if (end - p < VERSION_BYTES + 2 || memcmp(p, "HTTP/", 5) != 0 || !is_digit(p[5]) || p[6] != '.' ||
        !is_digit(p[7]))
        return gm_head_rules_refuse(head, 400, "no version of HTTP in the first line");
    if (p[5] != '1')
        return gm_head_rules_refuse(head, 505, "a version of HTTP other than 1.x");
    head->minor_version = p[7] != '0';
    return 0;
}

/* @param end  behind a line feed. @return 0, or -1: refused; *next is set to the next line */
static int read_request_line(char *line, const char *end, const gm_head_limits_t *limits, gm_head_t *head,
                             char **next)
{
    char *p = line, *target;

    while (AT(token_lower, p) != 0)
        ++p;
    if (*p != ' ' || p == line)
        return gm_head_rules_refuse(head, 400, "a method that is not a word");
    head->method = (gm_span_t){line, (size_t)(p - line)};
    if (check_method(head) != 0)
        return -1;
    target = ++p;
    while (AT(is_target, p) != 0)
        ++p;
    if ((size_t)(p - target) > limits->max_target_bytes)
        return gm_head_rules_refuse(head, 414, "a target that is too long");
    if (p == target)
        return gm_head_rules_refuse(head, 400, "no target");
    if (*p != ' ')
        return gm_head_rules_refuse(head, 400, "a character that cannot stand in a target");
    head->target = (gm_span_t){target, (size_t)(p - target)};
    if (read_version(++p, end, head) != 0)
        return -1;
    p += VERSION_BYTES;
    if (p[0] != '\r' || p[1] != '\n')
        return gm_head_rules_refuse(head, 400, "more than a version of HTTP behind the target");
    *next = p + 2;
    return 0;
}

/* @param end  behind a line feed. @return 0, or -1: refused; *next is set to the next line */
static int read_status_line(char *line, const char *end, gm_head_t *head, char **next)
{
    char *p = line + VERSION_BYTES;

    if (read_version(line, end, head) != 0)
        return -1;
    if (end - p < 6 || p[0] != ' ' || p[1] < '1' || p[1] > '5' || !is_digit(p[2]) || !is_digit(p[3]))
        return gm_head_rules_refuse(head, 502, "no status of 100 to 599");
    head->status = (unsigned)((p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0'));
    p += 4;
    if (*p == ' ')
        ++p;
    else if (*p != '\r') /* the space may be missing where there is no reason */
        return gm_head_rules_refuse(head, 502, "no status of 100 to 599");
    head->reason.base = p;
    while (is_text((unsigned char)*p))
        ++p;
    head->reason.length = (size_t)(p - head->reason.base);
    if (p[0] != '\r' || p[1] != '\n')
        return gm_head_rules_refuse(head, 502, "a control byte in the reason");
    *next = p + 2;
    return 0;
}

/*
 * An absolute-form target becomes a path, and its authority the host (RFC 9112, 3.2.2). An empty path gets
 * its slash in place of one of those before the authority, which moves. OPTIONS may ask for the server as a
 * whole, by "*" or by no path at all (3.2.4).
 */
static int split_target(gm_head_t *head)
{
    const char *target = head->target.base, *end = target + head->target.length, *path;
    size_t scheme = head->target.length >= 7 && strncasecmp(target, "http://", 7) == 0    ? 7
                    : head->target.length >= 8 && strncasecmp(target, "https://", 8) == 0 ? 8
                                                                                          : 0;
    const bool is_options = head->method.length == 7 && memcmp(head->method.base, "OPTIONS", 7) == 0;
    char *host;

    if (*target == '/' || (is_options && head->target.length == 1 && *target == '*'))
        return 0;
    if (scheme == 0)
        return gm_head_rules_refuse(head, 400, "a target that is no path and no URL");
    host = (char *)target + scheme;
    for (path = host; path != end && *path != '/' && *path != '?'; ++path)
        ;
    head->host = (gm_span_t){host, (size_t)(path - host)};
    if (!gm_head_is_host(host, head->host.length))
        return gm_head_rules_refuse(head, 400, "a target whose host is not one");
    if (path == end || *path == '?') {
        memmove(host - 1, host, head->host.length);
        --head->host.base;
        --path;
        *(char *)path = is_options && path + 1 == end ? '*' : '/';
    }
    head->target = (gm_span_t){path, (size_t)(end - path)};
    return 0;
}

/* The first byte that is_text() refuses, or `end`. Eight bytes at once, or one. */
static const char *skip_text(const char *p, const char *end)
{
    const uint64_t ones = UINT64_MAX / 255, high = ones << 7;

    while (end - p >= 8) {
        uint64_t word, deletes, hits;
        memcpy(&word, p, sizeof(word));
        deletes = word ^ (ones * 0x7f);
        hits = (((word - ones * 0x20) & ~word) | ((deletes - ones) & ~deletes)) & high;
        if (hits == 0) {
            p += 8;
            continue;
        }
        if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) /* borrows spoil only what is above the lowest hit */
            p += __builtin_ctzll(hits) / 8;
        if (!is_text((unsigned char)*p))
            return p;
        ++p; /* a tab */
    }
    while (p != end && is_text((unsigned char)*p))
        ++p;
    return p;
}

/*
 * One field line. The name is put into lower case.
 * @param end  behind a line feed that ends this line or a later one
 * @return the next line, or NULL and *why
 */
static char *read_field(char *line, const char *end, gm_head_field_t *field, const char **why)
{
    char *p = line, *value, c;

    while ((c = AT(token_lower, p)) != 0)
        *p++ = c;
    if (*p != ':' || p == line) {
        *why = *line == ' ' || *line == '\t' ? "a folded line" : "a field name that is not one";
        return NULL;
    }
    field->name = (gm_span_t){line, (size_t)(p - line)};
    do
        ++p;
    while (*p == ' ' || *p == '\t');
    value = p;
    p = (char *)skip_text(p, end);
    if (p[0] != '\r' || p[1] != '\n') {
        *why = "a control byte in a field";
        return NULL;
    }
    line = p + 2;
    while (p != value && (p[-1] == ' ' || p[-1] == '\t'))
        --p;
    field->value = (gm_span_t){value, (size_t)(p - value)};
    return line;
}

/* All field lines of a complete head. @return 0, or -1: refused */
static int read_fields(char *p, const char *end, bool is_answer, const gm_head_limits_t *limits,
                       gm_head_t *head)
{
    const unsigned max = limits->max_fields < GM_HEAD_MAX_FIELDS ? limits->max_fields : GM_HEAD_MAX_FIELDS;
    gm_head_rules_t rules;
    unsigned count = 0;

    gm_head_rules_init(&rules, head, is_answer);
    while (*p != '\r') {
        gm_head_field_t *field = &head->fields[head->field_count];
        int kept;
        if (count++ == max)
            return gm_head_rules_refuse(head, 431, "too many fields");
        if ((p = read_field(p, end, field, &head->why)) == NULL)
            return gm_head_rules_refuse(head, 400, head->why);
        if (field->name.length + field->value.length > limits->max_field_bytes)
            return gm_head_rules_refuse(head, 431, "a field that is too long");
        if ((kept = gm_head_rules_read(&rules, head, field)) < 0)
            return -1;
        head->field_count += (unsigned)kept;
    }
    if (p + 2 != end)
        return gm_head_rules_refuse(head, 400, "a carriage return that ends no line");
    return gm_head_rules_finish(&rules, head);
}

/* What can be told of an incomplete request: nobody waits for the rest of what is no HTTP. @return 0 or -1 */
static int check_beginning(char *line, size_t size, size_t seen, const gm_head_limits_t *limits,
                           gm_head_t *head)
{
    const char *end = line + size, *target, *feed;
    char *next;

    if (size == 0)
        return 0;
    if ((feed = memchr(line, '\n', size)) != NULL) /* looked at once, when it has come */
        return (size_t)(feed - line) < seen ? 0 : read_request_line(line, feed + 1, limits, head, &next);
    if (AT(token_lower, line) == 0)
        return gm_head_rules_refuse(head, 400, "a method that is not a word");
    for (const char *p = line + seen; p < end; ++p)
        if (*p != ' ' && *p != '\r' && AT(token_lower, p) == 0 && AT(is_target, p) == 0)
            return gm_head_rules_refuse(head, 400, "a character that cannot stand in a target");
    target = memchr(line, ' ', size);
    if ((size_t)((target != NULL ? target : end) - line) > METHOD_MAX_BYTES)
        return gm_head_rules_refuse(head, 501, "a method of more than 64 bytes");
    if (target == NULL)
        return 0;
    ++target;
    feed = memchr(target, ' ', (size_t)(end - target));
    if ((size_t)((feed != NULL ? feed : end) - target) > limits->max_target_bytes)
        return gm_head_rules_refuse(head, 414, "a target that is too long");
    return 0;
}

int gm_head_parse_request(char *bytes, size_t size, size_t seen, const gm_head_limits_t *limits,
                          gm_head_t *head)
{
    const size_t looked_at = size < limits->max_bytes ? size : limits->max_bytes;
    const size_t start = looked_at >= 2 && bytes[0] == '\r' && bytes[1] == '\n' ? 2 : 0; /* RFC 9112, 2.2 */
    const char *end;
    char *line = bytes + start;
    int ret;

    init_head(head);
    if (size == 1 && *bytes == '\r')
        return 0;
    if ((ret = find_end(bytes, looked_at, start, seen, head)) < 0)
        return -1;
    if (ret == 0) {
        if (check_beginning(line, looked_at - start, seen > start ? seen - start : 0, limits, head) != 0)
            return -1;
        return size < limits->max_bytes ? 0 : gm_head_rules_refuse(head, 431, "a head that is too long");
    }
    end = bytes + head->length;
    if (read_request_line(line, end, limits, head, &line) != 0 ||
        read_fields(line, end, false, limits, head) != 0 || split_target(head) != 0)
        return -1;
    return 1;
}

gm_head_glimpse_t gm_head_glimpse(const char *bytes, size_t size)
{
    gm_head_glimpse_t glimpse = {{NULL, 0}, {NULL, 0}, false};
    const char *end = bytes + size, *line, *p;

    if (size >= 2 && bytes[0] == '\r' && bytes[1] == '\n') /* RFC 9112, 2.2 */
        bytes += 2;
    for (line = p = bytes; p != end && AT(token_lower, p) != 0; ++p)
        ;
    if (p == line || p == end || *p != ' ' || p - line > METHOD_MAX_BYTES)
        return glimpse;
    glimpse.method = (gm_span_t){line, (size_t)(p - line)};
    for (line = ++p; p != end && *p != ' ' && *p != '\r' && *p != '\n'; ++p)
        ;
    if (p != line)
        glimpse.target = (gm_span_t){line, (size_t)(p - line)};
    glimpse.is_cut = p == end;
    return glimpse;
}

static int parse_response(char *bytes, size_t size, size_t seen, const gm_head_limits_t *limits,
                          gm_head_t *head)
{
    const size_t looked_at = size < limits->max_bytes ? size : limits->max_bytes;
    const char *end;
    char *line = bytes;
    int ret;

    init_head(head);
    if (memcmp(bytes, "HTTP/1.", looked_at < 7 ? looked_at : 7) != 0)
        return gm_head_rules_refuse(head, 502, "no version of HTTP in the first line");
    if ((ret = find_end(bytes, looked_at, 0, seen, head)) < 0)
        return -1;
    if (ret == 0)
        return size < limits->max_bytes ? 0 : gm_head_rules_refuse(head, 502, "a head that is too long");
    end = bytes + head->length;
    if (read_status_line(line, end, head, &line) != 0 || read_fields(line, end, true, limits, head) != 0)
        return -1;
    return 1;
}

int gm_head_parse_response(char *bytes, size_t size, size_t seen, const gm_head_limits_t *limits,
                           gm_head_t *head)
{
    int ret = parse_response(bytes, size, seen, limits, head);

    if (ret < 0)
        head->refusal = 502;
    return ret;
}

/* ---- heads in parts */

static bool is_path(const gm_head_t *head)
{
    const gm_span_t *target = &head->target;
    const bool is_options = head->method.length == 7 && memcmp(head->method.base, "OPTIONS", 7) == 0;

    return target->length != 0 &&
           (*target->base == '/' || (is_options && target->length == 1 && *target->base == '*'));
}

/* @return 0, or -1: refused */
static int read_what_is_asked(const gm_head_parts_t *parts, const gm_head_limits_t *limits, gm_head_t *head)
{
    size_t i = 0;

    while (i != parts->method.length && AT(token_lower, parts->method.base + i) != 0)
        ++i;
    if (i == 0 || i != parts->method.length)
        return gm_head_rules_refuse(head, 400, "a method that is not a word");
    head->method = parts->method;
    if (check_method(head) != 0)
        return -1;
    if (parts->target.length > limits->max_target_bytes)
        return gm_head_rules_refuse(head, 414, "a target that is too long");
    for (i = 0; i != parts->target.length; ++i)
        if (AT(is_target, parts->target.base + i) == 0)
            return gm_head_rules_refuse(head, 400, "a character that cannot stand in a target");
    head->target = parts->target;
    if (!is_path(head))
        return gm_head_rules_refuse(head, 400, "a target that is no path");
    if (parts->host.base != NULL && !gm_head_is_host(parts->host.base, parts->host.length))
        return gm_head_rules_refuse(head, 400, "a Host that is not a host");
    head->host = parts->host;
    return 0;
}

const char *gm_head_why_no_field(const gm_head_field_t *field)
{
    const char *name = field->name.base, *value = field->value.base, *end = value + field->value.length;
    size_t i = 0;

    while (i != field->name.length && AT(token_lower, name + i) == name[i] && name[i] != '\0')
        ++i;
    if (i == 0 || i != field->name.length)
        return "a field name that is not one";
    if (value == end)
        return NULL;
    if (skip_text(value, end) != end)
        return "a control byte in a field";
    return *value == ' ' || *value == '\t' || end[-1] == ' ' || end[-1] == '\t'
               ? "spaces around a field's value"
               : NULL;
}

/* @return 0, or -1: refused */
static int read_listed_fields(const gm_head_parts_t *parts, bool is_answer, const gm_head_limits_t *limits,
                              gm_head_t *head)
{
    const unsigned max = limits->max_fields < GM_HEAD_MAX_FIELDS ? limits->max_fields : GM_HEAD_MAX_FIELDS;
    const char *at = parts->fields, *end = at + parts->fields_length;
    gm_head_rules_t rules;
    gm_head_field_t field;
    unsigned count = 0;
    int kept;

    gm_head_rules_init(&rules, head, is_answer);
    while (gm_field_list_next(&at, end, &field)) {
        if (count++ == max)
            return gm_head_rules_refuse(head, 431, "too many fields");
        if (field.name.length + field.value.length > limits->max_field_bytes)
            return gm_head_rules_refuse(head, 431, "a field that is too long");
        if ((kept = gm_head_rules_read(&rules, head, &field)) < 0)
            return -1;
        if (kept != 0)
            head->fields[head->field_count++] = field;
    }
    return gm_head_rules_finish(&rules, head);
}

int gm_head_read_request(const gm_head_parts_t *parts, const gm_head_limits_t *limits, gm_head_t *head)
{
    init_head(head);
    head->minor_version = 1;
    if (read_what_is_asked(parts, limits, head) != 0)
        return -1;
    return read_listed_fields(parts, false, limits, head);
}

/* @return 0, or -1: refused */
static int read_status(gm_span_t text, gm_head_t *head)
{
    const char *p = text.base;

    if (text.length != 3 || p[0] < '1' || p[0] > '5' || !is_digit(p[1]) || !is_digit(p[2]))
        return gm_head_rules_refuse(head, 502, "no status of 100 to 599");
    head->status = (unsigned)((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
    return 0;
}

int gm_head_read_response(const gm_head_parts_t *parts, const gm_head_limits_t *limits, gm_head_t *head)
{
    init_head(head);
    head->minor_version = 1;
    head->length = parts->fields_length;
    if (read_status(parts->status, head) != 0 || read_listed_fields(parts, true, limits, head) != 0) {
        head->refusal = 502;
        return -1;
    }
    return 0;
}

/* ---- trailers */

int gm_head_parse_trailers(char *bytes, size_t size, gm_head_field_t *fields, size_t max_fields)
{
    const char *end, *why;
    size_t count = 0;

    if (size == 0) /* `bytes` may be NULL */
        return 0;
    end = bytes + size;
    if (size < 2 || end[-2] != '\r' || end[-1] != '\n')
        return -1;
    for (char *p = bytes; p != end;) {
        gm_head_field_t field;
        if ((p = read_field(p, end, &field, &why)) == NULL)
            return -1;
        if (!gm_fields_may_be_trailer(field.name.base, field.name.length))
            continue;
        if (count == max_fields)
            return -1;
        fields[count++] = field;
    }
    return (int)count;
}
