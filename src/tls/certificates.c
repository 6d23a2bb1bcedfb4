/*
 * The certificates of a TLS listener by name. Made on the main thread for an SSL_CTX; each handshake asks, on
 * its worker, without a lock.
 */
#include "tls/certificates.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "tls/names.h"

/* A name and who has it. */
typedef struct entry {
    char *name;      /* owned; lower case */
    SSL_CTX *holder; /* borrowed from the list */
    size_t order;
} entry_t;

struct gm_certificates {
    GM_VECTOR(SSL_CTX *)
    holders;                    /* owned; one each, as OpenSSL's loader wants it; the first is the default */
    GM_VECTOR(entry_t) entries; /* by name, then in order */
};

static int fail(gm_error_t *err, const char *what, const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    gm_error_set(err, NULL, "%s \"%.200s\": %s", what, file, reason != NULL ? reason : "cannot be used");
    ERR_clear_error();
    return -1;
}

static int load(SSL_CTX *holder, const char *cert_file, const char *key_file, gm_error_t *err)
{
    ERR_clear_error();
    if (holder == NULL || SSL_CTX_use_certificate_chain_file(holder, cert_file) != 1)
        return fail(err, "cert_file", cert_file);
    if (SSL_CTX_use_PrivateKey_file(holder, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(holder) != 1)
        return fail(err, "key_file", key_file);
    return 0;
}

/* @param names  NULL or none = those in the certificate */
static int add(gm_certificates_t *self, const char *cert_file, const char *key_file, const gm_texts_t *names,
               gm_error_t *err)
{
    SSL_CTX *holder = SSL_CTX_new(TLS_server_method());
    gm_texts_t found = {0};

    *gm_vector_push(&self->holders) = holder;
    if (load(holder, cert_file, key_file, err) != 0)
        return -1;
    if (names != NULL)
        for (size_t i = 0; i != names->size; ++i)
            *gm_vector_push(&found) = gm_names_normalise(names->items[i]);
    if (found.size == 0)
        gm_names_of_certificate(SSL_CTX_get0_certificate(holder), &found);
    for (size_t i = 0; i != found.size; ++i) {
        entry_t *entry = gm_vector_push(&self->entries);
        entry->name = found.items[i];
        entry->holder = holder;
        entry->order = self->entries.size;
    }
    gm_vector_dispose(&found);
    return 0;
}

static int compare(const void *a, const void *b)
{
    const entry_t *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : x->order < y->order ? -1 : 1;
}

gm_certificates_t *gm_certificates_create(const gm_tls_conf_t *conf, gm_error_t *err)
{
    gm_certificates_t *self = gm_alloc(sizeof(*self));

    if (conf->cert_file != NULL && add(self, conf->cert_file, conf->key_file, NULL, err) != 0)
        goto Error;
    for (size_t i = 0; i != conf->certificates.size; ++i) {
        const gm_certificate_conf_t *one = conf->certificates.items[i];
        if (add(self, one->cert_file, one->key_file, &one->names, err) != 0)
            goto Error;
    }
    if (self->entries.size > 1)
        qsort(self->entries.items, self->entries.size, sizeof(entry_t), compare);
    return self;
Error:
    gm_certificates_destroy(self);
    return NULL;
}

void gm_certificates_destroy(gm_certificates_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i != self->entries.size; ++i)
        free(self->entries.items[i].name);
    gm_vector_dispose(&self->entries);
    for (size_t i = 0; i != self->holders.size; ++i)
        SSL_CTX_free(self->holders.items[i]);
    gm_vector_dispose(&self->holders);
    free(self);
}

int gm_certificates_use_default(const gm_certificates_t *self, SSL_CTX *context, gm_error_t *err)
{
    SSL_CTX *holder = self->holders.items[0];
    STACK_OF(X509) *chain = NULL;

    SSL_CTX_get0_chain_certs(holder, &chain);
    if (SSL_CTX_use_cert_and_key(context, SSL_CTX_get0_certificate(holder), SSL_CTX_get0_privatekey(holder),
                                 chain, 1) == 1)
        return 0;
    return fail(err, "the default certificate", "cert_file");
}

static int compare_name(const void *name, const void *entry)
{
    return strcmp(name, ((const entry_t *)entry)->name);
}

/* The first of those with this name; NULL = none. */
static const entry_t *find(const gm_certificates_t *self, const char *name)
{
    const entry_t *found = self->entries.size == 0 ? NULL
                                                   : bsearch(name, self->entries.items, self->entries.size,
                                                             sizeof(entry_t), compare_name);

    while (found != NULL && found != self->entries.items && strcmp(found[-1].name, name) == 0)
        --found;
    return found;
}

/* @param name  in lower case; written to */
static const entry_t *find_nearest(const gm_certificates_t *self, char *name)
{
    const entry_t *found = find(self, name);

    for (char *dot = strchr(name, '.'); found == NULL && dot != NULL && dot != name;
         dot = strchr(dot + 1, '.')) {
        dot[-1] = '*'; /* "www.example.com" is now "ww*.example.com" */
        found = find(self, dot - 1);
    }
    return found;
}

bool gm_certificates_use(const gm_certificates_t *self, SSL *ssl, const char *host)
{
    char *name = gm_names_normalise(host);
    const entry_t *found = find_nearest(self, name), *end;

    free(name);
    if (found == NULL)
        return false;
    end = self->entries.items + self->entries.size;
    SSL_certs_clear(ssl); /* the default may have another kind of key, and would still be offered */
    for (const entry_t *entry = found; entry != end && strcmp(entry->name, found->name) == 0; ++entry) {
        STACK_OF(X509) *chain = NULL;
        SSL_CTX_get0_chain_certs(entry->holder, &chain);
        /* not over one of the same kind, which comes earlier in the file */
        SSL_use_cert_and_key(ssl, SSL_CTX_get0_certificate(entry->holder),
                             SSL_CTX_get0_privatekey(entry->holder), chain, 0);
    }
    ERR_clear_error();
    return true;
}
