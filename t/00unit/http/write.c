/* Numbers and fields, written into memory that was measured before. */
#include "http/write.h"

#include <stdio.h>

#include "picotest.h"

static void test_numbers(void)
{
    static const uint64_t values[] = {0, 1, 9, 10, 99, 100, 65535, 1000000, 4294967296, UINT64_MAX};

    for (size_t i = 0; i != sizeof(values) / sizeof(values[0]); ++i) {
        char got[32], wanted[32];
        char *end = gm_write_number(got, values[i]);
        int length = snprintf(wanted, sizeof(wanted), "%llu", (unsigned long long)values[i]);
        ok(end - got == length && memcmp(got, wanted, (size_t)length) == 0);
    }
}

static void test_fields(void)
{
    const gm_head_field_t fields[] = {{{"a", 1}, {"b", 1}}, {{"x-empty", 7}, {"", 0}}};
    static const char wanted[] = "a: b\r\nx-empty: \r\n";
    char got[64];

    ok(gm_write_fields(got, NULL, 0) == got && gm_write_fields_size(NULL, 0) == 0);
    ok(gm_write_fields(got, fields, 2) - got == sizeof(wanted) - 1);
    ok(memcmp(got, wanted, sizeof(wanted) - 1) == 0);
    ok(gm_write_fields_size(fields, 2) == sizeof(wanted) - 1);
    ok(GM_WRITE_LITERAL(got, "end") == got + 3 && memcmp(got, "end", 3) == 0);
}

int main(void)
{
    subtest("numbers", test_numbers);
    subtest("fields", test_fields);
    return done_testing();
}
