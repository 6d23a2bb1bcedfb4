/* What gRPC says in a head: which requests are its own, how long they may take, what they ask for. */
#include "http/grpc.h"

#include <string.h>

#include "picotest.h"

static bool is_type(const char *text)
{
    return gm_grpc_is_content_type(text, strlen(text));
}

static void test_content_type(void)
{
    static const char *const good[] = {"application/grpc", "application/grpc+proto", "application/grpc;a=b",
                                       "Application/GRPC+json", "application/grpc ; a=b"};
    static const char *const bad[] = {"",
                                      "application/grp",
                                      "application/grpc-web",
                                      "application/grpc-web+proto",
                                      "application/grpcx",
                                      "application/json",
                                      "text/application/grpc"};

    for (size_t i = 0; i != GM_COUNT_OF(good); ++i)
        ok(is_type(good[i]));
    for (size_t i = 0; i != GM_COUNT_OF(bad); ++i)
        ok(!is_type(bad[i]));
}

static bool reads(const char *text, uint64_t expected)
{
    uint64_t ns = 7;

    return gm_grpc_timeout_read(text, strlen(text), &ns) == 0 && ns == expected;
}

static bool refuses(const char *text)
{
    uint64_t ns = 7;

    return gm_grpc_timeout_read(text, strlen(text), &ns) == -1 && ns == 7;
}

static void test_reading(void)
{
    ok(reads("1n", 1));
    ok(reads("20u", 20000));
    ok(reads("300m", UINT64_C(300000000)));
    ok(reads("4S", UINT64_C(4000000000)));
    ok(reads("5M", UINT64_C(300000000000)));
    ok(reads("6H", UINT64_C(21600000000000)));
    ok(reads("0S", 0));
    ok(reads("00000001S", UINT64_C(1000000000)));
    ok(reads("99999999n", 99999999));
    ok(reads("99999999M", UINT64_C(5999999940) * 1000000000));
    ok(reads("99999999H", INT64_MAX)); /* 11,415 years */
}

static void test_nonsense(void)
{
    static const char *const bad[] = {"",    "1",   "S",    "m1",   "100000000n", "123456789S",
                                      "1 S", " 1S", "1S ",  "-1S",  "+1S",        "1s",
                                      "1h",  "1ms", "1.5S", "0x1S", "1S,2S"};

    for (size_t i = 0; i != GM_COUNT_OF(bad); ++i)
        ok(refuses(bad[i]));
    ok(gm_grpc_timeout_read("1\0S", 3, &(uint64_t){0}) == -1);
}

static bool writes(uint64_t ns, const char *expected)
{
    char out[GM_GRPC_TIMEOUT_LENGTH];
    size_t length = gm_grpc_timeout_write(ns, out);

    return length == strlen(expected) && memcmp(out, expected, length) == 0;
}

static void test_writing(void)
{
    ok(writes(0, "1n"));
    ok(writes(1, "1n"));
    ok(writes(99999999, "99999999n"));
    ok(writes(100000000, "100000u"));
    ok(writes(100000999, "100000u")); /* never more than there is */
    ok(writes(UINT64_C(1000000000), "1000000u"));
    ok(writes(UINT64_C(99999999999), "99999999u"));
    ok(writes(UINT64_C(100000000000), "100000m"));
    ok(writes(UINT64_C(3600) * 1000000000, "3600000m"));
    ok(writes(UINT64_C(100000) * 1000000000, "100000S"));
    ok(writes(UINT64_C(100000000) * 1000000000, "1666666M"));
    ok(writes(INT64_MAX, "2562047H"));
    ok(writes(UINT64_MAX, "5124095H"));
}

/* @param expected  "service method"; NULL = it is not of that form */
static bool splits(const char *path, const char *expected)
{
    size_t service, method, space;

    if (!gm_grpc_path_split(path, strlen(path), &service, &method))
        return expected == NULL;
    if (expected == NULL)
        return false;
    space = strcspn(expected, " ");
    return service == space && memcmp(path + 1, expected, space) == 0 &&
           method == strlen(expected + space + 1) &&
           memcmp(path + service + 2, expected + space + 1, method) == 0;
}

static void test_paths(void)
{
    ok(splits("/package.Service/Method", "package.Service Method"));
    ok(splits("/a/b", "a b"));
    ok(splits("/My-pkg.v1.S_1/Do.It", "My-pkg.v1.S_1 Do.It"));
    ok(splits("", NULL));
    ok(splits("/", NULL));
    ok(splits("//", NULL));
    ok(splits("/a", NULL));
    ok(splits("/a/", NULL));
    ok(splits("//b", NULL));
    ok(splits("/a/b/", NULL));
    ok(splits("/a/b/c", NULL));
    ok(splits("/a/b?c", NULL));
    ok(splits("/a%20/b", NULL));
    ok(splits("/a/b\"", NULL));
    ok(splits("*", NULL));
}

int main(void)
{
    subtest("content-type", test_content_type);
    subtest("reading", test_reading);
    subtest("nonsense", test_nonsense);
    subtest("writing", test_writing);
    subtest("paths", test_paths);
    return done_testing();
}
