/*
 * Sockets between a fuzz target and what it fuzzes, and the clock of their event loop. Called by targets that
 * run servers, in their one thread.
 */
#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 5000 /* a lost SYN-ACK or answer comes again after a second at most */

/* what the kernel calls them */
enum { ESTABLISHED = 1, SYN_SENT = 2, FIN_WAIT1 = 4, FIN_WAIT2 = 5, LAST_ACK = 9, LISTEN = 10, CLOSING = 11 };

/* One end of a connection, as the kernel has it. */
typedef struct end {
    struct sockaddr_in from, to;
    struct tcp_info info;
    int unread; /* bytes that its owner did not want yet */
} end_t;

/* In the C library's place: the timers of libh2o are by it, and must not stop when the clock is set back. */
int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *tv = (struct timeval){.tv_sec = 1600000000 + now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

/* Not assert: a build with NDEBUG must find mistakes, too. */
static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "loopback: %s: %s\n", what, strerror(errno));
    abort();
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int loopback_open(struct sockaddr_in *address, int receive_bytes, int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    uint32_t own = 0x7f400000 | ((uint32_t)getpid() & 0x3fffff); /* clients are below 127.2.0.0 */
    socklen_t length = sizeof(*address);

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(own)}};
    require(fd != -1 && bind(fd, (void *)address, length) == 0 &&
                getsockname(fd, (void *)address, &length) == 0,
            "a port can be had");
    if (receive_bytes != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    require(backlog < 0 || listen(fd, backlog) == 0, "a port can be listened at");
    return fd;
}

void loopback_print(const struct sockaddr_in *address, char text[LOOPBACK_TEXT_BYTES])
{
    require(inet_ntop(AF_INET, &address->sin_addr, text, LOOPBACK_TEXT_BYTES) != NULL, "an address is text");
}

int loopback_connect(const struct sockaddr_in *address, int receive_bytes)
{
    static uint32_t number;
    struct sockaddr_in from = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + ++number % 65536);
    if (receive_bytes != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    require(fd != -1 && bind(fd, (void *)&from, sizeof(from)) == 0, "a client has an address");
    do
        errno = 0; /* the fuzzer's alarm clock may interrupt */
    while (connect(fd, (const void *)address, sizeof(*address)) != 0 && errno == EINTR);
    require(errno == 0 || errno == EISCONN, "a client can connect");
    return fd;
}

static bool is_same(const struct sockaddr_in *one, const struct sockaddr_in *other)
{
    return one->sin_addr.s_addr == other->sin_addr.s_addr && one->sin_port == other->sin_port;
}

/* A client is connected by the listener's SYN-ACK; that there is somebody to accept is known by its ACK only.
 */
int loopback_accept(int listener, int client)
{
    struct sockaddr_in expected = {0}, from = {0};
    socklen_t length = sizeof(expected);
    uint64_t until_ms = now_ms() + PATIENCE_MS;
    int fd;

    require(getsockname(client, (void *)&expected, &length) == 0, "a client has a name");
    do {
        length = sizeof(from);
        fd = accept4(listener, (void *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd != -1 && is_same(&from, &expected))
            return fd;
        if (fd != -1)
            close(fd);
        else if (errno == EAGAIN)
            poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, PATIENCE_MS);
        else
            require(errno == EINTR || errno == ECONNABORTED, "a client can be accepted");
    } while (now_ms() < until_ms);
    require(false, "a client that is connected comes");
    return -1;
}

void loopback_await(int fd, size_t bytes)
{
    uint64_t until_ms = now_ms() + PATIENCE_MS;
    int unread;

    while (require(ioctl(fd, FIONREAD, &unread) == 0, "a socket tells what there is"),
           (size_t)unread < bytes) {
        require(now_ms() < until_ms, "what was sent arrives");
        if (unread == 0)
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, PATIENCE_MS);
        else
            usleep(100);
    }
}

/* ---- what is on its way */

static bool look_at(int fd, end_t *end)
{
    socklen_t from = sizeof(end->from), to = sizeof(end->to), info = sizeof(end->info);

    memset(end, 0, sizeof(*end)); /* an old kernel knows less */
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &end->info, &info) != 0 || end->info.tcpi_state == LISTEN ||
        getsockname(fd, (void *)&end->from, &from) != 0)
        return false;
    return end->info.tcpi_state == SYN_SENT ||
           (getpeername(fd, (void *)&end->to, &to) == 0 && ioctl(fd, FIONREAD, &end->unread) == 0);
}

static const end_t *find_other(const end_t *ends, size_t count, const end_t *end)
{
    for (size_t i = 0; i != count; ++i)
        if (is_same(&ends[i].from, &end->to) && is_same(&ends[i].to, &end->from))
            return &ends[i];
    return NULL;
}

static bool has_ended(const end_t *end)
{
    unsigned state = end->info.tcpi_state;
    return state == FIN_WAIT1 || state == FIN_WAIT2 || state == LAST_ACK || state == CLOSING;
}

/* An end of what the other one says, too, unless it may be behind bytes for which there is no room. */
static bool is_awaiting(const end_t *end, const end_t *other)
{
    unsigned state = end->info.tcpi_state;

    if (other != NULL &&
        other->info.tcpi_bytes_sent - other->info.tcpi_bytes_retrans > end->info.tcpi_bytes_received)
        return true;
    return (other == NULL || has_ended(other)) && end->unread == 0 &&
           (state == ESTABLISHED || state == FIN_WAIT1 || state == FIN_WAIT2);
}

bool loopback_is_in_flight(uint64_t *sum)
{
    static end_t ends[LOOPBACK_MAX_FILES];
    loopback_files_t files;
    bool is_in_flight = false;
    size_t count = 0;

    *sum = 0;
    loopback_look_at_files(&files);
    for (int fd = 0; fd != LOOPBACK_MAX_FILES; ++fd)
        count += files.is_open[fd] && look_at(fd, &ends[count]);
    for (size_t i = 0; i != count; ++i) {
        const end_t *end = &ends[i];
        is_in_flight = is_in_flight || end->info.tcpi_state == SYN_SENT ||
                       is_awaiting(end, find_other(ends, count, end));
        *sum = *sum * 31 + end->info.tcpi_bytes_sent;
        *sum = *sum * 31 + end->info.tcpi_bytes_received;
        *sum = (*sum * 31 + end->info.tcpi_state) * 31 + (unsigned)end->unread;
    }
    return is_in_flight;
}

/* ---- files */

void loopback_look_at_files(loopback_files_t *files)
{
    struct pollfd fds[LOOPBACK_MAX_FILES];

    for (int i = 0; i != LOOPBACK_MAX_FILES; ++i)
        fds[i] = (struct pollfd){.fd = i};
    poll(fds, LOOPBACK_MAX_FILES, 0); /* POLLNVAL where nothing is open */
    for (int i = 0; i != LOOPBACK_MAX_FILES; ++i)
        files->is_open[i] = !(fds[i].revents & POLLNVAL);
}

int loopback_compare_files(const loopback_files_t *one, const loopback_files_t *other)
{
    for (int i = 0; i != LOOPBACK_MAX_FILES; ++i)
        if (one->is_open[i] != other->is_open[i])
            return i;
    return -1;
}
