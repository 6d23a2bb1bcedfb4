/* Random numbers: different for everybody, never zeros alone, every bit used. */
#include "base/random.h"

#include <string.h>

#include "picotest.h"

static void test_streams(void)
{
    gm_random_t a, b;

    gm_random_init(&a);
    gm_random_init(&b);
    ok(gm_random_next(&a) != gm_random_next(&b));
    ok(gm_random_next(&a) != gm_random_next(&a));
}

/* The reference: the first numbers for the state 1, 2, 3, 4. */
static void test_sequence(void)
{
    gm_random_t self = {{1, 2, 3, 4}};

    ok(gm_random_next(&self) == 11520);
    ok(gm_random_next(&self) == 0);
    ok(gm_random_next(&self) == 1509978240);
}

static void test_fill(void)
{
    gm_random_t self;
    uint8_t bytes[19], ones[19] = {0}, zeros[19] = {0};
    int full = 1;

    gm_random_init(&self);
    for (int i = 0; i != 200; ++i) {
        gm_random_fill(&self, bytes, sizeof(bytes));
        for (size_t at = 0; at != sizeof(bytes); ++at) {
            ones[at] |= bytes[at];
            zeros[at] |= (uint8_t)~bytes[at];
        }
    }
    for (size_t at = 0; at != sizeof(bytes); ++at)
        full = full && ones[at] == 0xff && zeros[at] == 0xff;
    ok(full);
}

int main(void)
{
    subtest("streams", test_streams);
    subtest("sequence", test_sequence);
    subtest("fill", test_fill);
    return done_testing();
}
