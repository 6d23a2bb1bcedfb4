/*
 * SHA-256 by OpenSSL's EVP interface, for rooms that may not include OpenSSL themselves. Called by the test
 * backend to describe a request's body. Any thread.
 */
#include "base/sha256.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#define DIGEST_BYTES 32

void gm_sha256_hex(const void *bytes, size_t length, char out[65])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];

    /* no input can make this fail, only a lack of memory or a broken installation of OpenSSL */
    if (EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL) != 1) {
        fputs("gomesh: OpenSSL cannot compute SHA-256\n", stderr);
        abort();
    }
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * DIGEST_BYTES] = '\0';
}
