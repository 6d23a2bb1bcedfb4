/*
 * Counting connections. The total is one number; per client there is a table that exists only where that
 * limit is on: chains under a few locks, each held for a handful of instructions. What is refused is said at
 * most once a minute: this is not the moment for a flood of lines. Called by listeners, on all workers.
 */
#include "server/places.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "telemetry/log.h"

#define LOCKS 64 /* a power of two, as is the number of chains */
#define FEWEST_CHAINS ((size_t)1024)
#define MOST_CHAINS ((size_t)65536)
#define MINUTE_MS 60000

/* One client, as long as it has a connection. */
typedef struct visitor {
    struct visitor *next;
    gm_places_t *places; /* borrowed */
    uint64_t address;    /* IPv4, or the first half of IPv6 */
    bool is_v6;
    size_t count;
    size_t chain;
} visitor_t;

struct gm_places {
    /* immutable */
    size_t max_open, max_per_client, chain_count;
    uint64_t seed;
    /* atomic */
    atomic_size_t open;
    _Atomic uint64_t said_full_ms, said_out_ms, said_client_ms; /* 0 = never */
    /* under lock: chain i by locks[i % LOCKS] */
    pthread_mutex_t locks[LOCKS];
    visitor_t **chains; /* owned; NULL = nothing is counted per client */
};

gm_places_t *gm_places_create(size_t max_open, size_t max_per_client)
{
    gm_places_t *self = gm_alloc(sizeof(*self));

    self->max_open = max_open;
    self->max_per_client = max_per_client;
    atomic_init(&self->open, 0);
    for (size_t i = 0; i != LOCKS; ++i)
        pthread_mutex_init(&self->locks[i], NULL);
    if (max_per_client == 0)
        return self;
    self->chain_count = FEWEST_CHAINS;
    while (self->chain_count < max_open / 2 && self->chain_count < MOST_CHAINS)
        self->chain_count *= 2;
    self->chains = gm_alloc(self->chain_count * sizeof(self->chains[0]));
    if (getrandom(&self->seed, sizeof(self->seed), GRND_NONBLOCK) != sizeof(self->seed))
        self->seed = gm_clock_monotonic_ms();
    return self;
}

void gm_places_destroy(gm_places_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i != LOCKS; ++i)
        pthread_mutex_destroy(&self->locks[i]);
    free(self->chains);
    free(self);
}

atomic_size_t *gm_places_open(gm_places_t *self)
{
    return &self->open;
}

/* Of many threads at once, one may say it. */
static bool may_say(_Atomic uint64_t *said_ms)
{
    uint64_t now = gm_clock_monotonic_ms(), before = atomic_load(said_ms);

    return (before == 0 || now - before >= MINUTE_MS) &&
           atomic_compare_exchange_strong(said_ms, &before, now != 0 ? now : 1);
}

bool gm_places_take(gm_places_t *self)
{
    if (atomic_fetch_add_explicit(&self->open, 1, memory_order_relaxed) < self->max_open)
        return true;
    gm_places_give_back(self);
    if (may_say(&self->said_full_ms))
        gm_log(GM_LOG_WARN, "%zu connections are open (proxy.limits.max_connections): new clients wait",
               self->max_open);
    return false;
}

void gm_places_take_anyway(gm_places_t *self)
{
    atomic_fetch_add_explicit(&self->open, 1, memory_order_relaxed);
}

void gm_places_give_back(gm_places_t *self)
{
    atomic_fetch_sub_explicit(&self->open, 1, memory_order_relaxed);
}

void gm_places_say_out_of(gm_places_t *self, int error)
{
    if (may_say(&self->said_out_ms))
        gm_log(GM_LOG_ERROR, "New clients wait, for they cannot be accepted: %s (%zu connections are open)",
               strerror(error), atomic_load(&self->open));
}

/* ---- per client */

/* @return whether it has an address at all */
static bool read_address(h2o_socket_t *sock, struct sockaddr_storage *from, visitor_t *visitor)
{
    const struct sockaddr_in6 *v6 = (void *)from;

    if (h2o_socket_getpeername(sock, (void *)from) == 0)
        return false;
    visitor->is_v6 = from->ss_family == AF_INET6;
    if (visitor->is_v6)
        memcpy(&visitor->address, &v6->sin6_addr, sizeof(visitor->address));
    else if (from->ss_family == AF_INET)
        visitor->address = ((const struct sockaddr_in *)from)->sin_addr.s_addr;
    else
        return false;
    return true;
}

/* The seed is secret, so nobody can choose addresses that share a chain. */
static size_t chain_of(const gm_places_t *self, const visitor_t *visitor)
{
    uint64_t hash = (visitor->address ^ self->seed) * 0x9e3779b97f4a7c15u;

    hash = (hash ^ (hash >> 32) ^ (self->seed << 7)) * 0xd6e8feb86659fd93u;
    return (size_t)(hash >> 32) & (self->chain_count - 1);
}

/* @return where it is linked, or where the chain ends */
static visitor_t **find(gm_places_t *self, const visitor_t *visitor)
{
    visitor_t **at = &self->chains[visitor->chain];

    while (*at != NULL && ((*at)->address != visitor->address || (*at)->is_v6 != visitor->is_v6))
        at = &(*at)->next;
    return at;
}

static void on_close(void *data)
{
    visitor_t *visitor = data;
    gm_places_t *self = visitor->places;
    pthread_mutex_t *lock = &self->locks[visitor->chain % LOCKS];

    pthread_mutex_lock(lock);
    if (--visitor->count == 0) {
        *find(self, visitor) = visitor->next;
        free(visitor);
    }
    pthread_mutex_unlock(lock);
}

/* @return NULL if it has enough */
static visitor_t *count_in(gm_places_t *self, const visitor_t *seen)
{
    pthread_mutex_t *lock = &self->locks[seen->chain % LOCKS];
    visitor_t **at, *visitor;

    pthread_mutex_lock(lock);
    at = find(self, seen);
    if (*at == NULL) {
        *at = gm_alloc(sizeof(**at));
        **at = *seen;
    }
    visitor = *at;
    if (visitor->count == self->max_per_client)
        visitor = NULL;
    else
        ++visitor->count;
    pthread_mutex_unlock(lock);
    return visitor;
}

static void say_client_is_full(gm_places_t *self, struct sockaddr_storage *from)
{
    char host[NI_MAXHOST];
    size_t length;

    if (!may_say(&self->said_client_ms))
        return;
    length = h2o_socket_getnumerichost((void *)from, sizeof(*from), host);
    gm_log(GM_LOG_WARN,
           "%.*s has %zu connections open (proxy.limits.max_connections_per_ip): further ones are closed",
           length != SIZE_MAX ? (int)length : 8, length != SIZE_MAX ? host : "A client",
           self->max_per_client);
}

bool gm_places_admit(gm_places_t *self, h2o_socket_t *sock)
{
    struct sockaddr_storage from;
    visitor_t seen = {.places = self}, *visitor;

    if (self->chains == NULL || !read_address(sock, &from, &seen))
        return true;
    seen.chain = chain_of(self, &seen);
    if ((visitor = count_in(self, &seen)) == NULL) {
        say_client_is_full(self, &from);
        return false;
    }
    sock->on_close.cb = on_close;
    sock->on_close.data = visitor;
    return true;
}
