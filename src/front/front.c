/*
 * The two ways of serving a client behind one name, so that listener and worker need not know. Worker's
 * thread.
 */
#include "front/front.h"

struct gm_front {
    gm_http1_front_t *own; /* owned; NULL = the library serves */
    gm_h2_front_t *h2;     /* owned; NULL = nobody speaks HTTP/2 */
    gm_connections_t *library;
    h2o_accept_ctx_t plain, tls; /* the library keeps pointers to them */
};

gm_front_t *gm_front_create(const gm_http1_options_t *options, const gm_http2_conf_t *http2)
{
    gm_front_t *self = gm_alloc(sizeof(*self));
    gm_http1_options_t own = *options;

    if (http2 != NULL) {
        own.h2 = self->h2 = gm_h2_front_create(options, http2);
        own.h2_cleartext = http2->cleartext;
    }
    self->own = gm_http1_front_create(&own);
    return self;
}

gm_front_t *gm_front_create_library(h2o_context_t *context, const gm_connection_timeouts_t *timeouts,
                                    atomic_size_t *open)
{
    gm_front_t *self = gm_alloc(sizeof(*self));

    self->plain.ctx = self->tls.ctx = context;
    self->plain.hosts = self->tls.hosts = context->globalconf->hosts;
    self->library = gm_connections_create(context->loop, timeouts, open);
    return self;
}

void gm_front_destroy(gm_front_t *self)
{
    if (self == NULL)
        return;
    gm_http1_front_destroy(self->own);
    gm_h2_front_destroy(self->h2);
    gm_connections_destroy(self->library);
    free(self);
}

void gm_front_accept(gm_front_t *self, h2o_socket_t *sock, SSL_CTX *tls)
{
    if (self->own != NULL) {
        gm_http1_accept(self->own, sock, tls);
        return;
    }
    gm_connections_add(self->library, sock, tls != NULL);
    self->tls.ssl_ctx = tls; /* there is one TLS listener */
    h2o_accept(tls != NULL ? &self->tls : &self->plain, sock);
}

void gm_front_make_room(gm_front_t *self)
{
    if (self->own != NULL)
        gm_http1_make_room(self->own);
}

size_t gm_front_count(const gm_front_t *self)
{
    if (self->own == NULL)
        return gm_connections_count(self->library);
    return gm_http1_count(self->own) + (self->h2 != NULL ? gm_h2_count(self->h2) : 0);
}

void gm_front_drain(gm_front_t *self)
{
    if (self->h2 != NULL)
        gm_h2_drain(self->h2);
    if (self->own != NULL)
        gm_http1_drain(self->own);
    else
        gm_connections_drain(self->library);
}

size_t gm_front_in_flight(const gm_front_t *self)
{
    if (self->own == NULL)
        return gm_connections_in_flight(self->library);
    return gm_http1_in_flight(self->own) + (self->h2 != NULL ? gm_h2_in_flight(self->h2) : 0);
}

size_t gm_front_expire(gm_front_t *self)
{
    if (self->own == NULL)
        return gm_connections_cut(self->library);
    return gm_http1_expire(self->own) + (self->h2 != NULL ? gm_h2_expire(self->h2) : 0);
}

void gm_front_cut(gm_front_t *self)
{
    if (self->h2 != NULL)
        gm_h2_cut(self->h2);
    if (self->own != NULL)
        gm_http1_cut(self->own);
    else
        gm_connections_cut(self->library);
}

void gm_front_report(void *self, gm_crash_report_t *report)
{
    const gm_front_t *front = self;

    if (front->own != NULL) /* the library's connections are its own */
        gm_http1_report(front->own, report);
    if (front->h2 != NULL)
        gm_h2_report(front->h2, report);
}
