/*
 * Fuzz target: what policies read of requests. Line by line: "F" X-Forwarded-For, "O" a pattern and an
 * Origin, "V" a value with facts, "P" a route's path, a replacement and a path. Nothing reads beyond its
 * text, and what comes out keeps its promises.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/cors_origin.h"
#include "http/forwarded_for.h"
#include "http/path.h"
#include "proxy/field_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert: a build with NDEBUG must find mistakes, too. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

/* On a heap block of its own, so that a sanitizer sees the first byte beyond. */
static gm_span_t own(const char *text, size_t length)
{
    char *copy = gm_alloc(length != 0 ? length : 1);

    if (length != 0)
        memcpy(copy, text, length);
    return (gm_span_t){copy, length};
}

static void fuzz_forwarded(const char *text, size_t length)
{
    const char *mark = memchr(text, ';', length);
    size_t first = mark != NULL ? (size_t)(mark - text) : length;
    gm_span_t values[] = {own(text, first), own(text + first, length - first)};
    struct sockaddr_storage address;
    gm_cidr_t trusted;
    gm_forwarded_t found;

    require(gm_cidr_parse("10.0.0.0/8", &trusted, NULL) == 0);
    found = gm_forwarded_for_client(values, 2, &trusted, 1, &address);
    require(found != GM_FORWARDED_CLIENT || address.ss_family == AF_INET || address.ss_family == AF_INET6);
    free((void *)(uintptr_t)values[0].base);
    free((void *)(uintptr_t)values[1].base);
}

static void fuzz_origin(char *line)
{
    const char *pattern = strsep(&line, " ");
    gm_error_t err = {0};
    bool is_good = gm_cors_origin_check(pattern, &err) == 0;
    gm_span_t origin;

    require(is_good == (err.text[0] == '\0'));
    if (!is_good || line == NULL)
        return;
    origin = own(line, strlen(line));
    /* the scheme is the pattern's, whatever the rest is */
    if (gm_cors_origin_matches(pattern, origin.base, origin.length) && strcmp(pattern, "*") != 0)
        require(origin.length > 3 &&
                strncasecmp(origin.base, pattern, (size_t)(strstr(pattern, "://") - pattern) + 3) == 0);
    free((void *)(uintptr_t)origin.base);
}

static gm_span_t find(void *data, gm_fact_t fact)
{
    (void)fact;
    return (gm_span_t){data, strlen(data)};
}

static void fuzz_value(const char *text)
{
    gm_error_t err = {0};
    gm_field_value_t *value = gm_field_value_create(text, &err);
    gm_field_pieces_t pieces;

    require((value != NULL) == (err.text[0] == '\0'));
    if (value != NULL && gm_field_value_gather(value, find, (char[]){"fact"}, &pieces, &err) == 0) {
        size_t length = 0;
        for (size_t i = 0; i != pieces.count; ++i)
            length += pieces.items[i].length;
        require(length == pieces.length && length <= GM_FIELD_VALUE_MAX_BYTES);
    }
    gm_field_value_destroy(value);
}

static void fuzz_path(char *line)
{
    const char *route = strsep(&line, " "), *replacement = line != NULL ? strsep(&line, " ") : NULL;
    const char *path = line;
    gm_path_match_t match;
    char *out, *canonical;
    const char *why;
    size_t length, query;

    if (path == NULL || gm_path_check(route, NULL) != 0 || gm_path_check(replacement, NULL) != 0 ||
        !gm_path_is_canonical(path, strlen(path)) || strchr(path, '?') != NULL ||
        strchr(route, '?') != NULL || strchr(replacement, '?') != NULL ||
        strncmp(path, route, strlen(route)) != 0)
        return;
    match = (gm_path_match_t){path, strlen(path), strlen(route), strcmp(path, route) == 0};
    if (!match.is_exact && match.matched != 1 && path[match.matched] != '/')
        return;
    out = gm_alloc(strlen(path) + strlen(replacement) + 1);
    length = gm_path_replace(&match, replacement, out);
    canonical = gm_alloc(length + 1);
    if (length != 0) {
        require(out[0] == '/' && (length == 1 || out[1] != '/'));
        require(gm_path_canonicalize(out, length, canonical, &query, &why) == length);
        require(memcmp(out, canonical, length) == 0 && query == length);
    }
    free(canonical);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = gm_strndup((const char *)data, size), *line, *rest = text;

    fuzz_forwarded((const char *)data, size);
    while ((line = strsep(&rest, "\n")) != NULL) {
        char kind = line[0] != '\0' && line[1] == ' ' ? line[0] : '\0';
        if (kind == 'F')
            fuzz_forwarded(line + 2, strlen(line + 2));
        else if (kind == 'O')
            fuzz_origin(line + 2);
        else if (kind == 'P')
            fuzz_path(line + 2);
        else
            fuzz_value(kind == 'V' ? line + 2 : line);
    }
    free(text);
    return 0;
}
