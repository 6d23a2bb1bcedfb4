/* http1: HTTP/1 connections from clients, as connections of libh2o's request pipeline */
#ifndef GM_FRONT_HTTP1_H
#define GM_FRONT_HTTP1_H

#include <stdatomic.h>
#include <stdbool.h>

#include <h2o.h>

#include "base/cidr.h"
#include "base/crash.h"
#include "http/head.h"
#include "net/watch.h"
#include "telemetry/metrics.h"

typedef struct gm_http1_front gm_http1_front_t; /* all connections of one worker; owned by it */

typedef struct gm_http1_options {
    h2o_context_t *context; /* borrowed, as is all here */
    gm_watches_t *watches;
    gm_head_limits_t limits;
    uint64_t read_ms, write_ms, idle_ms;
    uint64_t min_body_rate;   /* bytes a second, after read_ms; 0 = any */
    uint64_t max_requests;    /* per connection; 0 = no limit */
    const gm_cidr_t *trusted; /* clients that may speak for others */
    size_t trusted_count;
    gm_metrics_shard_t *metrics; /* NULL = nobody counts */
    bool keeps_time;             /* of when heads begin and end */
    atomic_size_t *open;         /* connections of the process; reduced when one goes */
    struct gm_h2_front *h2;      /* who takes connections that speak HTTP/2; NULL = nobody */
    bool h2_cleartext;           /* without TLS, too */
} gm_http1_options_t;

GM_MUST_USE gm_http1_front_t *gm_http1_front_create(const gm_http1_options_t *options);

/** All connections must be gone. Accepts NULL. */
void gm_http1_front_destroy(gm_http1_front_t *self);

/** Takes an accepted socket, which was counted in `open`. @param tls  NULL = plain */
void gm_http1_accept(gm_http1_front_t *self, h2o_socket_t *sock, SSL_CTX *tls);

/**
 * Has the connections of a TLS listener remember who their clients are, if they show certificates, and tell
 * them why a handshake fails. Takes the context's info callback. Before the first connection, main thread.
 */
void gm_http1_watch_handshakes(SSL_CTX *tls);

/**
 * Closes the connection that has waited for its client for longest: for a request, or to take an answer. The
 * newest one stays, and so does who waits for us.
 */
void gm_http1_make_room(gm_http1_front_t *self);

size_t gm_http1_count(const gm_http1_front_t *self);

/** From now on each connection ends with its answer, and those without a request after a moment. */
void gm_http1_drain(gm_http1_front_t *self);

/** How many connections have a request in flight, or on its way in. */
size_t gm_http1_in_flight(const gm_http1_front_t *self);

/**
 * The time for draining is over: requests that have no answer yet get one that says so, answers that have
 * begun break off, and all other connections end.
 * @return how many requests were in flight, or on their way in
 */
size_t gm_http1_expire(gm_http1_front_t *self);

/** Ends all connections now. */
void gm_http1_cut(gm_http1_front_t *self);

/** For a thread that dies: the request lines of its connections. In a signal handler. */
void gm_http1_report(const gm_http1_front_t *self, gm_crash_report_t *report);

#endif
