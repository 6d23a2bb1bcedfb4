/* attachment: what an SSL_CTX carries of ours, for as long as it lives */
#ifndef GM_TLS_ATTACHMENT_H
#define GM_TLS_ATTACHMENT_H

#include <openssl/ssl.h>

/**
 * Gives a context its one attachment. Connections keep their context alive, so the attachment is there
 * whenever one of its callbacks runs.
 * @param data     taken over, also by the last SSL_free() after the SSL_CTX_free()
 * @param destroy  called once, on whatever thread frees last
 */
void gm_attachment_set(SSL_CTX *context, void *data, void (*destroy)(void *data));

/** What gm_attachment_set gave it. Any thread. */
void *gm_attachment_get(const SSL_CTX *context);

#endif
