/* counter: a number that one thread changes and any thread reads */
#ifndef GM_BASE_COUNTER_H
#define GM_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

/** All zero is a counter at zero. */
typedef _Atomic uint64_t gm_counter_t;

/** Its one writer only: a load and a store, without the bus lock of a shared increment. */
static inline void gm_counter_add(gm_counter_t *self, uint64_t value)
{
    uint64_t now = atomic_load_explicit(self, memory_order_relaxed);

    atomic_store_explicit(self, now + value, memory_order_relaxed);
}

/** Any thread; no smaller than what it read before, if nothing is ever taken off. */
static inline uint64_t gm_counter_read(const gm_counter_t *self)
{
    return atomic_load_explicit(self, memory_order_relaxed);
}

/** Any thread, for what is given as a whole. */
static inline void gm_counter_set(gm_counter_t *self, uint64_t value)
{
    atomic_store_explicit(self, value, memory_order_relaxed);
}

#endif
