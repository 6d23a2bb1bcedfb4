/* certificates: keys and certificates of a test, in a folder of their own */
#ifndef GM_TEST_CERTIFICATES_H
#define GM_TEST_CERTIFICATES_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "picotest.h"

static char certificates_folder[] = "/tmp/gomesh-unit-XXXXXX";

static inline void certificates_open(void)
{
    ok(mkdtemp(certificates_folder) != NULL);
}

/** One of the last 32 paths that were asked for. */
static inline char *certificates_path(const char *name)
{
    static char paths[32][128];
    static int next;
    char *path = paths[next++ % 32];

    snprintf(path, sizeof(paths[0]), "%s/%s", certificates_folder, name);
    return path;
}

static inline void certificates_close(void)
{
    DIR *folder = opendir(certificates_folder);

    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.')
            unlink(certificates_path(entry->d_name));
    if (folder != NULL)
        closedir(folder);
    ok(rmdir(certificates_folder) == 0);
}

/** A certificate that is valid now. @param names  "DNS:a,URI:b"; "CA" = of an authority; NULL = none. @param
 * issuer  NULL = itself */
static inline X509 *certificates_make(const char *common_name, const char *names, EVP_PKEY *key, X509 *issuer,
                                      EVP_PKEY *issuer_key)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509V3_CTX context;

    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer != NULL ? X509_get_subject_name(issuer) : subject);
    X509_set_pubkey(certificate, key);
    X509V3_set_ctx(&context, issuer != NULL ? issuer : certificate, certificate, NULL, NULL, 0);
    if (names != NULL) {
        bool is_authority = strcmp(names, "CA") == 0;
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, &context, is_authority ? NID_basic_constraints : NID_subject_alt_name,
                                is_authority ? "critical,CA:TRUE" : names);
        ok(X509_add_ext(certificate, extension, -1) == 1);
        X509_EXTENSION_free(extension);
    }
    if (X509_sign(certificate, issuer != NULL ? issuer_key : key, EVP_sha256()) <= 0)
        ok(false);
    return certificate;
}

/** Appends a certificate to a file. */
static inline void certificates_save(const char *name, X509 *certificate)
{
    FILE *file = fopen(certificates_path(name), "a");

    ok(PEM_write_X509(file, certificate) == 1);
    fclose(file);
}

/** Appends a self-signed certificate for the key, valid from and until so many seconds from now. */
static inline void certificates_write(const char *name, EVP_PKEY *key, long from, long until)
{
    X509 *certificate = X509_new();
    FILE *file = fopen(certificates_path(name), "a");

    X509_gmtime_adj(X509_getm_notBefore(certificate), from);
    X509_gmtime_adj(X509_getm_notAfter(certificate), until);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    ok(X509_sign(certificate, key, EVP_sha256()) > 0 && PEM_write_X509(file, certificate) == 1);
    fclose(file);
    X509_free(certificate);
}

/** @param passphrase  NULL = none */
static inline void certificates_write_key(const char *name, EVP_PKEY *key, const char *passphrase)
{
    FILE *file = fopen(certificates_path(name), "a");

    ok(PEM_write_PrivateKey(file, key, passphrase != NULL ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
                            (void *)passphrase) == 1);
    fclose(file);
}

static inline void certificates_write_text(const char *name, const char *text)
{
    FILE *file = fopen(certificates_path(name), "a");

    ok(fputs(text, file) >= 0);
    fclose(file);
}

#endif
