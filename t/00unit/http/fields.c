/* Which header fields stay on one connection. */
#include "http/fields.h"

#include <string.h>

#include "picotest.h"

static bool is_hop(const char *name)
{
    return gm_fields_is_hop_by_hop(name, strlen(name));
}

static bool is_twin(const char *name)
{
    return gm_fields_is_underscore_twin(name, strlen(name));
}

static bool names(const char *value, const char *name)
{
    return gm_fields_connection_names(value, strlen(value), name, strlen(name));
}

static void test_hop_by_hop(void)
{
    static const char *const hops[] = {"connection", "keep-alive", "proxy-connection", "te",
                                       "trailer",    "upgrade",    "transfer-encoding"};

    for (size_t i = 0; i != sizeof(hops) / sizeof(hops[0]); ++i)
        ok(is_hop(hops[i]));
    ok(!is_hop("host"));
    ok(!is_hop("connection2"));
    ok(!is_hop("connectio"));
    ok(!is_hop(""));
}

static void test_connection(void)
{
    ok(names("close", "close"));
    ok(names("keep-alive, X-Hop", "x-hop"));
    ok(names(" \tx-hop\t , y", "x-hop"));
    ok(names(",,x", "x"));
    ok(!names("x-hop2", "x-hop"));
    ok(!names("x hop", "x"));
    ok(!names("", "x"));
    ok(!names(", ,", "x"));
}

static void test_twins(void)
{
    ok(is_twin("content_length"));
    ok(is_twin("transfer_encoding"));
    ok(is_twin("x_forwarded_for"));
    ok(is_twin("x-forwarded_for"));
    ok(!is_twin("x-forwarded-for"));
    ok(!is_twin("my_field"));
    ok(!is_twin("content_length2"));
    ok(!is_twin("_"));
}

static bool may_be_trailer(const char *name)
{
    return gm_fields_may_be_trailer(name, strlen(name));
}

static void test_trailers(void)
{
    ok(may_be_trailer("grpc-status"));
    ok(may_be_trailer("digest"));
    ok(!may_be_trailer("host"));
    ok(!may_be_trailer("content-length"));
    ok(!may_be_trailer("content_length"));
    ok(!may_be_trailer("transfer-encoding"));
    ok(!may_be_trailer("connection"));
    ok(!may_be_trailer("authorization"));
    ok(!may_be_trailer("x-forwarded-for"));
}

static bool is_refused(const char *name, bool is_answer, const char *part)
{
    gm_error_t err = {0};

    return gm_fields_check_change(name, is_answer, &err) == -1 && strstr(err.text, part) != NULL;
}

static void test_changes(void)
{
    static const char *const free_names[] = {"X-A", "x-real-ip",     "Set-Cookie",       "Server",
                                             "Via", "Authorization", "X-Forwarded-Port", "!#$%&'*+-.^_`|~9"};

    for (size_t i = 0; i != GM_COUNT_OF(free_names); ++i) {
        ok(gm_fields_check_change(free_names[i], false, NULL) == 0);
        ok(gm_fields_check_change(free_names[i], true, NULL) == 0);
    }
    ok(is_refused("", true, "not the name"));
    ok(is_refused("a b", true, "not the name"));
    ok(is_refused("a:", true, "not the name"));
    ok(is_refused("gr\xc3\xbc\xc3\x9f", false, "not the name"));
    ok(is_refused("a\n", false, "not the name"));
    ok(is_refused("HOST", false, "rewrite"));
    ok(is_refused("Content-Length", false, "frames"));
    ok(is_refused("transfer-encoding", true, "frames"));
    ok(is_refused("TE", false, "frames"));
    ok(is_refused("Expect", false, "frames"));
    ok(is_refused("X-Forwarded-For", false, "itself"));
    ok(gm_fields_check_change("X-Forwarded-For", true, NULL) == 0);
    ok(is_refused("Forwarded", false, "itself"));
    ok(is_refused("Date", true, "itself"));
    ok(is_refused("content_length", false, "pass for"));
    ok(is_refused("X_Forwarded_For", false, "pass for"));
}

static bool cannot_show(const char *name, bool is_answer, const char *part)
{
    gm_error_t err = {0};

    return gm_fields_check_shown(name, is_answer, &err) == -1 && strstr(err.text, part) != NULL;
}

static void test_shown(void)
{
    static const char *const both[] = {
        "User-Agent", "x-forwarded-for",
        "Set-Cookie", "Date",
        "a_b",        "a-name-that-is-longer-than-whatever-has-a-rule-in-this-proxy-of-ours"};

    for (size_t i = 0; i != GM_COUNT_OF(both); ++i) {
        ok(gm_fields_check_shown(both[i], false, NULL) == 0);
        ok(gm_fields_check_shown(both[i], true, NULL) == 0);
    }
    ok(gm_fields_check_shown("Content-Length", true, NULL) == 0);
    ok(cannot_show("Content-Length", false, "bytes_in"));
    ok(cannot_show("Host", false, "already"));
    ok(cannot_show("CONNECTION", true, "one connection"));
    ok(cannot_show("expect", false, "one connection"));
    ok(cannot_show("X_Forwarded_For", false, "\"-\""));
    ok(cannot_show("", false, "not the name"));
    ok(cannot_show("a b", true, "not the name"));
}

int main(void)
{
    subtest("changes by policies", test_changes);
    subtest("what lines show", test_shown);
    subtest("hop by hop", test_hop_by_hop);
    subtest("Connection", test_connection);
    subtest("underscore twins", test_twins);
    subtest("trailers", test_trailers);
    return done_testing();
}
