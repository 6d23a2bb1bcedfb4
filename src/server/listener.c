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

#include "base/clock.h"
#include "net/transport.h"

#define BACKLOG 4096
#define ACCEPTS_PER_WAKEUP 32
#define PAUSE_MS 20

struct gm_listener {
    gm_listener_options_t options;
    h2o_socket_t *sock;    /* owned; NULL once closed */
    uint64_t paused_at_ms; /* 0 = it accepts */
};

static int fail(gm_error_t *err, bool *in_use, const char *host, uint16_t port)
{
    const char *of = host[0] != '\0' ? " of " : "";
    int error = errno;

    *in_use = error == EADDRINUSE;
    if (error == EACCES)
        return gm_error_set(
            err, NULL, "port %u%s%.200s cannot be opened: ports below 1024 need root or CAP_NET_BIND_SERVICE",
            port, of, host);
    return gm_error_set(err, NULL, "port %u%s%.200s cannot be opened: %s", port, of, host,
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
static int open_both_families(const char *host, struct in_addr v4_host, struct in6_addr v6_host,
                              uint16_t port, bool share, gm_listener_sockets_t *sockets, bool *in_use,
                              gm_error_t *err)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = v4_host};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = v6_host};

    if (add_socket(sockets, (void *)&v4, sizeof(v4), share) != 0 && errno != EAFNOSUPPORT)
        return fail(err, in_use, host, port);
    if (add_socket(sockets, (void *)&v6, sizeof(v6), share) != 0 &&
        ((errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) || sockets->count == 0))
        return fail(err, in_use, host, port);
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
    for (const struct addrinfo *at = list; at != NULL && sockets->count != GM_LISTENER_MAX_ADDRESSES;
         at = at->ai_next)
        if (add_socket(sockets, at->ai_addr, at->ai_addrlen, share) != 0 &&
            (errno != EADDRNOTAVAIL || (at->ai_next == NULL && sockets->count == 0)))
            ret = fail(err, in_use, host, port);
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
        ret = open_both_families(host, (struct in_addr){INADDR_ANY}, in6addr_any, port, share, sockets,
                                 in_use, err);
    else if (strcasecmp(host, "localhost") == 0)
        ret = open_both_families(host, (struct in_addr){htonl(INADDR_LOOPBACK)}, in6addr_loopback, port,
                                 share, sockets, in_use, err);
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

/* A listener that stays readable while nothing is accepted would keep the loop spinning. */
static void pause_accepting(gm_listener_t *self)
{
    h2o_socket_read_stop(self->sock);
    self->paused_at_ms = gm_clock_coarse_ms();
}

int32_t gm_listener_tend(gm_listener_t *self, int32_t longest_ms)
{
    if (self->paused_at_ms == 0 || self->sock == NULL)
        return longest_ms;
    if (gm_clock_coarse_ms() - self->paused_at_ms < PAUSE_MS)
        return longest_ms < PAUSE_MS ? longest_ms : PAUSE_MS;
    self->paused_at_ms = 0;
    h2o_socket_read_start(self->sock, on_accept);
    return longest_ms;
}

/* @return false when there is nobody left to accept, or nothing to accept with */
static bool accept_one(gm_listener_t *self)
{
    h2o_socket_t *sock = h2o_evloop_socket_accept(self->sock);

    if (sock == NULL) {
        gm_places_give_back(self->options.places);
        return false;
    }
    if (gm_places_admit(self->options.places, sock)) {
        gm_front_accept(self->options.front, sock, self->options.tls);
        if (self->options.crowd != 0 && gm_front_count(self->options.front) > self->options.crowd)
            gm_front_make_room(self->options.front);
    } else {
        gm_transport_abort(sock); /* a reset: it has not been read, and nothing is left behind here */
        h2o_socket_close(sock);
        gm_places_give_back(self->options.places);
    }
    return true;
}

static void on_accept(h2o_socket_t *sock, const char *error)
{
    gm_listener_t *self = sock->data;

    if (error != NULL)
        return;
    for (int i = 0; i != ACCEPTS_PER_WAKEUP; ++i) {
        if (!gm_places_take(self->options.places)) {
            pause_accepting(self);
            return;
        }
        errno = 0;
        if (accept_one(self))
            continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            gm_places_say_out_of(self->options.places, errno);
            pause_accepting(self);
        }
        return;
    }
}

gm_listener_t *gm_listener_create(int fd, const gm_listener_options_t *options)
{
    gm_listener_t *self = gm_alloc(sizeof(*self));

    self->options = *options;
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
        gm_places_take_anyway(self->options.places); /* beyond the limit, if need be */
    while (accept_one(self));
    h2o_socket_close(self->sock);
    self->sock = NULL;
}

void gm_listener_destroy(gm_listener_t *self)
{
    free(self);
}
