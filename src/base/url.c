/*
 * URLs of the configuration. Strict, as what is not understood would be sent to somebody. Pure; called by
 * config/validate_tracing and server/exporter.
 */
#include "base/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What may stand in a request's target as it is (RFC 3986, 3.3 and 3.4). */
static bool is_path(const char *text)
{
    for (; *text != '\0'; ++text)
        if (*text <= ' ' || *text >= 0x7f || strchr("\"<>\\^`{|}#", *text) != NULL)
            return false;
    return true;
}

static const char *read_scheme(const char *text, gm_url_t *url)
{
    url->is_https = strncasecmp(text, "https://", 8) == 0;
    if (url->is_https)
        return text + 8;
    return strncasecmp(text, "http://", 7) == 0 ? text + 7 : NULL;
}

/* "host", "host:port", "[v6]" or "[v6]:port" */
static int read_authority(const char *text, size_t length, gm_url_t *url, gm_error_t *err)
{
    char authority[300];
    const char *end = text + length, *colon = memrchr(text, ':', length);
    bool has_port = colon != NULL && memchr(colon, ']', (size_t)(end - colon)) == NULL;

    if (length == 0)
        return gm_error_set(err, NULL, "a host is missing behind \"//\"");
    if (memchr(text, '@', length) != NULL)
        return gm_error_set(err, NULL, "a user or password has no place here; what authorizes is a header");
    if (length > sizeof(authority) - 8)
        return gm_error_set(err, NULL, "its host is too long");
    snprintf(authority, sizeof(authority), "%.*s%s", (int)length, text,
             has_port        ? ""
             : url->is_https ? ":443"
                             : ":80");
    return gm_text_parse_hostport(authority, false, &url->at, err);
}

int gm_url_parse(const char *text, gm_url_t *url, gm_error_t *err)
{
    const char *authority = read_scheme(text, url), *path;

    if (authority == NULL)
        return gm_error_set(err, NULL, "a URL begins with http:// or https://");
    path = authority + strcspn(authority, "/?#");
    if (*path == '?')
        return gm_error_set(err, NULL, "a path is missing before \"?\"");
    if (strlen(path) >= sizeof(url->path))
        return gm_error_set(err, NULL, "its path is longer than %zu bytes", sizeof(url->path) - 1);
    if (!is_path(path))
        return gm_error_set(err, NULL, "its path has a character that a URL cannot have; write it as %%XX");
    if (read_authority(authority, (size_t)(path - authority), url, err) != 0)
        return -1;
    strcpy(url->path, path);
    return 0;
}
