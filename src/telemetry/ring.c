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

static const uint16_t longest[GM_KEPT_TEXTS] = {
    16, 64, 160, 46, 63, 96}; /* together with two zeros: 448 at most; the rest is for gRPC's */

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

/* These two share what room is left. */
static void keep_grpc(gm_kept_t *kept, const gm_record_grpc_t *grpc, char *at)
{
    const gm_record_text_t *const texts[] = {&grpc->method, &grpc->service};

    kept->grpc = *grpc;
    for (size_t i = 0; i != GM_COUNT_OF(texts); ++i) {
        size_t room = (size_t)(kept->texts + GM_KEPT_BYTES - at) / (i == 0 ? 2 : 1);
        size_t length = texts[i]->length < room ? texts[i]->length : room;
        kept->lengths[GM_KEPT_TEXTS + i] = (uint16_t)length;
        if (length != 0)
            memcpy(at, texts[i]->base, length);
        at += length;
    }
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
    if (record->grpc != NULL)
        keep_grpc(kept, record->grpc, at);
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

static void read_grpc(const gm_kept_t *self, const char *at, gm_record_grpc_t *grpc)
{
    gm_record_text_t *const texts[] = {&grpc->method, &grpc->service};

    *grpc = self->grpc;
    for (size_t i = 0; i != GM_COUNT_OF(texts); at += self->lengths[GM_KEPT_TEXTS + i++])
        *texts[i] = (gm_record_text_t){texts[i]->base != NULL ? at : NULL, self->lengths[GM_KEPT_TEXTS + i]};
}

void gm_kept_read(const gm_kept_t *self, gm_record_t *record, gm_record_grpc_t *grpc)
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
    if (record->grpc == NULL)
        return;
    read_grpc(self, at + self->lengths[5] + 1u, grpc);
    record->grpc = grpc;
}
