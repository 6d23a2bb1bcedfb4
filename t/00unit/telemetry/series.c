/* Numbers of combinations: given once, kept, limited exactly, also where threads ask at the same moment. */
#include "telemetry/series.h"

#include <pthread.h>

#include "picotest.h"

static void test_numbers(void)
{
    gm_series_t *series = gm_series_create(3);

    ok(gm_series_max(series) == 3);
    ok(gm_series_count(series) == 0);
    ok(gm_series_find(series, 70) == 1);
    ok(gm_series_find(series, (uint64_t)5 << 60) == 2);
    ok(gm_series_find(series, 70) == 1);
    ok(gm_series_find(series, UINT64_MAX) == 3);
    ok(gm_series_key(series, 1) == 70);
    ok(gm_series_key(series, 2) == (uint64_t)5 << 60);
    ok(gm_series_count(series) == 3);
    gm_series_destroy(series);
    gm_series_destroy(NULL);
}

static void test_limit(void)
{
    gm_series_t *series = gm_series_create(2);

    gm_series_find(series, 1);
    ok(gm_series_find(series, 2) == 2);
    ok(!gm_series_has_other(series));
    ok(gm_series_find(series, 3) == GM_SERIES_OTHER);
    ok(gm_series_has_other(series));
    ok(gm_series_find(series, 4) == GM_SERIES_OTHER);
    ok(gm_series_find(series, 2) == 2);
    ok(gm_series_count(series) == 2);
    gm_series_destroy(series);
}

/* Keys that differ in their upper bits only would all fall into one slot of a poor table. */
static void test_many(void)
{
    enum { COUNT = 4000 };
    gm_series_t *series = gm_series_create(COUNT);
    size_t wrong = 0;

    for (uint64_t i = 0; i != COUNT; ++i)
        wrong += gm_series_find(series, (i + 1) << 48) != i + 1;
    for (uint64_t i = 0; i != COUNT; ++i)
        wrong += gm_series_find(series, (i + 1) << 48) != i + 1 || gm_series_key(series, i + 1) != (i + 1)
                                                                                                       << 48;
    ok(wrong == 0);
    ok(gm_series_find(series, 7) == GM_SERIES_OTHER);
    gm_series_destroy(series);
}

enum { THREADS = 4, KEYS = 400, ROOM = 300 };

typedef struct asker {
    gm_series_t *series;
    size_t numbers[KEYS];
    size_t seed;
} asker_t;

static void *ask(void *data)
{
    asker_t *self = data;

    for (size_t i = 0; i != KEYS; ++i) {
        size_t key =
            (i * 7 + self->seed * 131) % KEYS; /* each in another order; 7 and KEYS share no factor */
        self->numbers[key] = gm_series_find(self->series, key + 1);
    }
    return NULL;
}

static void test_threads(void)
{
    static asker_t askers[THREADS];
    gm_series_t *series = gm_series_create(ROOM);
    pthread_t threads[THREADS];
    size_t others = 0, wrong = 0;

    for (size_t i = 0; i != THREADS; ++i) {
        askers[i].series = series;
        askers[i].seed = i;
        pthread_create(&threads[i], NULL, ask, &askers[i]);
    }
    for (size_t i = 0; i != THREADS; ++i)
        pthread_join(threads[i], NULL);
    ok(gm_series_count(series) == ROOM);
    for (size_t key = 0; key != KEYS; ++key) {
        size_t number = gm_series_find(series, key + 1);
        others += number == GM_SERIES_OTHER;
        wrong += number != GM_SERIES_OTHER && gm_series_key(series, number) != key + 1;
        for (size_t i = 0; i != THREADS; ++i)
            wrong += askers[i].numbers[key] != number;
    }
    ok(others == KEYS - ROOM);
    ok(wrong == 0);
    gm_series_destroy(series);
}

int main(void)
{
    subtest("numbers", test_numbers);
    subtest("limit", test_limit);
    subtest("many", test_many);
    subtest("threads", test_threads);
    return done_testing();
}
