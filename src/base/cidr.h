/* cidr: a network of addresses, or a single one */
#ifndef GM_BASE_CIDR_H
#define GM_BASE_CIDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/memory.h"

/** A plain value, to be copied. */
typedef struct gm_cidr {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t bits;      /* how many of them count, 0..128 */
} gm_cidr_t;

/**
 * "10.0.0.0/8", "192.168.1.7", "fd00::/8", "::1". An IPv4-mapped IPv6 address is the IPv4 address.
 * @return 0, or -1 with *err filled: not an address, a length out of range, or bits beyond the length, which
 * tell that something else was meant
 */
GM_MUST_USE int gm_cidr_parse(const char *text, gm_cidr_t *cidr, gm_error_t *err);

/** Whether a client with this address is in it. IPv4 is in no network of IPv6, not even in "::/0". */
bool gm_cidr_matches(const gm_cidr_t *self, const struct sockaddr *address);

/** Whether any of them matches; false for none. */
bool gm_cidr_any_matches(const gm_cidr_t *list, size_t count, const struct sockaddr *address);

#endif
