/* Names as numbers: by pointer, by text, and those that are not in the list. */
#include "telemetry/interned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picotest.h"

static void test_numbers(void)
{
    const char *const names[] = {"users", "", "orders"};
    char copy[] = "orders";
    gm_interned_t *interned = gm_interned_create(names, 3);

    ok(gm_interned_find(interned, NULL) == GM_INTERNED_NONE);
    ok(gm_interned_find(interned, names[0]) == 2);
    ok(gm_interned_find(interned, names[1]) == 3);
    ok(gm_interned_find(interned, names[2]) == 4);
    ok(gm_interned_find(interned, copy) == 4);
    ok(gm_interned_find(interned, "order") == GM_INTERNED_OTHER);
    ok(gm_interned_count(interned) == 5);
    ok(strcmp(gm_interned_text(interned, 4), "orders") == 0);
    ok(strcmp(gm_interned_text(interned, GM_INTERNED_NONE), "none") == 0);
    ok(strcmp(gm_interned_text(interned, GM_INTERNED_OTHER), "other") == 0);
    gm_interned_destroy(interned);
    gm_interned_destroy(NULL);
}

/* Two series with the same labels would be one too many for Prometheus. */
static void test_equal_texts(void)
{
    char first[] = "same", second[] = "same", none[] = "none", other[] = "other";
    const char *const names[] = {first, none, second, other, "last"};
    gm_interned_t *interned = gm_interned_create(names, 5);

    ok(gm_interned_find(interned, first) == 2);
    ok(gm_interned_find(interned, second) == 2);
    ok(gm_interned_find(interned, none) == GM_INTERNED_NONE);
    ok(gm_interned_find(interned, other) == GM_INTERNED_OTHER);
    ok(gm_interned_find(interned, names[4]) == 3);
    ok(gm_interned_count(interned) == 4);
    gm_interned_destroy(interned);
}

static void test_no_names(void)
{
    gm_interned_t *interned = gm_interned_create(NULL, 0);

    ok(gm_interned_find(interned, NULL) == GM_INTERNED_NONE);
    ok(gm_interned_find(interned, "a") == GM_INTERNED_OTHER);
    ok(gm_interned_count(interned) == 2);
    gm_interned_destroy(interned);
}

static void test_too_many(void)
{
    enum { NAMES = GM_INTERNED_MAX + 10, TEXT = 8 };
    char *texts = gm_alloc((size_t)NAMES * TEXT);
    const char **names = gm_alloc(NAMES * sizeof(*names));
    gm_interned_t *interned;
    size_t wrong = 0;

    for (size_t i = 0; i != NAMES; ++i) {
        snprintf(texts + i * TEXT, TEXT, "%x", (unsigned)i);
        names[i] = texts + i * TEXT;
    }
    interned = gm_interned_create(names, NAMES);
    ok(gm_interned_count(interned) == GM_INTERNED_MAX);
    for (size_t i = 0; i != NAMES; ++i)
        wrong +=
            gm_interned_find(interned, names[i]) != (i + 2 < GM_INTERNED_MAX ? i + 2 : GM_INTERNED_OTHER);
    ok(wrong == 0);
    gm_interned_destroy(interned);
    free(names);
    free(texts);
}

int main(void)
{
    subtest("numbers", test_numbers);
    subtest("equal_texts", test_equal_texts);
    subtest("no_names", test_no_names);
    subtest("too_many", test_too_many);
    return done_testing();
}
