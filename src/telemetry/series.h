/* series: which combinations of labels a metric has had, each with a number of its own, up to a limit */
#ifndef GM_TELEMETRY_SERIES_H
#define GM_TELEMETRY_SERIES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

#define GM_SERIES_OTHER 0 /* the number of all combinations that found no room */

typedef struct gm_series_slot {
    _Atomic uint64_t key; /* 0 = free */
    size_t number;
} gm_series_slot_t;

/* Shared by all threads. To be used by gm_series_* only; known here because each request looks for four. */
typedef struct gm_series {
    /* immutable */
    size_t max, mask;
    unsigned shift;          /* of a hash: its upper bits depend on all bits of the key */
    gm_series_slot_t *slots; /* owned */
    uint64_t *keys;          /* owned; by number less one; written once, before `count` covers them */
    /* atomic */
    atomic_size_t count;
    atomic_bool has_other;
    pthread_mutex_t filling;
} gm_series_t;

/** @param max  beside GM_SERIES_OTHER; 1 or more */
GM_MUST_USE gm_series_t *gm_series_create(size_t max);
/** Nobody uses it any more. Accepts NULL. */
void gm_series_destroy(gm_series_t *self);

/** Where looking for a key begins. */
static inline size_t gm_series_hash(const gm_series_t *self, uint64_t key)
{
    return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> self->shift);
}

/** The rest of gm_series_find. */
size_t gm_series_find_or_add(gm_series_t *self, uint64_t key);

/**
 * The number of a combination, at most `max`; a new one is given the next as long as there is room. Numbers
 * never change. Takes a lock only for a combination that is new. Any thread.
 * @param key  the combination; not 0
 */
static inline size_t gm_series_find(gm_series_t *self, uint64_t key)
{
    const gm_series_slot_t *slot = &self->slots[gm_series_hash(self, key)];

    if (__builtin_expect(atomic_load_explicit(&slot->key, memory_order_acquire) == key, 1))
        return slot->number;
    return gm_series_find_or_add(self, key);
}

size_t gm_series_max(const gm_series_t *self);

/** Numbers 1 to this one have been given. Any thread. */
size_t gm_series_count(const gm_series_t *self);

/** @param number  1 to gm_series_count */
uint64_t gm_series_key(const gm_series_t *self, size_t number);

/** Whether any combination found no room. Any thread. */
bool gm_series_has_other(const gm_series_t *self);

#endif
