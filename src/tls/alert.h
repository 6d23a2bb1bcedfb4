/* alert: the reason for a failed handshake, sent in spite of a library that closes without it */
#ifndef GM_TLS_ALERT_H
#define GM_TLS_ALERT_H

#include <openssl/ssl.h>

/** Sends bytes over a connection at once, as far as the kernel takes them. @param transport  its reading BIO
 */
typedef void (*gm_tls_alert_send_t)(BIO *transport, const void *bytes, size_t length);

/**
 * To be called from the info callback of a context, with what that is given: while a handshake runs,
 * OpenSSL's records pass through a BIO of ours on their way to the library's, and a fatal alert is sent as
 * soon as it is made (lib/common/socket.c, proceed_handshake, throws it away). Afterwards all is as it was.
 * Any thread.
 */
void gm_tls_alert_on_info(SSL *ssl, int where, int result, gm_tls_alert_send_t send);

#endif
