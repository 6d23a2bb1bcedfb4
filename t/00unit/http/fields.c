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

int main(void)
{
    subtest("hop by hop", test_hop_by_hop);
    subtest("Connection", test_connection);
    subtest("underscore twins", test_twins);
    subtest("trailers", test_trailers);
    return done_testing();
}
