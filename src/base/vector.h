/* vector: a typed growable array in the caller's struct */
#ifndef GM_BASE_VECTOR_H
#define GM_BASE_VECTOR_H

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/** Declares the type. All zero is an empty vector; the items are owned by the vector, what they point to is
 * not. */
#define GM_VECTOR(type)                                                                                      \
    struct {                                                                                                 \
        type *items;                                                                                         \
        size_t size, capacity;                                                                               \
    }

/** Appends a zeroed item and evaluates to a pointer to it, valid until the next push. */
#define gm_vector_push(vector)                                                                               \
    ((vector)->items =                                                                                       \
         gm_vector_grow((vector)->items, sizeof(*(vector)->items), (vector)->size, &(vector)->capacity),     \
     (vector)->items + (vector)->size++)

/** Frees the array and makes the vector empty. */
#define gm_vector_dispose(vector)                                                                            \
    do {                                                                                                     \
        free((vector)->items);                                                                               \
        (vector)->items = NULL;                                                                              \
        (vector)->size = (vector)->capacity = 0;                                                             \
    } while (0)

/** Twice the room; used by gm_vector_push only, as the next one. */
GM_MUST_USE void *gm_vector_double(void *items, size_t item_bytes, size_t *capacity);

/** Makes room for one more item and zeroes it. */
GM_MUST_USE static inline void *gm_vector_grow(void *items, size_t item_bytes, size_t size, size_t *capacity)
{
    if (size == *capacity)
        items = gm_vector_double(items, item_bytes, capacity);
    memset((char *)items + size * item_bytes, 0, item_bytes);
    return items;
}

#endif
