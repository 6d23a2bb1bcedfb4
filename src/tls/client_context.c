/*
 * The client side of TLS. Contexts are made on the main thread, one per backend; all workers share them, and
 * with them the last session, under a lock.
 */
#include "tls/client_context.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/attachment.h"
#include "tls/names.h"
#include "tls/wire.h"

typedef struct state {
    /* immutable */
    char *server_name; /* owned */
    bool is_address;
    void (*on_start)(void *transport, SSL *ssl); /* NULL = nobody wants to know */
    /* under lock */
    pthread_mutex_t lock;
    SSL_SESSION *session; /* owned; NULL = none */
} state_t;

static void destroy_state(void *data)
{
    state_t *state = data;

    SSL_SESSION_free(state->session);
    pthread_mutex_destroy(&state->lock);
    free(state->server_name);
    free(state);
}

/*
 * Sessions are kept and given out as copies: OpenSSL marks the one that a connection holds as not to be
 * resumed when that connection ends without close_notify, which is how many servers close.
 */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    state_t *state = gm_attachment_get(SSL_get_SSL_CTX(ssl));
    SSL_SESSION *copy = SSL_SESSION_dup(session), *old = copy;

    if (copy != NULL) {
        pthread_mutex_lock(&state->lock);
        old = state->session;
        state->session = copy;
        pthread_mutex_unlock(&state->lock);
    }
    SSL_SESSION_free(old);
    return 0; /* OpenSSL keeps its reference */
}

SSL_SESSION *gm_tls_client_context_session(const SSL_CTX *context)
{
    state_t *state = gm_attachment_get(context);
    SSL_SESSION *session = NULL;

    pthread_mutex_lock(&state->lock);
    if (state->session != NULL)
        session = SSL_SESSION_dup(state->session);
    pthread_mutex_unlock(&state->lock);
    return session;
}

/*
 * The one moment between the library's SSL_new() and the first message: libh2o makes the connection and
 * starts its handshake in a single call, and its own session cache knows neither TLS 1.3 nor our names.
 */
static void on_info(const SSL *constant, int where, int result)
{
    SSL *ssl = (SSL *)constant;
    const state_t *state;
    SSL_SESSION *session;

    gm_tls_wire_on_info(constant, where, result);
    if (where != SSL_CB_HANDSHAKE_START || SSL_is_server(ssl) || SSL_get_session(ssl) != NULL)
        return;
    state = gm_attachment_get(SSL_get_SSL_CTX(ssl));
    if (state->on_start != NULL)
        state->on_start(gm_tls_wire_transport(ssl), ssl);
    /* names only (RFC 6066, 3), also where the library was given an address */
    SSL_set_tlsext_host_name(ssl, state->is_address ? NULL : state->server_name);
    if ((session = gm_tls_client_context_session(SSL_get_SSL_CTX(ssl))) != NULL)
        SSL_set_session(ssl, session);
    SSL_SESSION_free(session);
}

void gm_tls_client_context_set_on_start(SSL_CTX *context, void (*on_start)(void *transport, SSL *ssl))
{
    ((state_t *)gm_attachment_get(context))->on_start = on_start;
}

const char *gm_tls_client_context_server_name(const SSL_CTX *context)
{
    return ((const state_t *)gm_attachment_get(context))->server_name;
}

static int fail(gm_error_t *err, const char *what, const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    gm_error_set(err, NULL, "%s \"%.200s\": %s", what, file, reason != NULL ? reason : "cannot be used");
    ERR_clear_error();
    return -1;
}

static state_t *create_state(const char *name)
{
    state_t *state = gm_alloc(sizeof(*state));
    struct in6_addr address;

    state->server_name = gm_names_normalise(name);
    state->is_address = inet_pton(AF_INET, state->server_name, &address) == 1 ||
                        inet_pton(AF_INET6, state->server_name, &address) == 1;
    pthread_mutex_init(&state->lock, NULL);
    return state;
}

static int set_verification(SSL_CTX *context, const gm_backend_tls_conf_t *conf, const state_t *state,
                            gm_error_t *err)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);

    if (!conf->verify) {
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        return 0;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    /* whatever is in the file is trusted, an intermediate authority without its root, too */
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if ((state->is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, state->server_name)
                           : X509_VERIFY_PARAM_set1_host(param, state->server_name, 0)) != 1)
        return fail(err, "server_name", state->server_name);
    if (conf->ca_file != NULL)
        return SSL_CTX_load_verify_file(context, conf->ca_file) == 1 ? 0
                                                                     : fail(err, "ca_file", conf->ca_file);
    return SSL_CTX_set_default_verify_paths(context) == 1 ? 0 : fail(err, "ca_file", "of the system");
}

static int load_files(SSL_CTX *context, const gm_backend_tls_conf_t *conf, gm_error_t *err)
{
    if (conf->cert_file == NULL)
        return 0;
    if (SSL_CTX_use_certificate_chain_file(context, conf->cert_file) != 1)
        return fail(err, "cert_file", conf->cert_file);
    if (SSL_CTX_use_PrivateKey_file(context, conf->key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return fail(err, "key_file", conf->key_file);
    return 0;
}

static const unsigned char http1[] = "\x08http/1.1";

/* What is offered by ALPN. @return 0 or -1 */
static int offer(SSL_CTX *context, gm_protocol_t protocol)
{
    static const unsigned char h2[] = "\x02h2", both[] = "\x02h2\x08http/1.1";
    const unsigned char *names = protocol == GM_PROTOCOL_HTTP1 ? http1
                                 : protocol == GM_PROTOCOL_H2  ? h2
                                                               : both;

    return SSL_CTX_set_alpn_protos(context, names, (unsigned)strlen((const char *)names)) == 0 ? 0 : -1;
}

void gm_tls_client_offer_http1(SSL *ssl)
{
    SSL_set_alpn_protos(ssl, http1, sizeof(http1) - 1);
}

SSL_CTX *gm_tls_client_context_create(const gm_backend_tls_conf_t *conf, const char *host,
                                      gm_protocol_t protocol, gm_error_t *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    state_t *state;

    ERR_clear_error();
    if (context == NULL) {
        fail(err, "OpenSSL cannot start for", host);
        return NULL;
    }
    state = create_state(conf->server_name != NULL ? conf->server_name : host);
    gm_attachment_set(context, state, destroy_state);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, on_new_session);
    SSL_CTX_set_info_callback(context, on_info);
    if (offer(context, protocol) != 0) {
        fail(err, "OpenSSL cannot start for", host);
        goto Error;
    }
    if (set_verification(context, conf, state, err) == 0 && load_files(context, conf, err) == 0)
        return context;
Error:
    SSL_CTX_free(context);
    return NULL;
}
