/* downstream: what a front end of ours knows about a request beyond libh2o's h2o_req_t */
#ifndef GM_FRONT_DOWNSTREAM_H
#define GM_FRONT_DOWNSTREAM_H

#include "front/stream.h"

/** One per request, in its connection; the same for every protocol. Worker only. */
typedef struct gm_downstream {
    gm_stream_t *body;   /* NULL = the request has none */
    bool has_empty_body; /* "Content-Length: 0" */
    bool is_refused;     /* the head was not acceptable: answer with `refusal`, and do nothing else */
    gm_failure_t refusal;
    const char *why; /* static */
    gm_span_t asked_method,
        asked_target;      /* of such a head, in the request's pool: for lines, and for nothing
                              else, as nobody has checked them; NULL = the request's own are good */
    bool accepts_trailers; /* TE: trailers */
    bool is_trusted;       /* what it says about its own client is kept: proxy.trusted_proxies */
    gm_span_t upgrade;     /* of Upgrade, if Connection names it */
    gm_span_t
        client_cert; /* who the client is by its certificate, for X-Forwarded-Client-Cert; NULL = unknown */
    gm_span_t peer;  /* the client's address as text */
    const char *tls; /* "TLSv1.3"; static; NULL = plain */
    gm_span_t date;  /* that was added to the answer, as it had none; in the request's pool */
    uint64_t began_ns, headed_ns; /* when the head's first and last byte came; 0 = nobody wants to know */
    gm_head_field_t *trailers;    /* set by the handler before the last piece of the answer; not copied */
    size_t trailer_count;         /* HTTP/1 sends them only to who accepts them */
    /**
     * Set by the handler: the proxy ends now. Whoever has no answer yet should get one that says so, and an
     * answer that has begun is to break off. May be NULL.
     */
    void (*on_shutdown)(void *handler);
    void *handler;
    /**
     * After the endpoint switched protocols: from now on everything that the client sends is one stream, and
     * the answer, with status 101, goes out as it comes. The stream ends where the client half-closes.
     * @param protocol  for the answer's Upgrade field; in the request's pool
     */
    gm_stream_t *(*open_tunnel)(h2o_req_t *req, gm_span_t protocol);
    /** Why that endpoint cannot have understood what the client asked for: static; NULL = it has. May be
     * NULL. */
    const char *(*doubt_switch)(h2o_req_t *req, const gm_head_t *head);
    /** Tells the client of a tunnel that nothing more will come, while it may still send. */
    void (*half_close)(h2o_req_t *req);
    /** Sends an interim answer (103) if the client's version knows them and no answer has begun. */
    void (*send_interim)(h2o_req_t *req, unsigned status, const gm_head_field_t *fields, size_t count);
} gm_downstream_t;

/** The callbacks of all our front ends' connections. */
typedef struct gm_downstream_callbacks {
    h2o_conn_callbacks_t super;
    gm_downstream_t *(*of)(h2o_req_t *req);
} gm_downstream_callbacks_t;

/** Only for requests that came through a front end of ours. */
static inline gm_downstream_t *gm_downstream_of(h2o_req_t *req)
{
    return ((const gm_downstream_callbacks_t *)req->conn->callbacks)->of(req);
}

#endif
