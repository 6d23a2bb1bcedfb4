/*
 * The names in a certificate, for the choice by SNI and for the checks of a configuration. Pure.
 */
#include "tls/names.h"

#include <ctype.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/text.h"

char *gm_names_normalise(const char *name)
{
    char *copy = gm_strdup(name);
    size_t length = strlen(copy);

    for (size_t i = 0; i != length; ++i)
        copy[i] = (char)tolower((unsigned char)copy[i]);
    if (length > 1 && copy[length - 1] == '.')
        copy[length - 1] = '\0';
    return copy;
}

/* A name with a NUL in it ends there for some and not for others. */
static bool is_name(const char *text, size_t length)
{
    return memchr(text, '\0', length) == NULL &&
           gm_text_is_host(strncmp(text, "*.", 2) == 0 ? text + 2 : text);
}

void gm_names_of_certificate(const X509 *certificate, gm_texts_t *names)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);
        const char *text;
        if (one->type != GEN_DNS)
            continue;
        text = (const char *)ASN1_STRING_get0_data(one->d.dNSName); /* OpenSSL ends it with a NUL */
        if (is_name(text, (size_t)ASN1_STRING_length(one->d.dNSName)))
            *gm_vector_push(names) = gm_names_normalise(text);
    }
    GENERAL_NAMES_free(all);
    ERR_clear_error();
}
