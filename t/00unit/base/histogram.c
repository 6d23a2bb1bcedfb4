/* Which bucket a value falls into, above all where it is equal to a bound. */
#include "base/histogram.h"

#include <stdbool.h>

#include "picotest.h"

static const uint64_t values[] = {10, 20, 50};
static const gm_histogram_bounds_t bounds = {values, 3};

static bool fills(uint64_t value, const uint64_t expected[GM_HISTOGRAM_CELLS(3)])
{
    gm_counter_t cells[GM_HISTOGRAM_CELLS(3)] = {0};

    gm_histogram_observe(cells, &bounds, value);
    for (size_t i = 0; i != GM_HISTOGRAM_CELLS(3); ++i)
        if (gm_counter_read(&cells[i]) != expected[i])
            return false;
    return true;
}

static void test_edges(void)
{
    ok(fills(0, (uint64_t[]){1, 0, 0, 0, 0}));
    ok(fills(9, (uint64_t[]){1, 0, 0, 0, 9}));
    ok(fills(10, (uint64_t[]){1, 0, 0, 0, 10}));
    ok(fills(11, (uint64_t[]){0, 1, 0, 0, 11}));
    ok(fills(20, (uint64_t[]){0, 1, 0, 0, 20}));
    ok(fills(50, (uint64_t[]){0, 0, 1, 0, 50}));
    ok(fills(51, (uint64_t[]){0, 0, 0, 1, 51}));
    ok(fills(UINT64_MAX, (uint64_t[]){0, 0, 0, 1, UINT64_MAX}));
}

static void test_no_bounds(void)
{
    const gm_histogram_bounds_t none = {NULL, 0};
    gm_counter_t cells[GM_HISTOGRAM_CELLS(0)] = {0};

    gm_histogram_observe(cells, &none, 7);
    gm_histogram_observe(cells, &none, 8);
    ok(gm_counter_read(&cells[0]) == 2);
    ok(gm_counter_read(&cells[1]) == 15);
}

int main(void)
{
    subtest("edges", test_edges);
    subtest("no_bounds", test_no_bounds);
    return done_testing();
}
