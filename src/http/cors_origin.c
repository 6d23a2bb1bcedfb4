/*
 * Origins (RFC 6454) and patterns of them. Pure; checked at load, compared by proxy/policy_cors for each
 * request that has an Origin.
 */
#include "http/cors_origin.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* @return where the host begins, NULL = no scheme that browsers have origins of */
static const char *skip_scheme(const char *text)
{
    const char *mark = strstr(text, "://");

    if (mark == NULL || mark == text)
        return NULL;
    for (const char *c = text; c != mark; ++c)
        if (!(*c >= 'a' && *c <= 'z') &&
            (c == text || (strchr("+-.", *c) == NULL && !(*c >= '0' && *c <= '9'))))
            return NULL;
    return mark + 3;
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

/* @return behind a name, an IPv4 address or an [IPv6] one; `text` itself if there is none */
static const char *skip_host(const char *text)
{
    const char *at = text;

    if (*at == '[') {
        size_t length = strspn(at + 1, "0123456789abcdefABCDEF:.");
        return length != 0 && at[1 + length] == ']' ? at + length + 2 : text;
    }
    while (is_host_char(*at))
        ++at;
    return at;
}

static bool is_own_port(const char *pattern, const char *port)
{
    return (strncmp(pattern, "http:", 5) == 0 && strcmp(port, "80") == 0) ||
           (strncmp(pattern, "https:", 6) == 0 && strcmp(port, "443") == 0);
}

int gm_cors_origin_check(const char *pattern, gm_error_t *err)
{
    const char *host, *end;

    if (strcmp(pattern, "*") == 0)
        return 0;
    if (strcmp(pattern, "null") == 0)
        return gm_error_set(err, NULL,
                            "\"null\" is the origin of any sandboxed page and of files: name a site");
    if ((host = skip_scheme(pattern)) == NULL)
        return gm_error_set(
            err, NULL, "\"%.200s\" is not an origin; write https://app.example, with its scheme", pattern);
    end = skip_host(strncmp(host, "*.", 2) == 0 ? host + 2 : host);
    if (end == host || end == host + 2 || strchr(host + 1, '*') != NULL || (*host == '*' && host[1] != '.'))
        return gm_error_set(err, NULL,
                            "\"%.200s\" is not an origin; write https://app.example or https://*.example.com",
                            pattern);
    if (*end == '/')
        return gm_error_set(err, NULL, "\"%.200s\" has a path; an origin ends with its host or port: %.*s",
                            pattern, (int)(end - pattern < 200 ? end - pattern : 200), pattern);
    if (*end == '\0')
        return 0;
    if (*end != ':' || end[1] == '\0' || strspn(end + 1, "0123456789") != strlen(end + 1) ||
        strlen(end + 1) > 5 || atoi(end + 1) == 0 || atoi(end + 1) > 65535)
        return gm_error_set(err, NULL,
                            "\"%.200s\" is not an origin; behind its host comes a port, or nothing", pattern);
    if (is_own_port(pattern, end + 1))
        return gm_error_set(err, NULL, "\"%.200s\" can never match: browsers leave out the scheme's own port",
                            pattern);
    return 0;
}

bool gm_cors_origin_matches(const char *pattern, const char *origin, size_t length)
{
    const char *star = strchr(pattern, '*');
    size_t before, after;

    if (strcmp(pattern, "*") == 0)
        return true;
    if (star == NULL)
        return strlen(pattern) == length && strncasecmp(pattern, origin, length) == 0;
    before = (size_t)(star - pattern);
    after = strlen(star + 1);
    if (length <= before + after || strncasecmp(pattern, origin, before) != 0 ||
        strncasecmp(star + 1, origin + length - after, after) != 0)
        return false;
    /* names only: no port, user or path that would move the host elsewhere */
    for (size_t i = before; i != length - after; ++i)
        if (!is_host_char(origin[i]))
            return false;
    return true;
}
