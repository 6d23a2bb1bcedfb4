/*
 * Between the admin window and the proxy that it looks at: admin/ knows neither workers nor signals, so it is
 * given callbacks. They run on the window's thread while the proxy's workers run on theirs: they read what is
 * atomic, and everything else is asked for by message. The window ends after the proxy (server/run). Main
 * thread otherwise.
 */
#include "server/window.h"

#include <string.h>

#include <h2o.h>
#include <h2o/version.h>

#include "base/clock.h"
#include "base/text.h"
#include "config/yaml.h"
#include "server/run.h"
#include "telemetry/log.h"
#include "tls/context.h"

static void ask(void *data, size_t worker, gm_survey_t *survey)
{
    gm_server_ask(((gm_window_t *)data)->proxy, worker, survey);
}

static bool is_draining(void *data)
{
    gm_window_t *self = data;
    return atomic_load(&self->is_asked) || gm_server_was_told_to_drain(self->proxy);
}

/* Asked twice, it is still one wish: a second signal would cut what is in flight. */
static void drain(void *data)
{
    gm_window_t *self = data;

    if (!is_draining(self) && !atomic_exchange(&self->is_asked, true))
        gm_run_end();
}

static void render_metrics(void *data, gm_buffer_t *out)
{
    gm_server_render_metrics(((gm_window_t *)data)->proxy, out);
}

static gm_admin_options_t describe(gm_window_t *self, gm_snapshot_t *snapshot, const char *source)
{
    gm_admin_options_t options = {.snapshot = snapshot,
                                  .listen_host = self->at.host,
                                  .source = source,
                                  .libh2o = H2O_VERSION,
                                  .openssl = gm_tls_library_version(),
                                  .libyaml = gm_yaml_library_version(),
                                  .started_real_us = gm_clock_real_us(),
                                  .started_ms = gm_clock_monotonic_ms(),
                                  .ask = ask,
                                  .is_draining = is_draining,
                                  .drain = drain,
                                  .render_metrics = render_metrics,
                                  .data = self};

    gm_server_describe(self->proxy, &options);
    return options;
}

/* The default is there for the first proxy of a machine; a second one must start, too. */
static bool may_do_without(const gm_server_admin_t *where, const gm_port_error_t *err)
{
    return where->host != NULL && where->place == NULL && err->key != NULL &&
           strcmp(err->key, GM_SERVER_ADMIN_LISTEN) == 0;
}

int gm_window_open(gm_window_t *self, gm_server_t *proxy, gm_snapshot_t *snapshot, const char *source,
                   gm_port_error_t *err)
{
    const gm_admin_conf_t *conf = &gm_snapshot_config(snapshot)->admin;
    gm_server_admin_t where = {.socket = conf->socket,
                               .socket_place = gm_snapshot_place_of(snapshot, &conf->socket)};
    gm_admin_options_t options;

    self->proxy = proxy;
    atomic_init(&self->is_asked, false);
    if (conf->listen[0] != '\0') {
        if (gm_text_parse_hostport(conf->listen, true, &self->at, &err->error) != 0)
            return -1; /* never: config/validate has seen to it */
        where.host = self->at.host;
        where.port = self->at.port;
        where.place = gm_snapshot_place_of(snapshot, &conf->listen);
    }
    options = describe(self, snapshot, source);
    if (where.host != NULL || where.socket != NULL)
        self->server = gm_server_start_admin(&where, &options, err);
    if (self->server == NULL && may_do_without(&where, err)) {
        gm_error_set(
            &self->warning, NULL,
            "No admin window on %s, its default address: %.200s; admin.listen may name another, or \"\"",
            conf->listen, err->in_use ? "another program has it" : err->error.text);
        *err = (gm_port_error_t){0};
        where.host = NULL;
        if (where.socket != NULL)
            self->server = gm_server_start_admin(&where, &options, err);
    }
    self->has_port = self->server != NULL && where.host != NULL;
    return self->server != NULL || (where.host == NULL && where.socket == NULL) ? 0 : -1;
}

void gm_window_log_start(const gm_window_t *self, const gm_snapshot_t *snapshot)
{
    const gm_admin_conf_t *conf = &gm_snapshot_config(snapshot)->admin;
    char address[300];

    if (self->warning.text[0] != '\0')
        gm_log(GM_LOG_WARN, "%s", self->warning.text);
    if (self->has_port)
        gm_log(GM_LOG_INFO, "Admin on http://%s",
               gm_text_format_hostport(address, sizeof(address),
                                       self->at.host[0] != '\0' ? self->at.host : "localhost",
                                       self->at.port));
    if (self->server != NULL && conf->socket != NULL)
        gm_log(GM_LOG_INFO, "Admin on unix:%s", conf->socket);
}
