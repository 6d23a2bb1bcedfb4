/* cluster: one backend by name, and the addresses it has at the moment */
#ifndef GM_UPSTREAM_CLUSTER_H
#define GM_UPSTREAM_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "telemetry/failure.h"

#define GM_CLUSTER_MAX_ADDRESSES 16

typedef struct gm_cluster gm_cluster_t; /* shared by count */

typedef struct gm_address {
    struct sockaddr_storage bytes;
    socklen_t length;
} gm_address_t;

#define GM_ADDRESS_TEXT_BYTES 128

/** "127.0.0.1:3000", "[::1]:3000", "unix:/path". @return out */
char *gm_address_format(const gm_address_t *self, char out[GM_ADDRESS_TEXT_BYTES]);

/** Why a look-up came back without an address. */
typedef struct gm_look_up_error {
    gm_failure_t
        failure;     /* GM_FAILURE_DNS_FAILED, or GM_FAILURE_NO_ENDPOINT: there is the name, but no more */
    const char *why; /* static */
} gm_look_up_error_t;

/** What a name resolved to; equal versions mean equal lists. */
typedef struct gm_addresses {
    uint32_t version;         /* 0 = there never were any */
    bool failed;              /* the last look-up failed; older addresses are kept */
    gm_look_up_error_t error; /* if it did */
    size_t count;
    gm_address_t items[GM_CLUSTER_MAX_ADDRESSES];
} gm_addresses_t;

/**
 * Numeric hosts, "unix:/path" and "localhost" (both families, RFC 6761) have their addresses at once; other
 * names get them from a resolver. The texts are copied.
 * @return with one reference, the caller's
 */
GM_MUST_USE gm_cluster_t *gm_cluster_create(const char *name, const char *host, uint16_t port,
                                            const char *authority);
gm_cluster_t *gm_cluster_retain(gm_cluster_t *self);
void gm_cluster_release(gm_cluster_t *self);

const char *gm_cluster_name(const gm_cluster_t *self);
const char *gm_cluster_authority(const gm_cluster_t *self);  /* "host:port" as configured */
const char *gm_cluster_host_field(const gm_cluster_t *self); /* for a request that came without Host */
const char *gm_cluster_host(const gm_cluster_t *self);
uint16_t gm_cluster_port(const gm_cluster_t *self);

/** Whether a resolver has to be asked. */
bool gm_cluster_needs_resolver(const gm_cluster_t *self);

/** The version of the current list, without a lock; a look-up that fails does not change it. Any thread. */
uint32_t gm_cluster_version(const gm_cluster_t *self);

/** Copies the current list. Any thread. */
void gm_cluster_get_addresses(gm_cluster_t *self, gm_addresses_t *addresses);

/** Remembers how a request to it failed last, for whoever asks. Any thread. */
void gm_cluster_note_failure(gm_cluster_t *self, gm_failure_t failure);

/** @param at_s  set to when, in seconds since 1970  @return false = none has failed yet. Any thread. */
bool gm_cluster_last_failure(const gm_cluster_t *self, gm_failure_t *failure, uint64_t *at_s);

/** What is known of the way to a cluster. */
typedef enum gm_reach {
    GM_REACH_UNKNOWN, /* nobody has tried its present addresses */
    GM_REACHED,       /* the last attempt to connect got through */
    GM_UNREACHED      /* it did not, or the last look-up of the name failed */
} gm_reach_t;

/**
 * Remembers how the last attempt at a new connection ended. TCP alone counts, not what is spoken over it.
 * @param version  of the addresses that were tried: others may be current by now. Any thread.
 */
void gm_cluster_note_attempt(gm_cluster_t *self, uint32_t version, bool is_connected);

/** Any thread. */
gm_reach_t gm_cluster_reach(gm_cluster_t *self);

/** Whether the last look-up failed. Any thread. */
bool gm_cluster_has_failed(gm_cluster_t *self);

/**
 * Publishes the result of a look-up: addresses, or none and why. The same addresses in another order, as name
 * servers like to give them, are no news. Resolver's thread.
 * @param error  only if there are none
 * @return whether anything changed
 */
bool gm_cluster_set_addresses(gm_cluster_t *self, const gm_address_t *items, size_t count,
                              const gm_look_up_error_t *error);

#endif
