/*
 * Unit tests of base/sha256: the known answers of FIPS 180-4 and the edges of its 64-byte blocks.
 */
#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>

#include "picotest.h"

static int hashes_to(const void *bytes, size_t length, const char *expected)
{
    char hex[65];

    memset(hex, 'x', sizeof(hex));
    gm_sha256_hex(bytes, length, hex);
    if (memchr(hex, '\0', sizeof(hex)) == hex + 64 && strcmp(hex, expected) == 0)
        return 1;
    note("got %.65s", hex);
    return 0;
}

static void test_nothing(void)
{
    const char *expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    ok(hashes_to("", 0, expected));
    ok(hashes_to(NULL, 0, expected));
}

static void test_known_answers(void)
{
    const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

    ok(hashes_to("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    ok(hashes_to(two_blocks, strlen(two_blocks),
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
}

static void test_a_million_bytes(void)
{
    char *bytes = malloc(1000000);

    memset(bytes, 'a', 1000000);
    ok(hashes_to(bytes, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
    free(bytes);
}

static void test_nul_is_a_byte(void)
{
    ok(hashes_to("\0", 1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"));
}

int main(void)
{
    subtest("nothing", test_nothing);
    subtest("known answers", test_known_answers);
    subtest("a million bytes", test_a_million_bytes);
    subtest("a NUL is a byte like others", test_nul_is_a_byte);
    return done_testing();
}
