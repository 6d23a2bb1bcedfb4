/*
 * The growing array: zeroed items, values kept across growth, a vector that is used again.
 */
#include "base/vector.h"

#include "picotest.h"

typedef struct item {
    int number;
    const char *name;
} item_t;

static void test_push(void)
{
    GM_VECTOR(item_t) items = {0};
    size_t not_zeroed = 0, lost = 0;

    for (int i = 0; i < 1000; ++i) {
        item_t *item = gm_vector_push(&items);
        if (item->number != 0 || item->name != NULL)
            ++not_zeroed;
        *item = (item_t){.number = i, .name = "x"};
    }
    for (int i = 0; i < 1000; ++i) {
        if (items.items[i].number != i)
            ++lost;
    }
    ok(items.size == 1000 && items.capacity >= 1000 && items.capacity < 2048);
    ok(not_zeroed == 0);
    ok(lost == 0);
    gm_vector_dispose(&items);
    ok(items.items == NULL && items.size == 0 && items.capacity == 0);
}

static void test_used_again(void)
{
    GM_VECTOR(int) numbers = {0};

    gm_vector_dispose(&numbers);
    *gm_vector_push(&numbers) = 7;
    *gm_vector_push(&numbers) = 8;
    numbers.size = 1; /* popping is a matter of size; the next push clears what was left there */
    ok(*gm_vector_push(&numbers) == 0);
    ok(numbers.items[0] == 7 && numbers.size == 2);
    gm_vector_dispose(&numbers);
}

int main(void)
{
    subtest("push", test_push);
    subtest("used again", test_used_again);
    return done_testing();
}
