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

/** Whether Sec-Fetch-Site says that a page of another site makes the request. */
bool gm_guard_is_foreign_site(const char *value, size_t length);

#endif
