/* http1_connection: what http1.c (reading), http1_answer.c (writing) and http1_leave.c share */
#ifndef GM_FRONT_HTTP1_CONNECTION_H
#define GM_FRONT_HTTP1_CONNECTION_H

#include "front/downstream.h"
#include "front/http1.h"
#include "front/message.h"
#include "http/framing.h"
#include "net/transport.h"
#include "tls/wire.h"

struct gm_http1_front {
    gm_http1_options_t options;
    h2o_linklist_t list; /* of connections */
    size_t count;
    bool is_draining;
};

typedef enum gm_http1_state {
    GM_HTTP1_HANDSHAKE,
    GM_HTTP1_HEAD,  /* between requests, or in the middle of a head */
    GM_HTTP1_SERVE, /* a request is in the pipeline */
    GM_HTTP1_LINGER /* the last answer is out; what still comes is thrown away */
} gm_http1_state_t;

typedef struct gm_http1_connection gm_http1_connection_t;

/** What a request needs beyond its h2o_req_t; in its pool, so that idle connections stay small. */
typedef struct gm_http1_exchange {
    gm_http1_connection_t *connection;
    gm_stream_t body;
    gm_downstream_t downstream;
    gm_message_options_t options;
    uint64_t paced_since_ms, paced_bytes; /* of the body: for its average rate */
    /* an answer that waits for an interim one; all in the request's pool */
    h2o_send_state_t held_state;
    h2o_iovec_t *held;
    size_t held_count;
    h2o_iovec_t next_interim;
    char size_line[20]; /* of a chunk */
} gm_http1_exchange_t;

struct gm_http1_connection {
    h2o_conn_t super; /* first: the pipeline knows only this */
    gm_http1_front_t *front;
    h2o_socket_t *sock;  /* owned */
    gm_tls_wire_t *wire; /* the socket's; NULL = plain */
    h2o_linklist_t link;
    gm_watch_t reading; /* the client is to send something */
    gm_watch_t writing; /* the client is to take something */
    uint64_t acked;     /* bytes that the client's kernel had acknowledged at the last look */
    uint64_t requests;
    uint64_t sent_before, quiet_since_ms; /* of the answer, since the client has sent its last byte */
    gm_http1_state_t state;
    bool is_reading;       /* the read callback is on */
    bool is_half_closed;   /* the client has sent its last byte */
    bool has_probed;       /* it was given something to answer with a reset if it has left */
    bool is_tunnel;        /* the request's protocol was switched */
    bool expects_continue; /* and was not told to */
    bool is_tls;
    bool is_trusted;        /* a proxy of ours */
    bool is_kept_by_client; /* the last request did not ask for its end */
    /* of the current answer */
    bool has_head, is_chunked, has_no_body, is_broken;
    bool is_sending_interim; /* the answer waits until that is out */
    bool is_held;
    size_t seen;            /* bytes of the head that were looked at already */
    uint64_t head_began_ns; /* 0 = nobody wants to know */
    gm_reader_t reader;
    gm_framing_t framing;
    gm_http1_exchange_t *exchange; /* NULL between requests */
    h2o_ostream_t last;            /* the pipeline's last ostream */
    char *client_cert;             /* owned; NULL = it showed none */
    char peer[46];                 /* INET6_ADDRSTRLEN */
    uint8_t peer_length;
    h2o_req_t req; /* last: the library initializes it */
};

/** The pipeline's way out. */
void gm_http1_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t count,
                   h2o_send_state_t state);
void gm_http1_send_interim(h2o_req_t *req, unsigned status, const gm_head_field_t *fields, size_t count);

void gm_http1_stop_reading(gm_http1_connection_t *self);

/** The client has sent its last byte while its request is served. May close the connection. */
void gm_http1_on_half_close(gm_http1_connection_t *self);

/** While nothing is read, a client that has left shows only if asked for. */
void gm_http1_watch_unread(gm_http1_connection_t *self);

/** Sends a zero ahead of the next chunk; for chunked answers only. */
void gm_http1_send_zero(gm_http1_connection_t *self);

gm_stream_t *gm_http1_open_tunnel(h2o_req_t *req, gm_span_t protocol);
void gm_http1_half_close(h2o_req_t *req);

/** The answer is out, as far as it goes: on to the next request, or to the connection's end. */
void gm_http1_on_answered(gm_http1_connection_t *self);

/** Answers with a failure what could not be read, or did not come in time. */
void gm_http1_refuse(gm_http1_connection_t *self, gm_failure_t failure, const char *why);

/** A client that has just been answered may have its next request on the way */
#define GM_HTTP1_DRAIN_PATIENCE_MS 100

/** Of `reading`: nothing is lost if the connection ends. */
void gm_http1_on_late_close(gm_watch_t *watch);

/** The client is gone or is to go. Frees the connection and cancels its request. */
void gm_http1_close(gm_http1_connection_t *self);

#endif
