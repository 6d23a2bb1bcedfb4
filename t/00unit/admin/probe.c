/* Rounds of connecting, with sockets of this process and a clock of the test's own. */
#include "admin/probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "picotest.h"

#define TIMEOUT_MS 700
#define PATIENCE 500

/* A port on loopback that is bound. @param backlog  -1 = nobody listens there */
static int open_port(int backlog, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd == -1 || bind(fd, (void *)&address, length) != 0 ||
        getsockname(fd, (void *)&address, &length) != 0 || (backlog >= 0 && listen(fd, backlog) != 0))
        abort();
    *port = ntohs(address.sin_port);
    return fd;
}

static gm_cluster_t *cluster_at(uint16_t port)
{
    return gm_cluster_create("c", "127.0.0.1", port, "c");
}

/* The kernel answers in a moment, but not in no time. @return whether the round is over */
static bool finish(gm_probe_t *probe, uint64_t now_ms)
{
    for (int i = 0; i != PATIENCE && gm_probe_go_on(probe, now_ms); ++i)
        poll(NULL, 0, 2);
    return !gm_probe_is_under_way(probe);
}

/* @return whether a connection came, and that it is closed already */
static bool was_visited(int listener)
{
    struct pollfd slot = {.fd = listener, .events = POLLIN};
    int fd = poll(&slot, 1, 1000) == 1 ? accept(listener, NULL, NULL) : -1;
    char byte;
    bool is_closed = fd != -1 && recv(fd, &byte, 1, 0) == 0;

    if (fd != -1)
        close(fd);
    return is_closed;
}

static void test_rounds(void)
{
    uint16_t port;
    int fd = open_port(-1, &port);
    gm_cluster_t *cluster = cluster_at(port);
    gm_probe_t *probe = gm_probe_create(&cluster, 1, TIMEOUT_MS);
    uint64_t now_ms = 5000;

    gm_probe_start(probe, now_ms);
    ok(finish(probe, now_ms) && gm_cluster_reach(cluster) == GM_UNREACHED);
    ok(!gm_probe_start(probe, now_ms + GM_PROBE_PAUSE_MS - 1)); /* at most once a second */
    listen(fd, 8);
    ok(!gm_probe_start(probe, now_ms + GM_PROBE_PAUSE_MS - 1));
    ok(accept(fd, NULL, NULL) == -1 && errno == EAGAIN);
    now_ms += GM_PROBE_PAUSE_MS;
    gm_probe_start(probe, now_ms);
    ok(finish(probe, now_ms) && gm_cluster_reach(cluster) == GM_REACHED);
    ok(was_visited(fd));
    ok(!gm_probe_start(probe, now_ms + 10 * GM_PROBE_PAUSE_MS)); /* what is known is not asked */
    ok(accept(fd, NULL, NULL) == -1 && errno == EAGAIN);
    close(fd);
    gm_probe_destroy(probe);
    gm_cluster_release(cluster);
}

/* Fills the queue of a listener that accepts nobody: further SYNs get no answer. */
static void fill_queue(uint16_t port, int *fds, size_t count)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    for (size_t i = 0; i != count; ++i) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(fds[i], (void *)&address, sizeof(address)) != 0 && errno != EINPROGRESS)
            abort();
    }
}

static void test_silence(void)
{
    int queue[4], fd, other;
    uint16_t port, dead;
    gm_cluster_t *clusters[2];
    gm_probe_t *probe;

    fd = open_port(0, &port);
    other = open_port(-1, &dead);
    fill_queue(port, queue, 4);
    clusters[0] = cluster_at(port);
    clusters[1] = cluster_at(dead);
    probe = gm_probe_create(clusters, 2, TIMEOUT_MS);
    ok(gm_probe_start(probe, 5000) && gm_probe_start(probe, 5001)); /* one round, whoever asks */
    for (int i = 0; i != PATIENCE && gm_cluster_reach(clusters[1]) == GM_REACH_UNKNOWN; ++i) {
        gm_probe_go_on(probe, 5000 + TIMEOUT_MS - 1);
        poll(NULL, 0, 2);
    }
    ok(gm_cluster_reach(clusters[1]) == GM_UNREACHED && gm_probe_is_under_way(probe));
    ok(gm_cluster_reach(clusters[0]) == GM_REACH_UNKNOWN);
    ok(!gm_probe_go_on(probe, 5000 + TIMEOUT_MS));
    ok(gm_cluster_reach(clusters[0]) == GM_UNREACHED);
    ok(gm_probe_start(probe, 7000)); /* broken off */
    gm_probe_destroy(probe);
    for (size_t i = 0; i != 4; ++i)
        close(queue[i]);
    close(fd);
    close(other);
    gm_cluster_release(clusters[0]);
    gm_cluster_release(clusters[1]);
    gm_probe_destroy(NULL);
}

/* "localhost" has two addresses, and only one of them has somebody. */
static void test_addresses(void)
{
    uint16_t port;
    int fd = open_port(8, &port);
    gm_cluster_t *cluster = gm_cluster_create("c", "localhost", port, "c");
    gm_probe_t *probe = gm_probe_create(&cluster, 1, TIMEOUT_MS);

    gm_probe_start(probe, 5000);
    ok(finish(probe, 5000) && gm_cluster_reach(cluster) == GM_REACHED);
    gm_probe_destroy(probe);
    gm_cluster_release(cluster);
    close(fd);
}

static void test_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    gm_cluster_t *cluster;
    gm_probe_t *probe;
    char host[128];

    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/gomesh-probe-%ld", (long)getpid());
    snprintf(host, sizeof(host), "unix:%s", address.sun_path);
    cluster = gm_cluster_create("c", host, 0, host);
    probe = gm_probe_create(&cluster, 1, TIMEOUT_MS);
    ok(!gm_probe_start(probe, 5000) && gm_cluster_reach(cluster) == GM_UNREACHED); /* no such file */
    ok(bind(fd, (void *)&address, sizeof(address)) == 0 && listen(fd, 8) == 0);
    ok(!gm_probe_start(probe, 6000) && gm_cluster_reach(cluster) == GM_REACHED);
    unlink(address.sun_path);
    close(fd);
    gm_probe_destroy(probe);
    gm_cluster_release(cluster);
}

/* More than one round has room for; and names that have no address. */
static void test_many(void)
{
    enum { COUNT = 150 };
    const gm_look_up_error_t unknown = {GM_FAILURE_DNS_FAILED, "unknown"};
    gm_cluster_t *clusters[COUNT];
    gm_probe_t *probe;
    uint16_t port;
    int fd = open_port(-1, &port);
    size_t known = 0;

    for (size_t i = 0; i != COUNT; ++i)
        clusters[i] = i < 2 ? gm_cluster_create("n", "n.internal", 1, "n") : cluster_at(port);
    gm_cluster_set_addresses(clusters[0], NULL, 0, &unknown);
    probe = gm_probe_create(clusters, COUNT, TIMEOUT_MS);
    for (int round = 0; round != 5; ++round) {
        gm_probe_start(probe, 5000);
        finish(probe, 5000);
    }
    for (size_t i = 0; i != COUNT; ++i)
        known += gm_cluster_reach(clusters[i]) == GM_UNREACHED;
    ok(known == COUNT - 1 && gm_cluster_reach(clusters[1]) == GM_REACH_UNKNOWN); /* not looked up yet */
    gm_probe_destroy(probe);
    for (size_t i = 0; i != COUNT; ++i)
        gm_cluster_release(clusters[i]);
    close(fd);
}

int main(void)
{
    subtest("rounds", test_rounds);
    subtest("silence", test_silence);
    subtest("two addresses", test_addresses);
    subtest("a unix socket", test_unix);
    subtest("many clusters", test_many);
    return done_testing();
}
