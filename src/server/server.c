/*
 * Puts listeners, workers and a generation together. Main thread; workers only signal that they have ended.
 */
#include "server/server.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/vector.h"
#include "server/exporter.h"
#include "server/local_socket.h"
#include "server/worker.h"
#include "tls/context.h"

/* of the admin window: it answers who asks, however many only hold on to it */
#define ADMIN_CROWD 64
#define ADMIN_MAX_CONNECTIONS (2 * ADMIN_CROWD)

struct gm_server {
    gm_generation_t *generation; /* owned */
    gm_snapshot_t *snapshot;     /* shared; NULL = the test backend */
    SSL_CTX *tls;                /* owned; NULL = no TLS listener */
    GM_VECTOR(gm_worker_t *) workers;
    gm_places_t *places;     /* owned; connections */
    gm_exporter_t *exporter; /* owned; NULL = nobody wants spans */
    int news_fd;
    gm_local_socket_t socket; /* of the admin window */
    atomic_bool was_told_to_drain;
    unsigned crashes; /* immutable */
};

static void on_worker_news(void *data)
{
    gm_server_t *self = data;
    uint64_t one = 1;

    if (write(self->news_fd, &one, sizeof(one)) != sizeof(one))
        abort(); /* an eventfd takes 2^64 - 2 of these */
}

static int run_workers(gm_server_t *self, gm_port_error_t *err)
{
    for (size_t i = 0; i != self->workers.size; ++i)
        if (gm_worker_start(self->workers.items[i], &err->error) != 0) {
            gm_server_drain(self); /* those that run end at once: nobody has been told of the port */
            return -1;
        }
    return 0;
}

static gm_worker_options_t worker_options(gm_server_t *self)
{
    return (gm_worker_options_t){.generation = self->generation,
                                 .tls = self->tls,
                                 .places = self->places,
                                 .on_news = on_worker_news,
                                 .data = self};
}

static int start_workers(gm_server_t *self, gm_ports_t *ports, gm_port_error_t *err)
{
    gm_worker_options_t options = worker_options(self);

    if (gm_ports_check(ports, err) != 0)
        return -1;
    for (; options.index != gm_ports_worker_count(ports); ++options.index) {
        gm_ports_take(ports, options.index, &options.plain_sockets, &options.tls_sockets);
        *gm_vector_push(&self->workers) = gm_worker_create(&options);
    }
    return run_workers(self, err);
}

static gm_server_t *create(gm_generation_t *generation, size_t max_open, size_t max_per_client)
{
    gm_server_t *self = gm_alloc(sizeof(*self));

    self->generation = generation;
    self->places = gm_places_create(max_open, max_per_client);
    self->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return self;
}

gm_server_t *gm_server_start_proxy(gm_snapshot_t *snapshot, gm_ports_t *ports, unsigned crashes,
                                   gm_port_error_t *err)
{
    const gm_proxy_conf_t *conf = &gm_snapshot_config(snapshot)->proxy;
    gm_generation_t *generation = gm_generation_create(snapshot, gm_ports_worker_count(ports), &err->error);
    gm_server_t *self = generation != NULL ? create(generation, conf->limits.max_connections,
                                                    conf->limits.max_connections_per_ip)
                                           : NULL;

    if (self == NULL)
        return NULL;
    self->snapshot = gm_snapshot_retain(snapshot);
    self->crashes = crashes;
    gm_proxy_set_crashes(generation->proxy, crashes);
    if (conf->tls.present && (self->tls = gm_tls_context_create(&conf->tls, &err->error)) == NULL)
        goto Error;
    if (conf->tls.present && conf->engine == GM_ENGINE_GOMESH)
        gm_http1_watch_handshakes(self->tls);
    if (conf->tls.present && conf->http2.enabled && conf->engine == GM_ENGINE_GOMESH)
        gm_tls_context_offer_http2(self->tls);
    if (generation->proxy->spans != NULL &&
        (self->exporter = gm_exporter_start(&gm_snapshot_config(snapshot)->tracing.otlp,
                                            generation->proxy->spans, &err->error)) == NULL)
        goto Error;
    if (start_workers(self, ports, err) != 0)
        goto Error;
    return self;
Error:
    gm_server_destroy(self);
    return NULL;
}

gm_server_t *gm_server_start_backend(gm_ports_t *ports, const gm_backend_options_t *backend,
                                     gm_port_error_t *err)
{
    gm_server_t *self = create(gm_generation_create_backend(backend), SIZE_MAX, 0);

    if (start_workers(self, ports, err) == 0)
        return self;
    gm_server_destroy(self);
    return NULL;
}

static int open_admin_port(const gm_server_admin_t *where, gm_listener_sockets_t *sockets,
                           gm_port_error_t *err)
{
    gm_ports_t *ports = gm_ports_open(where->host, where->port, GM_SERVER_ADMIN_LISTEN, where->place);
    gm_listener_sockets_t none;
    int ret = gm_ports_check(ports, err);

    if (ret == 0)
        gm_ports_take(ports, 0, sockets, &none);
    gm_ports_destroy(ports);
    return ret;
}

/* @param sockets  zeroed; what is opened is the caller's, also after an error */
static int open_admin(gm_server_t *self, const gm_server_admin_t *where, gm_listener_sockets_t *sockets,
                      gm_port_error_t *err)
{
    int fd;

    if (where->host != NULL && open_admin_port(where, sockets, err) != 0)
        return -1;
    if (where->socket == NULL)
        return 0;
    if ((fd = gm_local_socket_open(&self->socket, where->socket, &err->error)) == -1) {
        err->key = GM_SERVER_ADMIN_SOCKET;
        err->place = where->socket_place;
        return -1;
    }
    sockets->fds[sockets->count++] = fd;
    return 0;
}

gm_server_t *gm_server_start_admin(const gm_server_admin_t *where, const gm_admin_options_t *admin,
                                   gm_port_error_t *err)
{
    gm_server_t *self = create(gm_generation_create_admin(admin), ADMIN_MAX_CONNECTIONS, 0);
    gm_worker_options_t options = worker_options(self);

    options.thread_name = "gm-admin";
    options.crowd = ADMIN_CROWD;
    if (open_admin(self, where, &options.plain_sockets, err) == 0) {
        *gm_vector_push(&self->workers) = gm_worker_create(&options);
        if (run_workers(self, err) == 0)
            return self;
    } else {
        gm_listener_close_sockets(&options.plain_sockets);
    }
    gm_server_destroy(self);
    return NULL;
}

void gm_server_describe(const gm_server_t *self, gm_admin_options_t *options)
{
    options->clusters = self->generation->proxy->clusters;
    options->cluster_count = self->generation->proxy->cluster_count;
    options->worker_count = self->workers.size;
}

void gm_server_ask(gm_server_t *self, size_t worker, gm_survey_t *survey)
{
    gm_worker_ask(self->workers.items[worker], survey);
}

bool gm_server_was_told_to_drain(const gm_server_t *self)
{
    return atomic_load(&self->was_told_to_drain);
}

unsigned gm_server_crashes(const gm_server_t *self)
{
    return self->crashes;
}

int gm_server_news_fd(const gm_server_t *self)
{
    return self->news_fd;
}

bool gm_server_is_draining(const gm_server_t *self)
{
    for (size_t i = 0; i != self->workers.size; ++i)
        if (!gm_worker_is_draining(self->workers.items[i]))
            return false;
    return true;
}

bool gm_server_has_ended(const gm_server_t *self)
{
    for (size_t i = 0; i != self->workers.size; ++i)
        if (!gm_worker_has_ended(self->workers.items[i]))
            return false;
    return true;
}

void gm_server_drain(gm_server_t *self)
{
    atomic_store(&self->was_told_to_drain, true);
    for (size_t i = 0; i != self->workers.size; ++i)
        gm_worker_drain(self->workers.items[i]);
}

void gm_server_expire(gm_server_t *self)
{
    for (size_t i = 0; i != self->workers.size; ++i)
        gm_worker_expire(self->workers.items[i]);
}

void gm_server_cut(gm_server_t *self)
{
    for (size_t i = 0; i != self->workers.size; ++i)
        gm_worker_cut(self->workers.items[i]);
}

void gm_server_render_metrics(gm_server_t *self, gm_buffer_t *out)
{
    gm_proxy_render_metrics(self->generation->proxy, out);
}

void gm_server_reopen_logs(gm_server_t *self)
{
    if (self->generation->proxy != NULL && self->generation->proxy->access_stream != NULL)
        gm_log_stream_reopen(self->generation->proxy->access_stream);
}

size_t gm_server_in_flight(const gm_server_t *self)
{
    size_t in_flight = 0;

    for (size_t i = 0; i != self->workers.size; ++i)
        in_flight += gm_worker_in_flight(self->workers.items[i]);
    return in_flight;
}

size_t gm_server_cut_count(const gm_server_t *self)
{
    size_t cut = 0;

    for (size_t i = 0; i != self->workers.size; ++i)
        cut += gm_worker_cut_count(self->workers.items[i]);
    return cut;
}

void gm_server_abandon(gm_server_t *self)
{
    gm_local_socket_dispose(&self->socket);
    for (size_t i = 0; i != self->workers.size; ++i)
        gm_worker_abandon(self->workers.items[i]);
}

void gm_server_destroy(gm_server_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i != self->workers.size; ++i)
        gm_worker_destroy(self->workers.items[i]);
    gm_vector_dispose(&self->workers);
    gm_exporter_stop(self->exporter); /* nobody makes spans any more */
    gm_local_socket_dispose(&self->socket);
    gm_places_destroy(self->places);
    gm_generation_destroy(self->generation);
    SSL_CTX_free(self->tls);
    gm_snapshot_release(self->snapshot);
    close(self->news_fd);
    free(self);
}
