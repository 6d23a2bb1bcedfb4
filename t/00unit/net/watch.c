/* What makes no progress is noticed, by a clock that the test makes. */
#include "net/watch.h"

#include "picotest.h"

static uint64_t now_ms = 1000000;
static unsigned ticks_per_call; /* the clock goes on while a sweep runs */

/* in the place of gm_clock_coarse_ms, see t/CMakeLists.txt */
uint64_t __wrap_gm_clock_coarse_ms(void);
uint64_t __wrap_gm_clock_coarse_ms(void)
{
    return now_ms += ticks_per_call;
}

typedef struct thing {
    gm_watch_t watch;
    gm_watches_t *all;
    unsigned late, starts_again;
    struct thing *stops;
} thing_t;

static void on_late(gm_watch_t *watch)
{
    thing_t *self = H2O_STRUCT_FROM_MEMBER(thing_t, watch, watch);

    ++self->late;
    if (self->stops != NULL)
        gm_watch_stop(&self->stops->watch);
    if (self->starts_again != 0) {
        --self->starts_again;
        gm_watch_start(self->all, watch, watch->limit_ms, on_late);
    }
}

static void test_late(void)
{
    gm_watches_t *all = gm_watches_create(80);
    thing_t a = {.all = all}, b = {.all = all};

    ok(gm_watches_patience_ms(all) == 10);
    now_ms += 4;
    ok(gm_watches_patience_ms(all) == 6); /* whatever else woke the loop */
    gm_watch_start(all, &a.watch, 100, on_late);
    gm_watch_start(all, &b.watch, 200, on_late);
    now_ms += 99;
    gm_watches_sweep(all);
    ok(a.late == 0 && gm_watch_is_running(&a.watch));
    now_ms += 1;
    gm_watches_sweep(all);
    ok(a.late == 0); /* it is not time for another look */
    ok(gm_watches_patience_ms(all) == 9);
    now_ms += 9;
    ok(gm_watches_patience_ms(all) == 1);
    gm_watches_sweep(all);
    ok(a.late == 1 && !gm_watch_is_running(&a.watch) && b.late == 0);
    gm_watch_renew(&b.watch);
    now_ms += 199;
    gm_watches_sweep(all);
    ok(b.late == 0);
    gm_watch_stop(&b.watch);
    now_ms += 1000;
    gm_watches_sweep(all);
    ok(b.late == 0);
    gm_watch_start(all, &b.watch, 0, on_late);
    ok(!gm_watch_is_running(&b.watch));
    gm_watches_destroy(all);
    gm_watches_destroy(NULL);
}

/* The clock moves during a sweep: who starts again then is not late, and the sweep ends. */
static void test_again(void)
{
    gm_watches_t *all = gm_watches_create(80);
    thing_t things[50];

    for (size_t i = 0; i != 50; ++i) {
        things[i] = (thing_t){.all = all, .starts_again = 1000};
        gm_watch_start(all, &things[i].watch, 100, on_late);
    }
    now_ms += 100;
    ticks_per_call = 4;
    gm_watches_sweep(all);
    ticks_per_call = 0;
    for (size_t i = 0; i != 50; ++i)
        ok(things[i].late == 1 && gm_watch_is_running(&things[i].watch));
    for (size_t i = 0; i != 50; ++i)
        gm_watch_stop(&things[i].watch);
    gm_watches_destroy(all);
}

/* A callback may stop any other, also the one that would have been looked at next. */
static void test_stops_next(void)
{
    gm_watches_t *all = gm_watches_create(80);
    thing_t a = {.all = all}, b = {.all = all}, c = {.all = all};

    a.stops = &b;
    gm_watch_start(all, &a.watch, 100, on_late);
    gm_watch_start(all, &b.watch, 100, on_late);
    gm_watch_start(all, &c.watch, 100, on_late);
    now_ms += 100;
    gm_watches_sweep(all);
    ok(a.late == 1 && b.late == 0 && c.late == 1);
    gm_watches_destroy(all);
}

int main(void)
{
    subtest("late", test_late);
    subtest("again", test_again);
    subtest("stops the next", test_stops_next);
    return done_testing();
}
