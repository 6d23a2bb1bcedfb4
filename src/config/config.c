/*
 * Creation and destruction of the settings; what is in them is said once, by the rows in config/schema.
 * Loading fills a configuration on one thread, afterwards nobody writes to it.
 */
#include "config/config.h"

#include "config/fields.h"
#include "config/schema.h"

gm_config_t *gm_config_create(void)
{
    return gm_alloc(sizeof(gm_config_t));
}

void gm_config_destroy(gm_config_t *self)
{
    if (self == NULL)
        return;
    gm_fields_dispose(&gm_config_section, self);
    gm_vector_dispose(&self->origins);
    free(self);
}

void gm_config_set_origin(gm_config_t *self, const void *field, const gm_place_t *place, bool bad)
{
    gm_origin_t *origin = gm_vector_push(&self->origins);

    origin->field = field;
    origin->place = *place;
    origin->bad = bad;
    self->origins_sorted = false;
}

static int compare(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const gm_origin_t *)a)->field, y = (uintptr_t)((const gm_origin_t *)b)->field;

    return x < y ? -1 : x > y;
}

const gm_origin_t *gm_config_find_origin(gm_config_t *self, const void *field)
{
    gm_origin_t wanted = {.field = field};

    if (self->origins.size == 0)
        return NULL;
    if (!self->origins_sorted)
        qsort(self->origins.items, self->origins.size, sizeof(gm_origin_t), compare);
    self->origins_sorted = true;
    return bsearch(&wanted, self->origins.items, self->origins.size, sizeof(gm_origin_t), compare);
}
