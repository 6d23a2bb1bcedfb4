/* How a backend is spoken to: handshakes with servers in this process. */
#include "tls/client_context.h"

#include "certificates.h"
#include "handshake.h"

static EVP_PKEY *key;
static X509 *authority;

static void save_new(const char *name, X509 *certificate)
{
    certificates_save(name, certificate);
    X509_free(certificate);
}

static void make_files(void)
{
    EVP_PKEY *authority_key = EVP_EC_gen("P-256"), *middle_key = EVP_EC_gen("P-256");
    X509 *middle;

    key = EVP_EC_gen("P-256");
    authority = certificates_make("authority", "CA", authority_key, NULL, NULL);
    middle = certificates_make("middle", "CA", middle_key, authority, authority_key);
    certificates_save("ca", authority);
    certificates_save("middle", middle);
    save_new("other-ca", certificates_make("authority", "CA", middle_key, NULL, NULL));
    save_new("server",
             certificates_make("cn.example", "DNS:good.example,DNS:*.wild.example,IP:127.0.0.1,IP:::1", key,
                               authority, authority_key));
    save_new("common", certificates_make("cn.example", NULL, key, authority, authority_key));
    save_new("below", certificates_make("x", "DNS:good.example", key, middle, middle_key));
    save_new("client", certificates_make("client", NULL, key, authority, authority_key));
    certificates_write_key("key", key, NULL);
    certificates_write_key("other-key", middle_key, NULL);
    certificates_write_text("junk", "nothing of use\n");
    EVP_PKEY_free(authority_key);
    EVP_PKEY_free(middle_key);
    X509_free(middle);
}

static SSL_CTX *create_server(const char *cert, int version)
{
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());

    ok(SSL_CTX_use_certificate_chain_file(server, certificates_path(cert)) == 1);
    SSL_CTX_use_PrivateKey(server, key);
    SSL_CTX_set_max_proto_version(server, version);
    SSL_CTX_set_session_id_context(server, (const unsigned char *)"x", 1);
    return server;
}

static SSL_CTX *create(const char *ca, const char *server_name, const char *host, bool verify)
{
    gm_backend_tls_conf_t conf = {.ca_file = certificates_path(ca), .verify = verify};
    gm_error_t err = {0};
    SSL_CTX *context;

    conf.server_name = (char *)server_name;
    context = gm_tls_client_context_create(&conf, host, GM_PROTOCOL_AUTO, &err);
    if (context == NULL)
        note("%s", err.text);
    return context;
}

static bool accepts_with(const char *cert, const char *ca, const char *server_name, const char *host,
                         bool verify, int version)
{
    SSL_CTX *client = create(ca, server_name, host, verify), *server = create_server(cert, version);
    handshake_t both = handshake_open(client, server);
    bool accepted = handshake_run(&both);
    const char *sni = SSL_get_servername(both.client, TLSEXT_NAMETYPE_host_name);

    if (sni != NULL && strcmp(sni, gm_tls_client_context_server_name(client)) != 0)
        accepted = !accepted; /* no test expects that */
    handshake_close(&both, true);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return accepted;
}

/* With both versions alike. */
static bool accepts(const char *cert, const char *ca, const char *server_name, const char *host, bool verify)
{
    bool old = accepts_with(cert, ca, server_name, host, verify, TLS1_2_VERSION);
    bool new = accepts_with(cert, ca, server_name, host, verify, TLS1_3_VERSION);

    ok(old == new);
    return new;
}

static void test_names(void)
{
    ok(accepts("server", "ca", NULL, "good.example", true));
    ok(accepts("server", "ca", NULL, "GOOD.example.", true));
    ok(accepts("server", "ca", NULL, "a.wild.example", true));
    ok(accepts("server", "ca", NULL, "127.0.0.1", true));
    ok(accepts("server", "ca", NULL, "::1", true));
    ok(accepts("server", "ca", "good.example", "10.0.0.1", true));
    ok(accepts("server", "ca", "127.0.0.1", "bad.example", true));
    ok(!accepts("server", "ca", NULL, "bad.example", true));
    ok(!accepts("server", "ca", "bad.example", "good.example", true));
    ok(!accepts("server", "ca", NULL, "wild.example", true));
    ok(!accepts("server", "ca", NULL, "a.b.wild.example", true));
    ok(!accepts("server", "ca", NULL, "127.0.0.2", true));
    ok(!accepts("server", "ca", NULL, "cn.example", true)); /* the common name does not count */
    ok(!accepts("common", "ca", NULL, "cn.example", true));
}

static void test_chains(void)
{
    ok(!accepts("server", "other-ca", NULL, "good.example", true)); /* the same name, another key */
    ok(!accepts("below", "ca", NULL, "good.example", true));        /* the one in between is missing */
    ok(accepts("below", "middle", NULL, "good.example", true));
    ok(accepts("server", "server", NULL, "good.example", true)); /* this one and no other */
}

static void test_verify_off(void)
{
    ok(accepts("server", "other-ca", NULL, "good.example", false));
    ok(accepts("server", "other-ca", NULL, "bad.example", false));
    ok(accepts("common", "other-ca", NULL, "10.0.0.1", false));
}

static const char *sni_of(const char *server_name, const char *host, char *out)
{
    SSL_CTX *client = create("ca", server_name, host, false),
            *server = create_server("server", TLS1_3_VERSION);
    handshake_t both = handshake_open(client, server);
    const char *sni;

    SSL_set_tlsext_host_name(both.client, "127.9.9.9"); /* as libh2o does */
    ok(handshake_run(&both));
    sni = SSL_get_servername(both.server, TLSEXT_NAMETYPE_host_name);
    strcpy(out, sni != NULL ? sni : "none");
    handshake_close(&both, true);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return out;
}

static void test_sni(void)
{
    char out[256];

    ok(strcmp(sni_of(NULL, "good.example", out), "good.example") == 0);
    ok(strcmp(sni_of("Other.example.", "good.example", out), "other.example") == 0);
    ok(strcmp(sni_of(NULL, "127.0.0.1", out), "none") == 0);
    ok(strcmp(sni_of(NULL, "::1", out), "none") == 0);
}

typedef struct expected {
    const char *names; /* as they are on the wire */
    bool is_met;
} expected_t;

/* What is offered must be what `data` points to. */
static int take_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                     const unsigned char *offered, unsigned int offered_length, void *data)
{
    (void)ssl;
    expected_t *expected = data;

    expected->is_met =
        offered_length == strlen(expected->names) && memcmp(offered, expected->names, offered_length) == 0;
    *chosen = offered + 1;
    *length = offered[0];
    return SSL_TLSEXT_ERR_OK;
}

static void test_protocols(void)
{
    static const struct {
        gm_protocol_t protocol;
        expected_t expected;
    } rows[] = {{GM_PROTOCOL_AUTO, {"\x02h2\x08http/1.1", false}},
                {GM_PROTOCOL_H2, {"\x02h2", false}},
                {GM_PROTOCOL_HTTP1, {"\x08http/1.1", false}}};
    gm_backend_tls_conf_t conf = {.present = true, .verify = 0};
    handshake_t both;

    for (size_t i = 0; i != GM_COUNT_OF(rows); ++i) {
        SSL_CTX *client = gm_tls_client_context_create(&conf, "good.example", rows[i].protocol, NULL),
                *server = create_server("server", TLS1_3_VERSION);
        expected_t expected = rows[i].expected, http1 = {"\x08http/1.1", false};
        SSL_CTX_set_alpn_select_cb(server, take_alpn, &expected);
        both = handshake_open(client, server);
        ok(handshake_run(&both) && expected.is_met);
        handshake_close(&both, true);
        SSL_CTX_set_alpn_select_cb(server, take_alpn, &http1);
        both = handshake_open(client, server);
        gm_tls_client_offer_http1(both.client);
        ok(handshake_run(&both) && http1.is_met);
        handshake_close(&both, true);
        SSL_CTX_free(client);
        SSL_CTX_free(server);
    }
}

static void test_old_versions(void)
{
    SSL_CTX *client = create("ca", NULL, "good.example", true),
            *old = create_server("server", TLS1_1_VERSION);
    handshake_t both;

    SSL_CTX_set_cipher_list(old, "ALL:@SECLEVEL=0");
    both = handshake_open(client, old);
    ok(!handshake_run(&both));
    handshake_close(&both, true);
    SSL_CTX_free(client);
    SSL_CTX_free(old);
}

static bool resumes(SSL_CTX *client, SSL_CTX *server, bool cleanly)
{
    handshake_t both = handshake_open(client, server);
    bool resumed = handshake_run(&both) && SSL_session_reused(both.client);

    ok(SSL_get_verify_result(both.client) == X509_V_OK);
    handshake_close(&both, cleanly);
    return resumed;
}

static void test_sessions(void)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    for (size_t i = 0; i != 2; ++i) {
        SSL_CTX *client = create("ca", NULL, "good.example", true),
                *server = create_server("server", versions[i]),
                *restarted = create_server("server", versions[i]);
        SSL_SESSION *session = gm_tls_client_context_session(client);
        ok(session == NULL);
        ok(!resumes(client, server, true));
        ok((session = gm_tls_client_context_session(client)) != NULL);
        SSL_SESSION_free(session);
        ok(resumes(client, server, false));
        ok(resumes(client, server, false)); /* although the one before broke off */
        ok(!resumes(client, restarted, true));
        ok(resumes(client, restarted, true));
        SSL_CTX_free(client);
        SSL_CTX_free(server);
        SSL_CTX_free(restarted);
    }
}

static void test_own_certificate(void)
{
    gm_backend_tls_conf_t conf = {.ca_file = certificates_path("ca"),
                                  .cert_file = certificates_path("client"),
                                  .key_file = certificates_path("key"),
                                  .verify = 1};
    SSL_CTX *client = gm_tls_client_context_create(&conf, "good.example", GM_PROTOCOL_AUTO, NULL),
            *nobody = create("ca", NULL, "good.example", true),
            *server = create_server("server", TLS1_3_VERSION);
    handshake_t both;

    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server), authority);
    both = handshake_open(client, server);
    ok(handshake_run(&both) && SSL_get0_peer_certificate(both.server) != NULL);
    handshake_close(&both, true);
    both = handshake_open(nobody, server);
    ok(!handshake_run(&both));
    handshake_close(&both, true);
    SSL_CTX_free(client);
    SSL_CTX_free(nobody);
    SSL_CTX_free(server);
}

static bool is_refused(const char *ca, const char *cert, const char *key_name, const char *part)
{
    gm_backend_tls_conf_t conf = {.ca_file = certificates_path(ca), .verify = 1};
    gm_error_t err = {0};
    SSL_CTX *context;

    if (cert != NULL) {
        conf.cert_file = certificates_path(cert);
        conf.key_file = certificates_path(key_name);
    }
    context = gm_tls_client_context_create(&conf, "a", GM_PROTOCOL_HTTP1, &err);
    note("%s", err.text);
    SSL_CTX_free(context);
    return context == NULL && ERR_peek_error() == 0 && strstr(err.text, part) != NULL;
}

static void test_refusals(void)
{
    gm_backend_tls_conf_t conf = {.verify = 1};
    SSL_CTX *context = gm_tls_client_context_create(&conf, "a", GM_PROTOCOL_HTTP1, NULL);

    ok(context != NULL); /* with the system's authorities */
    SSL_CTX_free(context);
    ok(is_refused("missing", NULL, NULL, "ca_file"));
    ok(is_refused("junk", NULL, NULL, "ca_file"));
    ok(is_refused("ca", "junk", "key", "cert_file"));
    ok(is_refused("ca", "client", "junk", "key_file"));
    ok(is_refused("ca", "client", "other-key", "key_file"));
}

int main(void)
{
    certificates_open();
    make_files();
    subtest("names", test_names);
    subtest("chains", test_chains);
    subtest("verify: false", test_verify_off);
    subtest("SNI", test_sni);
    subtest("protocols", test_protocols);
    subtest("old versions", test_old_versions);
    subtest("sessions", test_sessions);
    subtest("its own certificate", test_own_certificate);
    subtest("refusals", test_refusals);
    EVP_PKEY_free(key);
    X509_free(authority);
    certificates_close();
    return done_testing();
}
