/* h2_connection: what h2.c (connections), h2_request.c (reading) and h2_answer.c (writing) share */
#ifndef GM_FRONT_H2_CONNECTION_H
#define GM_FRONT_H2_CONNECTION_H

#include "base/buffer.h"
#include "base/websocket.h"
#include "front/downstream.h"
#include "front/h2.h"
#include "front/message.h"
#include "http2/session.h"

struct gm_h2_front {
    gm_http1_options_t options;
    gm_http2_conf_t conf;
    gm_blocks_t *blocks; /* owned; of sessions and streams */
    gm_buffer_t spare;   /* owned; the last stream's `fields`, for the next one */
    h2o_linklist_t list; /* of connections */
    size_t count;
    bool is_draining;
};

typedef struct gm_h2_connection {
    h2o_conn_t super; /* first: the pipeline knows only this */
    gm_h2_front_t *front;
    gm_http2_session_t *session; /* owned */
    h2o_socket_t *sock;          /* owned */
    h2o_linklist_t link, streams;
    size_t stream_count;
    size_t held_bytes; /* of their heads */
    uint64_t requests;
    gm_watch_t idle; /* runs while there is no stream */
    const char *tls; /* "TLSv1.3"; static; NULL = plain */
    bool is_tls, is_trusted;
    char *client_cert; /* owned; NULL = it showed none */
    char peer[46];     /* INET6_ADDRSTRLEN */
    uint8_t peer_length;
} gm_h2_connection_t;

/** One request. Freed when its stream is over. */
typedef struct gm_h2_stream {
    gm_http2_stream_t super; /* first: the session knows only this */
    gm_h2_connection_t *connection;
    h2o_linklist_t link;
    gm_watch_t reading; /* the client is to send something */
    gm_watch_t writing; /* the client is to take something */
    uint64_t taken;     /* of the answer, at the last look */
    uint64_t began_ns;  /* 0 = nobody wants to know */
    /* of the head, until it is complete; texts are in the request's pool */
    h2o_iovec_t method, authority, path, host;
    h2o_iovec_t protocol; /* of an extended CONNECT */
    gm_buffer_t fields;   /* owned; a field list, but for these and cookies */
    gm_buffer_t cookies;  /* owned; in one line (RFC 9113, 8.2.3) */
    gm_buffer_t trailers; /* owned; lines */
    size_t field_count, head_bytes;
    bool is_bomb;
    const char *complaint; /* static: why the head is refused; NULL = nothing is wrong yet */
    gm_failure_t failure;  /* with that */
    /* of the body */
    gm_stream_t body;
    h2o_buffer_t *input; /* owned: what nobody has taken yet */
    size_t dropped;      /* of it, as the answer is out already: no room is given for more */
    bool has_ended, expects_continue;
    uint64_t paced_since_ms, paced_bytes; /* for its average rate */
    /* of the answer */
    h2o_iovec_t *bufs; /* in the request's pool: those of the piece that is on its way */
    size_t bufs_capacity;
    bool has_head, has_no_body, is_over;
    /* of a WebSocket: it may become a tunnel, and is one when the endpoint has switched */
    bool is_websocket, is_tunnel;
    bool is_half_closed; /* the endpoint of the tunnel has nothing more to say */
    char websocket_key[GM_WEBSOCKET_KEY_LENGTH + 1];
    gm_downstream_t downstream;
    gm_message_options_t options;
    h2o_ostream_t last; /* the pipeline's last ostream */
    h2o_req_t req;      /* last: the library initializes it */
} gm_h2_stream_t;

static inline gm_h2_stream_t *gm_h2_stream_of(h2o_req_t *req)
{
    return H2O_STRUCT_FROM_MEMBER(gm_h2_stream_t, req, req);
}

/* ---- reading */

gm_http2_stream_t *gm_h2_begin(void *connection);
void gm_h2_on_field(gm_http2_stream_t *stream, gm_span_t name, gm_span_t value, bool is_trailer);
void gm_h2_on_head(gm_http2_stream_t *stream, bool has_ended);
void gm_h2_on_malformed(gm_http2_stream_t *stream);
void gm_h2_on_data(gm_http2_stream_t *stream, const char *bytes, size_t length);
void gm_h2_on_end(gm_http2_stream_t *stream);

/* ---- writing */

/** The pipeline's way out. */
void gm_h2_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t count, h2o_send_state_t state);
void gm_h2_send_interim(h2o_req_t *req, unsigned status, const gm_head_field_t *fields, size_t count);
void gm_h2_on_sent(gm_http2_stream_t *stream);
void gm_h2_on_early(gm_http2_stream_t *stream);

/** It ends for this: for the log, and for who counts. */
void gm_h2_on_offence(void *connection, gm_offence_t offence);

/* ---- tunnels */

/** Whether a field of a request belongs to a handshake that is ours to do. */
bool gm_h2_is_of_handshake(const gm_h2_stream_t *self, gm_span_t name);

/** The request asks for one. */
void gm_h2_expect_tunnel(gm_h2_stream_t *self, gm_span_t upgrade);

/** Both sides of the stream are closed, but the endpoint has not yet got all of it. gm_h2_bury follows. */
bool gm_h2_outlives_stream(const gm_h2_stream_t *self, uint32_t error);

/** Frees what has outlived its stream, but not within this call. */
void gm_h2_bury(gm_h2_stream_t *self);

/** What is left to do when a stream, and its request, are over. */
void gm_h2_destroy_stream(gm_h2_stream_t *self);

/** Ends the whole connection, with a word to its client. */
void gm_h2_terminate(gm_h2_connection_t *self, gm_http2_error_t error);

#endif
