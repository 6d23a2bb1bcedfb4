/* handshake: two ends of a TLS connection in this process */
#ifndef GM_TEST_HANDSHAKE_H
#define GM_TEST_HANDSHAKE_H

#include <stdbool.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

/** Both ends, joined in memory. */
typedef struct handshake {
    SSL *client, *server;
} handshake_t;

static inline handshake_t handshake_open(SSL_CTX *client, SSL_CTX *server)
{
    handshake_t self = {SSL_new(client), SSL_new(server)};
    BIO *client_bio, *server_bio;

    BIO_new_bio_pair(&client_bio, 0, &server_bio, 0);
    SSL_set_bio(self.client, client_bio, client_bio);
    SSL_set_bio(self.server, server_bio, server_bio);
    SSL_set_connect_state(self.client);
    SSL_set_accept_state(self.server);
    return self;
}

/** @return whether both ends are content, and a byte of data comes through in each direction */
static inline bool handshake_run(handshake_t *self)
{
    char byte;

    for (int i = 0; i != 10; ++i) {
        SSL_do_handshake(self->client);
        SSL_do_handshake(self->server);
    }
    return SSL_is_init_finished(self->client) && SSL_is_init_finished(self->server) &&
           SSL_write(self->client, "x", 1) == 1 && SSL_read(self->server, &byte, 1) == 1 &&
           SSL_write(self->server, "x", 1) == 1 && SSL_read(self->client, &byte, 1) == 1;
}

/** @param cleanly  with close_notify; without it the session that a connection holds is no longer good */
static inline void handshake_close(handshake_t *self, bool cleanly)
{
    if (cleanly) {
        SSL_shutdown(self->client);
        SSL_shutdown(self->server);
    }
    SSL_free(self->client);
    SSL_free(self->server);
    ERR_clear_error();
}

#endif
