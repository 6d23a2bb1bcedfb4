/*
 * A BIO of our own in front of the library's. Writing passes through to it, but for the few bytes that
 * OpenSSL has to say outside of the library's writing: alerts, and answers to what was read. Those go to the
 * socket at once. Called by front/, upstream/ and net/ on their worker.
 */
#include "tls/wire.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#define RECORD_MAX 512 /* alerts are small; what is larger is none */

typedef struct overheard {
    size_t length; /* 0 = too long */
    unsigned char bytes[RECORD_MAX];
} overheard_t;

struct gm_tls_wire {
    SSL *ssl;   /* borrowed: it owns us */
    BIO *inner; /* shared: the library's */
    int fd;     /* borrowed from the library's socket */
    const char *at;
    size_t left;            /* of what was fed */
    bool has_inner_ended;   /* nothing is left there to be read */
    bool is_direct;         /* what is written now goes past the library */
    bool is_quiet;          /* and may */
    overheard_t *overheard; /* owned, while the handshake lasts: the last record */
};

/* ---- the BIO */

static int on_read(BIO *bio, char *to, int room)
{
    gm_tls_wire_t *self = BIO_get_data(bio);
    int length;

    BIO_clear_retry_flags(bio);
    if (!self->has_inner_ended) { /* what the library read ahead of us comes first */
        if ((length = BIO_read(self->inner, to, room)) > 0)
            return length;
        self->has_inner_ended = true;
    }
    length = self->left < (size_t)room ? (int)self->left : room;
    if (length <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(to, self->at, (size_t)length);
    self->at += length;
    self->left -= (size_t)length;
    return length;
}

static int on_write(BIO *bio, const char *bytes, int length)
{
    gm_tls_wire_t *self = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (self->is_direct) /* a part of a record would be the end of the connection anyway */
        return self->is_quiet && send(self->fd, bytes, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) == length
                   ? length
                   : -1;
    if (self->overheard != NULL) {
        self->overheard->length = length > 0 && length <= RECORD_MAX ? (size_t)length : 0;
        memcpy(self->overheard->bytes, bytes, self->overheard->length);
    }
    return BIO_write(self->inner, bytes, length);
}

static long on_control(BIO *bio, int command, long number, void *pointer)
{
    return BIO_ctrl(((gm_tls_wire_t *)BIO_get_data(bio))->inner, command, number, pointer);
}

static int on_destroy(BIO *bio)
{
    gm_tls_wire_t *self = BIO_get_data(bio);

    BIO_free(self->inner);
    free(self->overheard);
    free(self);
    return 1;
}

/* Made once per process: written before anybody reads it. */
static pthread_once_t made = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;
static int method_type;

static void make_method(void)
{
    method_type = BIO_TYPE_SOURCE_SINK | BIO_get_new_index();
    method = BIO_meth_new(method_type, "wire");
    if (method == NULL || BIO_meth_set_read(method, on_read) != 1 ||
        BIO_meth_set_write(method, on_write) != 1 || BIO_meth_set_ctrl(method, on_control) != 1 ||
        BIO_meth_set_destroy(method, on_destroy) != 1)
        abort(); /* out of memory */
}

static gm_tls_wire_t *wire_of(const SSL *ssl)
{
    BIO *bio = SSL_get_wbio(ssl);

    pthread_once(&made, make_method);
    return bio != NULL && BIO_method_type(bio) == method_type ? BIO_get_data(bio) : NULL;
}

/* ---- the handshake */

gm_tls_wire_t *gm_tls_wire_attach(SSL *ssl, int fd)
{
    gm_tls_wire_t *self = wire_of(ssl);
    BIO *bio;

    if (self != NULL)
        return self;
    self = gm_alloc(sizeof(*self));
    if ((bio = BIO_new(method)) == NULL)
        abort(); /* out of memory */
    self->ssl = ssl;
    self->inner = SSL_get_rbio(ssl);
    self->fd = fd;
    self->overheard = gm_alloc(sizeof(*self->overheard));
    BIO_up_ref(self->inner);
    BIO_set_data(bio, self);
    BIO_set_init(bio, 1);
    SSL_set0_wbio(ssl, bio);
    return self;
}

void *gm_tls_wire_transport(const SSL *ssl)
{
    const gm_tls_wire_t *self = wire_of(ssl);

    return BIO_get_data(self != NULL ? self->inner : SSL_get_rbio(ssl));
}

void gm_tls_wire_on_info(const SSL *ssl, int where, int result)
{
    gm_tls_wire_t *self;

    if (where != SSL_CB_WRITE_ALERT || result >> 8 != SSL3_AL_FATAL || (self = wire_of(ssl)) == NULL ||
        self->overheard == NULL)
        return;
    /* the library closes the socket next, so nobody waits for what the kernel does not take */
    (void)!send(self->fd, self->overheard->bytes, self->overheard->length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void gm_tls_wire_take_over(gm_tls_wire_t *self)
{
    BIO *own = SSL_get_wbio(self->ssl);

    free(self->overheard);
    self->overheard = NULL;
    BIO_up_ref(own);
    SSL_set0_rbio(self->ssl, own);
}

/* ---- reading, and the end */

void gm_tls_wire_feed(gm_tls_wire_t *self, const void *bytes, size_t length, bool is_quiet)
{
    self->at = bytes;
    self->left = length;
    self->is_quiet = is_quiet;
}

int gm_tls_wire_take(gm_tls_wire_t *self, void *to, size_t room)
{
    int got;

    ERR_clear_error();
    self->is_direct = true;
    got = SSL_read(self->ssl, to, (int)room);
    self->is_direct = false;
    if (got > 0)
        return got;
    switch (SSL_get_error(self->ssl, got)) {
    case SSL_ERROR_WANT_READ:
        return GM_TLS_WIRE_EMPTY;
    case SSL_ERROR_ZERO_RETURN:
        return GM_TLS_WIRE_CLOSED;
    default:
        return GM_TLS_WIRE_BROKEN;
    }
}

const char *gm_tls_wire_version(const gm_tls_wire_t *self)
{
    return SSL_get_version(self->ssl);
}

bool gm_tls_wire_is_closed(const gm_tls_wire_t *self)
{
    return (SSL_get_shutdown(self->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

void gm_tls_wire_close(gm_tls_wire_t *self)
{
    ERR_clear_error();
    self->is_direct = self->is_quiet = true;
    (void)SSL_shutdown(self->ssl);
    self->is_direct = false;
}
