/*
 * Growing for GM_VECTOR arrays: doubling, so that a push is cheap on average. Any thread; the vector is the
 * caller's.
 */
#include "base/vector.h"

void *gm_vector_double(void *items, size_t item_bytes, size_t *capacity)
{
    *capacity = *capacity != 0 ? *capacity * 2 : 4;
    return gm_realloc(items, *capacity * item_bytes);
}
