/*
 * Free lists by size, in steps of 64 bytes; each block knows its size in front of it. What is beyond the
 * limit goes back to malloc, as does everything where a sanitizer wants to see each block's end. Used by the
 * thread that made it.
 */
#include "base/blocks.h"

#include <stdlib.h>
#include <string.h>

#define STEP ((size_t)64)
#define CLASSES (GM_BLOCKS_MAX / STEP)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS_NOTHING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KEEPS_NOTHING 1
#endif
#endif
#ifndef KEEPS_NOTHING
#define KEEPS_NOTHING 0
#endif

/* In front of each block. What follows is aligned as malloc does it. */
typedef struct header {
    _Alignas(max_align_t) size_t size; /* of the block, without this */
    struct header *next;               /* in its free list */
} header_t;

struct gm_blocks {
    header_t *kept[CLASSES];
    size_t kept_bytes, max_kept_bytes;
    size_t used; /* how many blocks are out */
};

gm_blocks_t *gm_blocks_create(size_t max_kept_bytes)
{
    gm_blocks_t *self = gm_alloc(sizeof(*self));

    self->max_kept_bytes = KEEPS_NOTHING ? 0 : max_kept_bytes;
    return self;
}

static __attribute__((noinline)) void trim(gm_blocks_t *self)
{
    for (size_t i = 0; i != CLASSES; ++i)
        while (self->kept[i] != NULL) {
            header_t *header = self->kept[i];
            self->kept[i] = header->next;
            free(header);
        }
    self->kept_bytes = 0;
}

void gm_blocks_destroy(gm_blocks_t *self)
{
    if (self == NULL)
        return;
    trim(self);
    free(self);
}

static size_t class_of(size_t size)
{
    return size != 0 ? (size - 1) / STEP : 0;
}

void *gm_blocks_alloc(gm_blocks_t *self, size_t size)
{
    size_t class = class_of(size);
    header_t *header;

    ++self->used;
    if (class < CLASSES && self->kept[class] != NULL) {
        header = self->kept[class];
        self->kept[class] = header->next;
        self->kept_bytes -= header->size;
        return header + 1;
    }
    if (class < CLASSES && !KEEPS_NOTHING)
        size = (class + 1) * STEP;
    header = gm_realloc(NULL, sizeof(*header) + size);
    header->size = size;
    return header + 1;
}

void *gm_blocks_alloc_zeroed(gm_blocks_t *self, size_t size)
{
    return memset(gm_blocks_alloc(self, size), 0, size);
}

void gm_blocks_free(gm_blocks_t *self, void *block)
{
    header_t *header;

    if (block == NULL)
        return;
    header = (header_t *)block - 1;
    if (KEEPS_NOTHING || header->size > GM_BLOCKS_MAX ||
        self->kept_bytes + header->size > self->max_kept_bytes) {
        free(header);
    } else {
        header->next = self->kept[class_of(header->size)];
        self->kept[class_of(header->size)] = header;
        self->kept_bytes += header->size;
    }
    if (--self->used == 0) /* there is nobody who would want some soon */
        trim(self);
}

void *gm_blocks_resize(gm_blocks_t *self, void *block, size_t size)
{
    size_t had;
    void *other;

    if (block == NULL)
        return gm_blocks_alloc(self, size);
    had = ((header_t *)block - 1)->size;
    if (had >= size)
        return block;
    other = gm_blocks_alloc(self, size);
    memcpy(other, block, had);
    gm_blocks_free(self, block);
    return other;
}

size_t gm_blocks_kept_bytes(const gm_blocks_t *self)
{
    return self->kept_bytes;
}
