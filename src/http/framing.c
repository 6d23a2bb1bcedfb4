/*
 * Where a message's body ends, over a buffer that the caller fills and empties. Pure; called for each piece
 * that arrives by both ends of the proxy, on the connection's worker.
 */
#include "http/framing.h"

void gm_framing_init(gm_framing_t *self, gm_framing_kind_t kind, uint64_t length)
{
    *self = (gm_framing_t){.kind = kind};
    if (kind == GM_FRAMING_LENGTH) {
        self->left = length;
        self->has_ended = length == 0;
    }
}

void gm_framing_dispose(gm_framing_t *self)
{
    gm_chunked_dispose(&self->chunked);
}

static int feed_chunked(gm_framing_t *self, char *bytes, size_t *size)
{
    size_t rest = *size - self->ready, data;
    int ret = gm_chunked_decode(&self->chunked, bytes + self->ready, &rest, &data);

    *size = self->ready + rest;
    self->ready += data;
    self->has_ended = ret == 1;
    return ret < 0 ? -1 : 0;
}

int gm_framing_feed(gm_framing_t *self, char *bytes, size_t *size)
{
    if (self->has_ended)
        return 0;
    switch (self->kind) {
    case GM_FRAMING_LENGTH:
        self->ready = *size < self->left ? *size : (size_t)self->left;
        self->has_ended = self->ready == self->left;
        return 0;
    case GM_FRAMING_CHUNKED:
        return feed_chunked(self, bytes, size);
    case GM_FRAMING_UNTIL_CLOSE:
        self->ready = *size;
        return 0;
    }
    return -1;
}

void gm_framing_take(gm_framing_t *self)
{
    if (self->kind == GM_FRAMING_LENGTH)
        self->left -= self->ready;
    self->ready = 0;
}

bool gm_framing_close(gm_framing_t *self)
{
    if (self->kind == GM_FRAMING_UNTIL_CLOSE)
        self->has_ended = true;
    return self->has_ended;
}
