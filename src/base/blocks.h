/* blocks: memory for what comes and goes with each request: freed blocks are kept and given out again */
#ifndef GM_BASE_BLOCKS_H
#define GM_BASE_BLOCKS_H

#include <stddef.h>

#include "base/memory.h"

typedef struct gm_blocks gm_blocks_t; /* of one thread */

/**
 * glibc keeps seven freed blocks of each size for a thread; a hundred streams come and go at once.
 * @param max_kept_bytes  what may lie here unused, while any block is in use
 */
GM_MUST_USE gm_blocks_t *gm_blocks_create(size_t max_kept_bytes);

/** All blocks must have been given back. Accepts NULL. */
void gm_blocks_destroy(gm_blocks_t *self);

/** Not zeroed. Never NULL. Sizes beyond GM_BLOCKS_MAX come from malloc. */
GM_MUST_USE void *gm_blocks_alloc(gm_blocks_t *self, size_t size);
GM_MUST_USE void *gm_blocks_alloc_zeroed(gm_blocks_t *self, size_t size);

/** As realloc. `block` may be NULL. */
GM_MUST_USE void *gm_blocks_resize(gm_blocks_t *self, void *block, size_t size);

/** Accepts NULL. */
void gm_blocks_free(gm_blocks_t *self, void *block);

#define GM_BLOCKS_MAX ((size_t)2048)

/** How many bytes lie here unused. */
size_t gm_blocks_kept_bytes(const gm_blocks_t *self);

#endif
