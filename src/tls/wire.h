/* wire: the way between a connection's OpenSSL and its socket, once libh2o has set both up */
#ifndef GM_TLS_WIRE_H
#define GM_TLS_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "base/memory.h"

/*
 * libh2o drives the handshake and writes. It has no bound for what it reads, cannot tell a connection that
 * was closed from one that was cut, forgets the alert of a failed handshake and has no half-close
 * (lib/common/socket.c). So a wire is put between OpenSSL and the library's BIO: in the handshake it listens
 * in, and after it all reading goes through it.
 */
typedef struct gm_tls_wire gm_tls_wire_t; /* owned by its SSL; its worker only */

/** To be called from a context's info callback at SSL_CB_HANDSHAKE_START. @param fd  of the socket; borrowed
 */
gm_tls_wire_t *gm_tls_wire_attach(SSL *ssl, int fd);

/** The data of the library's BIO, an h2o_socket_t, also where the wire is in front of it. */
void *gm_tls_wire_transport(const SSL *ssl);

/** To be called for all else that the info callback is told: sends the alert of a handshake that fails. */
void gm_tls_wire_on_info(const SSL *ssl, int where, int result);

/** After the handshake: from now on nothing is read but what gm_tls_wire_feed is given. */
void gm_tls_wire_take_over(gm_tls_wire_t *self);

/**
 * What the socket had; all of it is to be taken out by gm_tls_wire_take before this returns to the event
 * loop.
 * @param bytes     borrowed until then
 * @param is_quiet  nothing is being written, so that OpenSSL may answer at once (a new key, RFC 8446, 4.6.3)
 */
void gm_tls_wire_feed(gm_tls_wire_t *self, const void *bytes, size_t length, bool is_quiet);

enum { GM_TLS_WIRE_EMPTY = 0, GM_TLS_WIRE_CLOSED = -1, GM_TLS_WIRE_BROKEN = -2 };

/** @return how many bytes were written to `to`, or one of the above: closed = the peer has said so */
GM_MUST_USE int gm_tls_wire_take(gm_tls_wire_t *self, void *to, size_t room);

/** "TLSv1.3"; static. */
const char *gm_tls_wire_version(const gm_tls_wire_t *self);

/** Whether the peer has said that nothing will follow (close_notify). */
bool gm_tls_wire_is_closed(const gm_tls_wire_t *self);

/** Says to the peer that nothing will follow; it may still send. Nothing may be waiting to be written. */
void gm_tls_wire_close(gm_tls_wire_t *self);

#endif
