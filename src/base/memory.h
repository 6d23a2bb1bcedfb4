/* memory: allocation that never returns NULL */
#ifndef GM_BASE_MEMORY_H
#define GM_BASE_MEMORY_H

#include <stddef.h>

#define GM_MUST_USE __attribute__((warn_unused_result))
#define GM_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/** Zeroed heap memory, freed with free(). Out of memory ends the process with a message on stderr. */
GM_MUST_USE void *gm_alloc(size_t size_bytes);

/** As realloc; new bytes are not zeroed. */
GM_MUST_USE void *gm_realloc(void *memory, size_t size_bytes);

/** Copies of text, freed with free(). `gm_strdup(NULL)` is NULL. */
GM_MUST_USE char *gm_strdup(const char *text);
GM_MUST_USE char *gm_strndup(const char *text, size_t length);

#endif
