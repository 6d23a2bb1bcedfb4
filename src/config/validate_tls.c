/*
 * The checks of everything about TLS: what clients get, and how backends are spoken to. Whatever would fail
 * at start fails here, with its place. Called by config/validate.
 */
#include "config/validate.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

typedef struct validation {
    gm_config_t *config;
    const gm_checks_t *checks; /* never NULL */
    gm_diagnostics_t *diagnostics;
} validation_t;

static bool is_bad(const validation_t *v, const void *field)
{
    return gm_validate_is_bad(v->config, field);
}

/* At a value, or at `otherwise` where the value is a default. */
static void report(const validation_t *v, gm_severity_t severity, const void *field,
                   const gm_place_t *otherwise, const char *text)
{
    const gm_origin_t *origin = gm_config_find_origin(v->config, field);
    gm_diagnostics_add(v->diagnostics, severity, origin != NULL ? &origin->place : otherwise, "%s", text);
}

static void complain(const validation_t *v, const void *field, const char *text)
{
    report(v, GM_SEVERITY_ERROR, field, NULL, text);
}

/* Without the other one, all that can be said of a file. */
static void check_one(const validation_t *v, const char *key, char *const *file)
{
    gm_error_t err = {0};

    if (*file == NULL || access(*file, R_OK) == 0)
        return;
    gm_error_set(&err, NULL, "%s \"%.300s\": %s", key, *file, strerror(errno));
    complain(v, file, err.text);
}

/* The check ends at the certificate, but a key file that cannot be found is no consequence of that. */
static void complain_files(const validation_t *v, char *const *cert_file, char *const *key_file,
                           bool about_key, const char *text)
{
    complain(v, about_key ? key_file : cert_file, text);
    if (!about_key)
        check_one(v, "key_file", key_file);
}

/* @return whether the two can be used; missing ones have been reported as such */
static bool check_pair(const validation_t *v, char *const *cert_file, char *const *key_file)
{
    gm_error_t err = {0}, warning = {0};
    bool about_key = false;

    if (v->checks->check_credential == NULL)
        return false;
    if (*cert_file == NULL || *key_file == NULL) {
        check_one(v, *key_file != NULL ? "key_file" : "cert_file", *key_file != NULL ? key_file : cert_file);
        return false;
    }
    if (v->checks->check_credential(*cert_file, *key_file, &about_key, &err, &warning) != 0) {
        complain_files(v, cert_file, key_file, about_key, err.text);
        return false;
    }
    if (warning.text[0] != '\0')
        report(v, GM_SEVERITY_WARNING, cert_file, NULL, warning.text);
    return true;
}

/* One without the other. */
static void check_both(const validation_t *v, const char *title, char *const *cert_file,
                       char *const *key_file)
{
    gm_error_t err = {0};

    if ((*cert_file == NULL) == (*key_file == NULL) || is_bad(v, cert_file) || is_bad(v, key_file))
        return;
    gm_error_set(&err, NULL, "%s: \"%s\" is missing", title, *cert_file == NULL ? "cert_file" : "key_file");
    complain(v, *cert_file == NULL ? key_file : cert_file, err.text);
}

static void check_authorities(const validation_t *v, const char *key, char *const *file)
{
    gm_error_t err = {0}, warning = {0};

    if (*file == NULL || v->checks->check_authorities == NULL)
        return;
    if (v->checks->check_authorities(key, *file, &err, &warning) != 0)
        complain(v, file, err.text);
    else if (warning.text[0] != '\0')
        report(v, GM_SEVERITY_WARNING, file, NULL, warning.text);
}

/* Clients name hosts, never addresses (RFC 6066, 3). */
static bool is_server_name(const char *name)
{
    gm_error_t err = {0};
    gm_hostport_t both;
    size_t length;

    if (strncmp(name, "*.", 2) == 0)
        name += 2;
    length = strlen(name);
    return gm_text_is_host(name) && strchr(name, ':') == NULL &&
           gm_text_parse_hostport(name, false, &both, &err) != 0 && /* is no "host:port" */
           strspn(name, "0123456789.") != length;
}

static void check_names(const validation_t *v, const gm_certificate_conf_t *certificate)
{
    for (size_t i = 0; i != certificate->names.size; ++i) {
        const char *name = certificate->names.items[i];
        gm_error_t err = {0};
        if (is_server_name(name))
            continue;
        gm_error_set(&err, NULL,
                     "names: \"%.200s\" is not a host name; write www.example.com or *.example.com", name);
        complain(v, name, err.text);
    }
}

static void check_certificates(const validation_t *v, const gm_tls_conf_t *tls)
{
    for (size_t i = 0; i != tls->certificates.size; ++i) {
        const gm_certificate_conf_t *one = tls->certificates.items[i];
        bool is_default = i == 0 && tls->cert_file == NULL;
        check_names(v, one);
        if (check_pair(v, &one->cert_file, &one->key_file) && one->names.size == 0 && !is_default &&
            !is_bad(v, &one->names) && v->checks->has_names != NULL && !v->checks->has_names(one->cert_file))
            complain(
                v, &one->cert_file,
                "this certificate can never be chosen: it names no host; give it names: [www.example.com]");
    }
    if (gm_config_find_origin(v->config, &tls->certificates) == NULL)
        return; /* then the two are required, and were missed */
    check_both(v, "proxy.tls", &tls->cert_file, &tls->key_file);
    if (tls->certificates.size == 0 && tls->cert_file == NULL && tls->key_file == NULL &&
        !is_bad(v, &tls->certificates))
        complain(v, &tls->certificates,
                 "certificates: the list is empty; give one, or cert_file and key_file");
}

static void check_client_auth(const validation_t *v, const gm_tls_conf_t *tls)
{
    check_authorities(v, "client_ca_file", &tls->client_ca_file);
    if (tls->client_auth != GM_CLIENT_AUTH_AUTO && tls->client_ca_file == NULL &&
        !is_bad(v, &tls->client_ca_file) && !is_bad(v, &tls->client_auth))
        complain(v, &tls->client_auth,
                 "client_auth needs client_ca_file: the authorities whose certificates clients may show");
}

static void check_listener(const validation_t *v)
{
    const gm_proxy_conf_t *proxy = &v->config->proxy;
    const gm_tls_conf_t *tls = &proxy->tls;
    const gm_origin_t *port = gm_config_find_origin(v->config, &proxy->listen_port);

    if (!tls->present)
        return;
    if (tls->listen_port == proxy->listen_port && !is_bad(v, &tls->listen_port) &&
        !is_bad(v, &proxy->listen_port))
        report(v, GM_SEVERITY_ERROR, &tls->listen_port, port != NULL ? &port->place : NULL,
               "tls.listen_port is the same as proxy.listen_port; they need two ports");
    check_pair(v, &tls->cert_file, &tls->key_file);
    check_certificates(v, tls);
    check_client_auth(v, tls);
}

static void check_client(const validation_t *v, const gm_backend_tls_conf_t *tls, const char *key)
{
    if (!tls->present)
        return;
    check_authorities(v, "ca_file", &tls->ca_file);
    check_both(v, key, &tls->cert_file, &tls->key_file);
    check_pair(v, &tls->cert_file, &tls->key_file);
    if (!tls->verify && !is_bad(v, &tls->verify))
        report(v, GM_SEVERITY_WARNING, &tls->verify, NULL,
               "verify: false accepts any certificate: whoever stands between proxy and backend can read and "
               "change everything");
}

static void check_backend(const validation_t *v, const gm_backend_conf_t *backend)
{
    if (backend->tls.present && v->config->proxy.engine == GM_ENGINE_H2O)
        complain(v, &backend->tls.present, "backend.tls needs the engine gomesh");
    if (backend->protocol == GM_PROTOCOL_H2 && v->config->proxy.engine == GM_ENGINE_H2O)
        complain(v, &backend->protocol, "protocol h2 needs the engine gomesh");
    check_client(v, &backend->tls, "backend.tls");
}

void gm_config_validate_tls(gm_config_t *config, const gm_checks_t *checks, gm_diagnostics_t *diagnostics)
{
    static const gm_checks_t none;
    const validation_t v = {config, checks != NULL ? checks : &none, diagnostics};

    check_listener(&v);
    check_backend(&v, &config->proxy.backend);
    for (size_t i = 0; i != config->routes.size; ++i)
        check_backend(&v, &config->routes.items[i]->backend);
    check_client(&v, &config->tracing.otlp.tls, "tracing.otlp.tls");
}
