/* context: what a TLS listener offers */
#ifndef GM_TLS_CONTEXT_H
#define GM_TLS_CONTEXT_H

#include <stdint.h>

#include <openssl/ssl.h>

#include "base/error.h"
#include "base/memory.h"
#include "config/config.h"

#define GM_TLS_TICKET_PERIOD_MS (60 * 60 * 1000)

/**
 * A server context: certificates chosen by SNI, TLS 1.2 or 1.3 upwards, the server's order of ciphers, ALPN
 * "http/1.1", client certificates asked for as configured, session tickets with keys of its own that change
 * every hour, and a session-id context of its own, so that sessions never move between listeners. Its info
 * callback is free for the caller.
 * @return owned by the caller, SSL_CTX_free(); NULL with *err filled. Main thread; used by all workers.
 */
GM_MUST_USE SSL_CTX *gm_tls_context_create(const gm_tls_conf_t *conf, gm_error_t *err);

/** The same with another clock for the ticket keys; for tests. */
GM_MUST_USE SSL_CTX *gm_tls_context_create_with_clock(const gm_tls_conf_t *conf, uint64_t (*now_ms)(void),
                                                      gm_error_t *err);

/** "OpenSSL 3.0.15", as loaded. */
const char *gm_tls_library_version(void);

/** Clients may choose "h2" by ALPN, too. Main thread, before the first connection. */
void gm_tls_context_offer_http2(SSL_CTX *context);

#endif
