/*
 * A table with open addressing that only grows, read by all workers for each request and by whoever renders.
 * A slot is filled once: the number first, then the key with release, so that whoever sees the key sees the
 * number. Filling is under a lock, which bounds the count exactly and is taken `max` times at most, or so: a
 * table that is full is known to be by a look at its count.
 */
#include "telemetry/series.h"

#include <stdlib.h>

gm_series_t *gm_series_create(size_t max)
{
    gm_series_t *self = gm_alloc(sizeof(*self));
    size_t slots = 8;

    for (self->shift = 64 - 3; slots < 2 * max; --self->shift)
        slots *= 2;
    self->max = max;
    self->mask = slots - 1;
    self->slots = gm_alloc(slots * sizeof(*self->slots));
    self->keys = gm_alloc(max * sizeof(*self->keys));
    pthread_mutex_init(&self->filling, NULL);
    return self;
}

void gm_series_destroy(gm_series_t *self)
{
    if (self == NULL)
        return;
    pthread_mutex_destroy(&self->filling);
    free(self->slots);
    free(self->keys);
    free(self);
}

/* The slot of the key, or the free one where it would go: at least half of them are free. */
static gm_series_slot_t *find_slot(const gm_series_t *self, uint64_t key, uint64_t *found)
{
    size_t at = gm_series_hash(self, key);

    while ((*found = atomic_load_explicit(&self->slots[at].key, memory_order_acquire)) != key && *found != 0)
        at = (at + 1) & self->mask;
    return &self->slots[at];
}

static size_t add(gm_series_t *self, uint64_t key)
{
    size_t number = GM_SERIES_OTHER, count;
    uint64_t found;
    gm_series_slot_t *slot;

    pthread_mutex_lock(&self->filling);
    slot = find_slot(self, key, &found); /* another worker may have been faster */
    count = atomic_load_explicit(&self->count, memory_order_relaxed);
    if (found == key) {
        number = slot->number;
    } else if (count < self->max) {
        number = count + 1;
        self->keys[count] = key;
        slot->number = number;
        atomic_store_explicit(&slot->key, key, memory_order_release);
        atomic_store_explicit(&self->count, number, memory_order_release);
    }
    pthread_mutex_unlock(&self->filling);
    return number;
}

size_t gm_series_find_or_add(gm_series_t *self, uint64_t key)
{
    size_t number = GM_SERIES_OTHER;
    uint64_t found;
    const gm_series_slot_t *slot = find_slot(self, key, &found);

    if (found == key)
        return slot->number;
    if (gm_series_count(self) < self->max)
        number = add(self, key);
    /* looked at first: a line that all workers write would be a dear one */
    if (number == GM_SERIES_OTHER && !gm_series_has_other(self))
        atomic_store_explicit(&self->has_other, true, memory_order_relaxed);
    return number;
}

size_t gm_series_max(const gm_series_t *self)
{
    return self->max;
}

size_t gm_series_count(const gm_series_t *self)
{
    return atomic_load_explicit(&self->count, memory_order_acquire);
}

uint64_t gm_series_key(const gm_series_t *self, size_t number)
{
    return self->keys[number - 1];
}

bool gm_series_has_other(const gm_series_t *self)
{
    return atomic_load_explicit(&self->has_other, memory_order_relaxed);
}
