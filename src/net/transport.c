/*
 * How bytes move between the kernel and the two sides, front/ and upstream/. Worker's thread.
 */
#include "net/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <linux/tcp.h>

/* of netinet/tcp.h, which cannot be had together with linux/tcp.h */
enum { TCP_STATE_CLOSE = 7, TCP_STATE_CLOSE_WAIT = 8 };

#define SMALLEST_READ 4096
#define SMALL_READS 32 /* in a row */
#define TLS_READ ((size_t)32 * 1024)
#define SMALL_WRITE ((size_t)4 * 1024)
#define TLS_RECORD ((size_t)16 * 1024)

const char *const gm_transport_error_cut = "closed without close_notify";

void gm_transport_init(h2o_socket_t *sock, gm_tls_wire_t *wire)
{
    h2o_socket_dont_read(sock, 1);
    if (wire != NULL)
        gm_tls_wire_take_over(wire);
}

static size_t bounded(size_t size, size_t most)
{
    return size < SMALLEST_READ ? SMALLEST_READ : size > most ? most : size;
}

/* @return bytes, 0 = the end, -1 = none for now, or *err is set */
static ssize_t receive(h2o_socket_t *sock, void *into, size_t room, const char **err)
{
    ssize_t got;

    do
        got = recv(h2o_socket_get_fd(sock), into, room, 0);
    while (got == -1 && errno == EINTR);
    if (got == -1 && errno != EAGAIN && errno != EWOULDBLOCK)
        *err = h2o_socket_error_io;
    return got;
}

/* All that was read is decrypted at once, so that nothing waits where the event loop does not see it. */
static const char *read_tls(h2o_socket_t *sock, gm_tls_wire_t *wire)
{
    char encrypted[TLS_READ];
    size_t before = sock->input->size;
    const char *err = NULL;
    ssize_t got = receive(sock, encrypted, sizeof(encrypted), &err);
    int taken;

    if (got == 0)
        return gm_tls_wire_is_closed(wire) ? h2o_socket_error_closed : gm_transport_error_cut;
    if (got == -1)
        return err;
    gm_tls_wire_feed(wire, encrypted, (size_t)got, !h2o_socket_is_writing(sock));
    do {
        h2o_iovec_t space = h2o_buffer_reserve(&sock->input, bounded((size_t)got, TLS_READ));
        if (space.base == NULL)
            return h2o_socket_error_out_of_memory;
        taken = gm_tls_wire_take(wire, space.base, space.len);
        sock->input->size += taken > 0 ? (size_t)taken : 0;
    } while (taken > 0);
    if (taken == GM_TLS_WIRE_BROKEN)
        return h2o_socket_error_ssl_decode;
    if (taken == GM_TLS_WIRE_EMPTY)
        return NULL;
    if (sock->input->size == before)
        return h2o_socket_error_closed;
    shutdown(h2o_socket_get_fd(sock), SHUT_RD); /* the end comes with the next event, behind these bytes */
    return NULL;
}

/* Large buffers for small reads are a waste; but one small read may be the tail of much. */
static void adapt(gm_reader_t *self, size_t got, size_t room)
{
    self->has_filled = got == room;
    self->small_reads = got < self->want / 8 ? self->small_reads + 1 : 0;
    if (self->has_filled && self->want < GM_TRANSPORT_READ_MAX)
        self->want = bounded(room * 4, GM_TRANSPORT_READ_MAX);
    if (self->small_reads == SMALL_READS) {
        self->want /= 4;
        self->small_reads = 0;
    }
}

const char *gm_transport_read(h2o_socket_t *sock, gm_tls_wire_t *wire, gm_reader_t *reader, size_t hint)
{
    size_t most = reader->is_taker_busy ? GM_TRANSPORT_HIGH_WATER : GM_TRANSPORT_READ_MAX;
    const char *err = NULL;
    h2o_iovec_t space;
    ssize_t got;

    if (wire != NULL)
        return read_tls(sock, wire);
    space = h2o_buffer_reserve(&sock->input, bounded(hint > reader->want ? hint : reader->want, most));
    if (space.base == NULL)
        return h2o_socket_error_out_of_memory;
    if (space.len > most)
        space.len = most;
    if ((got = receive(sock, space.base, space.len, &err)) == 0)
        return h2o_socket_error_closed;
    if (got == -1)
        return err;
    sock->input->size += (size_t)got;
    adapt(reader, (size_t)got, space.len);
    return NULL;
}

/* @return the bytes of all pieces, which are in `into` then; SIZE_MAX: they have no room there */
static size_t gather(const h2o_iovec_t *bufs, size_t count, char *into, size_t room)
{
    size_t total = 0;

    for (size_t i = 0; i != count; ++i) {
        if (bufs[i].len > room - total)
            return SIZE_MAX;
        memcpy(into + total, bufs[i].base, bufs[i].len);
        total += bufs[i].len;
    }
    return total;
}

/* Takes what was sent off the front of the pieces. @return how many are left, from *bufs on */
static size_t skip(h2o_iovec_t **bufs, size_t count, size_t sent)
{
    while (count != 0 && (*bufs)->len <= sent) {
        sent -= (*bufs)->len;
        ++*bufs;
        --count;
    }
    if (count != 0) {
        (*bufs)->base += sent;
        (*bufs)->len -= sent;
    }
    return count;
}

/* send() of one piece costs the kernel less than writev(), even with the copy; the library takes what is
 * left, an error too, and calls back. */
static void write_plain(h2o_socket_t *sock, h2o_iovec_t *bufs, size_t count, h2o_socket_cb cb)
{
    char gathered[SMALL_WRITE];
    h2o_iovec_t one = bufs[0];
    ssize_t sent = -1;

    if (count != 1)
        one = h2o_iovec_init(gathered, gather(bufs, count, gathered, sizeof(gathered)));
    if (one.len != SIZE_MAX)
        sent = send(h2o_socket_get_fd(sock), one.base, one.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        sock->bytes_written += (size_t)sent;
        count = skip(&bufs, count, (size_t)sent);
    }
    h2o_socket_write(sock, bufs, count, cb);
}

void gm_transport_write(h2o_socket_t *sock, h2o_iovec_t *bufs, size_t count, h2o_socket_cb cb)
{
    char gathered[TLS_RECORD];
    size_t total = SIZE_MAX;

    if (sock->ssl == NULL && count != 0) {
        write_plain(sock, bufs, count, cb);
        return;
    }
    if (count > 1)
        total = gather(bufs, count, gathered, sizeof(gathered));
    if (total == SIZE_MAX) {
        h2o_socket_write(sock, bufs, count, cb);
    } else {
        h2o_iovec_t one = h2o_iovec_init(gathered, total);
        h2o_socket_write(sock, &one, 1, cb); /* which encrypts it before it returns */
    }
}

void gm_transport_half_close(h2o_socket_t *sock, gm_tls_wire_t *wire)
{
    if (wire != NULL)
        gm_tls_wire_close(wire);
    else
        shutdown(h2o_socket_get_fd(sock), SHUT_WR);
}

void gm_transport_take(h2o_buffer_t **from, size_t size, h2o_buffer_t **to)
{
    size_t rest = (*from)->size - size;
    h2o_buffer_t *taken = *from;

    *from = *to;
    *to = taken;
    if ((*from)->capacity > 2 * GM_TRANSPORT_HIGH_WATER)
        gm_transport_shrink(from); /* one large buffer is enough for a transfer that stalls */
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
    if (self->capacity > 2 * GM_TRANSPORT_READ_MAX) {
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

/* What a unix socket's peer has not read yet; it knows no acknowledgements. */
static uint64_t silence_of_unix(h2o_socket_t *sock, uint64_t *acked)
{
    uint64_t before = *acked;
    int unread;

    if (ioctl(h2o_socket_get_fd(sock), SIOCOUTQ, &unread) != 0)
        return UINT64_MAX;
    *acked = (uint64_t)unread;
    return *acked != before ? 0 : UINT64_MAX;
}

uint64_t gm_transport_silence_ms(h2o_socket_t *sock, uint64_t *acked)
{
    struct tcp_info info;

    if (!ask_kernel(sock, &info))
        return silence_of_unix(sock, acked);
    if (info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0)
        return info.tcpi_last_ack_recv;
    /* while something waits, a peer without room is asked for it now and then, and answers: no progress */
    if (info.tcpi_bytes_acked == *acked)
        return UINT64_MAX;
    *acked = info.tcpi_bytes_acked;
    return 0;
}

gm_transport_state_t gm_transport_state(h2o_socket_t *sock)
{
    struct tcp_info info;

    if (!ask_kernel(sock, &info) || info.tcpi_state == TCP_STATE_CLOSE)
        return GM_TRANSPORT_RESET;
    return info.tcpi_state == TCP_STATE_CLOSE_WAIT ? GM_TRANSPORT_FINISHED : GM_TRANSPORT_OPEN;
}

/* Connecting to AF_UNSPEC is how Linux is told to reset a TCP connection at once. */
void gm_transport_abort(h2o_socket_t *sock)
{
    static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    if (connect(h2o_socket_get_fd(sock), &nowhere, sizeof(nowhere)) != 0)
        shutdown(h2o_socket_get_fd(sock), SHUT_RDWR);
}
