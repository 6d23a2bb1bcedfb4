/*
 * For /readyz with ready_needs_backend: a proxy that gets no requests because it is not ready would otherwise
 * never learn that it could serve some. Plain sockets and poll(2) that does not wait, so that no libh2o is
 * needed here. Called by admin.c on the window's thread.
 */
#include "admin/probe.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* sockets of one round; clusters that find no room come first in the next one */
#define MAX_OPEN ((size_t)4 * GM_CLUSTER_MAX_ADDRESSES)

typedef struct target {
    bool was_tried;
    uint64_t tried_ms;
    uint32_t version; /* of the addresses that are tried */
    size_t left;      /* of those, without a result yet */
    bool has_excuse;  /* one could not be tried for a reason of our own */
} target_t;

struct gm_probe {
    gm_cluster_t *const *clusters; /* borrowed */
    size_t count, next;            /* next: where a round begins */
    uint64_t timeout_ms, deadline_ms;
    target_t *targets;           /* owned; one per cluster */
    size_t open;                 /* 0 = no round is under way */
    struct pollfd fds[MAX_OPEN]; /* the first `open` */
    size_t owners[MAX_OPEN];     /* index of the cluster of each */
};

gm_probe_t *gm_probe_create(gm_cluster_t *const *clusters, size_t count, uint64_t timeout_ms)
{
    gm_probe_t *self = gm_alloc(sizeof(*self));

    self->clusters = clusters;
    self->count = count;
    self->timeout_ms = timeout_ms;
    self->targets = gm_alloc((count + 1) * sizeof(self->targets[0]));
    return self;
}

static void break_off(gm_probe_t *self)
{
    while (self->open != 0)
        close(self->fds[--self->open].fd);
}

void gm_probe_destroy(gm_probe_t *self)
{
    if (self == NULL)
        return;
    break_off(self);
    free(self->targets);
    free(self);
}

bool gm_probe_is_under_way(const gm_probe_t *self)
{
    return self->open != 0;
}

/* One address of a cluster did not answer; with the last one that is known of the cluster. */
static void on_failed(gm_probe_t *self, size_t index)
{
    target_t *target = &self->targets[index];

    if (--target->left == 0 && !target->has_excuse)
        gm_cluster_note_attempt(self->clusters[index], target->version, false);
}

static void on_reached(gm_probe_t *self, size_t index)
{
    gm_cluster_note_attempt(self->clusters[index], self->targets[index].version, true);
    break_off(self);
}

/* @return whether it is connected already, as to a unix socket */
static bool try_address(gm_probe_t *self, size_t index, const gm_address_t *address)
{
    int fd = socket(address->bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_connected;

    if (fd == -1 && errno != EAFNOSUPPORT) /* short of descriptors or memory: not the cluster's fault */
        self->targets[index].has_excuse = true;
    is_connected = fd != -1 && connect(fd, (const void *)&address->bytes, address->length) == 0;
    if (is_connected || (fd != -1 && errno == EINPROGRESS)) {
        self->fds[self->open] = (struct pollfd){.fd = fd, .events = POLLOUT};
        self->owners[self->open++] = index;
        return is_connected;
    }
    if (fd != -1)
        close(fd);
    on_failed(self, index);
    return false;
}

/* @return whether one is reached, which ends the round */
static bool try_cluster(gm_probe_t *self, size_t index, const gm_addresses_t *addresses, uint64_t now_ms)
{
    self->targets[index] = (target_t){
        .was_tried = true, .tried_ms = now_ms, .version = addresses->version, .left = addresses->count};
    for (size_t i = 0; i != addresses->count; ++i)
        if (try_address(self, index, &addresses->items[i])) {
            on_reached(self, index);
            return true;
        }
    return false;
}

static bool is_due(const gm_probe_t *self, size_t index, const gm_addresses_t *addresses, uint64_t now_ms)
{
    const target_t *target = &self->targets[index];

    return addresses->count != 0 && !addresses->failed &&
           (!target->was_tried || now_ms - target->tried_ms >= GM_PROBE_PAUSE_MS);
}

bool gm_probe_start(gm_probe_t *self, uint64_t now_ms)
{
    size_t first = self->next;
    gm_addresses_t addresses;

    if (self->open != 0)
        return true;
    for (size_t i = 0; i != self->count; ++i)
        if (gm_cluster_reach(self->clusters[i]) == GM_REACHED)
            return false;
    self->deadline_ms = now_ms + self->timeout_ms;
    for (size_t i = 0; i != self->count; ++i) {
        size_t index = (first + i) % self->count;
        gm_cluster_get_addresses(self->clusters[index], &addresses);
        if (!is_due(self, index, &addresses, now_ms))
            continue;
        if (self->open + addresses.count > MAX_OPEN)
            break;
        self->next = (index + 1) % self->count;
        if (try_cluster(self, index, &addresses, now_ms))
            return false;
    }
    return self->open != 0;
}

static int error_of(int fd)
{
    int error = 0;
    socklen_t length = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

/* @param at  takes its place from the last one */
static void drop(gm_probe_t *self, size_t at)
{
    close(self->fds[at].fd);
    --self->open;
    self->fds[at] = self->fds[self->open];
    self->owners[at] = self->owners[self->open];
}

bool gm_probe_go_on(gm_probe_t *self, uint64_t now_ms)
{
    bool is_late = now_ms >= self->deadline_ms;
    size_t at = self->open;

    poll(self->fds, self->open, 0); /* where it fails, revents stay zero */
    while (at-- != 0) {
        size_t index = self->owners[at];
        if (self->fds[at].revents != 0 && error_of(self->fds[at].fd) == 0) {
            on_reached(self, index);
            break;
        }
        if (self->fds[at].revents == 0 && !is_late)
            continue;
        drop(self, at);
        on_failed(self, index);
    }
    return self->open != 0;
}
