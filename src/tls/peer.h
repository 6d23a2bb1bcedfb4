/* peer: who is at the other end of a connection */
#ifndef GM_TLS_PEER_H
#define GM_TLS_PEER_H

#include <stddef.h>

#include <openssl/ssl.h>

/**
 * The client's verified certificate in the form of Envoy's X-Forwarded-Client-Cert:
 * Hash=<SHA-256 of the DER form>;Subject="<RFC 2253>";URI=…;DNS=…, one of these for each such name. Whatever
 * the certificate holds, the text is printable ASCII, the quotes in it stand in pairs around a value, and
 * what is between two semicolons outside of them is one item. An item that does not fit is left out as a
 * whole.
 * @param out  ends with a NUL
 * @return the length; 0 if there is no certificate, it was not verified, or `out` is too short for the hash
 *         (70 bytes). Thread of the connection.
 */
size_t gm_tls_peer_describe(SSL *ssl, char *out, size_t out_bytes);

#endif
