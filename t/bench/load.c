/*
 * load: a cheap HTTP/1.1 load generator that checks every answer, started by loads.py and measure.py; one
 * thread. An answer must be a 200 with the Content-Length of the file -f; what arrives with the head is
 * compared with it byte for byte, the rest is counted and dropped by the kernel uncopied. Prints one JSON
 * line; exits 1 after errors. load -p PORT -f BODYFILE [-u PATH] [-c CONNECTIONS] [-d SECONDS] [-n REQUESTS]
 * [-b POST_BYTES] [-k] [-C] [-r RATE] [-I] -k: the answer must be chunked instead, and is compared to its
 * end. -C: a connection per request, closed by us. -r: open loop, RATE requests/s; latency counts from the
 * instant a request was due. -I: idle holder: one request per connection, print READY, hold them until stdin
 * closes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>

#include "clock.h"
#include "dechunk.h"
#include "loopback.h"
#include "plan.h"

#define MAX_EVENTS 512
#define MAX_HEAD 8192
#define MAX_ERRORS 1000       /* then further load is pointless */
#define LATENCY_SLOTS 1000000 /* one per microsecond */
#define SOURCE_ADDRESSES 60
#define MAX_PER_SOURCE 2000     /* connections from one address; ports are few */
#define OPEN_AT_ONCE 64         /* connections the idle holder opens in one go */
#define RATE_DELAY_NS 200000000 /* open loop: time to connect before the first request is due */

enum { CLOSED, CONNECTING, FREE, BUSY };

typedef struct connection connection_t;
struct connection {
    int fd;
    int state;
    bool writing;
    bool in_chunks; /* a chunked answer's head is read, its end is not */
    dechunk_t chunks;
    size_t sent;
    size_t body_left;
    int64_t start_ns;
    connection_t *next_free;
    size_t head_length; /* bytes in head: an answer whose head came in pieces */
    char *head;         /* owned, MAX_HEAD bytes, made when first needed */
};

typedef struct {
    /* fixed from the start */
    plan_t plan;
    int epoll_fd;
    int64_t begin_ns, end_ns;
    /* state */
    connection_t *connections, *free_list;
    int opened;
    unsigned dialled;
    bool no_more, ready;
    /* totals */
    uint64_t started, done, errors;
    uint32_t *latencies; /* how many requests took that many microseconds */
    int64_t longest_us;
    char error[120]; /* the first one */
} load_t;

static void note_error(load_t *self, const char *text)
{
    size_t i;

    if (self->errors++ != 0)
        return;
    for (i = 0; text[i] != '\0' && i < sizeof(self->error) - 1; i++) /* fit for a JSON string */
        self->error[i] = text[i] < ' ' || text[i] > '~' || strchr("\"\\", text[i]) != NULL ? '?' : text[i];
    self->error[i] = '\0';
}

static void watch(load_t *self, connection_t *conn, bool writing, int operation)
{
    struct epoll_event event = {.events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = conn};

    conn->writing = writing;
    epoll_ctl(self->epoll_fd, operation, conn->fd, &event);
}

/* Spreads connections over 127.0.1.1 and its neighbours, so that TIME_WAIT never uses up the ports. */
static int bind_source(load_t *self, int fd)
{
    struct sockaddr_in source = loopback_address(0);
    int on = 1;

    if (!self->plan.close_each && self->plan.connection_count <= MAX_PER_SOURCE)
        return 0;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    source.sin_addr.s_addr = htonl(0x7f000101u + self->dialled++ % SOURCE_ADDRESSES);
    return bind(fd, (struct sockaddr *)&source, sizeof(source));
}

static void dial(load_t *self, connection_t *conn)
{
    struct sockaddr_in address = loopback_address(self->plan.port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    conn->state = CLOSED;
    conn->head_length = conn->body_left = conn->sent = 0;
    conn->in_chunks = false;
    if (fd < 0 || bind_source(self, fd) != 0 ||
        (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS)) {
        note_error(self, strerror(errno));
        if (fd >= 0)
            close(fd);
        return;
    }
    loopback_no_delay(fd);
    conn->fd = fd;
    conn->state = CONNECTING;
    watch(self, conn, true, EPOLL_CTL_ADD);
}

static void set_free(load_t *self, connection_t *conn)
{
    conn->state = FREE;
    conn->next_free = self->free_list;
    self->free_list = conn;
}

/* Notes the error and replaces the connection. */
static void fail(load_t *self, connection_t *conn, const char *text)
{
    note_error(self, text);
    if (conn->state == FREE) {
        connection_t **link = &self->free_list;
        while (*link != conn)
            link = &(*link)->next_free;
        *link = conn->next_free;
    }
    close(conn->fd);
    dial(self, conn);
}

static void send_request(load_t *self, connection_t *conn)
{
    while (conn->sent < self->plan.request_length) {
        size_t left = self->plan.request_length - conn->sent;
        off_t offset = (off_t)conn->sent;
        ssize_t n = self->plan.request_file >= 0
                        ? sendfile(conn->fd, self->plan.request_file, &offset, left)
                        : send(conn->fd, self->plan.request + conn->sent, left, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
            if (!conn->writing)
                watch(self, conn, true, EPOLL_CTL_MOD);
            return;
        }
        if (n < 0) {
            fail(self, conn, "connection closed while sending");
            return;
        }
        conn->sent += (size_t)n;
    }
    if (conn->writing)
        watch(self, conn, false, EPOLL_CTL_MOD);
}

static void start_request(load_t *self, connection_t *conn, int64_t start_ns)
{
    if (self->no_more) {
        if (conn->writing)
            watch(self, conn, false, EPOLL_CTL_MOD); /* or a fresh socket would report room for ever */
        set_free(self, conn);
        return;
    }
    self->started++;
    if (self->plan.max_requests != 0 && self->started >= self->plan.max_requests)
        self->no_more = true;
    conn->state = BUSY;
    conn->start_ns = start_ns;
    conn->sent = conn->head_length = conn->body_left = 0;
    send_request(self, conn);
}

static void finish_request(load_t *self, connection_t *conn)
{
    int64_t now = clock_now_ns(), us = (now - conn->start_ns) / 1000;

    self->done++;
    self->latencies[us < LATENCY_SLOTS ? us : LATENCY_SLOTS - 1]++;
    if (us > self->longest_us)
        self->longest_us = us;
    if (self->plan.close_each) {
        close(conn->fd);
        conn->state = CLOSED;
        if (!self->no_more)
            dial(self, conn);
    } else if (self->plan.rate > 0 || self->plan.hold) {
        set_free(self, conn);
    } else {
        start_request(self, conn, now);
    }
}

static void keep_partial_head(load_t *self, connection_t *conn, const char *bytes, size_t length)
{
    if (length >= MAX_HEAD) {
        fail(self, conn, "head too long");
        return;
    }
    if (conn->head == NULL && (conn->head = malloc(MAX_HEAD)) == NULL)
        abort();
    memcpy(conn->head, bytes, length);
    conn->head_length = length;
}

static void take_chunks(load_t *self, connection_t *conn, const char *bytes, size_t length)
{
    const char *wrong =
        dechunk_take(&conn->chunks, bytes, length, self->plan.expected, self->plan.expected_length);

    if (wrong != NULL) {
        fail(self, conn, wrong);
    } else if (dechunk_is_over(&conn->chunks)) {
        conn->in_chunks = false;
        finish_request(self, conn);
    }
}

static void on_head(load_t *self, connection_t *conn, const char *head, const char *body, size_t length)
{
    const char *wrong = plan_check_answer(&self->plan, head, body, length);

    if (wrong != NULL) {
        fail(self, conn, wrong);
        return;
    }
    conn->head_length = 0;
    if (self->plan.chunked) {
        conn->in_chunks = true;
        conn->chunks = (dechunk_t){0};
        take_chunks(self, conn, body, length);
        return;
    }
    conn->body_left = self->plan.expected_length - length;
    if (conn->body_left == 0)
        finish_request(self, conn);
}

static void read_head(load_t *self, connection_t *conn)
{
    static char buffer[65536];
    /* of a long body only a little is read here, the rest is dropped uncopied */
    size_t room = self->plan.expected_length > 16384 ? 2048 : sizeof(buffer) - MAX_HEAD;
    size_t used = conn->head_length;
    ssize_t n = recv(conn->fd, buffer + used, room, 0);
    char *end;

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || conn->state != BUSY) {
        if (n > 0)
            fail(self, conn, "answer without a request");
        else
            fail(self, conn, conn->state == BUSY ? "closed before the answer" : "closed while idle");
        return;
    }
    if (used != 0)
        memcpy(buffer, conn->head, used);
    used += (size_t)n;
    end = memmem(buffer, used, "\r\n\r\n", 4);
    if (end == NULL) {
        keep_partial_head(self, conn, buffer, used);
        return;
    }
    end[2] = '\0'; /* makes the head a string */
    on_head(self, conn, buffer, end + 4, used - (size_t)(end + 4 - buffer));
}

static void read_body(load_t *self, connection_t *conn)
{
    ssize_t n = recv(conn->fd, NULL, conn->body_left, MSG_TRUNC);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        fail(self, conn, "body cut short");
        return;
    }
    conn->body_left -= (size_t)n;
    if (conn->body_left == 0)
        finish_request(self, conn);
}

static void read_chunks(load_t *self, connection_t *conn)
{
    static char buffer[65536];
    ssize_t n = recv(conn->fd, buffer, sizeof(buffer), 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        fail(self, conn, "body cut short");
    else
        take_chunks(self, conn, buffer, (size_t)n);
}

static void on_connected(load_t *self, connection_t *conn)
{
    int error = 0;
    socklen_t length = sizeof(error);

    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
        usleep(1000); /* do not hammer a proxy that is gone */
        fail(self, conn, strerror(error));
    } else if (self->plan.rate > 0) {
        watch(self, conn, false, EPOLL_CTL_MOD);
        set_free(self, conn);
    } else {
        start_request(self, conn, clock_now_ns());
    }
}

static void on_event(load_t *self, connection_t *conn)
{
    if (conn->state == CLOSED)
        return;
    if (conn->state == CONNECTING)
        on_connected(self, conn);
    else if (conn->writing)
        send_request(self, conn);
    else if (conn->body_left != 0)
        read_body(self, conn);
    else if (conn->in_chunks)
        read_chunks(self, conn);
    else
        read_head(self, conn);
}

/* Open loop: starts all requests that are due; returns when the next one is. A request that waits for a free
 * connection keeps its due time, so that a slow proxy cannot hide its delays. */
static int64_t start_due(load_t *self, int64_t now)
{
    while (!self->no_more && self->free_list != NULL) {
        connection_t *conn = self->free_list;
        int64_t due =
            self->begin_ns + RATE_DELAY_NS + (int64_t)((double)self->started * 1e9 / self->plan.rate);

        if (due > now)
            return due;
        self->free_list = conn->next_free;
        start_request(self, conn, due);
    }
    return self->end_ns;
}

static void open_connections(load_t *self, uint64_t limit)
{
    while (self->opened < self->plan.connection_count && (uint64_t)self->opened < limit)
        dial(self, &self->connections[self->opened++]);
}

static void announce_ready(load_t *self)
{
    if (self->ready || self->done < (uint64_t)self->plan.connection_count)
        return;
    self->ready = true;
    printf("READY\n");
    fflush(stdout);
}

static bool is_over(const load_t *self)
{
    if (self->errors > MAX_ERRORS || (self->plan.hold && self->errors != 0))
        return true;
    return self->no_more && self->done + self->errors >= self->started;
}

static void run(load_t *self)
{
    struct epoll_event events[MAX_EVENTS];
    int64_t now;

    self->begin_ns = clock_now_ns();
    self->end_ns = self->begin_ns + (int64_t)(self->plan.seconds * 1e9);
    while ((now = clock_now_ns()) < self->end_ns && !is_over(self)) {
        int64_t wake = self->plan.rate > 0 ? start_due(self, now) : self->end_ns;
        struct timespec wait;
        int n;

        open_connections(self, self->plan.hold ? self->done + OPEN_AT_ONCE : UINT64_MAX);
        wait = clock_timespec((wake < self->end_ns ? wake : self->end_ns) - now);
        n = epoll_pwait2(self->epoll_fd, events, MAX_EVENTS, &wait, NULL);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) /* stdin closed: nobody needs the idle connections any more */
                return;
            on_event(self, events[i].data.ptr);
        }
        if (self->plan.hold)
            announce_ready(self);
    }
}

static int64_t percentile(const load_t *self, double share)
{
    uint64_t rank = (uint64_t)(share * (double)self->done), seen = 0;

    for (int64_t us = 0; us < LATENCY_SLOTS; us++) {
        seen += self->latencies[us];
        if (seen > rank)
            return us;
    }
    return self->longest_us;
}

static void print_totals(const load_t *self)
{
    double seconds =
        (double)(clock_now_ns() - self->begin_ns - (self->plan.rate > 0 ? RATE_DELAY_NS : 0)) / 1e9;

    printf("{\"requests\": %" PRIu64 ", \"errors\": %" PRIu64 ", \"error\": \"%s\", \"rate\": %.1f, "
           "\"p50_us\": %" PRId64 ", \"p99_us\": %" PRId64 ", \"longest_us\": %" PRId64 "}\n",
           self->done, self->errors, self->error, (double)self->done / seconds, percentile(self, 0.5),
           percentile(self, 0.99), self->longest_us);
}

int main(int argc, char **argv)
{
    static load_t load;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

    if (plan_init(&load.plan, argc, argv) != 0)
        return 64;
    signal(SIGPIPE, SIG_IGN); /* sendfile() has no MSG_NOSIGNAL */
    load.epoll_fd = epoll_create1(0);
    load.connections = calloc((size_t)load.plan.connection_count, sizeof(*load.connections));
    load.latencies = calloc(LATENCY_SLOTS, sizeof(*load.latencies));
    if (load.epoll_fd < 0 || load.connections == NULL || load.latencies == NULL) {
        perror("load");
        return 1;
    }
    if (load.plan.hold)
        epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    run(&load);
    print_totals(&load);
    return load.errors != 0;
}
