/*
 * origin_h2: the cleartext HTTP/2 server behind proxies that speak HTTP/2 to their origin, started by
 * peers.py as `origin_h2 PORT COUNTERFILE`. Bodies and counters are those of origin.c, which is why it is not
 * nghttpd or nginx: the probe divides by what the origin has answered, every 10 ms. POST /bench.Echo/Say is a
 * unary call of gRPC: a message of 100 bytes comes back, then trailers. One thread, epoll, nghttp2 for frames
 * and fields. It trusts what it reads: only our own proxies and load generators reach it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bodies.h"
#include "counters.h"
#include "loopback.h"

#define MAX_EVENTS 256
#define OUT_FULL 65536 /* then it is written, though there may be more */
#define OUT_CAPACITY (OUT_FULL + 32768)
#define WINDOW (4 << 20) /* for uploads: larger than any of them, so that the proxy sets the pace */
#define GRPC_PREFIX 5
#define GRPC_MESSAGE 100
#define NV(name_, value_)                                                                                    \
    {                                                                                                        \
        .name = (uint8_t *)(name_), .namelen = strlen(name_), .value = (uint8_t *)(value_),                  \
        .valuelen = strlen(value_), .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE    \
    }

typedef struct {
    const char *path; /* NULL: the 404 */
    size_t body_length;
    bool no_length, grpc;
    char *body; /* owned, for ever */
    char length_text[24];
} answer_t;

typedef struct {
    const answer_t *answer; /* of all_answers */
    bool post;
    size_t sent;
} stream_t;

typedef struct {
    int epoll_fd, listener;
    volatile counters_t *counters; /* volatile: the probe reads them in another process */
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
} origin_t;

typedef struct {
    int fd;
    bool writing; /* waits for room in the socket */
    origin_t *origin;
    nghttp2_session *session;
    size_t out_sent, out_used;
    char out[OUT_CAPACITY];
} connection_t;

enum { JSON, GRPC };

static answer_t all_answers[] = {
    [JSON] = {.path = "/json", .body_length = sizeof(json_body) - 1},
    [GRPC] = {.path = "/bench.Echo/Say",
              .body_length = GRPC_PREFIX + GRPC_MESSAGE,
              .no_length = true,
              .grpc = true},
    {.path = "/1k", .body_length = 1 << 10},
    {.path = "/10k", .body_length = 10 << 10},
    {.path = "/100k", .body_length = 100 << 10},
    {.path = "/1m", .body_length = 1 << 20},
    {.path = "/10m", .body_length = 10 << 20},
    {.path = "/chunks", .body_length = 10 << 10, .no_length = true},
    {.path = NULL, .body_length = 0},
};

static void make_answer(answer_t *answer)
{
    answer->body = calloc(1, answer->body_length + 1);
    if (answer->body == NULL)
        abort();
    snprintf(answer->length_text, sizeof(answer->length_text), "%zu", answer->body_length);
    if (answer == &all_answers[JSON]) {
        memcpy(answer->body, json_body, answer->body_length);
    } else if (answer->grpc) {
        answer->body[GRPC_PREFIX - 1] = GRPC_MESSAGE; /* not compressed; the length, in network order */
        fill_body(answer->body + GRPC_PREFIX, GRPC_MESSAGE);
    } else {
        fill_body(answer->body, answer->body_length);
    }
}

static const answer_t *find_answer(const char *path, size_t length)
{
    const answer_t *answer = all_answers;

    while (answer->path != NULL &&
           (strlen(answer->path) != length || memcmp(answer->path, path, length) != 0))
        answer++;
    return answer;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    stream_t *stream;

    (void)user;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        abort();
    stream->answer = &all_answers[JSON];
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t length, uint8_t flags, void *user)
{
    stream_t *stream;

    (void)flags;
    (void)user;
    if (name[0] != ':' || name_length < 5)
        return 0;
    stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream == NULL)
        return 0;
    if (name[1] == 'p')
        stream->answer = find_answer((const char *)value, length);
    else if (name[1] == 'm')
        stream->post = value[0] == 'P';
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    static const nghttp2_nv trailers[] = {NV("grpc-status", "0"), NV("grpc-message", "")};
    stream_t *stream = source->ptr;
    size_t left = stream->answer->body_length - stream->sent, n = left < room ? left : room;

    (void)user;
    memcpy(to, stream->answer->body + stream->sent, n);
    stream->sent += n;
    if (n == left) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->answer->grpc) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_submit_trailer(session, id, trailers, 2);
        }
    }
    return (ssize_t)n;
}

static int answer_stream(nghttp2_session *session, int32_t id, stream_t *stream)
{
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_body};
    const answer_t *answer = stream->answer;
    const char *type = "application/octet-stream";

    if (stream->post && !answer->grpc)
        answer = stream->answer = &all_answers[JSON];
    if (answer == &all_answers[JSON])
        type = "application/json";
    else if (answer->grpc)
        type = "application/grpc";
    const nghttp2_nv fields[] = {
        NV(":status", answer->path != NULL ? "200" : "404"), NV("server", "origin"),
        NV("date", "Mon, 05 Jan 2026 00:00:00 GMT"),         NV("content-type", type),
        NV("content-length", answer->length_text), /* last: some answers have none */
    };
    return nghttp2_submit_response(session, id, fields, answer->no_length ? 4 : 5, &body);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    stream_t *stream;

    (void)user;
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    return stream == NULL ? 0 : answer_stream(session, frame->hd.stream_id, stream);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
    connection_t *conn = user;

    if (error == NGHTTP2_NO_ERROR)
        conn->origin->counters->requests++;
    free(nghttp2_session_get_stream_user_data(session, id));
    return 0;
}

static void watch(connection_t *conn, bool writing)
{
    struct epoll_event event = {.events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = conn};

    if (conn->writing != writing)
        epoll_ctl(conn->origin->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
    conn->writing = writing;
}

/* Fills the buffer with frames; -1 on an error. */
static int collect(connection_t *conn)
{
    conn->out_sent = conn->out_used = 0;
    while (conn->out_used < OUT_FULL) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(conn->session, &bytes);

        if (n <= 0)
            return (int)n;
        if ((size_t)n > OUT_CAPACITY - conn->out_used)
            abort(); /* a frame has 16 KiB at most */
        memcpy(conn->out + conn->out_used, bytes, (size_t)n);
        conn->out_used += (size_t)n;
    }
    return 0;
}

/* -1: the connection is over */
static int flush(connection_t *conn)
{
    for (;;) {
        if (conn->out_sent == conn->out_used && collect(conn) != 0)
            return -1;
        if (conn->out_used == 0)
            break;
        ssize_t n = send(conn->fd, conn->out + conn->out_sent, conn->out_used - conn->out_sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(conn, true);
            return 0;
        }
        if (n < 0)
            return -1;
        conn->out_sent += (size_t)n;
        conn->origin->counters->bytes_out += (uint64_t)n;
    }
    watch(conn, false);
    return nghttp2_session_want_read(conn->session) ? 0 : -1;
}

static int take(connection_t *conn)
{
    static uint8_t buffer[262144];
    ssize_t n = recv(conn->fd, buffer, sizeof(buffer), 0);

    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : -1;
    conn->origin->counters->bytes_in += (uint64_t)n;
    return nghttp2_session_mem_recv(conn->session, buffer, (size_t)n) < 0 ? -1 : 0;
}

static void on_ready(connection_t *conn)
{
    if ((conn->writing || take(conn) == 0) && flush(conn) == 0)
        return;
    nghttp2_session_del(conn->session);
    close(conn->fd);
    free(conn);
}

static void accept_all(origin_t *self)
{
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000},
                                               {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW}};
    int fd;

    while ((fd = accept4(self->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        connection_t *conn = calloc(1, sizeof(*conn));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

        if (conn == NULL ||
            nghttp2_session_server_new2(&conn->session, self->callbacks, conn, self->option) != 0)
            abort();
        conn->fd = fd;
        conn->origin = self;
        nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings, 2);
        nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0, 4 * WINDOW);
        loopback_no_delay(fd);
        epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

/* Streams that are still open when a session is deleted are not announced as closed: their few bytes are
 * left. */
static void prepare(origin_t *self)
{
    if (nghttp2_session_callbacks_new(&self->callbacks) != 0 || nghttp2_option_new(&self->option) != 0)
        abort();
    nghttp2_option_set_no_http_messaging(self->option,
                                         1); /* checks that cost time and that nobody needs here */
    nghttp2_session_callbacks_set_on_begin_headers_callback(self->callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(self->callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(self->callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(self->callbacks, on_stream_close);
    for (size_t i = 0; i < sizeof(all_answers) / sizeof(all_answers[0]); i++)
        make_answer(&all_answers[i]);
}

int main(int argc, char **argv)
{
    origin_t origin = {.epoll_fd = epoll_create1(0)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[MAX_EVENTS];

    if (argc != 3) {
        fprintf(stderr, "usage: origin_h2 PORT COUNTERFILE\n");
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    prepare(&origin);
    origin.counters = counters_create(argv[2]);
    origin.listener = loopback_listen((uint16_t)atoi(argv[1]));
    if (origin.counters == NULL || origin.listener < 0) {
        perror("origin_h2");
        return 1;
    }
    epoll_ctl(origin.epoll_fd, EPOLL_CTL_ADD, origin.listener, &event);
    for (;;) {
        int n = epoll_wait(origin.epoll_fd, events, MAX_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL)
                accept_all(&origin);
            else
                on_ready(events[i].data.ptr);
        }
    }
}
