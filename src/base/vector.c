/*
 * Growing for GM_VECTOR arrays: doubling, so that a push is cheap on average. Any thread; the vector is the
 * caller's.
 */
#include "base/vector.h"

#include <string.h>

void *gm_vector_grow(void *items, size_t item_bytes, size_t size, size_t *capacity)
{
    if (size == *capacity) {
        *capacity = *capacity != 0 ? *capacity * 2 : 4;
        items = gm_realloc(items, *capacity * item_bytes);
    }
    memset((char *)items + size * item_bytes, 0, item_bytes);
    return items;
}
