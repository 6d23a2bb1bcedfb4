/* client_context: how a backend is spoken to over TLS */
#ifndef GM_TLS_CLIENT_CONTEXT_H
#define GM_TLS_CLIENT_CONTEXT_H

#include <openssl/ssl.h>

#include "base/error.h"
#include "base/memory.h"
#include "config/config.h"

/**
 * A client context for one backend: TLS 1.2 upwards, ALPN "http/1.1", and, unless `verify` is off, the check
 * of the chain and of the name, server_name or else the host, as a name or an address in the certificate's
 * subjectAltName. It keeps the last session and offers it to the next connection by itself.
 *
 * With libh2o: h2o_socket_ssl_handshake(sock, context, gm_tls_client_context_server_name(context), cb). The
 * name must be given, as the library takes a missing one for a server. Under TLS 1.2 the library compares the
 * certificate with it once more, knows no addresses and cannot be told to leave it; so its errors
 * h2o_socket_error_ssl_cert_name_mismatch, …_cert_invalid and …_no_cert mean nothing and the socket can be
 * used: what this context does not accept fails within the handshake, with another error. The info callback
 * is taken.
 * @param host      the backend's
 * @param protocol  what is offered by ALPN
 * @return owned by the caller, SSL_CTX_free(); NULL with *err filled. Main thread; used by all workers.
 */
GM_MUST_USE SSL_CTX *gm_tls_client_context_create(const gm_backend_tls_conf_t *conf, const char *host,
                                                  gm_protocol_t protocol, gm_error_t *err);

/** Before the handshake: this connection asks for HTTP/1.1, whatever its context would. */
void gm_tls_client_offer_http1(SSL *ssl);

/**
 * Who is to be told when a handshake begins, before its first byte. Main thread, before the first connection.
 * @param on_start  `transport` is the data of the connection's BIO: with libh2o, its h2o_socket_t
 */
void gm_tls_client_context_set_on_start(SSL_CTX *context, void (*on_start)(void *transport, SSL *ssl));

/** The name or address that certificates are compared with; borrowed from the context. */
const char *gm_tls_client_context_server_name(const SSL_CTX *context);

/** A copy of the last session, the caller's, SSL_SESSION_free(); NULL = none yet. Any thread. */
GM_MUST_USE SSL_SESSION *gm_tls_client_context_session(const SSL_CTX *context);

#endif
