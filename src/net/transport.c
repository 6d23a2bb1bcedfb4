/*
 * How bytes move between the kernel and the two sides, front/ and upstream/. Worker's thread.
 */
#include "net/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/tcp.h>

#define SMALLEST_READ 4096

void gm_transport_init(h2o_socket_t *sock)
{
    if (sock->ssl == NULL)
        h2o_socket_dont_read(sock, 1);
}

static size_t bounded(size_t size)
{
    return size < SMALLEST_READ             ? SMALLEST_READ
           : size > GM_TRANSPORT_HIGH_WATER ? GM_TRANSPORT_HIGH_WATER
                                            : size;
}

const char *gm_transport_read(h2o_socket_t *sock, size_t *want, size_t hint)
{
    size_t size = bounded(hint > *want ? hint : *want);
    h2o_iovec_t space;
    ssize_t got;

    if (sock->ssl != NULL)
        return NULL; /* the library has read and decrypted */
    space = h2o_buffer_reserve(&sock->input, size);
    if (space.base == NULL)
        return h2o_socket_error_out_of_memory;
    if (space.len > GM_TRANSPORT_HIGH_WATER)
        space.len = GM_TRANSPORT_HIGH_WATER;
    do
        got = read(h2o_socket_get_fd(sock), space.base, space.len);
    while (got == -1 && errno == EINTR);
    if (got == 0)
        return h2o_socket_error_closed;
    if (got == -1)
        return errno == EAGAIN || errno == EWOULDBLOCK ? NULL : h2o_socket_error_io;
    sock->input->size += (size_t)got;
    if ((size_t)got == space.len && *want < GM_TRANSPORT_HIGH_WATER)
        *want = space.len * 4;
    return NULL;
}

void gm_transport_take(h2o_buffer_t **from, size_t size, h2o_buffer_t **to)
{
    size_t rest = (*from)->size - size;
    h2o_buffer_t *taken = *from;

    *from = *to;
    *to = taken;
    if (rest == 0)
        return;
    memcpy(h2o_buffer_reserve(from, rest).base, taken->bytes + size, rest);
    (*from)->size += rest;
    taken->size = size;
}

void gm_transport_clear(h2o_buffer_t **buffer)
{
    h2o_buffer_t *self = *buffer;

    if (self->size == 0)
        return;
    if (self->capacity > 2 * GM_TRANSPORT_HIGH_WATER) {
        h2o_buffer_consume(buffer, self->size);
        return;
    }
    self->size = 0;
    self->bytes = self->_buf;
}

void gm_transport_shrink(h2o_buffer_t **buffer)
{
    if ((*buffer)->size != 0 || (*buffer)->bytes == NULL)
        return;
    h2o_buffer_dispose(buffer);
    h2o_buffer_init(buffer, &h2o_socket_buffer_prototype);
}

static bool ask_kernel(h2o_socket_t *sock, struct tcp_info *info)
{
    socklen_t length = sizeof(*info);

    memset(info, 0, sizeof(*info));
    return getsockopt(h2o_socket_get_fd(sock), IPPROTO_TCP, TCP_INFO, info, &length) == 0;
}

bool gm_transport_is_taken(h2o_socket_t *sock, uint64_t *acked)
{
    uint64_t before = *acked;
    struct tcp_info info;

    if (!ask_kernel(sock, &info))
        return false;
    *acked = info.tcpi_bytes_acked;
    return *acked != before;
}

bool gm_transport_is_reset(h2o_socket_t *sock)
{
    struct tcp_info info;

    return !ask_kernel(sock, &info) || info.tcpi_state == 7 /* TCP_CLOSE */;
}

/* Connecting to AF_UNSPEC is how Linux is told to reset a TCP connection at once. */
void gm_transport_abort(h2o_socket_t *sock)
{
    static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    if (connect(h2o_socket_get_fd(sock), &nowhere, sizeof(nowhere)) != 0)
        shutdown(h2o_socket_get_fd(sock), SHUT_RDWR);
}
