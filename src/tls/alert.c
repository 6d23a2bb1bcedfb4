/*
 * Clients whose handshake fails are to learn why. libh2o collects what OpenSSL writes, and forgets it where
 * SSL_accept fails; so while a handshake lasts, the last record is remembered on its way. Called by front/
 * through a context's info callback.
 */
#include "tls/alert.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define RECORD_MAX 512 /* alerts are small; what is larger is none */

typedef struct overheard {
    BIO *transport; /* borrowed from the connection, which keeps it for as long as us */
    size_t length;  /* of the last record; 0 = too long */
    unsigned char record[RECORD_MAX];
} overheard_t;

static int on_write(BIO *bio, const char *bytes, int length)
{
    overheard_t *self = BIO_get_data(bio);

    self->length = length > 0 && length <= RECORD_MAX ? (size_t)length : 0;
    memcpy(self->record, bytes, self->length);
    return BIO_write(self->transport, bytes, length);
}

static long on_control(BIO *bio, int command, long number, void *pointer)
{
    return BIO_ctrl(((overheard_t *)BIO_get_data(bio))->transport, command, number, pointer);
}

static int on_destroy(BIO *bio)
{
    free(BIO_get_data(bio));
    return 1;
}

/* Made once per process: written before anybody reads it. */
static pthread_once_t made = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;
static int method_type;

static void make_method(void)
{
    method_type = BIO_TYPE_SOURCE_SINK | BIO_get_new_index();
    method = BIO_meth_new(method_type, "overheard");
    if (method == NULL || BIO_meth_set_write(method, on_write) != 1 ||
        BIO_meth_set_ctrl(method, on_control) != 1 || BIO_meth_set_destroy(method, on_destroy) != 1)
        abort(); /* out of memory */
}

static void listen_in(SSL *ssl)
{
    overheard_t *self;
    BIO *bio;

    pthread_once(&made, make_method);
    if ((bio = BIO_new(method)) == NULL)
        abort(); /* out of memory */
    self = gm_alloc(sizeof(*self));
    self->transport = SSL_get_rbio(ssl);
    BIO_set_data(bio, self);
    BIO_set_init(bio, 1);
    SSL_set0_wbio(ssl, bio);
}

/* Ours, unless somebody has put another one in front of it. */
static BIO *find_own(SSL *ssl)
{
    BIO *bio = SSL_get_wbio(ssl);

    pthread_once(&made, make_method);
    return bio != NULL && BIO_method_type(bio) == method_type ? bio : NULL;
}

static void stop_listening(SSL *ssl)
{
    BIO *transport = SSL_get_rbio(ssl);

    if (find_own(ssl) == NULL)
        return;
    BIO_up_ref(transport);
    SSL_set0_wbio(ssl, transport); /* frees ours */
}

void gm_tls_alert_on_info(SSL *ssl, int where, int result, gm_tls_alert_send_t send)
{
    BIO *own;

    if (where == SSL_CB_HANDSHAKE_START) {
        listen_in(ssl);
    } else if (where == SSL_CB_HANDSHAKE_DONE) {
        stop_listening(ssl);
    } else if (where == SSL_CB_WRITE_ALERT && result >> 8 == SSL3_AL_FATAL && (own = find_own(ssl)) != NULL) {
        const overheard_t *self = BIO_get_data(own);
        send(self->transport, self->record, self->length);
    }
}
