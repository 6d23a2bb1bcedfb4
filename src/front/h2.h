/* h2: HTTP/2 connections from clients, as connections of libh2o's request pipeline */
#ifndef GM_FRONT_H2_H
#define GM_FRONT_H2_H

#include "config/config.h"
#include "front/http1.h"
#include "tls/wire.h"

typedef struct gm_h2_front gm_h2_front_t; /* all connections of one worker; owned by it */

/** A connection that turned out to speak HTTP/2. */
typedef struct gm_h2_arrival {
    h2o_socket_t *sock;  /* taken; counted in `open`, and by the metrics */
    gm_tls_wire_t *wire; /* the socket's; NULL = plain */
    bool is_tls, is_trusted;
    char *client_cert; /* taken; NULL = none */
    const char *peer;  /* copied */
    size_t peer_length;
} gm_h2_arrival_t;

/** @param options  those of front/http1, whose limits hold here too. Both are copied */
GM_MUST_USE gm_h2_front_t *gm_h2_front_create(const gm_http1_options_t *options, const gm_http2_conf_t *conf);

/** All connections must be gone. Accepts NULL. */
void gm_h2_front_destroy(gm_h2_front_t *self);

/** What lies in the socket's input already is the client's preface, as far as it has come. */
void gm_h2_accept(gm_h2_front_t *self, const gm_h2_arrival_t *arrival);

size_t gm_h2_count(const gm_h2_front_t *self);

/** From now on connections take no new requests, and end with the last of theirs. */
void gm_h2_drain(gm_h2_front_t *self);

/** How many requests are in flight. */
size_t gm_h2_in_flight(const gm_h2_front_t *self);

/** As gm_http1_expire. @return how many requests were in flight */
size_t gm_h2_expire(gm_h2_front_t *self);

/** Ends all connections now. */
void gm_h2_cut(gm_h2_front_t *self);

/** For a thread that dies: the requests of its streams. In a signal handler. */
void gm_h2_report(const gm_h2_front_t *self, gm_crash_report_t *report);

#endif
