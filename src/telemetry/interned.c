/*
 * Two tables with open addressing, by pointer and by text. Made on the main thread, asked by workers for each
 * request: whoever fills a record takes names from the configuration, so the pointer nearly always suffices.
 */
#include "telemetry/interned.h"

#include <stdlib.h>
#include <string.h>

typedef struct slot {
    const char *name; /* borrowed; NULL = free */
    uint32_t id;
} slot_t;

struct gm_interned {
    slot_t *by_pointer, *by_text; /* owned */
    size_t mask;                  /* of both */
    const char **texts;           /* owned; the texts are not; by number */
    size_t count;
};

static size_t hash_pointer(const char *name)
{
    return (size_t)((uintptr_t)name * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* FNV-1a. The names are the administrator's: nobody picks them to collide. */
static size_t hash_text(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name != '\0'; ++name)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 32);
}

static slot_t *find_text(const gm_interned_t *self, const char *name)
{
    size_t at = hash_text(name) & self->mask;

    while (self->by_text[at].name != NULL && strcmp(self->by_text[at].name, name) != 0)
        at = (at + 1) & self->mask;
    return &self->by_text[at];
}

static slot_t *find_pointer(const gm_interned_t *self, const char *name)
{
    size_t at = hash_pointer(name) & self->mask;

    while (self->by_pointer[at].name != NULL && self->by_pointer[at].name != name)
        at = (at + 1) & self->mask;
    return &self->by_pointer[at];
}

static void add(gm_interned_t *self, const char *name)
{
    slot_t *text = find_text(self, name), *pointer = find_pointer(self, name);

    if (text->name == NULL) {
        if (self->count == GM_INTERNED_MAX)
            return;
        *text = (slot_t){name, (uint32_t)self->count};
        self->texts[self->count++] = name;
    }
    *pointer = (slot_t){name, text->id};
}

gm_interned_t *gm_interned_create(const char *const *names, size_t count)
{
    gm_interned_t *self = gm_alloc(sizeof(*self));
    size_t slots = 8;

    while (slots < 2 * (count + 2))
        slots *= 2;
    self->mask = slots - 1;
    self->by_pointer = gm_alloc(slots * sizeof(*self->by_pointer));
    self->by_text = gm_alloc(slots * sizeof(*self->by_text));
    self->texts = gm_alloc((count + 2) * sizeof(*self->texts));
    add(self, "none");
    add(self, "other");
    for (size_t i = 0; i != count; ++i)
        add(self, names[i]);
    return self;
}

void gm_interned_destroy(gm_interned_t *self)
{
    if (self == NULL)
        return;
    free(self->by_pointer);
    free(self->by_text);
    free(self->texts);
    free(self);
}

uint32_t gm_interned_find(const gm_interned_t *self, const char *name)
{
    const slot_t *slot;

    if (name == NULL)
        return GM_INTERNED_NONE;
    slot = find_pointer(self, name);
    if (slot->name == NULL)
        slot = find_text(self, name);
    return slot->name != NULL ? slot->id : GM_INTERNED_OTHER;
}

const char *gm_interned_text(const gm_interned_t *self, uint32_t id)
{
    return self->texts[id];
}

size_t gm_interned_count(const gm_interned_t *self)
{
    return self->count;
}
