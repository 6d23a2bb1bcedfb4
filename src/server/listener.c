/*
 * Accepting clients: a bounded number per wake-up, none beyond the limit, and none lost when the listener
 * closes. Opened on the main thread, run by its worker.
 */
#include "server/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/filter.h>

#include "telemetry/log.h"

#define BACKLOG 4096
#define ACCEPTS_PER_WAKEUP 32
#define RESUME_MS 20

struct gm_listener {
    gm_listener_options_t options;
    h2o_socket_t *sock; /* owned; NULL once closed */
    h2o_timeout_t resume_after;
    h2o_timeout_entry_t resume; /* linked while accepting is paused */
    bool said_full;
};

static int fail(gm_error_t *err, bool *in_use, uint16_t port)
{
    int error = errno;

    *in_use = error == EADDRINUSE;
    if (error == EACCES)
        return gm_error_set(
            err, NULL, "port %u cannot be opened: ports below 1024 need root or CAP_NET_BIND_SERVICE", port);
    return gm_error_set(err, NULL, "port %u cannot be opened: %s", port,
                        *in_use ? "it is already in use" : strerror(error));
}

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

static int open_socket(const struct sockaddr *address, socklen_t length, bool share)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

    if (fd == -1)
        return -1;
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 &&
        (!share || set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) == 0) &&
        (address->sa_family != AF_INET6 || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) == 0) &&
        bind(fd, address, length) == 0 && (!share || listen(fd, BACKLOG) == 0)) /* a probe lets nobody in */
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int add_socket(gm_listener_sockets_t *sockets, const struct sockaddr *address, socklen_t length,
                      bool share)
{
    int fd = open_socket(address, length, share);

    if (fd == -1)
        return -1;
    sockets->fds[sockets->count++] = fd;
    return 0;
}

/* An address of each family, of which the machine may lack one: the wildcards, or those of "localhost" (RFC
 * 6761). */
static int open_both_families(struct in_addr v4_host, struct in6_addr v6_host, uint16_t port, bool share,
                              gm_listener_sockets_t *sockets, bool *in_use, gm_error_t *err)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = v4_host};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = v6_host};

    if (add_socket(sockets, (void *)&v4, sizeof(v4), share) != 0 && errno != EAFNOSUPPORT)
        return fail(err, in_use, port);
    if (add_socket(sockets, (void *)&v6, sizeof(v6), share) != 0 &&
        ((errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) || sockets->count == 0))
        return fail(err, in_use, port);
    return 0;
}

static int open_named_address(const char *host, uint16_t port, bool share, gm_listener_sockets_t *sockets,
                              bool *in_use, gm_error_t *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list;
    char service[8];
    int error, ret = 0;

    snprintf(service, sizeof(service), "%u", port);
    if ((error = getaddrinfo(host, service, &hints, &list)) != 0)
        return gm_error_set(err, NULL, "\"%.200s\" is not an address to listen on: %s", host,
                            gai_strerror(error));
    for (const struct addrinfo *at = list; at != NULL && sockets->count != GM_LISTENER_MAX_SOCKETS;
         at = at->ai_next)
        if (add_socket(sockets, at->ai_addr, at->ai_addrlen, share) != 0 &&
            (errno != EADDRNOTAVAIL || (at->ai_next == NULL && sockets->count == 0)))
            ret = fail(err, in_use, port);
    freeaddrinfo(list);
    return ret;
}

int gm_listener_open(const char *host, uint16_t port, bool share, gm_listener_sockets_t *sockets,
                     bool *in_use, gm_error_t *err)
{
    int ret;

    *in_use = false;
    sockets->count = 0;
    if (host[0] == '\0')
        ret =
            open_both_families((struct in_addr){INADDR_ANY}, in6addr_any, port, share, sockets, in_use, err);
    else if (strcasecmp(host, "localhost") == 0)
        ret = open_both_families((struct in_addr){htonl(INADDR_LOOPBACK)}, in6addr_loopback, port, share,
                                 sockets, in_use, err);
    else
        ret = open_named_address(host, port, share, sockets, in_use, err);
    if (ret != 0)
        gm_listener_close_sockets(sockets);
    return ret;
}

void gm_listener_close_sockets(gm_listener_sockets_t *sockets)
{
    while (sockets->count != 0)
        close(sockets->fds[--sockets->count]);
}

static void on_accept(h2o_socket_t *sock, const char *error);

static void on_resume(h2o_timeout_entry_t *entry)
{
    gm_listener_t *self = H2O_STRUCT_FROM_MEMBER(gm_listener_t, resume, entry);
    h2o_socket_read_start(self->sock, on_accept);
}

/* A listener that stays readable while nothing is accepted would keep the loop spinning. */
static void pause_accepting(gm_listener_t *self)
{
    h2o_socket_read_stop(self->sock);
    h2o_timeout_unlink(&self->resume);
    h2o_timeout_link(self->options.context->loop, &self->resume_after, &self->resume);
}

static void say_full(gm_listener_t *self)
{
    if (!self->said_full)
        gm_log(GM_LOG_WARN, "%zu connections are open (proxy.limits.max_connections): new clients wait",
               self->options.max_open);
    self->said_full = true; /* once per listener: this is not the moment for a flood of lines */
}

/* Workers compete for the last places, so one is taken before it is known whether somebody comes. */
static bool take_place(gm_listener_t *self)
{
    if (atomic_fetch_add_explicit(self->options.open, 1, memory_order_relaxed) < self->options.max_open)
        return true;
    atomic_fetch_sub_explicit(self->options.open, 1, memory_order_relaxed);
    return false;
}

/* @return false when there is nobody left to accept, or nothing to accept with */
static bool accept_one(gm_listener_t *self)
{
    h2o_socket_t *sock = h2o_evloop_socket_accept(self->sock);

    if (sock == NULL) {
        atomic_fetch_sub_explicit(self->options.open, 1, memory_order_relaxed);
        return false;
    }
    gm_front_accept(self->options.front, sock, self->options.tls);
    return true;
}

static void on_accept(h2o_socket_t *sock, const char *error)
{
    gm_listener_t *self = sock->data;

    if (error != NULL)
        return;
    for (int i = 0; i != ACCEPTS_PER_WAKEUP; ++i) {
        if (!take_place(self)) {
            say_full(self);
            pause_accepting(self);
            return;
        }
        errno = 0;
        if (accept_one(self))
            continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            gm_log(GM_LOG_ERROR, "A client cannot be accepted: %s", strerror(errno));
            pause_accepting(self);
        }
        return;
    }
}

gm_listener_t *gm_listener_create(int fd, const gm_listener_options_t *options)
{
    gm_listener_t *self = gm_alloc(sizeof(*self));

    self->options = *options;
    self->resume.cb = on_resume;
    h2o_timeout_init(options->context->loop, &self->resume_after, RESUME_MS);
    self->sock = h2o_evloop_socket_create(options->context->loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    self->sock->data = self;
    h2o_socket_read_start(self->sock, on_accept);
    return self;
}

void gm_listener_close(gm_listener_t *self)
{
    /* packets that arrive now are dropped: handshakes in the queue are served, no new one can slip in behind
     * them */
    struct sock_filter drop = {.code = BPF_RET | BPF_K, .k = 0};
    struct sock_fprog program = {1, &drop};

    if (self->sock == NULL)
        return;
    setsockopt(h2o_socket_get_fd(self->sock), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
    do
        atomic_fetch_add_explicit(self->options.open, 1,
                                  memory_order_relaxed); /* beyond the limit, if need be */
    while (accept_one(self));
    h2o_timeout_unlink(&self->resume);
    h2o_socket_close(self->sock);
    self->sock = NULL;
}

void gm_listener_destroy(gm_listener_t *self)
{
    if (self == NULL)
        return;
    h2o_timeout_unlink(&self->resume);
    h2o_timeout_dispose(self->options.context->loop, &self->resume_after);
    free(self);
}
