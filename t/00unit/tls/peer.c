/* What a backend is told about a client's certificate, with whatever stands in it. */
#include "tls/peer.h"

#include "certificates.h"
#include "handshake.h"

static EVP_PKEY *key, *authority_key;
static X509 *authority;

/* As a server sees a client with this certificate. @param out  at least 4096 bytes; `size` of them are given
 */
static size_t describe(X509 *certificate, int verify, char *out, size_t size)
{
    SSL_CTX *client = SSL_CTX_new(TLS_client_method()), *server = SSL_CTX_new(TLS_server_method());
    X509 *own = certificates_make("server", NULL, key, NULL, NULL);
    handshake_t both;
    size_t length = 9999;

    SSL_CTX_use_certificate(server, own);
    SSL_CTX_use_PrivateKey(server, key);
    if (certificate != NULL) {
        SSL_CTX_use_certificate(client, certificate);
        SSL_CTX_use_PrivateKey(client, key);
    }
    SSL_CTX_set_verify(server, verify, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server), authority);
    both = handshake_open(client, server);
    memset(out, '#', 4096);
    if (handshake_run(&both))
        length = gm_tls_peer_describe(both.server, out, size);
    handshake_close(&both, true);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    X509_free(own);
    return length;
}

static void add_name(X509 *certificate, int type, const char *text, size_t length)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();

    if (all == NULL)
        all = GENERAL_NAMES_new();
    ASN1_STRING_set(value, text, (int)length);
    GENERAL_NAME_set0_value(name, type, value);
    sk_GENERAL_NAME_push(all, name);
    ok(X509_add1_ext_i2d(certificate, NID_subject_alt_name, all, 0, X509V3_ADD_REPLACE) == 1);
    ok(X509_sign(certificate, authority_key, EVP_sha256()) > 0);
    GENERAL_NAMES_free(all);
}

/* What follows the hash, which is checked here. */
static const char *rest_of(X509 *certificate, char *out, size_t size)
{
    unsigned char *der = NULL;
    int der_length = i2d_X509(certificate, &der);
    char wanted[80] = "Hash=";
    unsigned char digest[32];
    size_t length = describe(certificate, SSL_VERIFY_PEER, out, size);

    ok(EVP_Digest(der, (size_t)der_length, digest, NULL, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i != 32; ++i)
        snprintf(wanted + 5 + 2 * i, 3, "%02x", digest[i]);
    OPENSSL_free(der);
    note("%s", out);
    ok(length == strlen(out) && length < size && strncmp(out, wanted, 69) == 0);
    for (size_t i = 0; i != length; ++i)
        if (out[i] < 0x20 || out[i] > 0x7e)
            ok(false);
    return out + 69;
}

static void test_usual(void)
{
    char out[4096];
    X509 *certificate = certificates_make(
        "billing",
        "URI:spiffe://mesh.example/ns/pay/sa/billing,DNS:billing.example,IP:10.0.0.1,DNS:b.example", key,
        authority, authority_key);
    X509 *plain = certificates_make("Müller, \"the\" <a@b>; C=DE+\\", NULL, key, authority, authority_key);

    ok(strcmp(rest_of(certificate, out, sizeof(out)),
              ";Subject=\"CN=billing\";URI=spiffe://mesh.example/ns/pay/sa/billing;"
              "DNS=billing.example;DNS=b.example") == 0);
    ok(strcmp(rest_of(plain, out, sizeof(out)),
              ";Subject=\"CN=M\\C3\\BCller\\, \\22the\\22 \\<a@b\\>\\; C=DE\\+\\5C\"") == 0);
    X509_free(certificate);
    X509_free(plain);
}

static void test_hostile(void)
{
    static const char wicked[] = "x\";Subject=\"CN=root\r\nX-Admin: 1\0,\\\xff";
    char out[4096];
    X509 *certificate = certificates_make("a\r\nb\x01\"", NULL, key, authority, authority_key);

    add_name(certificate, GEN_DNS, wicked, sizeof(wicked) - 1);
    add_name(certificate, GEN_URI, "spiffe://a/b,By=c;d=e", 21);
    ok(strcmp(rest_of(certificate, out, sizeof(out)),
              ";Subject=\"CN=a\\0D\\0Ab\\01\\22\";URI=\"spiffe://a/b,By=c;d=e\";"
              "DNS=\"x%22;Subject=%22CN=root%0D%0AX-Admin:%201%00,%5C%FF\"") == 0);
    X509_free(certificate);
}

/* Items are there as a whole or not at all. */
static void test_bounds(void)
{
    static const char *const fitting[] = {"",
                                          ";DNS=b.e",
                                          ";Subject=\"CN=abc\"",
                                          ";DNS=a.example",
                                          ";DNS=a.example;DNS=b.e",
                                          ";Subject=\"CN=abc\";DNS=b.e",
                                          ";Subject=\"CN=abc\";DNS=a.example",
                                          ";Subject=\"CN=abc\";DNS=a.example;DNS=b.e"};
    X509 *certificate = certificates_make("abc", "DNS:a.example,DNS:b.e", key, authority, authority_key);
    char out[4096];
    size_t wrong = 0;

    for (size_t size = 0; size != 130; ++size) {
        size_t length = describe(certificate, SSL_VERIFY_PEER, out, size), known = 0;
        if (size < 70) {
            wrong += length != 0;
            continue;
        }
        for (size_t i = 0; i != sizeof(fitting) / sizeof(fitting[0]); ++i)
            known += strcmp(out + 69, fitting[i]) == 0;
        wrong += known != 1 || strlen(out) != length || length >= size || out[size] != '#';
    }
    ok(wrong == 0);
    ok(describe(certificate, SSL_VERIFY_PEER, out, 70) == 69);
    ok(strcmp(rest_of(certificate, out, sizeof(out)), fitting[7]) == 0);
    X509_free(certificate);
}

static void test_none(void)
{
    char out[4096];
    X509 *certificate = certificates_make("abc", NULL, key, authority, authority_key);

    ok(describe(NULL, SSL_VERIFY_PEER, out, sizeof(out)) == 0 && out[0] == '\0');
    ok(describe(certificate, SSL_VERIFY_NONE, out, sizeof(out)) == 0 &&
       out[0] == '\0'); /* was not asked for */
    X509_free(certificate);
}

static int accept_all(int fine, X509_STORE_CTX *store)
{
    (void)fine;
    (void)store;
    return 1;
}

/* Somebody who lets every certificate pass still tells no backend that it was verified. */
static void test_unverified(void)
{
    SSL_CTX *client = SSL_CTX_new(TLS_client_method()), *server = SSL_CTX_new(TLS_server_method());
    X509 *own = certificates_make("nobody", NULL, key, NULL, NULL);
    char out[256];
    handshake_t both;

    SSL_CTX_use_certificate(server, own);
    SSL_CTX_use_PrivateKey(server, key);
    SSL_CTX_use_certificate(client, own);
    SSL_CTX_use_PrivateKey(client, key);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER, accept_all);
    both = handshake_open(client, server);
    ok(handshake_run(&both) && SSL_get0_peer_certificate(both.server) != NULL);
    ok(gm_tls_peer_describe(both.server, out, sizeof(out)) == 0);
    handshake_close(&both, true);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    X509_free(own);
}

int main(void)
{
    key = EVP_EC_gen("P-256");
    authority_key = EVP_EC_gen("P-256");
    authority = certificates_make("authority", "CA", authority_key, NULL, NULL);
    subtest("as usual", test_usual);
    subtest("hostile names", test_hostile);
    subtest("bounds", test_bounds);
    subtest("none", test_none);
    subtest("unverified", test_unverified);
    X509_free(authority);
    EVP_PKEY_free(key);
    EVP_PKEY_free(authority_key);
    return done_testing();
}
