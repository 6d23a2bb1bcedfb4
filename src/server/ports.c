/*
 * The listening sockets of a server: one per worker, port and address family. They are opened before the
 * process that serves is made, so that a supervisor holds them, and with them the clients that wait in their
 * queues, while one serving process follows the other. Main thread.
 */
#include "server/ports.h"

#include <stdlib.h>

#include "server/processors.h"

typedef struct worker_sockets {
    gm_listener_sockets_t plain, tls;
} worker_sockets_t;

struct gm_ports {
    unsigned count;            /* of workers */
    worker_sockets_t *sockets; /* owned; one per worker */
    bool has_failed;
    gm_port_error_t error; /* if so */
};

/* A port with the key that chose it. */
typedef struct port {
    const char *host;
    uint16_t port;
    const char *key;
    const gm_place_t *place;
} port_t;

static int open_port(const port_t *port, bool share, gm_listener_sockets_t *sockets, gm_port_error_t *err)
{
    if (gm_listener_open(port->host, port->port, share, sockets, &err->in_use, &err->error) == 0)
        return 0;
    err->port = port->port;
    err->key = port->key;
    err->place = port->place;
    return -1;
}

static int probe(const port_t *port, gm_port_error_t *err)
{
    gm_listener_sockets_t sockets;

    if (open_port(port, false, &sockets, err) != 0)
        return -1;
    gm_listener_close_sockets(&sockets);
    return 0;
}

/* @param tls_port  NULL = none */
static int open_all(gm_ports_t *self, const port_t *plain, const port_t *tls_port, gm_port_error_t *err)
{
    if (probe(plain, err) != 0 || (tls_port != NULL && probe(tls_port, err) != 0))
        return -1;
    for (unsigned i = 0; i != self->count; ++i)
        if (open_port(plain, true, &self->sockets[i].plain, err) != 0 ||
            (tls_port != NULL && open_port(tls_port, true, &self->sockets[i].tls, err) != 0))
            return -1;
    return 0;
}

static gm_ports_t *open_ports(unsigned count, const port_t *plain, const port_t *tls_port)
{
    gm_ports_t *self = gm_alloc(sizeof(*self));

    self->count = count;
    self->sockets = gm_alloc(count * sizeof(*self->sockets));
    if (open_all(self, plain, tls_port, &self->error) != 0) {
        gm_ports_close(self);
        self->count = 0;
        self->has_failed = true;
    }
    return self;
}

gm_ports_t *gm_ports_open_proxy(const gm_snapshot_t *snapshot)
{
    const gm_proxy_conf_t *conf = &gm_snapshot_config(snapshot)->proxy;
    const port_t plain = {conf->listen_host, (uint16_t)conf->listen_port, "proxy.listen_port",
                          gm_snapshot_place_of(snapshot, &conf->listen_port)};
    const port_t tls_port = {conf->listen_host, (uint16_t)conf->tls.listen_port, "proxy.tls.listen_port",
                             gm_snapshot_place_of(snapshot, &conf->tls.listen_port)};

    return open_ports(conf->workers != GM_WORKERS_AUTO ? (unsigned)conf->workers : gm_processors_allowed(),
                      &plain, conf->tls.present ? &tls_port : NULL);
}

gm_ports_t *gm_ports_open(const char *host, uint16_t port, const char *key, const gm_place_t *place)
{
    return open_ports(1, &(port_t){host, port, key, place}, NULL);
}

int gm_ports_check(const gm_ports_t *self, gm_port_error_t *err)
{
    if (!self->has_failed)
        return 0;
    *err = self->error;
    return -1;
}

unsigned gm_ports_worker_count(const gm_ports_t *self)
{
    return self->count;
}

void gm_ports_take(gm_ports_t *self, unsigned worker, gm_listener_sockets_t *plain,
                   gm_listener_sockets_t *tls)
{
    *plain = self->sockets[worker].plain;
    *tls = self->sockets[worker].tls;
    self->sockets[worker] = (worker_sockets_t){0};
}

void gm_ports_close(gm_ports_t *self)
{
    for (unsigned i = 0; i != self->count; ++i) {
        gm_listener_close_sockets(&self->sockets[i].plain);
        gm_listener_close_sockets(&self->sockets[i].tls);
    }
}

void gm_ports_destroy(gm_ports_t *self)
{
    if (self == NULL)
        return;
    gm_ports_close(self);
    free(self->sockets);
    free(self);
}
