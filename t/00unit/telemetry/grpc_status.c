/* The statuses of gRPC: their numbers are fixed, and messages break out of nothing. */
#include "telemetry/grpc_status.h"

#include <string.h>

#include "picotest.h"

static void test_names(void)
{
    ok(GM_GRPC_STATUS_COUNT == 17);
    ok(GM_GRPC_OK == 0 && GM_GRPC_DEADLINE_EXCEEDED == 4 && GM_GRPC_RESOURCE_EXHAUSTED == 8);
    ok(GM_GRPC_UNIMPLEMENTED == 12 && GM_GRPC_UNAVAILABLE == 14 && GM_GRPC_UNAUTHENTICATED == 16);
    ok(strcmp(gm_grpc_status_name(GM_GRPC_CANCELLED), "CANCELLED") == 0);
    ok(strcmp(gm_grpc_status_name(GM_GRPC_UNAUTHENTICATED), "UNAUTHENTICATED") == 0);
    ok(gm_grpc_status_is_of_server(GM_GRPC_DATA_LOSS) && !gm_grpc_status_is_of_server(GM_GRPC_NOT_FOUND));
}

static gm_grpc_status_t read_text(const char *text)
{
    return gm_grpc_status_read(text, strlen(text));
}

static void test_reading(void)
{
    ok(read_text("0") == GM_GRPC_OK);
    ok(read_text("14") == GM_GRPC_UNAVAILABLE);
    ok(read_text("16") == GM_GRPC_UNAUTHENTICATED);
    ok(read_text("17") == GM_GRPC_UNKNOWN);
    ok(read_text("99") == GM_GRPC_UNKNOWN);
    ok(read_text("") == GM_GRPC_UNKNOWN);
    ok(read_text("-1") == GM_GRPC_UNKNOWN);
    ok(read_text("OK") == GM_GRPC_UNKNOWN);
    ok(read_text("000") == GM_GRPC_UNKNOWN);
    ok(read_text("4294967296") == GM_GRPC_UNKNOWN);
}

static void test_http(void)
{
    ok(gm_grpc_status_of_http(400) == GM_GRPC_INTERNAL);
    ok(gm_grpc_status_of_http(401) == GM_GRPC_UNAUTHENTICATED);
    ok(gm_grpc_status_of_http(403) == GM_GRPC_PERMISSION_DENIED);
    ok(gm_grpc_status_of_http(404) == GM_GRPC_UNIMPLEMENTED);
    ok(gm_grpc_status_of_http(429) == GM_GRPC_UNAVAILABLE);
    ok(gm_grpc_status_of_http(503) == GM_GRPC_UNAVAILABLE);
    ok(gm_grpc_status_of_http(200) == GM_GRPC_UNKNOWN);
    ok(gm_grpc_status_of_http(308) == GM_GRPC_UNKNOWN);
}

static void test_message(void)
{
    static const char text[] = "100% of \"x\\y\"\r\n\x7f\xc3\xbc~ ";
    gm_buffer_t out = {0};

    gm_grpc_status_append_message(&out, text, sizeof(text) - 1);
    ok(strcmp(out.text, "100%25 of \"x\\y\"%0D%0A%7F%C3%BC~ ") == 0);
    gm_buffer_dispose(&out);
}

int main(void)
{
    subtest("names", test_names);
    subtest("reading", test_reading);
    subtest("of HTTP", test_http);
    subtest("message", test_message);
    return done_testing();
}
