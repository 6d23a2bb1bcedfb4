/* client: asks the admin window of another process, for commands and health checks */
#ifndef GM_ADMIN_CLIENT_H
#define GM_ADMIN_CLIENT_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

/**
 * Sends a GET and waits for the answer. Blocks.
 * @param address  "host:port" or "unix:/path"; without a host, or with one that means all addresses, loopback
 * @param target   "/readyz?text"
 * @param body     appended to
 * @return 0, or -1 with *err filled: nobody there, no answer in time, or one that is not HTTP
 */
GM_MUST_USE int gm_admin_client_get(const char *address, const char *target, uint64_t timeout_ms,
                                    unsigned *status, gm_buffer_t *body, gm_error_t *err);

#endif
