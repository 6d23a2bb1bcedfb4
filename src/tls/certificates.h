/* certificates: those of a listener, and which of them a client gets */
#ifndef GM_TLS_CERTIFICATES_H
#define GM_TLS_CERTIFICATES_H

#include <openssl/ssl.h>

#include "base/error.h"
#include "base/memory.h"
#include "config/config.h"

typedef struct gm_certificates gm_certificates_t; /* immutable once made */

/**
 * Loads all of them. The default, for clients that name no host or one that nobody has, is cert_file, or the
 * first of the list.
 * @return owned by the caller; NULL with *err filled. Main thread.
 */
GM_MUST_USE gm_certificates_t *gm_certificates_create(const gm_tls_conf_t *conf, gm_error_t *err);
void gm_certificates_destroy(gm_certificates_t *self);

/** Gives a context the default. @return 0, or -1 with *err filled */
GM_MUST_USE int gm_certificates_use_default(const gm_certificates_t *self, SSL_CTX *context, gm_error_t *err);

/**
 * Gives a connection, while its handshake has not answered yet, the certificate for a host: that name, or
 * else the longest "*.…" above it. Where several have the same name, one of each kind of key.
 * @return whether there is one; if not, the connection keeps the default. Any thread.
 */
bool gm_certificates_use(const gm_certificates_t *self, SSL *ssl, const char *host);

#endif
