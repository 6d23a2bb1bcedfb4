/*
 * Slots that are written over, the oldest first. No lock: other threads get copies from the worker itself.
 */
#include "telemetry/ring.h"

#include <stdlib.h>
#include <string.h>

struct gm_ring {
    size_t slots, count, next;
    gm_kept_t kept[];
};

static const uint16_t longest[GM_KEPT_TEXTS] = {16, 64, 160, 46,
                                                63, 96}; /* together with two zeros: GM_KEPT_BYTES at most */

gm_ring_t *gm_ring_create(size_t slots)
{
    gm_ring_t *self = gm_alloc(sizeof(*self) + slots * sizeof(self->kept[0]));

    self->slots = slots;
    return self;
}

void gm_ring_destroy(gm_ring_t *self)
{
    free(self);
}

static gm_record_text_t text_of(const char *text)
{
    return (gm_record_text_t){text, text != NULL ? strlen(text) : 0};
}

void gm_ring_add(gm_ring_t *self, const gm_record_t *record)
{
    const gm_record_text_t texts[GM_KEPT_TEXTS] = {
        record->method,         record->host, record->path, record->remote_addr, text_of(record->endpoint),
        text_of(record->detail)};
    gm_kept_t *kept = &self->kept[self->next];
    char *at = kept->texts;

    kept->facts = *record;
    kept->facts.trace_text = NULL; /* can be made again */
    /* nobody looks at these, and they go with the request */
    kept->facts.spans = NULL;
    kept->facts.request_fields = kept->facts.response_fields = NULL;
    for (size_t i = 0; i != GM_KEPT_TEXTS; ++i) {
        size_t length = texts[i].length < longest[i] ? texts[i].length : longest[i];
        kept->lengths[i] = (uint16_t)length;
        if (length != 0)
            memcpy(at, texts[i].base, length);
        at += length;
        if (i >= 4) /* these two end with a zero */
            *at++ = '\0';
    }
    self->next = self->next + 1 == self->slots ? 0 : self->next + 1;
    if (self->count != self->slots)
        ++self->count;
}

size_t gm_ring_copy(const gm_ring_t *self, gm_kept_t **copies)
{
    size_t oldest = self->count == self->slots ? self->next : 0, behind = self->count - oldest;

    *copies = gm_alloc((self->count + 1) * sizeof(**copies));
    memcpy(*copies, self->kept + oldest, behind * sizeof(**copies));
    memcpy(*copies + behind, self->kept, oldest * sizeof(**copies));
    return self->count;
}

void gm_kept_read(const gm_kept_t *self, gm_record_t *record)
{
    gm_record_text_t *const texts[4] = {&record->method, &record->host, &record->path, &record->remote_addr};
    const char *at = self->texts;

    *record = self->facts;
    for (size_t i = 0; i != GM_COUNT_OF(texts); at += self->lengths[i++])
        *texts[i] = (gm_record_text_t){texts[i]->base != NULL ? at : NULL, self->lengths[i]};
    if (record->endpoint != NULL)
        record->endpoint = at;
    at += self->lengths[4] + 1u;
    if (record->detail != NULL)
        record->detail = at;
}
