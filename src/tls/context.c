/*
 * The server side of TLS. Made once per generation on the main thread; OpenSSL lets all workers share it.
 */
#include "tls/context.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "tls/attachment.h"
#include "tls/certificates.h"
#include "tls/ticket_keys.h"

/* What the callbacks of one context need. */
typedef struct state {
    gm_certificates_t *certificates; /* owned */
    gm_ticket_keys_t *ticket_keys;   /* owned */
} state_t;

/* The wire forms of what front ends speak, the best one first (RFC 7301, 3.1). */
typedef struct protocols {
    const char *list;
    unsigned length;
} protocols_t;

static const protocols_t http1 = {"\x08http/1.1", 9}, http2 = {"\x02h2\x08http/1.1", 12};
static const unsigned char old_protocols[] = "\x08http/1.0";

static int select_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_length,
                       const unsigned char *offered, unsigned int offered_length, void *data)
{
    const protocols_t *protocols = data;
    unsigned char *found;

    (void)ssl;
    if (SSL_select_next_proto(&found, chosen_length, (const unsigned char *)protocols->list,
                              protocols->length, offered, offered_length) == OPENSSL_NPN_NEGOTIATED) {
        *chosen = found;
        return SSL_TLSEXT_ERR_OK;
    }
    if (SSL_select_next_proto(&found, chosen_length, old_protocols, sizeof(old_protocols) - 1, offered,
                              offered_length) == OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;   /* an old client still gets its answer */
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301, 3.2 */
}

/*
 * Only the certificate is changed, not the SSL_CTX: sessions, ticket keys, the check of client certificates
 * and the caller's info callback stay those of the listener.
 */
static int on_server_name(SSL *ssl, int *alert, void *unused)
{
    const state_t *state = gm_attachment_get(SSL_get_SSL_CTX(ssl));
    const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    (void)unused;
    return host != NULL && gm_certificates_use(state->certificates, ssl, host) ? SSL_TLSEXT_ERR_OK
                                                                               : SSL_TLSEXT_ERR_NOACK;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    const state_t *state = gm_attachment_get(SSL_get_SSL_CTX(ssl));

    return gm_ticket_keys_apply(state->ticket_keys, name, iv, cipher, mac, seal != 0);
}

static void destroy_state(void *data)
{
    state_t *state = data;

    gm_certificates_destroy(state->certificates);
    gm_ticket_keys_destroy(state->ticket_keys);
    free(state);
}

static int fail(gm_error_t *err, const char *what, const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    gm_error_set(err, NULL, "%s \"%.200s\": %s", what, file, reason != NULL ? reason : "unknown reason");
    ERR_clear_error();
    return -1;
}

/* Whatever is in the file is trusted, an intermediate authority without its root, too. */
static int ask_clients(SSL_CTX *context, const gm_tls_conf_t *conf, gm_error_t *err)
{
    STACK_OF(X509_NAME) * names;

    if (conf->client_ca_file == NULL)
        return 0;
    names = SSL_load_client_CA_file(conf->client_ca_file); /* tells clients which certificate to show */
    if (names == NULL || SSL_CTX_load_verify_file(context, conf->client_ca_file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return fail(err, "client_ca_file", conf->client_ca_file);
    }
    SSL_CTX_set_client_CA_list(context, names); /* taken over */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_verify(
        context,
        SSL_VERIFY_PEER |
            (conf->client_auth == GM_CLIENT_AUTH_OPTIONAL ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
        NULL);
    return 0;
}

static void set_options(SSL_CTX *context, const gm_tls_conf_t *conf)
{
    static const int versions[] = {[GM_TLS_1_2] = TLS1_2_VERSION, [GM_TLS_1_3] = TLS1_3_VERSION};

    SSL_CTX_set_min_proto_version(context, versions[conf->min_version]);
    SSL_CTX_set_options(context,
                        SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    /* idle connections give their buffers back; what is sent is what the files hold, not what fits to it */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_alpn_select_cb(context, select_alpn, (void *)(uintptr_t)&http1);
    SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}

void gm_tls_context_offer_http2(SSL_CTX *context)
{
    SSL_CTX_set_alpn_select_cb(context, select_alpn, (void *)(uintptr_t)&http2);
}

SSL_CTX *gm_tls_context_create_with_clock(const gm_tls_conf_t *conf, uint64_t (*now_ms)(void),
                                          gm_error_t *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    state_t *state = gm_alloc(sizeof(*state));
    unsigned char session_id_context[16];

    if (context == NULL || RAND_bytes(session_id_context, sizeof(session_id_context)) != 1) {
        fail(err, "OpenSSL cannot start for", conf->cert_file != NULL ? conf->cert_file : "proxy.tls");
        destroy_state(state);
        goto Error;
    }
    gm_attachment_set(context, state, destroy_state);
    set_options(context, conf);
    SSL_CTX_set_session_id_context(context, session_id_context, sizeof(session_id_context));
    if ((state->ticket_keys = gm_ticket_keys_create(GM_TLS_TICKET_PERIOD_MS, now_ms, err)) == NULL ||
        (state->certificates = gm_certificates_create(conf, err)) == NULL ||
        gm_certificates_use_default(state->certificates, context, err) != 0 ||
        ask_clients(context, conf, err) != 0)
        goto Error;
    return context;
Error:
    SSL_CTX_free(context);
    return NULL;
}

SSL_CTX *gm_tls_context_create(const gm_tls_conf_t *conf, gm_error_t *err)
{
    return gm_tls_context_create_with_clock(conf, gm_clock_monotonic_ms, err);
}

const char *gm_tls_library_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
