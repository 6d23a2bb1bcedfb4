/*
 * For the engine "h2o": keeps the library's socket pools, one per address that ever worked, apart per worker:
 * no lock is contended and no connection leaves its event loop. Addresses are few and change rarely. Called
 * by proxy/forward_h2o.
 */
#include "upstream/pool_h2o.h"

#include <string.h>

#include "base/vector.h"

typedef struct address_pool {
    gm_address_t address;
    h2o_socketpool_t pool;
} address_pool_t;

struct gm_pool_h2o {
    h2o_loop_t *loop;
    gm_cluster_t *cluster; /* shared */
    uint64_t idle_ms;
    uint32_t version; /* of the cluster's addresses when `current` was chosen */
    size_t preferred;
    address_pool_t *current; /* NULL = none */
    GM_VECTOR(address_pool_t *) all;
};

gm_pool_h2o_t *gm_pool_h2o_create(h2o_loop_t *loop, gm_cluster_t *cluster, uint64_t idle_ms)
{
    gm_pool_h2o_t *self = gm_alloc(sizeof(*self));

    self->loop = loop;
    self->cluster = gm_cluster_retain(cluster);
    self->idle_ms = idle_ms;
    return self;
}

void gm_pool_h2o_destroy(gm_pool_h2o_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i != self->all.size; ++i) {
        h2o_socketpool_dispose(&self->all.items[i]->pool);
        free(self->all.items[i]);
    }
    gm_vector_dispose(&self->all);
    gm_cluster_release(self->cluster);
    free(self);
}

h2o_socketpool_t *gm_pool_h2o_take(gm_pool_h2o_t *self)
{
    if (self->version != gm_cluster_version(self->cluster)) {
        /* the name may stand for other machines now: ask again, and leave the old connections to their
         * timeout */
        self->version = gm_cluster_version(self->cluster);
        self->preferred = 0;
        self->current = NULL;
    }
    if (self->current == NULL || h2o_linklist_is_empty(&self->current->pool._shared.sockets))
        return NULL;
    return &self->current->pool;
}

static address_pool_t *find_or_add(gm_pool_h2o_t *self, const gm_address_t *address)
{
    address_pool_t *entry;

    for (size_t i = 0; i != self->all.size; ++i) {
        entry = self->all.items[i];
        if (entry->address.length == address->length &&
            memcmp(&entry->address.bytes, &address->bytes, address->length) == 0)
            return entry;
    }
    entry = gm_alloc(sizeof(*entry));
    entry->address = *address;
    h2o_socketpool_init_by_address(&entry->pool, (void *)&entry->address.bytes, entry->address.length, 0,
                                   SIZE_MAX);
    h2o_socketpool_set_timeout(&entry->pool, self->loop, self->idle_ms);
    *gm_vector_push(&self->all) = entry;
    return entry;
}

static void on_close(void *data)
{
    h2o_socketpool_t *pool = data;
    __sync_sub_and_fetch(&pool->_shared.count, 1);
}

h2o_socketpool_t *gm_pool_h2o_put(gm_pool_h2o_t *self, const gm_connected_t *connected)
{
    address_pool_t *entry = find_or_add(self, &connected->address);

    if (connected->version == gm_cluster_version(self->cluster)) { /* else for this one request only */
        self->current = entry;
        self->preferred = connected->index;
    }
    /* what the library does for a connection of its own before it gives it back (lib/common/socketpool.c) */
    __sync_add_and_fetch(&entry->pool._shared.count, 1);
    connected->sock->on_close.cb = on_close;
    connected->sock->on_close.data = &entry->pool;
    h2o_socketpool_return(&entry->pool, connected->sock);
    return &entry->pool;
}

size_t gm_pool_h2o_preferred_address(const gm_pool_h2o_t *self)
{
    return self->preferred;
}
