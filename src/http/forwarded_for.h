/* forwarded_for: who a client is, by what trusted proxies say */
#ifndef GM_HTTP_FORWARDED_FOR_H
#define GM_HTTP_FORWARDED_FOR_H

#include <netinet/in.h>

#include "base/cidr.h"
#include "http/head.h"

typedef enum gm_forwarded {
    GM_FORWARDED_NOBODY, /* nothing is said */
    GM_FORWARDED_CLIENT, /* an address outside of the trusted ones; or the first of all, where all are trusted
                          */
    GM_FORWARDED_UNKNOWN /* a trusted proxy has said something that is no address */
} gm_forwarded_t;

/**
 * Reads X-Forwarded-For from its right end, where the nearest proxy has written: trusted proxies are passed
 * over, the first other address is the client. What stands before it may be anybody's invention. Addresses
 * may have a port, and brackets.
 * @param values   all fields of the name, in order
 * @param address  filled for CLIENT; its port is 0
 */
gm_forwarded_t gm_forwarded_for_client(const gm_span_t *values, size_t count, const gm_cidr_t *trusted,
                                       size_t trusted_count, struct sockaddr_storage *address);

#endif
