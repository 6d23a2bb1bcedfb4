/* Fields about traces: every rule of W3C Trace Context, by example. */
#include "telemetry/trace_context.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "picotest.h"

#define ID "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static bool reads(const char *text)
{
    static const gm_trace_t untouched;
    gm_trace_t trace = untouched;
    bool is_read = gm_traceparent_read(text, strlen(text), &trace);

    if (!is_read && memcmp(&trace, &untouched, sizeof(trace)) != 0)
        ok(!"an invalid one changed something");
    return is_read;
}

static void test_valid_parents(void)
{
    gm_trace_t trace = {.span_id = {1, 2}};
    char out[GM_TRACEPARENT_LENGTH];

    ok(gm_traceparent_read("00-" ID "-" PARENT "-01", 55, &trace));
    ok(trace.is_sampled && trace.trace_id[0] == 0x0a && trace.trace_id[15] == 0x9c);
    ok(trace.parent_id[0] == 0xb7 && trace.parent_id[7] == 0x31);
    gm_traceparent_write(&trace, trace.span_id, out);
    ok(memcmp(out, "00-" ID "-0102000000000000-01", sizeof(out)) == 0);
    ok(gm_traceparent_read("00-" ID "-" PARENT "-00", 55, &trace) && !trace.is_sampled);
    ok(gm_traceparent_read("00-" ID "-" PARENT "-02", 55, &trace) && !trace.is_sampled);
    ok(reads("00-" ID "-" PARENT "-ff"));
}

static void test_versions_to_come(void)
{
    ok(reads("01-" ID "-" PARENT "-01"));
    ok(reads("cc-" ID "-" PARENT "-01-what-ever"));
    ok(!reads("cc-" ID "-" PARENT "-01.what-ever"));
    ok(!reads("ff-" ID "-" PARENT "-01"));
    ok(!reads("00-" ID "-" PARENT "-01-what-ever"));
    ok(!reads("00-" ID "-" PARENT "-01-"));
}

static void test_invalid_parents(void)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-" ID "-" PARENT "-0",
        "00-" ID "-" PARENT "-1",
        "00-" ID "-" PARENT "01",
        "00-" ID "-" PARENT "-0x",
        "00-" ID "-" PARENT "-0A",
        "0x-" ID "-" PARENT "-01",
        "0-" ID "-" PARENT "-01x",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" ID "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
        "00-" ID "-B7AD6B7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319g-" PARENT "-01",
        "00_" ID "-" PARENT "-01",
        "00-" ID "_" PARENT "-01",
        "00-" ID "-" PARENT "_01",
        "00-0af7651916cd43dd8448eb211c8031-" PARENT "-01aa",
        " 00-" ID "-" PARENT "-01",
    };

    for (size_t i = 0; i != sizeof(bad) / sizeof(bad[0]); ++i)
        ok(!reads(bad[i]));
}

static void test_trace_ids(void)
{
    gm_trace_t trace = {.is_sampled = false};
    char out[GM_TRACE_ID_LENGTH];

    ok(gm_trace_id_read("0AF7651916cd43dd8448eb211c80319c", 32, &trace));
    gm_trace_id_write(&trace, out);
    ok(memcmp(out, ID, sizeof(out)) == 0);
    ok(!gm_trace_id_read("0af7651916cd43dd8448eb211c80319", 31, &trace));
    ok(!gm_trace_id_read("0af7651916cd43dd8448eb211c80319c0", 33, &trace));
    ok(!gm_trace_id_read("00000000000000000000000000000000", 32, &trace));
    ok(!gm_trace_id_read("0af7651916cd43dd8448eb211c80319\n", 32, &trace));
    ok(!gm_trace_id_read(NULL, 0, &trace));
    gm_trace_id_write(&trace, out);
    ok(memcmp(out, ID, sizeof(out)) == 0);
}

static bool is_state(const char *text)
{
    return gm_tracestate_is_valid(text, strlen(text));
}

static void test_states(void)
{
    static const char *const good[] = {"rojo=1",
                                       "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
                                       "a=1, b=2 ,\tc=3\t",
                                       "fw529a3039@dt=FfTj6Y",
                                       "0a_-*/@z=x y",
                                       "a=1,,b=2",
                                       ",a=1,"};
    static const char *const bad[] = {"",       " ",          ",",     "a",         "a=",         "=1",
                                      "A=1",    "_a=1",       "a=1=2", "a=1,b",     "a=1,a=2",    "a b=1",
                                      "a=\x7f", "a=\xc3\xbc", "a =1",  "a=1;b=2,c", "a=1\r\nx: y"};

    for (size_t i = 0; i != sizeof(good) / sizeof(good[0]); ++i)
        ok(is_state(good[i]));
    for (size_t i = 0; i != sizeof(bad) / sizeof(bad[0]); ++i)
        ok(!is_state(bad[i]));
}

static void test_state_limits(void)
{
    char text[2048];
    size_t length = 0;

    for (int i = 0; i != 32; ++i)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%sk%d=v", i != 0 ? "," : "", i);
    ok(gm_tracestate_is_valid(text, length));
    length += (size_t)snprintf(text + length, sizeof(text) - length, ",one-more=v");
    ok(!gm_tracestate_is_valid(text, length));
    memset(text, 'x', sizeof(text));
    text[1] = '=';
    ok(gm_tracestate_is_valid(text, 2 + 256));
    ok(!gm_tracestate_is_valid(text, 2 + 257));
    text[1] = 'x';
    text[256] = '=';
    ok(gm_tracestate_is_valid(text, 257 + 255)); /* 512 in all */
    ok(!gm_tracestate_is_valid(text, 257 + 256));
    text[256] = 'x';
    text[257] = '=';
    ok(!gm_tracestate_is_valid(text, 260));
}

/* Who takes more takes what others take, too. */
static void test_shares(void)
{
    static const uint32_t shares[] = {0, 1, 10000, 250000, 500000, 999999, 1000000};
    gm_trace_t trace = {.trace_id = {1}};
    int counts[GM_COUNT_OF(shares)] = {0}, is_nested = 1;

    for (unsigned i = 0; i != 4096; ++i) {
        bool before = false;
        trace.trace_id[9] = (uint8_t)(i >> 4); /* the first of the last 56 bits */
        trace.trace_id[10] = (uint8_t)(i << 4);
        for (size_t j = 0; j != GM_COUNT_OF(shares); ++j) {
            bool is_chosen = gm_trace_is_chosen(&trace, shares[j]);
            is_nested = is_nested && is_chosen >= before;
            before = is_chosen;
            counts[j] += is_chosen;
        }
    }
    ok(is_nested);
    ok(counts[0] == 0 && counts[1] == 0 && counts[2] == 40 && counts[3] == 1024 && counts[4] == 2048);
    ok(counts[5] == 4095 && counts[6] == 4096);
    memset(trace.trace_id, 0xff, sizeof(trace.trace_id));
    ok(gm_trace_is_chosen(&trace, 1) && !gm_trace_is_chosen(&trace, 0));
}

int main(void)
{
    subtest("valid traceparents", test_valid_parents);
    subtest("versions to come", test_versions_to_come);
    subtest("invalid traceparents", test_invalid_parents);
    subtest("trace ids", test_trace_ids);
    subtest("tracestates", test_states);
    subtest("limits of tracestates", test_state_limits);
    subtest("shares", test_shares);
    return done_testing();
}
