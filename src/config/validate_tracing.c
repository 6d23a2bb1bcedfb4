/*
 * The checks of where spans go. Called by config/validate, main thread.
 */
#include "config/validate.h"

#include "base/url.h"

typedef struct tracing_check {
    gm_config_t *config;
    const gm_checks_t *checks; /* NULL = none that need higher rooms */
    gm_diagnostics_t *diagnostics;
    const gm_otlp_conf_t *otlp;
} tracing_check_t;

static void complain(const tracing_check_t *self, const void *field, const char *text)
{
    gm_validate_complain(self->config, self->diagnostics, field, NULL, text);
}

/* Spans about the sending of spans would never end. */
static bool leads_back(const tracing_check_t *self, const gm_url_t *url)
{
    const gm_proxy_conf_t *proxy = &self->config->proxy;

    return (url->at.port == proxy->listen_port ||
            (proxy->tls.present && url->at.port == proxy->tls.listen_port)) &&
           !gm_validate_is_bad(self->config, &proxy->listen_host) &&
           gm_validate_leads_back(url->at.host, proxy->listen_host);
}

static void check_endpoint(const tracing_check_t *self)
{
    const gm_otlp_conf_t *otlp = self->otlp;
    gm_error_t err = {0}, text = {0};
    gm_url_t url;

    if (otlp->endpoint == NULL || gm_validate_is_bad(self->config, &otlp->endpoint))
        return;
    if (gm_url_parse(otlp->endpoint, &url, &err) != 0) {
        gm_error_set(&text, NULL, "endpoint: \"%.200s\": %.200s", otlp->endpoint, err.text);
        complain(self, &otlp->endpoint, text.text);
    } else if (leads_back(self, &url)) {
        complain(self, &otlp->endpoint, "endpoint: this is a port of this proxy itself");
    } else if (otlp->tls.present && !url.is_https) {
        complain(self, &otlp->tls.present, "tls: the endpoint is an http URL; write https");
    }
}

static bool is_value(const char *text)
{
    for (; *text != '\0'; ++text)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static void check_headers(const tracing_check_t *self)
{
    for (size_t i = 0; i != self->otlp->headers.size; ++i) {
        const gm_header_conf_t *header = self->otlp->headers.items[i];
        gm_error_t err = {0}, text = {0};
        if (header->name != NULL && !gm_validate_is_bad(self->config, &header->name) &&
            self->checks != NULL && self->checks->check_field != NULL &&
            self->checks->check_field(header->name, false, &err) != 0) {
            gm_error_set(&text, NULL, "name: %.300s", err.text);
            complain(self, &header->name, text.text);
        }
        if (header->value != NULL && !gm_validate_is_bad(self->config, &header->value) &&
            !is_value(header->value))
            complain(self, &header->value, "value: it has a control character, which no field can have");
    }
}

void gm_config_validate_tracing(gm_config_t *config, const gm_checks_t *checks, gm_diagnostics_t *diagnostics)
{
    const tracing_check_t check = {config, checks, diagnostics, &config->tracing.otlp};

    if (!check.otlp->present)
        return;
    check_endpoint(&check);
    check_headers(&check);
    if (check.otlp->batch > check.otlp->queue && !gm_validate_is_bad(config, &check.otlp->batch) &&
        !gm_validate_is_bad(config, &check.otlp->queue))
        complain(&check, &check.otlp->batch, "batch: it is larger than queue, so it would never be full");
    if (!config->tracing.enabled && !gm_validate_is_bad(config, &config->tracing.enabled))
        complain(&check, &config->tracing.enabled,
                 "enabled: without traces there are no spans for tracing.otlp");
}
