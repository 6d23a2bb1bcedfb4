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

#include "base/clock.h"
#include "base/text.h"
#include "base/vector.h"
#include "telemetry/log.h"

typedef struct gm_resolver_entry {
    gm_cluster_t *cluster; /* shared */
    uint64_t next_ms;      /* when to look it up again */
} gm_resolver_entry_t;

struct gm_resolver {
    atomic_uint references; /* the owner's and the thread's */
    gm_resolver_options_t options;
    GM_VECTOR(gm_resolver_entry_t) entries; /* the thread's */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under lock */
};

static void release(gm_resolver_t *self)
{
    if (atomic_fetch_sub(&self->references, 1) != 1)
        return;
    for (size_t i = 0; i != self->entries.size; ++i)
        gm_cluster_release(self->entries.items[i].cluster);
    gm_vector_dispose(&self->entries);
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

static size_t ask_system(void *data, const char *host, uint16_t port, gm_address_t *items,
                         gm_look_up_error_t *look_up_error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV},
                    *list = NULL;
    char service[8];
    size_t count;
    int error;

    (void)data;
    snprintf(service, sizeof(service), "%u", port);
    if ((error = getaddrinfo(host, service, &hints, &list)) != 0) {
        look_up_error->failure = error == EAI_NODATA ? GM_FAILURE_NO_ENDPOINT : GM_FAILURE_DNS_FAILED;
        look_up_error->why = gai_strerror(error);
        return 0;
    }
    count = copy_addresses(list, items);
    freeaddrinfo(list);
    return count;
}

static void look_up(gm_resolver_t *self, gm_resolver_entry_t *entry)
{
    const gm_resolver_options_t *options = &self->options;
    const char *host = gm_cluster_host(entry->cluster);
    gm_look_up_error_t error = {GM_FAILURE_NO_ENDPOINT, "it has no address"};
    gm_address_t items[GM_CLUSTER_MAX_ADDRESSES];
    size_t count = options->look_up(options->data, host, gm_cluster_port(entry->cluster), items, &error);
    bool had_failed = gm_cluster_has_failed(entry->cluster);
    char retry[32];

    gm_cluster_set_addresses(entry->cluster, items, count, &error);
    if (count == 0 && !had_failed)
        gm_log(GM_LOG_WARN, "%s cannot be resolved: %s; trying again every %s", host, error.why,
               gm_text_format_duration(retry, sizeof(retry), options->retry_ms));
    else if (count != 0 && had_failed)
        gm_log(GM_LOG_INFO, "%s can be resolved again", host);
    entry->next_ms = gm_clock_monotonic_ms() + (count != 0 ? options->refresh_ms : options->retry_ms);
}

/* @return whether to go on */
static bool wait_until(gm_resolver_t *self, uint64_t ms)
{
    struct timespec until = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    bool stopping;

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
    uint64_t next_ms;

    do {
        next_ms = UINT64_MAX;
        for (size_t i = 0; i != self->entries.size; ++i) {
            gm_resolver_entry_t *entry = &self->entries.items[i];
            if (entry->next_ms <= gm_clock_monotonic_ms())
                look_up(self, entry);
            if (entry->next_ms < next_ms)
                next_ms = entry->next_ms;
        }
    } while (wait_until(self, next_ms));
    release(self);
    return NULL;
}

/* By a clock that nobody sets. */
static void init_wake(gm_resolver_t *self)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

gm_resolver_t *gm_resolver_create(gm_cluster_t *const *clusters, size_t count,
                                  const gm_resolver_options_t *options)
{
    gm_resolver_t *self = gm_alloc(sizeof(*self));
    pthread_t thread;

    atomic_init(&self->references, 1);
    self->options = *options;
    if (self->options.look_up == NULL)
        self->options.look_up = ask_system;
    init_wake(self);
    for (size_t i = 0; i != count; ++i)
        if (gm_cluster_needs_resolver(clusters[i]))
            gm_vector_push(&self->entries)->cluster = gm_cluster_retain(clusters[i]);
    if (self->entries.size == 0)
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
