/* What a TLS listener offers, seen by clients of this process: handshakes run in memory. */
#include "tls/context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "certificates.h"
#include "handshake.h"

static void make_files(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");

    certificates_write("cert", key, -60, 3600);
    certificates_write("cert", other, -60, 3600); /* an issuer, to be sent along */
    certificates_write("other-cert", other, -60, 3600);
    certificates_write_key("key", key, NULL);
    certificates_write_key("other", other, NULL);
    certificates_write_text("junk", "nothing of use\n");
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static SSL_CTX *create(const char *cert, const char *key, int min_version, gm_error_t *err)
{
    gm_tls_conf_t conf = {.cert_file = certificates_path(cert), .key_file = certificates_path(key)};

    conf.min_version = min_version;
    return gm_tls_context_create(&conf, err);
}

/** A client as a test wants it, and what it saw. */
typedef struct visit {
    int version;           /* highest that it speaks */
    const char *protocols; /* for ALPN, as on the wire; NULL = none */
    SSL_SESSION *session;  /* offered; replaced by the new one, the caller's */
    bool connected, resumed;
    char chosen[16];
    int chain; /* certificates that came */
} visit_t;

static void talk(SSL *client, SSL *server, visit_t *visit)
{
    char bytes[16];

    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int i = 0; i != 10; ++i) {
        SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    visit->connected = SSL_is_init_finished(client) && SSL_is_init_finished(server);
    if (!visit->connected)
        return;
    SSL_write(server, "x", 1); /* the tickets of TLS 1.3 come with the first data */
    visit->connected = SSL_read(client, bytes, sizeof(bytes)) == 1;
}

static void look_around(SSL *client, visit_t *visit)
{
    const unsigned char *chosen;
    unsigned length;

    SSL_get0_alpn_selected(client, &chosen, &length);
    snprintf(visit->chosen, sizeof(visit->chosen), "%.*s", (int)length, (const char *)chosen);
    visit->resumed = SSL_session_reused(client);
    visit->chain = sk_X509_num(SSL_get_peer_cert_chain(client));
    SSL_SESSION_free(visit->session);
    visit->session = SSL_get1_session(client);
    SSL_shutdown(client); /* a session whose connection broke off is not good for another one */
}

static visit_t run_visit(SSL_CTX *context, visit_t visit)
{
    SSL_CTX *client_context = SSL_CTX_new(TLS_client_method());
    SSL *client = SSL_new(client_context), *server = SSL_new(context);
    BIO *client_bio, *server_bio;

    BIO_new_bio_pair(&client_bio, 0, &server_bio, 0);
    SSL_set_bio(client, client_bio, client_bio);
    SSL_set_bio(server, server_bio, server_bio);
    SSL_set_max_proto_version(client, visit.version);
    if (visit.protocols != NULL)
        SSL_set_alpn_protos(client, (const unsigned char *)visit.protocols,
                            (unsigned)strlen(visit.protocols));
    if (visit.session != NULL)
        SSL_set_session(client, visit.session);
    talk(client, server, &visit);
    if (visit.connected)
        look_around(client, &visit);
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(client_context);
    ERR_clear_error();
    return visit;
}

static void test_versions(void)
{
    gm_error_t err = {0};
    SSL_CTX *from_1_2 = create("cert", "key", GM_TLS_1_2, &err),
            *from_1_3 = create("cert", "key", GM_TLS_1_3, &err);
    const visit_t old = {.version = TLS1_2_VERSION}, older = {.version = TLS1_1_VERSION},
                  latest = {.version = TLS1_3_VERSION};
    visit_t visit;

    ok(from_1_2 != NULL && from_1_3 != NULL && err.text[0] == '\0');
    ok(SSL_CTX_get_min_proto_version(from_1_2) == TLS1_2_VERSION);
    ok((SSL_CTX_get_options(from_1_2) & SSL_OP_CIPHER_SERVER_PREFERENCE) != 0);
    ok(!run_visit(from_1_2, older).connected);
    visit = run_visit(from_1_2, old);
    ok(visit.connected && visit.chain == 2);
    SSL_SESSION_free(visit.session);
    visit = run_visit(from_1_2, latest);
    ok(visit.connected && SSL_SESSION_get_protocol_version(visit.session) == TLS1_3_VERSION);
    SSL_SESSION_free(visit.session);
    ok(!run_visit(from_1_3, old).connected);
    visit = run_visit(from_1_3, latest);
    ok(visit.connected && visit.chain == 2);
    SSL_SESSION_free(visit.session);
    SSL_CTX_free(from_1_2);
    SSL_CTX_free(from_1_3);
}

static void test_alpn(void)
{
    static const struct {
        const char *offered, *chosen; /* NULL = the handshake fails */
    } cases[] = {{NULL, ""},       {"\x08http/1.1", "http/1.1"}, {"\x02h2\x08http/1.1", "http/1.1"},
                 {"\x02h2", NULL}, {"\x02h2\x08http/1.0", ""},   {"\x08http/1.0", ""}};
    SSL_CTX *context = create("cert", "key", GM_TLS_1_2, NULL);

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        visit_t visit =
            run_visit(context, (visit_t){.version = TLS1_3_VERSION, .protocols = cases[i].offered});
        ok(visit.connected == (cases[i].chosen != NULL) &&
           (!visit.connected || strcmp(visit.chosen, cases[i].chosen) == 0));
        SSL_SESSION_free(visit.session);
    }
    SSL_CTX_free(context);
}

/* A client that comes back is known, but not at another listener with the same certificate. */
static void test_sessions(void)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    SSL_CTX *here = create("cert", "key", GM_TLS_1_2, NULL), *there = create("cert", "key", GM_TLS_1_2, NULL);

    for (size_t i = 0; i != 2; ++i) {
        visit_t visit = {.version = versions[i]};
        visit = run_visit(here, visit);
        ok(visit.connected && !visit.resumed);
        visit = run_visit(here, visit);
        ok(visit.connected && visit.resumed);
        visit = run_visit(there, visit);
        ok(visit.connected && !visit.resumed);
        SSL_SESSION_free(visit.session);
    }
    SSL_CTX_free(here);
    SSL_CTX_free(there);
}

static uint64_t now = 1;

static uint64_t read_now(void)
{
    return now;
}

/* Tickets outlive one change of keys, not two; a client that comes back in between stays known. */
static void test_rotation(void)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    gm_tls_conf_t conf = {.cert_file = certificates_path("cert"), .key_file = certificates_path("key")};
    SSL_CTX *context = gm_tls_context_create_with_clock(&conf, read_now, NULL);

    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets only */
    for (size_t i = 0; i != 2; ++i) {
        visit_t visit = run_visit(context, (visit_t){.version = versions[i]});
        SSL_SESSION *old = visit.connected ? SSL_SESSION_dup(visit.session) : NULL;
        ok(visit.connected && !visit.resumed && old != NULL);
        visit = run_visit(context, visit);
        ok(visit.connected && visit.resumed);
        now += GM_TLS_TICKET_PERIOD_MS;
        visit = run_visit(context, visit);
        ok(visit.connected && visit.resumed);
        now += GM_TLS_TICKET_PERIOD_MS;
        visit = run_visit(context, visit);
        ok(visit.connected && visit.resumed);
        SSL_SESSION_free(visit.session);
        visit = run_visit(context, (visit_t){.version = versions[i], .session = old});
        ok(visit.connected && !visit.resumed);
        SSL_SESSION_free(visit.session);
    }
    SSL_CTX_free(context);
}

/* What a client with this certificate (NULL = none) gets for a host; "" = no connection. */
static const char *answer_of(SSL_CTX *context, X509 *certificate, EVP_PKEY *key, const char *host,
                             int version)
{
    static char name[64];
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    handshake_t both;

    name[0] = '\0';
    SSL_CTX_set_max_proto_version(client, version);
    if (certificate != NULL) {
        SSL_CTX_use_certificate(client, certificate);
        SSL_CTX_use_PrivateKey(client, key);
    }
    both = handshake_open(client, context);
    SSL_set_tlsext_host_name(both.client, host);
    if (handshake_run(&both))
        X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(both.client)),
                                  NID_commonName, name, sizeof(name));
    handshake_close(&both, true);
    SSL_CTX_free(client);
    return name;
}

static void test_names(void)
{
    static char *names[] = {(char *)"*.b.example"};
    gm_certificate_conf_t second = {.cert_file = certificates_path("other-cert"),
                                    .key_file = certificates_path("other"),
                                    .names = {names, 1, 1}};
    gm_certificate_conf_t *list[] = {&second};
    gm_tls_conf_t conf = {.cert_file = certificates_path("cert"),
                          .key_file = certificates_path("key"),
                          .certificates = {list, 1, 1}};
    SSL_CTX *context = gm_tls_context_create(&conf, NULL);

    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; ++version) {
        ok(strcmp(answer_of(context, NULL, NULL, "x.b.example", version), "other-cert") == 0);
        ok(strcmp(answer_of(context, NULL, NULL, "b.example", version), "cert") == 0);
        ok(strcmp(answer_of(context, NULL, NULL, NULL, version), "cert") == 0);
    }
    SSL_CTX_free(context);
}

static void test_clients(void)
{
    EVP_PKEY *authority_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *authority = certificates_make("authority", "CA", authority_key, NULL, NULL),
         *member = certificates_make("member", NULL, key, authority, authority_key),
         *stranger = certificates_make("stranger", NULL, key, NULL, NULL);
    gm_tls_conf_t conf = {.cert_file = certificates_path("cert"), .key_file = certificates_path("key")};
    SSL_CTX *contexts[3];

    certificates_save("authority", authority);
    conf.client_ca_file = certificates_path("authority");
    for (int auth = GM_CLIENT_AUTH_AUTO; auth <= GM_CLIENT_AUTH_REQUIRE; ++auth) {
        conf.client_auth = (uint64_t)auth;
        contexts[auth] = gm_tls_context_create(&conf, NULL);
        ok(contexts[auth] != NULL);
    }
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; ++version)
        for (int auth = GM_CLIENT_AUTH_AUTO; auth <= GM_CLIENT_AUTH_REQUIRE; ++auth) {
            bool served = strcmp(answer_of(contexts[auth], NULL, NULL, "a", version), "cert") == 0;
            ok(served == (auth == GM_CLIENT_AUTH_OPTIONAL));
            ok(strcmp(answer_of(contexts[auth], member, key, "a", version), "cert") == 0);
            ok(strcmp(answer_of(contexts[auth], stranger, key, "a", version), "") == 0);
        }
    for (int auth = GM_CLIENT_AUTH_AUTO; auth <= GM_CLIENT_AUTH_REQUIRE; ++auth)
        SSL_CTX_free(contexts[auth]);
    conf.client_ca_file = certificates_path("missing");
    ok(gm_tls_context_create(&conf, NULL) == NULL);
    X509_free(authority);
    X509_free(member);
    X509_free(stranger);
    EVP_PKEY_free(authority_key);
    EVP_PKEY_free(key);
}

static bool is_refused(const char *cert, const char *key, const char *part)
{
    gm_error_t err = {0};
    SSL_CTX *context = create(cert, key, GM_TLS_1_2, &err);
    bool is_clean = ERR_peek_error() == 0;

    note("%s", err.text);
    SSL_CTX_free(context);
    ERR_clear_error();
    return context == NULL && is_clean && strstr(err.text, part) != NULL;
}

static void test_refusals(void)
{
    ok(is_refused("cert", "other", "key_file"));
    ok(is_refused("cert", "junk", "key_file"));
    ok(is_refused("cert", "missing", "key_file"));
    ok(is_refused("junk", "key", "cert_file"));
    ok(is_refused("missing", "key", "cert_file"));
    ok(is_refused("", "key", "cert_file"));
    ok(create("missing", "key", GM_TLS_1_2, NULL) == NULL);
}

static void test_library(void)
{
    ok(strncmp(gm_tls_library_version(), "OpenSSL 3", 9) == 0);
}

int main(void)
{
    certificates_open();
    make_files();
    subtest("versions", test_versions);
    subtest("ALPN", test_alpn);
    subtest("sessions", test_sessions);
    subtest("rotation", test_rotation);
    subtest("names", test_names);
    subtest("clients with certificates", test_clients);
    subtest("refusals", test_refusals);
    subtest("the library", test_library);
    certificates_close();
    return done_testing();
}
