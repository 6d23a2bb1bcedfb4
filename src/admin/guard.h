/* guard: who must not speak to the admin window although he can reach it: other people's web pages */
#ifndef GM_ADMIN_GUARD_H
#define GM_ADMIN_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Whether a Host value may come from somebody who means this machine: an address, localhost, or what the
 * window listens on. A page whose name was bound to 127.0.0.1 after it was loaded (DNS rebinding) has
 * another.
 * @param listen_host  as configured; "" = all addresses
 */
bool gm_guard_is_host(const char *host, size_t length, const char *listen_host);

/** What a browser says of the page that makes a request; NULL = nothing. */
typedef struct gm_guard_signs {
    const char *origin, *site, *dest; /* Origin, Sec-Fetch-Site, Sec-Fetch-Dest */
    size_t site_length, dest_length;
} gm_guard_signs_t;

/**
 * Whether another site's page makes the request, be it that it could not read the answer: asking costs, too.
 * A link that somebody has followed is none of a page's.
 * @param may_be_link  the request changes nothing
 */
bool gm_guard_is_foreign_page(const gm_guard_signs_t *signs, bool may_be_link);

#endif
