/*
 * relay: the floor of every table, started by peers.py as `relay PORT ORIGIN_PORT [once]`. It pairs each
 * client connection with a kept one to the origin and copies bytes, read and write, without looking at them:
 * what no proxy on one thread and epoll can undercut. One thread. Good for measuring only: a client that
 * leaves in the middle of an answer gives its connection back with the rest of that answer still on its way.
 * once: a connection to the origin serves one client only, as HTTP/2 wants, which begins with a preface.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "loopback.h"

#define MAX_EVENTS 256
#define UNWATCHED UINT32_MAX

typedef struct side side_t; /* one of the two sockets of a pair */
struct side {
    int fd;
    bool to_origin, dead;
    uint32_t watched; /* epoll events, or UNWATCHED */
    side_t *peer;     /* borrowed; NULL while idle */
    side_t *next;     /* in the idle list or in the grave */
    char *pending;    /* owned: what the socket did not take at once */
    size_t pending_length, pending_sent;
};

typedef struct {
    int epoll_fd, listener;
    struct sockaddr_in origin;
    bool keeps;
    side_t *idle;  /* connections to the origin without a client */
    side_t *grave; /* freed after the batch: a later event in it may still point here */
    char buffer[65536];
} relay_t;

static void watch(relay_t *self, side_t *side, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = side};

    if (side->watched != events)
        epoll_ctl(self->epoll_fd, side->watched == UNWATCHED ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, side->fd,
                  &event);
    side->watched = events;
}

static side_t *create_side(relay_t *self, int fd, bool to_origin)
{
    side_t *side = calloc(1, sizeof(*side));

    if (side == NULL)
        abort();
    *side = (side_t){.fd = fd, .to_origin = to_origin, .watched = UNWATCHED};
    loopback_no_delay(fd);
    watch(self, side, EPOLLIN);
    return side;
}

static void bury(relay_t *self, side_t *side)
{
    if (side->dead)
        return;
    side->dead = true;
    close(side->fd);
    free(side->pending);
    side->pending = NULL;
    side->next = self->grave;
    self->grave = side;
}

/* Ends this side; a sound connection to the origin is kept for the next client. */
static void part(relay_t *self, side_t *side)
{
    side_t *peer = side->peer;

    if (peer == NULL) {
        for (side_t **link = &self->idle; *link != NULL; link = &(*link)->next) {
            if (*link == side) {
                *link = side->next;
                break;
            }
        }
    } else {
        side->peer = peer->peer = NULL;
        if (self->keeps && peer->to_origin && peer->pending == NULL) {
            watch(self, peer, EPOLLIN);
            peer->next = self->idle;
            self->idle = peer;
        } else {
            bury(self, peer);
        }
    }
    bury(self, side);
}

static void keep_pending(relay_t *self, side_t *from, side_t *to, size_t length, size_t sent)
{
    to->pending_length = length - sent;
    to->pending_sent = 0;
    to->pending = malloc(to->pending_length);
    if (to->pending == NULL)
        abort();
    memcpy(to->pending, self->buffer + sent, to->pending_length);
    watch(self, to, EPOLLOUT);
    watch(self, from, 0); /* back-pressure */
}

static void on_writable(relay_t *self, side_t *side)
{
    size_t left = side->pending_length - side->pending_sent;
    ssize_t n = send(side->fd, side->pending + side->pending_sent, left, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        part(self, side);
        return;
    }
    if (n > 0)
        side->pending_sent += (size_t)n;
    if (side->pending_sent < side->pending_length)
        return;
    free(side->pending);
    side->pending = NULL;
    watch(self, side, EPOLLIN);
    watch(self, side->peer, EPOLLIN);
}

static void on_readable(relay_t *self, side_t *side)
{
    side_t *peer = side->peer;
    ssize_t n = recv(side->fd, self->buffer, sizeof(self->buffer), 0), sent;

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || peer == NULL) {
        part(self, side);
        return;
    }
    sent = send(peer->fd, self->buffer, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        part(self, side);
    else if (sent < n)
        keep_pending(self, side, peer, (size_t)n, sent < 0 ? 0 : (size_t)sent);
}

static void on_event(relay_t *self, side_t *side, uint32_t events)
{
    if (side->dead)
        return;
    if (side->pending != NULL && (events & EPOLLOUT) != 0)
        on_writable(self, side);
    else if ((side->watched & EPOLLIN) == 0 && (events & (EPOLLHUP | EPOLLERR)) != 0)
        part(self, side); /* reported unasked; reading now would overtake what is pending */
    else
        on_readable(self, side);
}

static side_t *dial_origin(relay_t *self)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0)
        return NULL;
    if (connect(fd, (struct sockaddr *)&self->origin, sizeof(self->origin)) != 0) { /* blocks, on loopback */
        close(fd);
        return NULL;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return create_side(self, fd, true);
}

static void accept_one(relay_t *self)
{
    int fd = accept4(self->listener, NULL, NULL, SOCK_NONBLOCK);
    side_t *origin = self->idle, *client;

    if (fd < 0)
        return;
    if (origin != NULL)
        self->idle = origin->next;
    else
        origin = dial_origin(self);
    if (origin == NULL) {
        close(fd);
        return;
    }
    client = create_side(self, fd, false);
    client->peer = origin;
    origin->peer = client;
}

static void run_once(relay_t *self)
{
    struct epoll_event events[MAX_EVENTS];
    int n = epoll_wait(self->epoll_fd, events, MAX_EVENTS, -1);

    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == NULL)
            accept_one(self);
        else
            on_event(self, events[i].data.ptr, events[i].events);
    }
    while (self->grave != NULL) {
        side_t *side = self->grave;
        self->grave = side->next;
        free(side);
    }
}

int main(int argc, char **argv)
{
    static relay_t relay;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

    if (argc != 3 && (argc != 4 || strcmp(argv[3], "once") != 0)) {
        fprintf(stderr, "usage: relay PORT ORIGIN_PORT [once]\n");
        return 64;
    }
    relay.keeps = argc == 3;
    relay.origin = loopback_address((uint16_t)atoi(argv[2]));
    relay.listener = loopback_listen((uint16_t)atoi(argv[1]));
    relay.epoll_fd = epoll_create1(0);
    if (relay.listener < 0 || relay.epoll_fd < 0) {
        perror("relay");
        return 1;
    }
    epoll_ctl(relay.epoll_fd, EPOLL_CTL_ADD, relay.listener, &event);
    for (;;)
        run_once(&relay);
}
