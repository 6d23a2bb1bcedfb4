/*
 * The library's HTTP/1 server has one timeout for everything before a request and none after it. This watch
 * sits on each socket's on_close hook and, from one timer per worker, asks the kernel how long a connection
 * has been still. Nothing happens per byte. It ends connections by their descriptor only, from the timer
 * only: the library then sees the end of the stream and cleans up itself. All on the worker's thread.
 */
#include "front/connection.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/tcp.h>

#include "telemetry/failure.h"
#include "telemetry/log.h"
#include "telemetry/problem.h"

#define LONGEST_SWEEP_MS 1000
#define SHORTEST_SWEEP_MS 10
#define DRAIN_SWEEP_MS 20
/* a keep-alive client that has just been answered may have its next request on the way */
#define DRAIN_PATIENCE_MS 100

struct gm_connection {
    h2o_linklist_t link;
    gm_connections_t *all;
    h2o_socket_t *sock;           /* borrowed: gone when on_close is called */
    void (*on_close)(void *data); /* of others; may be NULL */
    void *on_close_data;
    uint64_t since; /* the last progress that is known of */
    uint64_t request_at;
    uint64_t bytes_acked; /* while an answer is being written */
    bool is_tls, is_serving, is_answered, is_cut;
};

struct gm_connections {
    h2o_loop_t *loop;
    gm_connection_timeouts_t timeouts;
    atomic_size_t *open;
    size_t count;
    h2o_linklist_t list;
    h2o_timeout_t sweep_interval, drain_interval;
    h2o_timeout_entry_t timer;
    bool is_draining;
};

static void on_sweep(h2o_timeout_entry_t *entry);

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

gm_connections_t *gm_connections_create(h2o_loop_t *loop, const gm_connection_timeouts_t *timeouts,
                                        atomic_size_t *open)
{
    gm_connections_t *self = gm_alloc(sizeof(*self));
    uint64_t shortest = min_of(timeouts->read_ms, min_of(timeouts->write_ms, timeouts->idle_ms)), interval;

    if (timeouts->request_ms != 0)
        shortest = min_of(shortest, timeouts->request_ms);
    interval = min_of(shortest / 8, LONGEST_SWEEP_MS);
    self->loop = loop;
    self->timeouts = *timeouts;
    self->open = open;
    h2o_linklist_init_anchor(&self->list);
    h2o_timeout_init(loop, &self->sweep_interval,
                     interval < SHORTEST_SWEEP_MS ? SHORTEST_SWEEP_MS : interval);
    h2o_timeout_init(loop, &self->drain_interval, DRAIN_SWEEP_MS);
    self->timer.cb = on_sweep;
    h2o_timeout_link(loop, &self->sweep_interval, &self->timer);
    return self;
}

void gm_connections_destroy(gm_connections_t *self)
{
    if (self == NULL)
        return;
    h2o_timeout_unlink(&self->timer);
    h2o_timeout_dispose(self->loop, &self->sweep_interval);
    h2o_timeout_dispose(self->loop, &self->drain_interval);
    free(self);
}

static void on_close(void *data)
{
    gm_connection_t *self = data;

    h2o_linklist_unlink(&self->link);
    --self->all->count;
    atomic_fetch_sub_explicit(self->all->open, 1, memory_order_relaxed);
    if (self->on_close != NULL)
        self->on_close(self->on_close_data);
    free(self);
}

void gm_connections_add(gm_connections_t *self, h2o_socket_t *sock, bool is_tls)
{
    gm_connection_t *connection = gm_alloc(sizeof(*connection));

    connection->all = self;
    connection->sock = sock;
    connection->is_tls = is_tls;
    connection->since = h2o_now(self->loop);
    h2o_linklist_insert(&self->list, &connection->link);
    ++self->count;
    connection->on_close = sock->on_close.cb;
    connection->on_close_data = sock->on_close.data;
    sock->on_close.cb = on_close;
    sock->on_close.data = connection;
}

size_t gm_connections_count(const gm_connections_t *self)
{
    return self->count;
}

/*
 * Makes the library see the end at its next event. Politely: what the kernel still holds is sent. Otherwise
 * with a reset at once (that is what connecting to AF_UNSPEC does to a TCP socket): a cut answer must not
 * look complete.
 */
static void cut(gm_connection_t *self, bool politely)
{
    static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    int fd = h2o_socket_get_fd(self->sock);

    self->is_cut = true;
    if (politely || connect(fd, &nowhere, sizeof(nowhere)) != 0)
        shutdown(fd, SHUT_RDWR);
}

static void log_cut(const gm_connection_t *self, const char *why, const char *sentence)
{
    struct sockaddr_storage address;
    socklen_t length = h2o_socket_getpeername(self->sock, (void *)&address);
    char host[NI_MAXHOST];
    size_t host_length;
    gm_log_field_t fields[2] = {{"failure", why, strlen(why)}, {"remote_addr", host, 0}};

    if (length == 0 || (host_length = h2o_socket_getnumerichost((void *)&address, length, host)) == SIZE_MAX)
        host_length = (size_t)snprintf(host, sizeof(host), "a client");
    fields[1].length = host_length;
    gm_log_with(GM_LOG_WARN, fields, 2, "Connection from %.*s ended: %s (%s)", (int)host_length, host, why,
                sentence);
}

/*
 * 408 (RFC 9110, 15.5.9), written past the library: it is reading and has nothing to send. What the client
 * would accept is not known.
 */
static void answer_request_timeout(const gm_connection_t *self)
{
    const gm_problem_t problem = {.failure = GM_FAILURE_REQUEST_TIMEOUT};
    gm_buffer_t text = {0}, body = {0};

    gm_problem_write_text(&problem, &body);
    gm_buffer_append_text(&text, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nProxy-Status: ");
    gm_problem_write_proxy_status(&problem, &text);
    gm_buffer_printf(&text,
                     "\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     body.length, body.text);
    /* one that does not even read will see the end of the connection */
    (void)!send(h2o_socket_get_fd(self->sock), text.text, text.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    gm_buffer_dispose(&body);
    gm_buffer_dispose(&text);
}

static bool ask_kernel(const gm_connection_t *self, struct tcp_info *info)
{
    socklen_t length = sizeof(*info);

    memset(info, 0, sizeof(*info));
    return getsockopt(h2o_socket_get_fd(self->sock), IPPROTO_TCP, TCP_INFO, info, &length) == 0;
}

static uint64_t still_for(const gm_connection_t *self, uint64_t now)
{
    return now > self->since ? now - self->since : 0; /* the loop's clock is the wall's: it may step back */
}

/* Between requests, or in the middle of one that is arriving. */
static void check_reading(gm_connection_t *self, uint64_t now)
{
    const gm_connection_timeouts_t *timeouts = &self->all->timeouts;
    bool in_request = self->sock->input->size != 0;
    uint64_t limit = in_request ? timeouts->read_ms : timeouts->idle_ms;
    struct tcp_info info;

    if (self->all->is_draining && !in_request)
        limit = DRAIN_PATIENCE_MS;
    if (still_for(self, now) < limit || !ask_kernel(self, &info))
        return;
    if (info.tcpi_last_data_recv < still_for(self, now))
        self->since = now - info.tcpi_last_data_recv;
    if (still_for(self, now) < limit)
        return;
    if (in_request) {
        log_cut(self, gm_failure_row(GM_FAILURE_REQUEST_TIMEOUT)->label, "a request stopped arriving");
        if (!self->is_tls)
            answer_request_timeout(self);
    }
    cut(self, true);
}

/* The answer is on its way: is the client taking it? */
static void check_serving(gm_connection_t *self, uint64_t now)
{
    const gm_connection_timeouts_t *timeouts = &self->all->timeouts;
    struct tcp_info info;

    if (timeouts->request_ms != 0 && self->is_answered && now > self->request_at &&
        now - self->request_at >= timeouts->request_ms) {
        log_cut(self, gm_failure_row(GM_FAILURE_REQUEST_TOTAL_TIMEOUT)->label, "request_timeout is over");
        cut(self, false);
        return;
    }
    if (!h2o_socket_is_writing(self->sock) || !ask_kernel(self, &info)) {
        self->since = now; /* it is the backend's turn, and that has a timeout of its own */
        return;
    }
    if (info.tcpi_bytes_acked != self->bytes_acked) {
        self->bytes_acked = info.tcpi_bytes_acked;
        self->since = now;
    }
    if (still_for(self, now) < timeouts->write_ms)
        return;
    log_cut(self, gm_failure_row(GM_FAILURE_CLIENT_STALLED)->label, "it takes no bytes of its answer");
    cut(self, false);
}

static void on_sweep(h2o_timeout_entry_t *entry)
{
    gm_connections_t *self = H2O_STRUCT_FROM_MEMBER(gm_connections_t, timer, entry);
    uint64_t now = h2o_now(self->loop);

    for (h2o_linklist_t *node = self->list.next; node != &self->list; node = node->next) {
        gm_connection_t *connection = H2O_STRUCT_FROM_MEMBER(gm_connection_t, link, node);
        if (connection->is_cut)
            continue;
        if (connection->is_serving)
            check_serving(connection, now);
        else
            check_reading(connection, now);
    }
    h2o_timeout_link(self->loop, self->is_draining ? &self->drain_interval : &self->sweep_interval,
                     &self->timer);
}

void gm_connections_drain(gm_connections_t *self)
{
    self->is_draining = true;
    h2o_timeout_unlink(&self->timer);
    h2o_timeout_link(self->loop, &self->drain_interval, &self->timer);
}

size_t gm_connections_in_flight(const gm_connections_t *self)
{
    size_t count = 0;

    for (const h2o_linklist_t *node = self->list.next; node != &self->list; node = node->next) {
        const gm_connection_t *connection = H2O_STRUCT_FROM_MEMBER(gm_connection_t, link, node);
        count += connection->is_serving || connection->sock->input->size != 0;
    }
    return count;
}

size_t gm_connections_cut(gm_connections_t *self)
{
    size_t count = gm_connections_in_flight(self);

    for (h2o_linklist_t *node = self->list.next; node != &self->list; node = node->next)
        cut(H2O_STRUCT_FROM_MEMBER(gm_connection_t, link, node), false);
    return count;
}

gm_connection_t *gm_connection_of(h2o_req_t *req)
{
    h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);

    return sock != NULL && sock->on_close.cb == on_close ? sock->on_close.data : NULL;
}

void gm_connection_begin_request(gm_connection_t *self)
{
    if (self == NULL)
        return;
    self->is_serving = true;
    self->is_answered = false;
    self->since = self->request_at = h2o_now(self->all->loop);
}

void gm_connection_end_request(gm_connection_t *self)
{
    if (self == NULL)
        return;
    self->is_serving = false;
    self->since = h2o_now(self->all->loop);
}

void gm_connection_begin_answer(gm_connection_t *self)
{
    if (self != NULL)
        self->is_answered = true;
}
