/*
 * Name look-ups on threads of their own, because getaddrinfo blocks for as long as the name server pleases:
 * one for each name, up to a bound, so that a name that nobody answers for holds up no other. Results are
 * published through the clusters. Created by server/generation on the main thread.
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
#include "base/crash.h"
#include "base/text.h"
#include "base/vector.h"
#include "telemetry/log.h"

#define MAX_THREADS 16

typedef struct gm_resolver_entry {
    gm_cluster_t *cluster; /* shared; immutable */
    uint64_t next_ms;      /* when to look it up again */
    bool is_busy;          /* somebody is just doing that */
} gm_resolver_entry_t;

struct gm_resolver {
    atomic_uint references; /* the owner's and the threads' */
    gm_resolver_options_t options;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    GM_VECTOR(gm_resolver_entry_t) entries; /* all there from the start */
    bool is_stopping;
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

/* @return when to do it again */
static uint64_t look_up(const gm_resolver_options_t *options, gm_cluster_t *cluster)
{
    const char *host = gm_cluster_host(cluster);
    gm_look_up_error_t error = {GM_FAILURE_NO_ENDPOINT, "it has no address"};
    gm_address_t items[GM_CLUSTER_MAX_ADDRESSES];
    size_t count = options->look_up(options->data, host, gm_cluster_port(cluster), items, &error);
    bool had_failed = gm_cluster_has_failed(cluster);
    char retry[32];

    gm_cluster_set_addresses(cluster, items, count, &error);
    if (count == 0 && !had_failed)
        gm_log(GM_LOG_WARN, "%s cannot be resolved: %s; trying again every %s", host, error.why,
               gm_text_format_duration(retry, sizeof(retry), options->retry_ms));
    else if (count != 0 && had_failed)
        gm_log(GM_LOG_INFO, "%s can be resolved again", host);
    return gm_clock_monotonic_ms() + (count != 0 ? options->refresh_ms : options->retry_ms);
}

/* The one that has waited longest; lock held. @param next_ms  set to when there will be one, if there is none
 */
static gm_resolver_entry_t *find_due(gm_resolver_t *self, uint64_t *next_ms)
{
    gm_resolver_entry_t *first = NULL;

    for (size_t i = 0; i != self->entries.size; ++i) {
        gm_resolver_entry_t *entry = &self->entries.items[i];
        if (!entry->is_busy && (first == NULL || entry->next_ms < first->next_ms))
            first = entry;
    }
    *next_ms = first != NULL ? first->next_ms : UINT64_MAX;
    return *next_ms <= gm_clock_monotonic_ms() ? first : NULL;
}

/* Whoever comes back from a look-up finds what has become due meanwhile, so nobody needs to be woken for it.
 */
static void *run(void *data)
{
    gm_resolver_t *self = data;
    gm_resolver_entry_t *entry;
    uint64_t next_ms;

    gm_crash_enter_thread();
    pthread_mutex_lock(&self->lock);
    while (!self->is_stopping) {
        if ((entry = find_due(self, &next_ms)) != NULL) {
            entry->is_busy = true;
            pthread_mutex_unlock(&self->lock);
            next_ms = look_up(&self->options, entry->cluster);
            pthread_mutex_lock(&self->lock);
            entry->is_busy = false;
            entry->next_ms = next_ms;
        } else if (next_ms == UINT64_MAX) {
            pthread_cond_wait(&self->wake, &self->lock);
        } else {
            struct timespec until = {(time_t)(next_ms / 1000), (long)(next_ms % 1000) * 1000000};
            pthread_cond_timedwait(&self->wake, &self->lock, &until);
        }
    }
    pthread_mutex_unlock(&self->lock);
    release(self);
    gm_crash_leave_thread();
    return NULL;
}

static void start_thread(gm_resolver_t *self)
{
    pthread_t thread;

    atomic_fetch_add(&self->references, 1);
    if (pthread_create(&thread, NULL, run, self) != 0) {
        gm_log(GM_LOG_ERROR, "a thread for name look-ups cannot be started: names may stay unresolved");
        atomic_fetch_sub(&self->references, 1);
        return;
    }
    pthread_setname_np(thread, "gm-resolver");
    pthread_detach(thread);
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

    atomic_init(&self->references, 1);
    self->options = *options;
    if (self->options.look_up == NULL)
        self->options.look_up = ask_system;
    init_wake(self);
    for (size_t i = 0; i != count; ++i)
        if (gm_cluster_needs_resolver(clusters[i]))
            gm_vector_push(&self->entries)->cluster = gm_cluster_retain(clusters[i]);
    for (size_t i = 0; i != self->entries.size && i != MAX_THREADS; ++i)
        start_thread(self);
    return self;
}

void gm_resolver_destroy(gm_resolver_t *self)
{
    if (self == NULL)
        return;
    pthread_mutex_lock(&self->lock);
    self->is_stopping = true;
    pthread_cond_broadcast(&self->wake);
    pthread_mutex_unlock(&self->lock);
    release(self);
}
