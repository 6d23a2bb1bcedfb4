/* Which certificate a client gets for a name. */
#include "tls/certificates.h"

#include "certificates.h"
#include "handshake.h"

static void make_file(const char *name, const char *names, EVP_PKEY *key)
{
    X509 *certificate = certificates_make(name, names, key, NULL, NULL);

    certificates_save(name, certificate);
    X509_free(certificate);
}

static void make_files(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048);

    make_file("main", "DNS:main.example,DNS:a.wild.example", key);
    make_file("wild", "DNS:*.wild.example", key);
    make_file("deep", "DNS:*.b.wild.example,DNS:Upper.example", key);
    make_file("given", "DNS:not.looked.at", key);
    make_file("rsa", "DNS:both.example", rsa);
    make_file("both", "DNS:both.example", key);
    make_file("late", "DNS:both.example,DNS:main.example", key);
    make_file("nameless", NULL, key);
    certificates_write_key("key", key, NULL);
    certificates_write_key("rsa-key", rsa, NULL);
    EVP_PKEY_free(key);
    EVP_PKEY_free(rsa);
}

/* All of them, in this order. @param main  cert_file; NULL = none */
static gm_certificates_t *create(const char *main, gm_error_t *err)
{
    static char *given[] = {(char *)"*.Given.example", (char *)"given.example."};
    gm_certificate_conf_t confs[] = {
        {.cert_file = certificates_path("wild"), .key_file = certificates_path("key")},
        {.cert_file = certificates_path("deep"), .key_file = certificates_path("key")},
        {.cert_file = certificates_path("given"), .names = {given, 2, 2}},
        {.cert_file = certificates_path("rsa"), .key_file = certificates_path("rsa-key")},
        {.cert_file = certificates_path("both")},
        {.cert_file = certificates_path("late")},
    };
    gm_certificate_conf_t *list[6];
    char main_file[128], key_file[128];
    gm_tls_conf_t conf = {.certificates = {list, 6, 6}};

    snprintf(key_file, sizeof(key_file), "%s", certificates_path("key"));
    for (size_t i = 0; i != 6; ++i) {
        list[i] = &confs[i];
        if (confs[i].key_file == NULL || i < 2)
            confs[i].key_file = key_file;
    }
    if (main != NULL) {
        snprintf(main_file, sizeof(main_file), "%s", certificates_path(main));
        conf.cert_file = main_file;
        conf.key_file = key_file;
    }
    return gm_certificates_create(&conf, err);
}

typedef struct choice {
    const gm_certificates_t *certificates;
    bool chosen;
} choice_t;

static int on_name(SSL *ssl, int *alert, void *data)
{
    choice_t *choice = data;

    (void)alert;
    choice->chosen =
        gm_certificates_use(choice->certificates, ssl, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    return SSL_TLSEXT_ERR_OK;
}

/* Whether a client that asks for `host` gets the certificate of this common name. */
static bool gives(const gm_certificates_t *certificates, const char *host, const char *ciphers,
                  const char *common_name, bool chosen)
{
    SSL_CTX *client = SSL_CTX_new(TLS_client_method()), *server = SSL_CTX_new(TLS_server_method());
    choice_t choice = {.certificates = certificates};
    handshake_t both;
    char found[64] = "";
    bool same;

    same = gm_certificates_use_default(certificates, server, NULL) == 0;
    SSL_CTX_set_tlsext_servername_callback(server, on_name);
    SSL_CTX_set_tlsext_servername_arg(server, &choice);
    SSL_CTX_set_max_proto_version(client, ciphers != NULL ? TLS1_2_VERSION : TLS1_3_VERSION);
    if (ciphers != NULL)
        SSL_CTX_set_cipher_list(client, ciphers);
    both = handshake_open(client, server);
    SSL_set_tlsext_host_name(both.client, host);
    if (handshake_run(&both))
        X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(both.client)),
                                  NID_commonName, found, sizeof(found));
    handshake_close(&both, true);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    same = same && strcmp(found, common_name) == 0 && choice.chosen == chosen;
    if (!same)
        note("%s: %s", host, found);
    return same;
}

static void test_choice(void)
{
    gm_certificates_t *all = create("main", NULL);

    ok(gives(all, "main.example", NULL, "main", true));
    ok(gives(all, "MAIN.example", NULL, "main", true));
    ok(gives(all, "unknown.example", NULL, "main", false));
    ok(gives(all, "x.wild.example", NULL, "wild", true));
    ok(gives(all, "x.y.wild.example", NULL, "wild", true));
    ok(gives(all, "wild.example", NULL, "main", false));
    ok(gives(all, "a.wild.example", NULL, "main", true)); /* the name itself is nearer than a wildcard */
    ok(gives(all, "x.b.wild.example", NULL, "deep", true));
    ok(gives(all, "b.wild.example", NULL, "wild", true));
    ok(gives(all, "upper.example", NULL, "deep", true));
    ok(gives(all, "x.given.example", NULL, "given", true));
    ok(gives(all, "given.example", NULL, "given", true));
    ok(gives(all, "not.looked.at", NULL, "main", false));
    ok(gives(all, "*.wild.example", NULL, "wild", true));
    ok(gives(all, "example", NULL, "main", false));
    ok(gives(all, ".", NULL, "main", false));
    gm_certificates_destroy(all);
}

/* One name, two kinds of key: each client gets what it can read; the same kind once more changes nothing. */
static void test_kinds(void)
{
    gm_certificates_t *all = create("main", NULL);

    ok(gives(all, "both.example", "ECDHE-RSA-AES128-GCM-SHA256", "rsa", true));
    ok(gives(all, "both.example", "ECDHE-ECDSA-AES128-GCM-SHA256", "both", true));
    ok(gives(all, "x.wild.example", "ECDHE-RSA-AES128-GCM-SHA256", "", true));
    gm_certificates_destroy(all);
}

static void test_default(void)
{
    gm_certificates_t *all = create(NULL, NULL), *nameless = create("nameless", NULL);

    ok(gives(all, "unknown.example", NULL, "wild", false));
    ok(gives(nameless, "unknown.example", NULL, "nameless", false));
    ok(gives(nameless, "main.example", NULL, "late", true));
    gm_certificates_destroy(all);
    gm_certificates_destroy(nameless);
    gm_certificates_destroy(NULL);
}

static void test_refusals(void)
{
    gm_error_t err = {0}, key_err = {0};

    ok(create("missing", &err) == NULL && strstr(err.text, "cert_file") != NULL);
    ok(create("rsa", &key_err) == NULL && strstr(key_err.text, "key_file") != NULL);
    ok(ERR_peek_error() == 0);
}

int main(void)
{
    certificates_open();
    make_files();
    subtest("choice", test_choice);
    subtest("kinds of keys", test_kinds);
    subtest("default", test_default);
    subtest("refusals", test_refusals);
    certificates_close();
    return done_testing();
}
