/*
 * Checks certificate and key files while a configuration is loaded, so that mistakes show up there with a
 * line number and not as failed handshakes. Main thread.
 */
#include "tls/credential.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tls/names.h"

static int no_passphrase(char *buffer, int size, int writing, void *data)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)data = true; /* was asked for */
    return 0;
}

static FILE *open_file(const char *name, const char *what, gm_error_t *err)
{
    struct stat info;
    FILE *file = fopen(name, "re");

    if (file == NULL) {
        gm_error_set(err, NULL, "%s \"%.300s\": %s", what, name, strerror(errno));
    } else if (fstat(fileno(file), &info) != 0 || S_ISDIR(info.st_mode)) {
        gm_error_set(err, NULL, "%s \"%.300s\": is a folder", what, name);
        fclose(file);
        file = NULL;
    }
    return file;
}

/* What stands between "-----BEGIN" and "-----END". */
typedef struct part {
    int line; /* of its begin; 0 = there is none */
    bool is_certificate, has_end;
} part_t;

/* The last part that begins between two offsets. */
static part_t find_part(FILE *file, long from, long until)
{
    part_t part = {0};
    char *text = NULL;
    size_t size = 0;
    ssize_t length;
    long offset = 0;
    bool inside = false, holds_another = false;

    rewind(file);
    for (int line = 1; (length = getline(&text, &size, file)) > 0 && (offset += length) <= until; ++line) {
        bool begins = offset > from && strncmp(text, "-----BEGIN ", 11) == 0;
        if (begins && inside) {
            holds_another = true; /* the end of the first is missing; to the library this is base64 */
        } else if (begins) {
            part = (part_t){.line = line, .is_certificate = strstr(text, "CERTIFICATE") != NULL};
            inside = true;
            holds_another = false;
        } else if (inside && strncmp(text, "-----END ", 9) == 0) {
            part.has_end = !holds_another;
            inside = false;
        }
    }
    free(text);
    return part;
}

/* @param from  where the file was read on before the library failed */
static void fail_damaged(FILE *file, long from, const char *what, const char *name, gm_error_t *err)
{
    bool is_base64 = ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_BAD_BASE64_DECODE;
    part_t part = find_part(file, from, ftell(file));

    gm_error_set(
        err, NULL,
        "%s \"%.200s\" is damaged: the %s that begins in line %d %s; copy the file again from where it was "
        "issued",
        what, name, part.is_certificate ? "certificate" : "part", part.line,
        !part.has_end ? "has no end"
        : is_base64   ? "cannot be decoded"
                      : "is not base64 throughout");
}

static bool is_valid_now(const X509 *certificate)
{
    return X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0 &&
           X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0;
}

/*
 * The server's own, which comes first; those behind it are only read.
 * @param what       the option, for *err
 * @param any_valid  set to whether one of all is valid now
 */
static X509 *read_certificates(const char *name, const char *what, bool *any_valid, gm_error_t *err)
{
    FILE *file = open_file(name, what, err);
    X509 *first = NULL, *next;
    bool encrypted;
    long from;

    *any_valid = false;
    if (file == NULL)
        return NULL;
    for (;;) {
        from = ftell(file);
        ERR_clear_error();
        if ((next = PEM_read_X509(file, NULL, no_passphrase, &encrypted)) == NULL)
            break;
        *any_valid = *any_valid || is_valid_now(next);
        if (first == NULL)
            first = next;
        else
            X509_free(next);
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        fail_damaged(file, from, what, name, err);
        X509_free(first);
        first = NULL;
    } else if (first == NULL) {
        gm_error_set(err, NULL, "%s \"%.300s\" has no PEM certificate (-----BEGIN CERTIFICATE-----)", what,
                     name);
    }
    fclose(file);
    return first;
}

static EVP_PKEY *read_key(const char *name, gm_error_t *err)
{
    FILE *file = open_file(name, "key_file", err);
    bool encrypted = false;
    EVP_PKEY *key;

    if (file == NULL)
        return NULL;
    key = PEM_read_PrivateKey(file, NULL, no_passphrase, &encrypted);
    fclose(file);
    if (key == NULL && encrypted)
        gm_error_set(err, NULL,
                     "key_file \"%.300s\" is protected by a passphrase; remove it with \"openssl pkey\"",
                     name);
    else if (key == NULL)
        gm_error_set(err, NULL, "key_file \"%.300s\" has no PEM private key (-----BEGIN PRIVATE KEY-----)",
                     name);
    return key;
}

static void check_dates(const X509 *certificate, const char *name, gm_error_t *warning)
{
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        gm_error_set(warning, NULL, "the certificate in \"%.300s\" has expired; clients will refuse it",
                     name);
    else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        gm_error_set(warning, NULL, "the certificate in \"%.300s\" is not valid yet; clients will refuse it",
                     name);
}

/* The same step as at start: a weak key shows up only there. */
static int check_chain(const char *name, gm_error_t *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    int ret = 0;

    ERR_clear_error();
    if (context == NULL || SSL_CTX_use_certificate_chain_file(context, name) != 1) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        ret = gm_error_set(err, NULL, "cert_file \"%.300s\" cannot be used: %s", name,
                           reason != NULL ? reason : "unknown reason");
    }
    SSL_CTX_free(context);
    return ret;
}

int gm_credential_check(const char *cert_file, const char *key_file, bool *about_key, gm_error_t *err,
                        gm_error_t *warning)
{
    bool any_valid;
    X509 *certificate = read_certificates(cert_file, "cert_file", &any_valid, err);
    EVP_PKEY *key = NULL;
    int ret = -1;

    *about_key = false;
    if (certificate == NULL || check_chain(cert_file, err) != 0)
        goto Exit;
    *about_key = true;
    if ((key = read_key(key_file, err)) == NULL)
        goto Exit;
    if (!X509_check_private_key(certificate, key)) {
        gm_error_set(err, NULL, "key_file \"%.200s\" does not fit the certificate in \"%.200s\"", key_file,
                     cert_file);
        goto Exit;
    }
    check_dates(certificate, cert_file, warning);
    ret = 0;
Exit:
    ERR_clear_error();
    X509_free(certificate);
    EVP_PKEY_free(key);
    return ret;
}

int gm_credential_check_authorities(const char *key, const char *file, gm_error_t *err, gm_error_t *warning)
{
    bool any_valid;
    X509 *first = read_certificates(file, key, &any_valid, err);

    ERR_clear_error();
    if (first == NULL)
        return -1;
    if (!any_valid)
        gm_error_set(warning, NULL,
                     "no certificate in %s \"%.300s\" is valid now; nobody can be trusted by it", key, file);
    X509_free(first);
    return 0;
}

bool gm_credential_has_names(const char *cert_file)
{
    bool any_valid;
    X509 *first = read_certificates(cert_file, "cert_file", &any_valid, NULL);
    gm_texts_t names = {0};
    bool has_names;

    ERR_clear_error();
    if (first != NULL)
        gm_names_of_certificate(first, &names);
    has_names = names.size != 0;
    for (size_t i = 0; i != names.size; ++i)
        free(names.items[i]);
    gm_vector_dispose(&names);
    X509_free(first);
    return has_names;
}
