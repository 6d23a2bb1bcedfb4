/* When there is a supervisor, and how long it waits. */
#include "server/supervise.h"

#include <string.h>

#include "picotest.h"

static char *no_variable(const char *name)
{
    (void)name;
    return NULL;
}

static char *notify_socket(const char *name)
{
    return strcmp(name, "NOTIFY_SOCKET") == 0 ? (char *)"/run/systemd/notify" : NULL;
}

static char *invocation_id(const char *name)
{
    return strcmp(name, "INVOCATION_ID") == 0 ? (char *)"0123456789abcdef" : NULL;
}

static void test_auto(void)
{
    ok(gm_supervise_is_wanted(GM_SUPERVISE_AUTO, no_variable));
    ok(!gm_supervise_is_wanted(GM_SUPERVISE_AUTO, notify_socket));
    ok(!gm_supervise_is_wanted(GM_SUPERVISE_AUTO, invocation_id));
}

static void test_said(void)
{
    ok(gm_supervise_is_wanted(GM_SUPERVISE_ON, notify_socket));
    ok(!gm_supervise_is_wanted(GM_SUPERVISE_OFF, no_variable));
}

static void test_first_death_costs_no_wait(void)
{
    gm_back_off_t back_off = {0};

    ok(gm_back_off_take_ms(&back_off, 5) == 0);
    ok(gm_back_off_take_ms(&back_off, 9999) == 100);
}

static void test_waits_double_up_to_a_limit(void)
{
    static const uint64_t expected[] = {0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    gm_back_off_t back_off = {0};

    for (size_t i = 0; i != GM_COUNT_OF(expected); ++i)
        ok(gm_back_off_take_ms(&back_off, 0) == expected[i]);
}

static void test_service_forgives(void)
{
    gm_back_off_t back_off = {0};

    for (int i = 0; i != 20; ++i)
        gm_back_off_take_ms(&back_off, 0);
    ok(gm_back_off_take_ms(&back_off, 10000) == 0);
    ok(gm_back_off_take_ms(&back_off, 0) == 100);
}

int main(void)
{
    subtest("auto", test_auto);
    subtest("what the configuration says", test_said);
    subtest("the first death costs no wait", test_first_death_costs_no_wait);
    subtest("waits double, up to a limit", test_waits_double_up_to_a_limit);
    subtest("who has served for a while is replaced at once", test_service_forgives);
    return done_testing();
}
