/* names: the hosts that a certificate is for */
#ifndef GM_TLS_NAMES_H
#define GM_TLS_NAMES_H

#include <openssl/x509.h>

#include "config/config.h"

/**
 * Appends the DNS names of the certificate's subjectAltName, in lower case, "*.example.com" among them. Names
 * that no host can have are left out, and so is the subject's common name, which no client looks at.
 * @param names  the texts are the caller's
 */
void gm_names_of_certificate(const X509 *certificate, gm_texts_t *names);

/** A copy in lower case and without the final dot, the caller's. */
GM_MUST_USE char *gm_names_normalise(const char *name);

#endif
