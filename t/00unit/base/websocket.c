/*
 * Unit tests of base/websocket: the example of RFC 6455, 1.3, and what differs from it by little.
 */
#include "base/websocket.h"

#include <string.h>

#include "picotest.h"

static void test_accept(void)
{
    const char *key = "dGhlIHNhbXBsZSBub25jZQ==", *accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    ok(gm_websocket_is_accept(key, accept, 28));
    ok(!gm_websocket_is_accept(key, accept, 27));
    ok(!gm_websocket_is_accept(key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo= ", 29));
    ok(!gm_websocket_is_accept(key, "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28));
    ok(!gm_websocket_is_accept("dGhlIHNhbXBsZSBub25jZR==", accept, 28));
    ok(!gm_websocket_is_accept(key, "", 0));
    ok(!gm_websocket_is_accept(key, NULL, 0));
}

static void test_key(void)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char first[GM_WEBSOCKET_KEY_LENGTH + 1], second[GM_WEBSOCKET_KEY_LENGTH + 1];

    gm_websocket_make_key(first);
    gm_websocket_make_key(second);
    ok(strlen(first) == 24);
    ok(strspn(first, letters) == 22);
    ok(strcmp(first + 22, "==") == 0);
    ok(strcmp(first, second) != 0);
}

int main(void)
{
    subtest("accept", test_accept);
    subtest("key", test_key);
    return done_testing();
}
