/* Tests of http/reason. */
#include "http/reason.h"

#include <string.h>

#include "picotest.h"

static void test_known(void)
{
    ok(strcmp(gm_reason_phrase(200), "OK") == 0);
    ok(strcmp(gm_reason_phrase(304), "Not Modified") == 0);
    ok(strcmp(gm_reason_phrase(511), "Network Authentication Required") == 0);
}

static void test_unknown(void)
{
    ok(strcmp(gm_reason_phrase(299), "Success") == 0);
    ok(strcmp(gm_reason_phrase(499), "Client Error") == 0);
    ok(strcmp(gm_reason_phrase(0), "Unknown") == 0);
    ok(strcmp(gm_reason_phrase(600), "Unknown") == 0);
    for (unsigned status = 0; status != 1000; ++status)
        if (gm_reason_phrase(status)[0] == '\0')
            ok(0);
}

int main(void)
{
    subtest("known", test_known);
    subtest("unknown", test_unknown);
    return done_testing();
}
