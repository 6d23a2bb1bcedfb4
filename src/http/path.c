/*
 * Canonical paths. A proxy that matches one spelling of a path and forwards another can be talked past its
 * routes
 * ("/x/..%2fadmin"), so there is one spelling. Pure; called for each request by proxy/handler, for routes at
 * load.
 */
#include "http/path.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

#define SHOWN_MAX 200 /* bytes of a path that a message repeats */

/* What http/head takes for a part of a target, but for '?', which ends the path. */
static const bool stands_in_path[256] = {
    ['!'] = true, ['$' ... ';'] = true, ['='] = true, ['@' ... '['] = true, [']' ... '~'] = true,
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986, 2.3 */
static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* Takes "/." and "/.." off the end of out[0..length): RFC 3986, 5.2.4. SIZE_MAX: above the root. */
static size_t remove_dots(const char *out, size_t length)
{
    if (length >= 2 && memcmp(out + length - 2, "/.", 2) == 0)
        return length - 2;
    if (length < 3 || memcmp(out + length - 3, "/..", 3) != 0)
        return length;
    length -= 3;
    if (length == 0)
        return (size_t)-1;
    while (out[length - 1] != '/')
        --length;
    return length - 1;
}

/* One character or percent-code; @return how many bytes of the target it took, 0 = not allowed. */
static size_t copy_one(const char *in, size_t left, char *out, size_t *length, const char **why)
{
    static const char upper[] = "0123456789ABCDEF";
    unsigned char c = (unsigned char)*in;
    int high, low;

    if (!stands_in_path[c]) {
        *why = "a character that cannot stand in a path";
        return 0;
    }
    if (c != '%') {
        out[(*length)++] = (char)c;
        return 1;
    }
    if (left < 3 || (high = hex_value(in[1])) < 0 || (low = hex_value(in[2])) < 0) {
        *why = "a percent sign without two hexadecimal digits in the path";
        return 0;
    }
    c = (unsigned char)(high << 4 | low);
    if (c == 0) {
        *why = "a NUL byte in the path";
        return 0;
    }
    if (is_unreserved(c)) {
        out[(*length)++] = (char)c;
    } else {
        out[(*length)++] = '%';
        out[(*length)++] = upper[high];
        out[(*length)++] = upper[low];
    }
    return 3;
}

size_t gm_path_canonicalize(const char *target, size_t length, char *out, size_t *query, const char **why)
{
    const char *mark = memchr(target, '?', length);
    size_t end = mark != NULL ? (size_t)(mark - target) : length, written = 0;

    if (end == 0 || target[0] != '/') {
        *why = "a path that does not begin with \"/\"";
        return 0;
    }
    for (size_t i = 0; i < end;) {
        size_t taken;
        if (target[i] == '/' && (written = remove_dots(out, written)) == (size_t)-1)
            goto AboveRoot;
        if ((taken = copy_one(target + i, end - i, out, &written, why)) == 0)
            return 0;
        i += taken;
    }
    if (written >= 2 && out[written - 1] == '.') { /* "/a/." is "/a/", so the slash stays */
        size_t kept = remove_dots(out, written);
        if (kept == (size_t)-1)
            goto AboveRoot;
        if (kept != written)
            out[kept++] = '/';
        written = kept;
    }
    *query = written;
    for (size_t i = end; i < length; ++i)
        if ((unsigned char)target[i] <= 0x20 || (unsigned char)target[i] >= 0x7f || target[i] == '#') {
            *why = "a character that cannot stand in a query";
            return 0;
        }
    memmove(out + written, target + end, length - end);
    return written + length - end;
AboveRoot:
    *why = "a path that leads above \"/\"";
    return 0;
}

bool gm_path_is_canonical(const char *target, size_t length)
{
    size_t i = 0;

    if (length == 0 || target[0] != '/')
        return false;
    for (; i != length && target[i] != '?'; ++i) {
        unsigned char c = (unsigned char)target[i];
        if (!stands_in_path[c] || c == '%' || (c == '.' && target[i - 1] == '/'))
            return false; /* "/.well-known" takes the long way too */
    }
    for (; i != length; ++i)
        if ((unsigned char)target[i] <= 0x20 || (unsigned char)target[i] >= 0x7f || target[i] == '#')
            return false;
    return true;
}

/* Bytes outside ASCII as percent-codes, the way clients send them. */
static void encode_bytes(const char *path, gm_buffer_t *out)
{
    for (; *path != '\0'; ++path)
        gm_buffer_printf(out, (unsigned char)*path < 0x80 ? "%c" : "%%%02X", (unsigned char)*path);
}

int gm_path_check(const char *path, gm_error_t *err)
{
    gm_buffer_t out = {0};
    size_t query, length;
    const char *why = NULL, *end;
    int ret = 0;

    encode_bytes(path, &out);
    length = gm_path_canonicalize(out.text != NULL ? out.text : "", out.length, out.text, &query, &why);
    end = length > SHOWN_MAX ? "..." : "";
    if (length == 0)
        ret = gm_error_set(err, NULL, "path: \"%.200s\" can never match: it has %s", path, why);
    else if (strlen(path) != out.length)
        ret = gm_error_set(err, NULL,
                           "path: \"%.200s\" has characters outside ASCII, which requests carry "
                           "percent-encoded; write \"%.*s%s\"",
                           path, (int)(length < SHOWN_MAX ? length : SHOWN_MAX), out.text, end);
    else if (length != out.length || memcmp(path, out.text, length) != 0)
        ret = gm_error_set(err, NULL, "path: \"%.200s\" can never match: requests for it arrive as \"%.*s\"",
                           path, (int)(length < SHOWN_MAX ? length : SHOWN_MAX), out.text);
    gm_buffer_dispose(&out);
    return ret;
}

size_t gm_path_replace(const gm_path_match_t *match, const char *replacement, char *out)
{
    size_t matched = match->matched == 1 ? 0 : match->matched; /* "/": the rest begins with it */
    size_t length = strlen(replacement), rest = match->is_exact ? 0 : match->length - matched;

    if (rest != 0 && length != 0 && replacement[length - 1] == '/')
        --length;
    memcpy(out, replacement, length);
    memcpy(out + length, match->path + matched, rest);
    length += rest;
    return length > 1 && (out[1] == '/' || out[1] == '\\') ? 0 : length;
}
