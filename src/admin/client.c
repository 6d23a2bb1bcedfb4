/*
 * One small HTTP request, for images that have no curl. All of it has one deadline; what answers may be
 * anything. Called by server/inspect, in a process that does nothing else.
 */
#include "admin/client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "http/head.h"

#define MAX_ANSWER_BYTES ((size_t)4 << 20)

typedef struct exchange {
    const char *address;
    uint64_t deadline_ms;
    int fd; /* -1 = not connected */
    gm_error_t *err;
} exchange_t;

static int fail(const exchange_t *self, const char *why)
{
    return gm_error_set(self->err, NULL, "%.280s: %s", self->address, why);
}

/* @return 0, or -1: an error, or the time is over, as errno says */
static int wait_for(const exchange_t *self, short events)
{
    struct pollfd slot = {.fd = self->fd, .events = events};
    uint64_t now = gm_clock_monotonic_ms();
    int ret = now < self->deadline_ms ? poll(&slot, 1, (int)(self->deadline_ms - now)) : 0;

    if (ret == 0)
        errno = ETIMEDOUT;
    return ret == 1 ? 0 : -1;
}

/* @return 0, or -1 with errno set and nothing left open */
static int connect_to(exchange_t *self, const struct sockaddr *address, socklen_t length)
{
    socklen_t size = sizeof(int);
    int error = 0;

    self->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->fd == -1)
        return -1;
    if (connect(self->fd, address, length) != 0)
        error = errno;
    if (error == EINPROGRESS && (error = wait_for(self, POLLOUT) == 0 ? 0 : errno) == 0)
        getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0)
        return 0;
    close(self->fd);
    self->fd = -1;
    errno = error;
    return -1;
}

static int connect_to_socket(exchange_t *self, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return fail(self, "a socket's path is shorter");
    strcpy(address.sun_path, path);
    return connect_to(self, (void *)&address, sizeof(address)) == 0 ? 0 : fail(self, strerror(errno));
}

/* What a listener on all addresses is reached by. */
static const char *reachable(const char *host)
{
    return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1"
           : strcmp(host, "::") == 0                       ? "::1"
                                                           : host;
}

static int connect_to_host(exchange_t *self)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;
    gm_hostport_t to;
    char service[8];
    int error;

    if (gm_text_parse_hostport(self->address, true, &to, self->err) != 0)
        return -1;
    snprintf(service, sizeof(service), "%u", to.port);
    if ((error = getaddrinfo(reachable(to.host), service, &hints, &list)) != 0)
        return fail(self, gai_strerror(error));
    for (const struct addrinfo *at = list; at != NULL && self->fd == -1; at = at->ai_next)
        error = connect_to(self, at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
    freeaddrinfo(list);
    return self->fd != -1 ? 0 : fail(self, strerror(error));
}

static int send_all(exchange_t *self, const char *bytes, size_t length)
{
    while (length != 0) {
        ssize_t sent = send(self->fd, bytes, length, MSG_NOSIGNAL);
        if (sent == -1 && errno != EAGAIN && errno != EINTR)
            return fail(self, strerror(errno));
        if (sent == -1 && wait_for(self, POLLOUT) != 0 && errno != EINTR)
            return fail(self, strerror(errno));
        bytes += sent > 0 ? sent : 0;
        length -= sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

static int receive_all(exchange_t *self, gm_buffer_t *answer)
{
    char bytes[4096];

    for (;;) {
        ssize_t got = recv(self->fd, bytes, sizeof(bytes), 0);
        if (got == 0)
            return 0;
        if (got > 0)
            gm_buffer_append(answer, bytes, (size_t)got);
        if (answer->length > MAX_ANSWER_BYTES)
            return fail(self, "the answer has no end");
        if (got > 0)
            continue;
        if (errno != EAGAIN && errno != EINTR)
            return fail(self, strerror(errno));
        if (wait_for(self, POLLIN) != 0 && errno != EINTR)
            return fail(self, errno == ETIMEDOUT ? "no answer in time" : strerror(errno));
    }
}

static int take_apart(exchange_t *self, gm_buffer_t *answer, unsigned *status, gm_buffer_t *body)
{
    static const gm_head_limits_t limits = {65536, 65536, 65536, GM_HEAD_MAX_FIELDS};
    gm_head_t head;

    if (answer->length == 0 || gm_head_parse_response(answer->text, answer->length, 0, &limits, &head) != 1 ||
        head.is_chunked)
        return fail(self, "the answer is not from an admin window");
    if (head.content_length != GM_HEAD_NO_LENGTH && head.content_length != answer->length - head.length)
        return fail(self, "the answer broke off");
    *status = head.status;
    gm_buffer_append(body, answer->text + head.length, answer->length - head.length);
    return 0;
}

int gm_admin_client_get(const char *address, const char *target, uint64_t timeout_ms, unsigned *status,
                        gm_buffer_t *body, gm_error_t *err)
{
    exchange_t self = {address, gm_clock_monotonic_ms() + timeout_ms, -1, err};
    const char *path = gm_text_unix_path(address);
    gm_buffer_t request = {0}, answer = {0};
    int ret = -1;

    /* the window refuses the names of others, and this is no browser */
    gm_buffer_printf(&request, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", target);
    if ((path != NULL ? connect_to_socket(&self, path) : connect_to_host(&self)) == 0 &&
        send_all(&self, request.text, request.length) == 0 && receive_all(&self, &answer) == 0)
        ret = take_apart(&self, &answer, status, body);
    if (self.fd != -1)
        close(self.fd);
    gm_buffer_dispose(&request);
    gm_buffer_dispose(&answer);
    return ret;
}
