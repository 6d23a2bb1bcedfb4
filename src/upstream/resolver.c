/*
 * Name look-ups on one thread of their own, because getaddrinfo blocks for as long as the name server
 * pleases. Results are published through the clusters. Created by server/generation on the main thread.
 */
#include "upstream/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/vector.h"
#include "telemetry/log.h"

#define REFRESH_S 30
#define RETRY_S 1

struct gm_resolver {
    atomic_uint references;             /* the owner's and the thread's */
    GM_VECTOR(gm_cluster_t *) clusters; /* immutable */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under lock */
};

static void release(gm_resolver_t *self)
{
    if (atomic_fetch_sub(&self->references, 1) != 1)
        return;
    for (size_t i = 0; i != self->clusters.size; ++i)
        gm_cluster_release(self->clusters.items[i]);
    gm_vector_dispose(&self->clusters);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static size_t copy_addresses(const struct addrinfo *list, gm_address_t *items)
{
    size_t count = 0;

    for (; list != NULL && count != GM_CLUSTER_MAX_ADDRESSES; list = list->ai_next) {
        memset(&items[count], 0, sizeof(items[count]));
        memcpy(&items[count].bytes, list->ai_addr, list->ai_addrlen);
        items[count++].length = list->ai_addrlen;
    }
    return count;
}

/* @return whether the name is known */
static bool look_up(gm_cluster_t *cluster)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV},
                    *list = NULL;
    gm_address_t items[GM_CLUSTER_MAX_ADDRESSES];
    char service[8];
    size_t count = 0;
    int error;

    snprintf(service, sizeof(service), "%u", gm_cluster_port(cluster));
    if ((error = getaddrinfo(gm_cluster_host(cluster), service, &hints, &list)) == 0) {
        count = copy_addresses(list, items);
        freeaddrinfo(list);
    }
    if (gm_cluster_set_addresses(cluster, items, count) && error != 0)
        gm_log(GM_LOG_WARN, "%s cannot be resolved: %s; trying again every second", gm_cluster_host(cluster),
               gai_strerror(error));
    return error == 0;
}

/* @return whether to go on */
static bool wait_for(gm_resolver_t *self, int seconds)
{
    struct timespec until;
    bool stopping;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&self->lock);
    while (!self->stopping && pthread_cond_timedwait(&self->wake, &self->lock, &until) != ETIMEDOUT)
        ;
    stopping = self->stopping;
    pthread_mutex_unlock(&self->lock);
    return !stopping;
}

static void *run(void *data)
{
    gm_resolver_t *self = data;
    bool all_known;

    do {
        all_known = true;
        for (size_t i = 0; i != self->clusters.size; ++i)
            all_known = look_up(self->clusters.items[i]) && all_known;
    } while (wait_for(self, all_known ? REFRESH_S : RETRY_S));
    release(self);
    return NULL;
}

gm_resolver_t *gm_resolver_create(gm_cluster_t *const *clusters, size_t count)
{
    gm_resolver_t *self = gm_alloc(sizeof(*self));
    pthread_t thread;

    atomic_init(&self->references, 1);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->wake, NULL);
    for (size_t i = 0; i != count; ++i)
        if (gm_cluster_needs_resolver(clusters[i]))
            *gm_vector_push(&self->clusters) = gm_cluster_retain(clusters[i]);
    if (self->clusters.size == 0)
        return self;
    atomic_fetch_add(&self->references, 1);
    if (pthread_create(&thread, NULL, run, self) != 0) {
        gm_log(GM_LOG_ERROR, "no thread for name look-ups: names stay unresolved");
        atomic_fetch_sub(&self->references, 1);
        return self;
    }
    pthread_setname_np(thread, "gm-resolver");
    pthread_detach(thread);
    return self;
}

void gm_resolver_destroy(gm_resolver_t *self)
{
    if (self == NULL)
        return;
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    release(self);
}
