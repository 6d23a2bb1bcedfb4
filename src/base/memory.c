/*
 * Allocation for everything that outlives a request. Running out of memory is not an error that a caller
 * could handle better than a restart does, so it ends the process, as in h2o_mem_alloc. Any thread.
 */
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_die(void *memory)
{
    if (memory == NULL) {
        fputs("gomesh: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *gm_alloc(size_t size_bytes)
{
    return or_die(calloc(1, size_bytes != 0 ? size_bytes : 1));
}

void *gm_realloc(void *memory, size_t size_bytes)
{
    return or_die(realloc(memory, size_bytes != 0 ? size_bytes : 1));
}

char *gm_strdup(const char *text)
{
    return text != NULL ? gm_strndup(text, strlen(text)) : NULL;
}

char *gm_strndup(const char *text, size_t length)
{
    char *copy = gm_alloc(length + 1);
    memcpy(copy, text, length);
    return copy;
}
