/*
 * A table with open addressing that only grows, as telemetry/series is: a slot is filled once, and points to
 * texts that stay. Which names there are nobody knows beforehand, and whoever asks may make some up: so those
 * that no backend has answered have an eighth of the room. Read by workers for each gRPC request.
 */
#include "telemetry/grpc_names.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

#define LONGEST 255

typedef struct name {
    uint64_t hash;
    uint32_t number;
    uint16_t service_length, method_length;
    char texts[]; /* both, each with a zero at its end */
} name_t;

struct gm_grpc_names {
    /* immutable */
    size_t max, mask;
    uint64_t seed;          /* nobody outside can tell which names meet in one slot */
    name_t *_Atomic *slots; /* owned; names, too */
    name_t **by_number;     /* owned array; written once, before a number is known to anybody */
    /* under lock */
    pthread_mutex_t filling;
    size_t unreal;
    /* atomic */
    atomic_size_t count;
};

gm_grpc_names_t *gm_grpc_names_create(size_t max)
{
    gm_grpc_names_t *self = gm_alloc(sizeof(*self));
    gm_random_t random;
    size_t slots = 8;

    while (slots < 2 * max)
        slots *= 2;
    self->max = max;
    self->mask = slots - 1;
    self->slots = gm_alloc(slots * sizeof(*self->slots));
    self->by_number = gm_alloc((max + 1) * sizeof(*self->by_number));
    gm_random_init(&random);
    gm_random_fill(&random, (uint8_t *)&self->seed, sizeof(self->seed));
    pthread_mutex_init(&self->filling, NULL);
    return self;
}

void gm_grpc_names_destroy(gm_grpc_names_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i <= self->max; ++i)
        free(self->by_number[i]);
    pthread_mutex_destroy(&self->filling);
    free(self->by_number);
    free(self->slots);
    free(self);
}

static uint64_t hash_text(uint64_t hash, const gm_record_text_t *text)
{
    for (size_t i = 0; i != text->length; ++i)
        hash = (hash ^ (unsigned char)text->base[i]) * UINT64_C(0x100000001b3);
    return (hash ^ 0xff) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool is_same(const name_t *name, uint64_t hash, const gm_record_grpc_t *grpc)
{
    return name->hash == hash && name->service_length == grpc->service.length &&
           name->method_length == grpc->method.length &&
           memcmp(name->texts, grpc->service.base, grpc->service.length) == 0 &&
           memcmp(name->texts + name->service_length + 1, grpc->method.base, grpc->method.length) == 0;
}

/* The slot of the name, or the free one where it would go: at least half of them are free. */
static name_t *_Atomic *find_slot(const gm_grpc_names_t *self, uint64_t hash, const gm_record_grpc_t *grpc,
                                  name_t **found)
{
    size_t at = (hash >> 32) & self->mask;

    while ((*found = atomic_load_explicit(&self->slots[at], memory_order_acquire)) != NULL &&
           !is_same(*found, hash, grpc))
        at = (at + 1) & self->mask;
    return &self->slots[at];
}

static name_t *make(uint64_t hash, uint32_t number, const gm_record_grpc_t *grpc)
{
    name_t *self = gm_alloc(sizeof(*self) + grpc->service.length + grpc->method.length + 2);

    self->hash = hash;
    self->number = number;
    self->service_length = (uint16_t)grpc->service.length;
    self->method_length = (uint16_t)grpc->method.length;
    memcpy(self->texts, grpc->service.base, grpc->service.length);
    memcpy(self->texts + grpc->service.length + 1, grpc->method.base, grpc->method.length);
    return self;
}

static uint32_t add(gm_grpc_names_t *self, uint64_t hash, const gm_record_grpc_t *grpc, bool is_real)
{
    uint32_t number = GM_GRPC_NAMES_OTHER;
    name_t *found, *_Atomic *slot;
    size_t count;

    pthread_mutex_lock(&self->filling);
    slot = find_slot(self, hash, grpc, &found); /* another worker may have been faster */
    count = atomic_load_explicit(&self->count, memory_order_relaxed);
    if (found != NULL) {
        number = found->number;
    } else if (count < self->max && (is_real || self->unreal <= self->max / 8)) {
        number = (uint32_t)(count + 1);
        self->unreal += is_real ? 0 : 1;
        self->by_number[number] = make(hash, number, grpc);
        atomic_store_explicit(&self->count, number, memory_order_relaxed);
        atomic_store_explicit(slot, self->by_number[number], memory_order_release);
    }
    pthread_mutex_unlock(&self->filling);
    return number;
}

uint32_t gm_grpc_names_find(gm_grpc_names_t *self, const gm_record_grpc_t *grpc, bool is_real)
{
    uint64_t hash;
    name_t *found;

    if (grpc->service.base == NULL || grpc->service.length > LONGEST || grpc->method.length > LONGEST)
        return GM_GRPC_NAMES_OTHER;
    hash = hash_text(hash_text(self->seed, &grpc->service), &grpc->method);
    (void)find_slot(self, hash, grpc, &found);
    if (found != NULL)
        return found->number;
    /* looked at first: a full table must not make all workers wait for each other */
    if (atomic_load_explicit(&self->count, memory_order_relaxed) >= self->max)
        return GM_GRPC_NAMES_OTHER;
    return add(self, hash, grpc, is_real);
}

const char *gm_grpc_names_service(const gm_grpc_names_t *self, uint32_t number)
{
    return number != GM_GRPC_NAMES_OTHER ? self->by_number[number]->texts : "other";
}

const char *gm_grpc_names_method(const gm_grpc_names_t *self, uint32_t number)
{
    const name_t *name = self->by_number[number];

    return number != GM_GRPC_NAMES_OTHER ? name->texts + name->service_length + 1 : "other";
}
