/* context: what a TLS listener offers */
#ifndef GM_TLS_CONTEXT_H
#define GM_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "base/error.h"
#include "base/memory.h"
#include "config/config.h"

/**
 * A server context: the file's certificate chain and key, TLS 1.2 or 1.3 upwards, the server's order of
 * ciphers, ALPN "http/1.1", and a session-id context of its own, so that sessions never move between
 * listeners.
 * @return owned by the caller, SSL_CTX_free(); NULL with *err filled. Main thread.
 */
GM_MUST_USE SSL_CTX *gm_tls_context_create(const gm_tls_conf_t *conf, gm_error_t *err);

/** "OpenSSL 3.0.15", as loaded. */
const char *gm_tls_library_version(void);

#endif
