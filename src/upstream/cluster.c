/*
 * A backend as the configuration names it. Workers read its addresses, the resolver's thread writes them; the
 * list is small and changes rarely, so it is copied under a lock, and a version number tells readers when
 * that is worth it.
 */
#include "upstream/cluster.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/text.h"

struct gm_cluster {
    /* immutable */
    char *name, *host, *authority;
    uint16_t port;
    bool needs_resolver;
    /* atomic */
    atomic_uint references;
    atomic_uint version;
    _Atomic uint64_t last_failure; /* seconds since 1970, then a byte: the failure, counted from 1 */
    _Atomic uint64_t last_attempt; /* version of the addresses, then a bit: it got through; 0 = none yet */
    /* under lock */
    pthread_mutex_t lock;
    gm_addresses_t addresses;
};

static gm_address_t address_v4(const struct in_addr *host, uint16_t port)
{
    gm_address_t address = {.length = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (void *)&address.bytes;

    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    in->sin_addr = *host;
    return address;
}

static gm_address_t address_v6(const struct in6_addr *host, uint16_t port)
{
    gm_address_t address = {.length = sizeof(struct sockaddr_in6)};
    struct sockaddr_in6 *in6 = (void *)&address.bytes;

    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    in6->sin6_addr = *host;
    return address;
}

static gm_address_t address_unix(const char *path)
{
    gm_address_t address = {.length = sizeof(struct sockaddr_un)};
    struct sockaddr_un *un = (void *)&address.bytes;

    un->sun_family = AF_UNIX;
    strncpy(un->sun_path, path, sizeof(un->sun_path) - 1); /* longer ones never come here */
    return address;
}

char *gm_address_format(const gm_address_t *self, char out[GM_ADDRESS_TEXT_BYTES])
{
    const struct sockaddr_in *v4 = (const void *)&self->bytes;
    const struct sockaddr_in6 *v6 = (const void *)&self->bytes;
    const struct sockaddr_un *un = (const void *)&self->bytes;
    char host[INET6_ADDRSTRLEN] = "";

    if (self->bytes.ss_family == AF_UNIX) {
        snprintf(out, GM_ADDRESS_TEXT_BYTES, "unix:%.107s", un->sun_path);
    } else if (self->bytes.ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        gm_text_format_hostport(out, GM_ADDRESS_TEXT_BYTES, host, ntohs(v4->sin_port));
    } else {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        gm_text_format_hostport(out, GM_ADDRESS_TEXT_BYTES, host, ntohs(v6->sin6_port));
    }
    return out;
}

/* @return how many addresses need no look-up */
static size_t known_addresses(const gm_cluster_t *self, gm_address_t *items)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (gm_text_unix_path(self->host) != NULL) {
        items[0] = address_unix(gm_text_unix_path(self->host));
        return 1;
    }
    if (inet_pton(AF_INET, self->host, &v4) == 1) {
        items[0] = address_v4(&v4, self->port);
        return 1;
    }
    if (inet_pton(AF_INET6, self->host, &v6) == 1) {
        items[0] = address_v6(&v6, self->port);
        return 1;
    }
    if (strcasecmp(self->host, "localhost") != 0)
        return 0;
    v4.s_addr = htonl(INADDR_LOOPBACK);
    items[0] = address_v4(&v4, self->port);
    items[1] = address_v6(&in6addr_loopback, self->port);
    return 2;
}

gm_cluster_t *gm_cluster_create(const char *name, const char *host, uint16_t port, const char *authority)
{
    gm_cluster_t *self = gm_alloc(sizeof(*self));
    gm_address_t known[2];
    size_t count;

    self->name = gm_strdup(name);
    self->host = gm_strdup(host);
    self->authority = gm_strdup(authority);
    self->port = port;
    atomic_init(&self->references, 1);
    atomic_init(&self->version, 0);
    atomic_init(&self->last_failure, 0);
    atomic_init(&self->last_attempt, 0);
    pthread_mutex_init(&self->lock, NULL);
    count = known_addresses(self, known);
    self->needs_resolver = count == 0;
    if (count != 0)
        gm_cluster_set_addresses(self, known, count, NULL);
    return self;
}

gm_cluster_t *gm_cluster_retain(gm_cluster_t *self)
{
    atomic_fetch_add(&self->references, 1);
    return self;
}

void gm_cluster_release(gm_cluster_t *self)
{
    if (self == NULL || atomic_fetch_sub(&self->references, 1) != 1)
        return;
    pthread_mutex_destroy(&self->lock);
    free(self->name);
    free(self->host);
    free(self->authority);
    free(self);
}

const char *gm_cluster_name(const gm_cluster_t *self)
{
    return self->name;
}

const char *gm_cluster_authority(const gm_cluster_t *self)
{
    return self->authority;
}

const char *gm_cluster_host_field(const gm_cluster_t *self)
{
    return gm_text_unix_path(self->host) != NULL ? "localhost" : self->authority;
}

const char *gm_cluster_host(const gm_cluster_t *self)
{
    return self->host;
}

uint16_t gm_cluster_port(const gm_cluster_t *self)
{
    return self->port;
}

bool gm_cluster_needs_resolver(const gm_cluster_t *self)
{
    return self->needs_resolver;
}

uint32_t gm_cluster_version(const gm_cluster_t *self)
{
    return atomic_load_explicit(&self->version, memory_order_acquire);
}

void gm_cluster_get_addresses(gm_cluster_t *self, gm_addresses_t *addresses)
{
    pthread_mutex_lock(&self->lock);
    *addresses = self->addresses;
    pthread_mutex_unlock(&self->lock);
}

static bool has_address(const gm_addresses_t *now, const gm_address_t *address)
{
    for (size_t i = 0; i != now->count; ++i)
        if (address->length == now->items[i].length &&
            memcmp(&address->bytes, &now->items[i].bytes, address->length) == 0)
            return true;
    return false;
}

static bool is_same(const gm_addresses_t *now, const gm_address_t *items, size_t count)
{
    if (now->version == 0 || now->count != count)
        return false;
    for (size_t i = 0; i != count; ++i)
        if (!has_address(now, &items[i]))
            return false;
    return true;
}

bool gm_cluster_has_failed(gm_cluster_t *self)
{
    bool failed;

    pthread_mutex_lock(&self->lock);
    failed = self->addresses.failed;
    pthread_mutex_unlock(&self->lock);
    return failed;
}

void gm_cluster_note_attempt(gm_cluster_t *self, uint32_t version, bool is_connected)
{
    atomic_store_explicit(&self->last_attempt, (uint64_t)version << 1 | is_connected, memory_order_relaxed);
}

gm_reach_t gm_cluster_reach(gm_cluster_t *self)
{
    uint64_t both = atomic_load_explicit(&self->last_attempt, memory_order_relaxed);

    if (gm_cluster_has_failed(self))
        return GM_UNREACHED;
    if (both == 0 || both >> 1 != gm_cluster_version(self))
        return GM_REACH_UNKNOWN;
    return both & 1 ? GM_REACHED : GM_UNREACHED;
}

void gm_cluster_note_failure(gm_cluster_t *self, gm_failure_t failure)
{
    uint64_t at_s = gm_clock_real_us() / 1000000;

    atomic_store_explicit(&self->last_failure, at_s << 8 | ((uint64_t)failure + 1), memory_order_relaxed);
}

bool gm_cluster_last_failure(const gm_cluster_t *self, gm_failure_t *failure, uint64_t *at_s)
{
    uint64_t both = atomic_load_explicit(&self->last_failure, memory_order_relaxed);

    if (both == 0)
        return false;
    *failure = (gm_failure_t)((both & 0xff) - 1);
    *at_s = both >> 8;
    return true;
}

bool gm_cluster_set_addresses(gm_cluster_t *self, const gm_address_t *items, size_t count,
                              const gm_look_up_error_t *error)
{
    gm_addresses_t *now = &self->addresses;
    bool is_new, changed;

    if (count > GM_CLUSTER_MAX_ADDRESSES)
        count = GM_CLUSTER_MAX_ADDRESSES;
    pthread_mutex_lock(&self->lock);
    is_new = count != 0 && !is_same(now, items, count);
    changed = is_new || now->failed != (count == 0);
    now->failed = count == 0;
    if (now->failed)
        now->error = *error;
    if (is_new) {
        memcpy(now->items, items, count * sizeof(*items));
        now->count = count;
        ++now->version;
    }
    atomic_store_explicit(&self->version, now->version, memory_order_release);
    pthread_mutex_unlock(&self->lock);
    return changed;
}
