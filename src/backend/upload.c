/*
 * The test backend's pages look at whole bodies; a proxy would not. Called by backend.c.
 */
#include "backend/upload.h"

#include <string.h>

typedef struct upload {
    h2o_req_t *req;
    h2o_buffer_t *piece, *whole; /* owned */
    gm_upload_cb_t cb;
    void *data;
} upload_t;

static void on_dispose(void *data)
{
    upload_t *self = data;

    h2o_buffer_dispose(&self->piece);
    h2o_buffer_dispose(&self->whole);
}

static void on_change(gm_stream_t *body)
{
    upload_t *self = body->data;

    body->take(body, &self->piece);
    if (self->piece->size != 0) {
        memcpy(h2o_buffer_reserve(&self->whole, self->piece->size).base, self->piece->bytes,
               self->piece->size);
        self->whole->size += self->piece->size;
        h2o_buffer_consume(&self->piece, self->piece->size);
    }
    if (!body->has_ended && !body->has_failed)
        return;
    body->on_change = NULL;
    self->req->entity = h2o_iovec_init(self->whole->bytes, self->whole->size);
    self->cb(self->data, self->req, body);
}

void gm_upload_collect(h2o_req_t *req, gm_stream_t *body, gm_upload_cb_t cb, void *data)
{
    upload_t *self = h2o_mem_alloc_shared(&req->pool, sizeof(*self), on_dispose);

    *self = (upload_t){.req = req, .cb = cb, .data = data};
    h2o_buffer_init(&self->piece, &h2o_socket_buffer_prototype);
    h2o_buffer_init(&self->whole, &h2o_socket_buffer_prototype);
    body->data = self;
    body->on_change = on_change;
    body->start(body);
    on_change(body);
}
