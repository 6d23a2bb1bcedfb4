/*
 * The checks of the admin window: its address is one, and nobody else's. What a user wrote is an error where
 * it cannot be; the default gives way. Called by config/validate, main thread.
 */
#include "config/validate.h"

#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/text.h"

#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

typedef struct admin_check {
    gm_config_t *config;
    gm_admin_conf_t *admin;
    gm_diagnostics_t *diagnostics;
    gm_hostport_t at;
} admin_check_t;

static const gm_place_t *place_of(const admin_check_t *self, const void *field)
{
    const gm_origin_t *origin = gm_config_find_origin(self->config, field);
    return origin != NULL ? &origin->place : NULL;
}

static bool is_bad(const admin_check_t *self, const void *field)
{
    return gm_validate_is_bad(self->config, field);
}

static bool is_given(const admin_check_t *self)
{
    return gm_config_find_origin(self->config, &self->admin->listen) != NULL;
}

/*
 * Somebody else is to have the address. A window that nobody asked for stays shut.
 * @param field  what needs it
 */
static void give_way(admin_check_t *self, const void *field, const char *whose)
{
    if (is_given(self))
        gm_diagnostics_add(self->diagnostics, GM_SEVERITY_ERROR, place_of(self, &self->admin->listen),
                           "listen: \"%.200s\" is the address of %s too; choose another port",
                           self->admin->listen, whose);
    else
        gm_diagnostics_add(self->diagnostics, GM_SEVERITY_WARNING, place_of(self, field),
                           "the admin window stays shut: its default address %s is that of %s; "
                           "give admin.listen another, or \"\"",
                           self->admin->listen, whose);
    self->admin->listen[0] = '\0';
}

static bool is_listener_in_the_way(admin_check_t *self, const uint64_t *port, const char *key)
{
    const gm_proxy_conf_t *proxy = &self->config->proxy;

    if (self->at.port != *port || is_bad(self, port) || is_bad(self, &proxy->listen_host) ||
        !(gm_validate_leads_back(self->at.host, proxy->listen_host) ||
          gm_validate_leads_back(proxy->listen_host, self->at.host)))
        return false;
    give_way(self, port, key);
    return true;
}

/* Clients of the proxy would come to the window through it. */
static bool is_backend(admin_check_t *self, const gm_backend_conf_t *backend)
{
    if (!backend->present || backend->host == NULL || gm_text_unix_path(backend->host) != NULL ||
        is_bad(self, &backend->host) || is_bad(self, &backend->port) || self->at.port != backend->port ||
        !gm_validate_leads_back(backend->host, self->at.host))
        return false;
    give_way(self, &backend->port, "a backend");
    return true;
}

static void check_listen(admin_check_t *self)
{
    const gm_proxy_conf_t *proxy = &self->config->proxy;
    gm_error_t err = {0};

    if (is_bad(self, &self->admin->listen) || self->admin->listen == NULL || self->admin->listen[0] == '\0')
        return;
    if (gm_text_parse_hostport(self->admin->listen, true, &self->at, &err) != 0) {
        gm_diagnostics_add(self->diagnostics, GM_SEVERITY_ERROR, place_of(self, &self->admin->listen),
                           "listen: %s; write 127.0.0.1:9901, or \"\" for none", err.text);
        return;
    }
    if (is_listener_in_the_way(self, &proxy->listen_port, "proxy.listen_port") ||
        (proxy->tls.present &&
         is_listener_in_the_way(self, &proxy->tls.listen_port, "proxy.tls.listen_port")) ||
        is_backend(self, &proxy->backend))
        return;
    for (size_t i = 0; i != self->config->routes.size; ++i)
        if (is_backend(self, &self->config->routes.items[i]->backend))
            return;
    if (!gm_validate_is_loopback(self->at.host))
        gm_diagnostics_add(self->diagnostics, GM_SEVERITY_WARNING, place_of(self, &self->admin->listen),
                           "listen: \"%.200s\" is not on loopback: whoever reaches it may read the "
                           "configuration and end the proxy",
                           self->admin->listen);
}

static bool is_socket_of(const gm_backend_conf_t *backend, const char *path)
{
    const char *theirs = backend->host != NULL ? gm_text_unix_path(backend->host) : NULL;
    return backend->present && theirs != NULL && strcmp(theirs, path) == 0;
}

static void check_socket(admin_check_t *self)
{
    const char *path = self->admin->socket;
    bool is_taken;

    if (path == NULL || is_bad(self, &self->admin->socket))
        return;
    if (strlen(path) > SOCKET_PATH_MAX)
        gm_diagnostics_add(self->diagnostics, GM_SEVERITY_ERROR, place_of(self, &self->admin->socket),
                           "socket: \"%.200s\" is too long, a socket's path has at most %zu bytes", path,
                           SOCKET_PATH_MAX);
    is_taken = is_socket_of(&self->config->proxy.backend, path);
    for (size_t i = 0; i != self->config->routes.size; ++i)
        is_taken = is_taken || is_socket_of(&self->config->routes.items[i]->backend, path);
    if (is_taken)
        gm_diagnostics_add(self->diagnostics, GM_SEVERITY_ERROR, place_of(self, &self->admin->socket),
                           "socket: \"%.200s\" is the socket of a backend too; choose another", path);
}

void gm_config_validate_admin(gm_config_t *config, gm_diagnostics_t *diagnostics)
{
    admin_check_t check = {.config = config, .admin = &config->admin, .diagnostics = diagnostics};

    check_listen(&check);
    check_socket(&check);
}
