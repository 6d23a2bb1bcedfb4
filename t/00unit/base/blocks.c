/*
 * Blocks that are used again: what was freed comes back for its size, within a limit, and keeps its bytes
 * when it grows.
 */
#include "base/blocks.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "picotest.h"

/* Under a sanitizer nothing is kept, so that each block's end is seen. */
static bool keeps(void)
{
    gm_blocks_t *blocks = gm_blocks_create(1024);
    void *other = gm_blocks_alloc(blocks, 1);
    bool does;

    gm_blocks_free(blocks, gm_blocks_alloc(blocks, 64));
    does = gm_blocks_kept_bytes(blocks) != 0;
    gm_blocks_free(blocks, other);
    ok(gm_blocks_kept_bytes(blocks) == 0); /* none is in use */
    gm_blocks_destroy(blocks);
    return does;
}

static void test_again(void)
{
    gm_blocks_t *blocks = gm_blocks_create(1024);
    void *one = gm_blocks_alloc(blocks, 65), *two, *other = gm_blocks_alloc(blocks, 1000);

    memset(one, 0xff, 65);
    gm_blocks_free(blocks, one);
    two = gm_blocks_alloc(blocks, 200);
    if (keeps())
        ok(gm_blocks_kept_bytes(blocks) == 128); /* another size is another block */
    gm_blocks_free(blocks, two);
    two = gm_blocks_alloc_zeroed(blocks, 128);
    if (keeps())
        ok(two == one);
    for (size_t i = 0; i != 128; ++i)
        if (((char *)two)[i] != '\0')
            ok(!"zeroed");
    ok((uintptr_t)two % _Alignof(max_align_t) == 0);
    gm_blocks_free(blocks, two);
    gm_blocks_free(blocks, other);
    gm_blocks_free(blocks, NULL);
    gm_blocks_destroy(blocks);
    gm_blocks_destroy(NULL);
}

static void test_limit(void)
{
    gm_blocks_t *blocks = gm_blocks_create(300);
    void *some[8], *other = gm_blocks_alloc(blocks, 500);

    for (size_t i = 0; i != 8; ++i)
        some[i] = gm_blocks_alloc(blocks, 100);
    for (size_t i = 0; i != 8; ++i)
        gm_blocks_free(blocks, some[i]);
    if (keeps())
        ok(gm_blocks_kept_bytes(blocks) == 256);
    some[0] = gm_blocks_alloc(blocks, GM_BLOCKS_MAX + 1);
    memset(some[0], 1, GM_BLOCKS_MAX + 1);
    gm_blocks_free(blocks, some[0]);
    ok(gm_blocks_kept_bytes(blocks) <= 300);
    gm_blocks_free(blocks, other);
    gm_blocks_destroy(blocks);

    blocks = gm_blocks_create(1 << 20);
    other = gm_blocks_alloc(blocks, 500);
    some[0] = gm_blocks_alloc(blocks, GM_BLOCKS_MAX);
    some[1] = gm_blocks_alloc(blocks, GM_BLOCKS_MAX + 1);
    some[2] = gm_blocks_alloc(blocks, 0);
    gm_blocks_free(blocks, some[1]);
    ok(gm_blocks_kept_bytes(blocks) == 0); /* too large to be kept */
    gm_blocks_free(blocks, some[0]);
    gm_blocks_free(blocks, some[2]);
    if (keeps())
        ok(gm_blocks_kept_bytes(blocks) == GM_BLOCKS_MAX + 64);
    gm_blocks_free(blocks, other);
    gm_blocks_destroy(blocks);
}

static void test_growth(void)
{
    gm_blocks_t *blocks = gm_blocks_create(1 << 20);
    char *block = gm_blocks_resize(blocks, NULL, 10);

    strcpy(block, "123456789");
    for (size_t size = 20; size < 10000; size += 333) {
        block = gm_blocks_resize(blocks, block, size);
        memset(block + 10, 2, size - 10);
        if (strcmp(block, "123456789") != 0)
            ok(!"its bytes go with it");
    }
    block = gm_blocks_resize(blocks, block, 1);
    ok(strcmp(block, "123456789") == 0); /* smaller: it stays */
    gm_blocks_free(blocks, block);
    gm_blocks_destroy(blocks);
}

int main(void)
{
    subtest("freed blocks come back", test_again);
    subtest("no more is kept than allowed", test_limit);
    subtest("blocks that grow", test_growth);
    return done_testing();
}
