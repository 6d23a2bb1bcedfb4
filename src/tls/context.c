/*
 * The server side of TLS. Made once per generation on the main thread; OpenSSL lets all workers share it.
 */
#include "tls/context.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>

/* The wire form of the one protocol that this front end speaks (RFC 7301, 3.1). */
static const unsigned char alpn_protocols[] = "\x08http/1.1";

static int select_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_length,
                       const unsigned char *offered, unsigned int offered_length, void *unused)
{
    unsigned char *found;

    (void)ssl;
    (void)unused;
    if (SSL_select_next_proto(&found, chosen_length, alpn_protocols, sizeof(alpn_protocols) - 1, offered,
                              offered_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK; /* an old client that offers only "http/1.0" still gets its answer */
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

static int fail(gm_error_t *err, const char *what, const char *file)
{
    char reason[256] = "unknown reason";
    unsigned long code = ERR_peek_last_error();

    if (code != 0)
        ERR_error_string_n(code, reason, sizeof(reason));
    ERR_clear_error();
    return gm_error_set(err, NULL, "%s \"%.200s\": %s", what, file, reason);
}

static int load_files(SSL_CTX *context, const gm_tls_conf_t *conf, gm_error_t *err)
{
    if (SSL_CTX_use_certificate_chain_file(context, conf->cert_file) != 1)
        return fail(err, "cert_file", conf->cert_file);
    if (SSL_CTX_use_PrivateKey_file(context, conf->key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return fail(err, "key_file", conf->key_file);
    return 0;
}

SSL_CTX *gm_tls_context_create(const gm_tls_conf_t *conf, gm_error_t *err)
{
    static const int versions[] = {[GM_TLS_1_2] = TLS1_2_VERSION, [GM_TLS_1_3] = TLS1_3_VERSION};
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    unsigned char session_id_context[16];

    if (context == NULL || RAND_bytes(session_id_context, sizeof(session_id_context)) != 1) {
        fail(err, "OpenSSL cannot start for", conf->cert_file);
        goto Error;
    }
    SSL_CTX_set_min_proto_version(context, versions[conf->min_version]);
    SSL_CTX_set_options(context,
                        SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); /* idle connections give their buffers back */
    SSL_CTX_set_session_id_context(context, session_id_context, sizeof(session_id_context));
    SSL_CTX_set_alpn_select_cb(context, select_alpn, NULL);
    if (load_files(context, conf, err) != 0)
        goto Error;
    return context;
Error:
    SSL_CTX_free(context);
    return NULL;
}

const char *gm_tls_library_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
