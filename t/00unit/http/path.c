/*
 * Canonical paths: a table of cases, and properties on pseudo-random targets against a slow reading of RFC
 * 3986 that works segment by segment.
 */
#include "http/path.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "picotest.h"

static uint32_t seed = 1;

static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static bool becomes(const char *target, const char *wanted)
{
    char out[256];
    size_t query = 0, length;
    const char *why = NULL;

    length = gm_path_canonicalize(target, strlen(target), out, &query, &why);
    if (length == strlen(wanted) && memcmp(out, wanted, length) == 0 && query == strcspn(wanted, "?"))
        return true;
    note("%s became %.*s, not %s", target, (int)length, out, wanted);
    return false;
}

static bool is_refused(const char *target, const char *part)
{
    char out[256];
    size_t query;
    const char *why = NULL;

    return gm_path_canonicalize(target, strlen(target), out, &query, &why) == 0 && why != NULL &&
           strstr(why, part) != NULL && !gm_path_is_canonical(target, strlen(target));
}

static void test_forms(void)
{
    ok(becomes("/", "/"));
    ok(becomes("/a/b?c=/../%7e", "/a/b?c=/../%7e"));
    ok(becomes("/%7euser/%41", "/~user/A"));
    ok(becomes("/a%2fb%3a", "/a%2Fb%3A"));
    ok(becomes("/%c3%bc%aF", "/%C3%BC%AF"));
    ok(becomes("/a/./b/.", "/a/b/"));
    ok(becomes("/a/../b", "/b"));
    ok(becomes("/a/b/..", "/a/"));
    ok(becomes("/a/%2e%2e/b", "/b"));
    ok(becomes("/a/..%2Fb", "/a/..%2Fb"));
    ok(becomes("//a//b/", "//a//b/"));
    ok(becomes("/a//../b", "/a/b"));
    ok(becomes("/...", "/..."));
    ok(becomes("/.well-known/x", "/.well-known/x"));
    ok(becomes("/a;x=1/b", "/a;x=1/b"));
}

/* The query moves up behind a path that became shorter. */
static void test_in_place(void)
{
    char target[] = "/a/./%62/../c?the=query&keeps=/../%62&and=is-longer-than-what-goes";
    size_t length, query = 0;
    const char *why = NULL;

    length = gm_path_canonicalize(target, strlen(target), target, &query, &why);
    target[length] = '\0';
    ok(strcmp(target, "/a/c?the=query&keeps=/../%62&and=is-longer-than-what-goes") == 0);
    ok(query == 4 && why == NULL);
}

static void test_refusals(void)
{
    ok(is_refused("", "begin"));
    ok(is_refused("a", "begin"));
    ok(is_refused("?x", "begin"));
    ok(is_refused("/\xc3\xbc", "character")); /* clients encode it: one spelling */
    ok(is_refused("/%", "percent"));
    ok(is_refused("/%4", "percent"));
    ok(is_refused("/%zz", "percent"));
    ok(is_refused("/%00", "NUL"));
    ok(is_refused("/..", "above"));
    ok(is_refused("/a/../..", "above"));
    ok(is_refused("/%2e%2E/x", "above"));
    ok(is_refused("/a b", "character"));
    ok(is_refused("/a\x7f", "character"));
    ok(is_refused("/a#b", "character"));
    ok(is_refused("/a?b c", "query"));
    ok(is_refused("/a?b#c", "query"));
}

/* One percent-code or character of a path, as RFC 3986, 6.2.2 wants it; @return bytes taken, 0 = not allowed
 */
static size_t decode_one(const char *in, char *out)
{
    unsigned value;
    int taken = 0;

    if (in[0] != '%') {
        snprintf(out, 4, "%c", in[0]);
        return (unsigned char)in[0] > 0x20 && in[0] != 0x7f && in[0] != '#';
    }
    if (strspn(in + 1, "0123456789abcdefABCDEF") < 2 || sscanf(in + 1, "%2x%n", &value, &taken) != 1 ||
        value == 0)
        return 0;
    if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", (int)value) != NULL)
        snprintf(out, 4, "%c", (int)value);
    else
        snprintf(out, 4, "%%%02X", value & 0xffu);
    return 3;
}

/* Splits at slashes and keeps a stack of segments. @return false = refused */
static bool slow_canonicalize(const char *path, char *out)
{
    char segments[64][64];
    size_t count = 0, at = 1;
    bool ends_with_slash = true;

    if (path[0] != '/')
        return false;
    while (true) {
        char segment[64] = "", one[4];
        bool last;
        while (path[at] != '/' && path[at] != '\0') {
            size_t taken = decode_one(path + at, one);
            if (taken == 0)
                return false;
            strcat(segment, one);
            at += taken;
        }
        last = path[at++] == '\0';
        ends_with_slash = strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0;
        if (strcmp(segment, "..") == 0 && count-- == 0)
            return false;
        if (!ends_with_slash)
            strcpy(segments[count++], segment);
        if (last)
            break;
    }
    out[0] = '\0';
    for (size_t i = 0; i != count; ++i)
        strcat(strcat(out, "/"), segments[i]);
    if (ends_with_slash)
        strcat(out, "/");
    return true;
}

static void make_path(char *path)
{
    static const char *const pieces[] = {"/",   "/",   ".",   "..",  "a",   "b",    "%2e", "%2E",
                                         "%2f", "%41", "%7E", "%zz", "%00", "\x01", "c",   "/./"};
    uint32_t count = 1 + next_random(8);

    strcpy(path, "/");
    while (count-- != 0)
        strcat(path, pieces[next_random(sizeof(pieces) / sizeof(pieces[0]) - (next_random(8) != 0 ? 5 : 0))]);
}

static void test_against_slow_reading(void)
{
    char path[64], wanted[128], got[128], again[128];
    size_t differences = 0, refused = 0, length, query;
    const char *why;

    for (int i = 0; i != 300000; ++i) {
        bool allowed;
        make_path(path);
        why = NULL;
        allowed = slow_canonicalize(path, wanted);
        length = gm_path_canonicalize(path, strlen(path), got, &query, &why);
        refused += !allowed;
        if (allowed != (length != 0) ||
            (allowed && (length != strlen(wanted) || memcmp(got, wanted, length) != 0))) {
            if (differences++ < 5)
                note("%s: %.*s, wanted %s", path, (int)length, got, allowed ? wanted : "a refusal");
            continue;
        }
        if (!allowed)
            continue;
        /* in place gives the same */
        memcpy(again, path, strlen(path));
        if (gm_path_canonicalize(again, strlen(path), again, &query, &why) != length ||
            memcmp(again, got, length) != 0 || query != length)
            ++differences;
        /* what is canonical stays; what is_canonical says yes to is not changed; it doubts only codes and
         * dots
         */
        memcpy(again, got, length);
        if (gm_path_canonicalize(again, length, again, &query, &why) != length ||
            memcmp(again, got, length) != 0)
            ++differences;
        if (gm_path_is_canonical(path, strlen(path)) &&
            (strlen(path) != length || memcmp(path, got, length) != 0))
            ++differences;
        if (strchr(path, '%') == NULL && strstr(path, "/.") == NULL &&
            !gm_path_is_canonical(path, strlen(path)))
            ++differences;
    }
    ok(differences == 0);
    ok(refused > 10000 && refused < 290000);
}

static void test_check(void)
{
    gm_error_t err = {0};

    ok(gm_path_check("/users", &err) == 0 && err.text[0] == '\0');
    ok(gm_path_check("/a/../b", &err) == -1);
    ok(strstr(err.text, "arrive as \"/b\"") != NULL);
    err.text[0] = '\0';
    ok(gm_path_check("/%zz", &err) == -1 && strstr(err.text, "percent") != NULL);
    err.text[0] = '\0';
    ok(gm_path_check("", &err) == -1 && strstr(err.text, "begin") != NULL);
}

static bool is_told(const char *path, const char *to_write)
{
    gm_error_t err = {0};
    char end[256];

    snprintf(end, sizeof(end), "percent-encoded; write \"%s\"", to_write);
    if (gm_path_check(path, &err) == -1 && strlen(err.text) > strlen(end) &&
        strcmp(err.text + strlen(err.text) - strlen(end), end) == 0)
        return gm_path_check(to_write, NULL) == 0;
    note("%s: %s", path, err.text);
    return false;
}

/* What the message proposes is a path that can be written. */
static void test_outside_ascii(void)
{
    char path[1024] = "/";
    gm_error_t err = {0};

    ok(is_told("/gr\xc3\xb6\xc3\x9f", "/gr%C3%B6%C3%9F"));
    ok(is_told("/\xe6\x97\xa5/x", "/%E6%97%A5/x"));
    ok(is_told("/\xff", "/%FF")); /* a variable may bring what is no UTF-8 */
    ok(is_told("/a%2f\xc3\xbc/../%41\xc3\xbc", "/A%C3%BC"));
    ok(gm_path_check("/gr%C3%B6%C3%9Fe", &err) == 0);
    ok(gm_path_check("/gr\xc3\xb6 ", &err) == -1 && strstr(err.text, "a character that cannot") != NULL);
    memset(path + 1, 0xc3, sizeof(path) - 2);
    err.text[0] = '\0';
    ok(gm_path_check(path, &err) == -1 && strcmp(err.text + strlen(err.text) - 4, "...\"") == 0);
}

/* What "replacement" makes of a path of which a route names so much; "" = refused. */
static bool turns_into(const char *path, const char *route, bool is_exact, const char *replacement,
                       const char *wanted)
{
    const gm_path_match_t match = {path, strlen(path), strlen(route), is_exact};
    char out[64];
    size_t length = gm_path_replace(&match, replacement, out);

    if (strlen(wanted) != length || memcmp(out, wanted, length) != 0)
        note("%s becomes %.*s", path, (int)length, out);
    return strlen(wanted) == length && memcmp(out, wanted, length) == 0;
}

static void test_replace(void)
{
    ok(turns_into("/old/a/b", "/old", false, "/new", "/new/a/b"));
    ok(turns_into("/old", "/old", false, "/new", "/new"));
    ok(turns_into("/old/", "/old", false, "/new", "/new/"));
    ok(turns_into("/old/a", "/old", false, "/new/", "/new/a"));
    ok(turns_into("/old/a", "/old", false, "/", "/a"));
    ok(turns_into("/old", "/old", false, "/", "/"));
    ok(turns_into("/old/", "/old", false, "/", "/"));
    ok(turns_into("/a", "/", false, "/new", "/new/a"));
    ok(turns_into("/", "/", false, "/new", "/new/"));
    ok(turns_into("/a", "/", false, "/new/", "/new/a"));
    ok(turns_into("/old", "/old", true, "/new/", "/new/"));
    ok(turns_into("/old", "/old", true, "/", "/"));
    ok(turns_into("/old//a", "/old", false, "/new", "/new//a"));
}

/* "//host" names a host where a path was meant. */
static void test_replace_refusals(void)
{
    ok(turns_into("/old//evil", "/old", false, "/", ""));
    ok(turns_into("/old//", "/old", false, "/", ""));
    ok(turns_into("/old/\\evil", "/old", false, "/", ""));
    ok(turns_into("/old", "/old", true, "//evil", ""));
}

int main(void)
{
    subtest("another path", test_replace);
    subtest("another path that is none", test_replace_refusals);
    subtest("forms", test_forms);
    subtest("in place", test_in_place);
    subtest("refusals", test_refusals);
    subtest("against a slow reading of the RFC", test_against_slow_reading);
    subtest("check", test_check);
    subtest("outside ASCII", test_outside_ascii);
    return done_testing();
}
