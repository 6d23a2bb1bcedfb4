/* Allocation that never returns NULL. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#include "picotest.h"

static void test_memory(void)
{
    static const char zero[64];
    char *memory = gm_alloc(64), *text = gm_strdup("text"), *part = gm_strndup("text", 2);

    ok(memcmp(memory, zero, 64) == 0);
    memory[63] = 'x';
    memory = gm_realloc(memory, 4096);
    ok(memory[63] == 'x' && memcmp(memory, zero, 63) == 0);
    ok(strcmp(text, "text") == 0 && strcmp(part, "te") == 0 && gm_strdup(NULL) == NULL);
    free(memory);
    free(text);
    free(part);
    memory = gm_alloc(0); /* nothing, but not NULL */
    ok(memory != NULL);
    free(memory);
}

int main(void)
{
    subtest("memory", test_memory);
    return done_testing();
}
