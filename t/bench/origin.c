/*
 * origin: the HTTP/1.1 server behind every proxy under test, started by peers.py as `origin PORT
 * COUNTERFILE`. GET /json, /1k, /10k, /100k, /1m, /10m give fixed bodies, /chunks that of /10k in chunks of
 * 1 KiB, other paths 404; a POST or PUT is read to its end and answered like /json. One thread, epoll,
 * answers made once and long ones sent with sendfile(), so that it stays cheaper than any proxy. It trusts
 * what it reads: only our own proxies and load generators reach it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "bodies.h"
#include "counters.h"
#include "loopback.h"

#define SENDFILE_FROM 65536
#define MAX_EVENTS 256
#define CHUNK_LENGTH 1024

typedef struct {
    const char *path; /* NULL: the 404 */
    size_t body_length;
    bool chunked;
    char *message; /* head and body; owned, for ever */
    size_t message_length;
    int memory_file; /* the same bytes for sendfile(), or -1 */
} answer_t;

typedef struct {
    int fd;
    bool writing;     /* waits for room in the socket, in the middle of an answer */
    bool close_after; /* the request said Connection: close */
    bool in_body, chunked;
    size_t body_left;
    char tail[5];           /* the last bytes of a chunked body */
    const answer_t *answer; /* borrowed from the origin */
    size_t sent;
    size_t used; /* bytes in head */
    char head[16384];
} connection_t;

typedef struct {
    int epoll_fd, listener;
    volatile counters_t *counters; /* volatile: the probe reads them in another process */
    answer_t *answers;             /* owned; the last one is the 404 */
} origin_t;

static answer_t all_answers[] = {
    {.path = "/json", .body_length = sizeof(json_body) - 1},
    {.path = "/1k", .body_length = 1 << 10},
    {.path = "/10k", .body_length = 10 << 10},
    {.path = "/100k", .body_length = 100 << 10},
    {.path = "/1m", .body_length = 1 << 20},
    {.path = "/10m", .body_length = 10 << 20},
    {.path = "/chunks", .body_length = 10 * CHUNK_LENGTH, .chunked = true},
    {.path = NULL, .body_length = 0},
};

/* Copies the body to `to`, cut into chunks if the answer wants that; returns where it ends. */
static char *put_body(char *to, const answer_t *answer, const char *body)
{
    if (!answer->chunked)
        return mempcpy(to, body, answer->body_length);
    for (size_t done = 0; done < answer->body_length; done += CHUNK_LENGTH) {
        to += sprintf(to, "%x\r\n", CHUNK_LENGTH);
        to = mempcpy(to, body + done, CHUNK_LENGTH);
        to = mempcpy(to, "\r\n", 2);
    }
    return mempcpy(to, "0\r\n\r\n", 5);
}

static void make_answer(answer_t *answer, bool is_json)
{
    char framing[64] = "Transfer-Encoding: chunked", *body = malloc(answer->body_length + 1);
    int head_length;

    answer->message = malloc(512 + answer->body_length + answer->body_length / 64); /* with room for sizes */
    answer->memory_file = -1;
    if (answer->message == NULL || body == NULL)
        abort();
    if (is_json)
        memcpy(body, json_body, answer->body_length);
    else
        fill_body(body, answer->body_length);
    if (!answer->chunked)
        snprintf(framing, sizeof(framing), "Content-Length: %zu", answer->body_length);
    head_length = sprintf(answer->message,
                          "HTTP/1.1 %s\r\nServer: origin\r\nDate: Mon, 05 Jan 2026 00:00:00 GMT\r\n"
                          "Content-Type: %s\r\n%s\r\n\r\n",
                          answer->path != NULL ? "200 OK" : "404 Not Found",
                          is_json ? "application/json" : "application/octet-stream", framing);
    answer->message_length =
        (size_t)(put_body(answer->message + head_length, answer, body) - answer->message);
    free(body);
    if (answer->message_length < SENDFILE_FROM)
        return;
    answer->memory_file = memfd_create("answer", 0);
    if (write(answer->memory_file, answer->message, answer->message_length) !=
        (ssize_t)answer->message_length)
        abort();
}

static void watch(origin_t *self, connection_t *conn, bool writing)
{
    struct epoll_event event = {.events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = conn};

    if (conn->writing != writing)
        epoll_ctl(self->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
    conn->writing = writing;
}

/* 0: all sent, 1: the socket is full, -1: the connection is over */
static int send_answer(origin_t *self, connection_t *conn)
{
    const answer_t *answer = conn->answer;

    while (conn->sent < answer->message_length) {
        size_t left = answer->message_length - conn->sent;
        off_t offset = (off_t)conn->sent;
        ssize_t n = answer->memory_file >= 0
                        ? sendfile(conn->fd, answer->memory_file, &offset, left)
                        : send(conn->fd, answer->message + conn->sent, left, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
            watch(self, conn, true);
            return 1;
        }
        if (n < 0)
            return -1;
        conn->sent += (size_t)n;
        self->counters->bytes_out += (uint64_t)n;
    }
    self->counters->requests++;
    watch(self, conn, false);
    return conn->close_after ? -1 : 0;
}

static const answer_t *find_answer(const origin_t *self, const char *head)
{
    const char *path = strchr(head, ' ');
    const answer_t *answer = self->answers;

    if (head[0] == 'P' || path == NULL)
        return answer;
    for (; answer->path != NULL; answer++) {
        size_t length = strlen(answer->path);
        if (strncmp(path + 1, answer->path, length) == 0 && strchr(" ?", path[1 + length]) != NULL)
            break;
    }
    return answer;
}

static void parse_field(connection_t *conn, const char *line)
{
    if (strncasecmp(line, "content-length:", 15) == 0)
        conn->body_left = strtoul(line + 15, NULL, 10);
    else if (strncasecmp(line, "transfer-encoding:", 18) == 0)
        conn->chunked = true;
    else if (strncasecmp(line, "connection:", 11) == 0)
        conn->close_after = strncasecmp(line + 11 + strspn(line + 11, " "), "close", 5) == 0;
}

/* Returns the head's length, 0 while it is incomplete. */
static size_t parse_head(const origin_t *self, connection_t *conn)
{
    char *end = memmem(conn->head, conn->used, "\r\n\r\n", 4);

    if (end == NULL)
        return 0;
    end[2] = '\0'; /* stops the string functions; these bytes are not needed again */
    conn->close_after = conn->chunked = false;
    conn->body_left = conn->sent = 0;
    conn->answer = find_answer(self, conn->head);
    for (char *line = strchr(conn->head, '\n'); line != NULL; line = strchr(line + 1, '\n'))
        parse_field(conn, line + 1);
    return (size_t)(end + 4 - conn->head);
}

static bool chunked_body_ended(connection_t *conn, const char *bytes, size_t length)
{
    size_t size = sizeof(conn->tail);

    if (length >= size) {
        memcpy(conn->tail, bytes + length - size, size);
    } else {
        memmove(conn->tail, conn->tail + length, size - length);
        memcpy(conn->tail + size - length, bytes, length);
    }
    return memcmp(conn->tail, "0\r\n\r\n", size) == 0;
}

/* Takes the part of the body that came with the head, and keeps the next request if one follows. */
static void take_body_start(connection_t *conn, size_t head_length)
{
    size_t rest = conn->used - head_length, taken = rest < conn->body_left ? rest : conn->body_left;

    if (conn->chunked) {
        memset(conn->tail, 0, sizeof(conn->tail));
        conn->in_body = !chunked_body_ended(conn, conn->head + head_length, rest);
        taken = rest; /* nobody here pipelines behind a chunked body */
    } else {
        conn->body_left -= taken;
        conn->in_body = conn->body_left != 0;
    }
    conn->used = rest - taken;
    memmove(conn->head, conn->head + head_length + taken, conn->used);
}

/* Answers every whole request in the buffer; -1 when the connection is over. */
static int serve(origin_t *self, connection_t *conn)
{
    while (conn->used != 0) {
        size_t head_length = parse_head(self, conn);
        if (head_length == 0)
            return conn->used < sizeof(conn->head) ? 0 : -1;
        take_body_start(conn, head_length);
        if (conn->in_body)
            return 0;
        int ret = send_answer(self, conn);
        if (ret != 0)
            return ret;
    }
    return 0;
}

static int read_body(origin_t *self, connection_t *conn)
{
    static char scratch[262144];
    /* with MSG_TRUNC and no buffer, TCP drops the bytes without copying them */
    ssize_t n = conn->chunked ? recv(conn->fd, scratch, sizeof(scratch), 0)
                              : recv(conn->fd, NULL, conn->body_left, MSG_TRUNC);

    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : -1;
    self->counters->bytes_in += (uint64_t)n;
    if (conn->chunked) {
        conn->in_body = !chunked_body_ended(conn, scratch, (size_t)n);
    } else {
        conn->body_left -= (size_t)n;
        conn->in_body = conn->body_left != 0;
    }
    return conn->in_body ? 0 : send_answer(self, conn);
}

static int read_head(origin_t *self, connection_t *conn)
{
    ssize_t n = recv(conn->fd, conn->head + conn->used, sizeof(conn->head) - conn->used, 0);

    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : -1;
    conn->used += (size_t)n;
    self->counters->bytes_in += (uint64_t)n;
    return serve(self, conn);
}

static void on_ready(origin_t *self, connection_t *conn)
{
    int ret;

    if (conn->writing) {
        ret = send_answer(self, conn);
        if (ret == 0)
            ret = serve(self, conn);
    } else {
        ret = conn->in_body ? read_body(self, conn) : read_head(self, conn);
    }
    if (ret < 0) {
        close(conn->fd);
        free(conn);
    }
}

static void accept_all(origin_t *self)
{
    int fd;

    while ((fd = accept4(self->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        connection_t *conn = calloc(1, sizeof(*conn));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

        if (conn == NULL)
            abort();
        conn->fd = fd;
        loopback_no_delay(fd);
        epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

int main(int argc, char **argv)
{
    origin_t origin = {.epoll_fd = epoll_create1(0), .answers = all_answers};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[MAX_EVENTS];

    if (argc != 3) {
        fprintf(stderr, "usage: origin PORT COUNTERFILE\n");
        return 64;
    }
    signal(SIGPIPE, SIG_IGN); /* sendfile() has no MSG_NOSIGNAL */
    for (size_t i = 0; i < sizeof(all_answers) / sizeof(all_answers[0]); i++)
        make_answer(&all_answers[i], i == 0);
    origin.counters = counters_create(argv[2]);
    origin.listener = loopback_listen((uint16_t)atoi(argv[1]));
    if (origin.counters == NULL || origin.listener < 0) {
        perror("origin");
        return 1;
    }
    epoll_ctl(origin.epoll_fd, EPOLL_CTL_ADD, origin.listener, &event);
    for (;;) {
        int n = epoll_wait(origin.epoll_fd, events, MAX_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL)
                accept_all(&origin);
            else
                on_ready(&origin, events[i].data.ptr);
        }
    }
}
