/* session: HTTP/2 on one connection: frames, header compression, flow control, and what a peer may not do */
#ifndef GM_HTTP2_SESSION_H
#define GM_HTTP2_SESSION_H

#include <stdbool.h>

#include <h2o.h>

#include "base/blocks.h"
#include "http/head.h"
#include "http/priority.h"
#include "http2/message.h"
#include "net/watch.h"
#include "telemetry/offence.h"
#include "tls/wire.h"

typedef struct gm_http2_session gm_http2_session_t; /* owned by its connection; worker only */

/** Error codes of RFC 9113, 7, as far as anybody but the session says them. */
typedef enum gm_http2_error {
    GM_HTTP2_NO_ERROR = 0,
    GM_HTTP2_PROTOCOL_ERROR = 1,
    GM_HTTP2_INTERNAL_ERROR = 2,
    GM_HTTP2_REFUSED_STREAM = 7,
    GM_HTTP2_CANCEL = 8,
    GM_HTTP2_ENHANCE_YOUR_CALM = 11,
    GM_HTTP2_HTTP_1_1_REQUIRED = 13
} gm_http2_error_t;

/** One stream; embedded in what its owner has of it, zeroed at first. */
typedef struct gm_http2_stream {
    int32_t id;
    uint64_t sent_bytes; /* of DATA: grows while the peer takes some */
    bool was_reset;      /* by the peer */
    bool was_not_sent;   /* a client's: nothing of it, as the peer wants no more */
    bool is_malformed;   /* what came breaks the rules: the peer is told when all of its frame is here */
    bool is_told;        /* the peer is: nothing comes any more but on_close */
    /* private */
    gm_http2_message_t message; /* of the peer */
    gm_priority_t priority;     /* as its head says; servers only */
    bool has_priority, has_bad_priority;
    gm_http2_session_t *session;
    h2o_linklist_t link;    /* linked while its owner is to be told that all it gave is out */
    const h2o_iovec_t *out; /* borrowed from the owner until on_sent */
    size_t out_at, out_offset, out_left;
    const gm_head_field_t *trailers; /* borrowed likewise */
    size_t trailer_count;
    bool is_last, is_waiting;
} gm_http2_stream_t;

/** A field on its way out. Names are in lower case. */
typedef struct gm_http2_field {
    h2o_iovec_t name, value; /* borrowed: see where they are given */
} gm_http2_field_t;

/**
 * What the owner of a session is told, and nothing of it from within a call of the owner's. All calls but
 * gm_http2_session_close are allowed in return; that one from on_gone and on_stalled.
 */
typedef struct gm_http2_events {
    /** A request begins; servers only. @return its stream; NULL = refused, and the peer may send it again
     */
    gm_http2_stream_t *(*on_begin)(void *data);
    /** A field of the head or of the trailers, pseudo-fields among them; valid during the call. */
    void (*on_field)(gm_http2_stream_t *stream, gm_span_t name, gm_span_t value, bool is_trailer);
    /** A head is complete, a client's perhaps an interim one. @param has_ended  nothing follows it */
    void (*on_head)(gm_http2_stream_t *stream, bool has_ended);
    /** The peer gets room for more only by gm_http2_stream_consume. */
    void (*on_data)(gm_http2_stream_t *stream, const char *bytes, size_t length);
    /** The peer has nothing more to say; trailers, if any, have come before. */
    void (*on_end)(gm_http2_stream_t *stream);
    /** All that was given to gm_http2_stream_send is out, and it was not the last; a client's, or the last.
     */
    void (*on_sent)(gm_http2_stream_t *stream);
    /** The last was given to the session's connection, and the peer has more to say: it may be told to stop.
     * Servers only. */
    void (*on_early)(gm_http2_stream_t *stream);
    /** The stream is over, for whatever reason, and forgotten by the session. */
    void (*on_close)(gm_http2_stream_t *stream, uint32_t error);
    /** The connection is of no use any more: the owner closes session and socket. */
    void (*on_gone)(void *data);
    /** Nothing was taken by the peer for a while; likewise. */
    void (*on_stalled)(void *data);
    /** The connection ends because the peer has done something that it must not, or too often. */
    void (*on_offence)(void *data, gm_offence_t why);
    /** The head that has begun breaks the rules of HTTP/2: neither on_head nor anything but on_close follows.
     * The peer is told already. Servers only. */
    void (*on_malformed)(gm_http2_stream_t *stream);
    /** A stream is reset, by the peer or by us; for those who count. NULL = nobody does */
    void (*on_reset)(void *data, bool by_peer, uint32_t code);
    /** All that had come is told: who waits for more of it waits for the peer. NULL = so what */
    void (*on_told)(void *data);
    /** The peer has said what it allows. NULL = so what */
    void (*on_settings)(void *data);
    /** The peer takes no new streams; those that it will not look at end with REFUSED_STREAM. NULL = so what
     */
    void (*on_goaway)(void *data);
    /** The last frames are out, and nothing is read any more: streams that are left will not end. on_gone
     * follows. NULL = as that one */
    void (*on_leaving)(void *data);
} gm_http2_events_t;

typedef struct gm_http2_session_options {
    const gm_http2_events_t *events; /* static */
    void *data;
    h2o_socket_t *sock;  /* borrowed; gm_transport_init was called */
    gm_tls_wire_t *wire; /* the socket's; NULL = plain */
    h2o_loop_t *loop;
    h2o_timeout_t *soon; /* of the loop, zero: when what was queued is written */
    gm_watches_t *watches;
    gm_blocks_t *blocks; /* borrowed; of this worker */
    uint64_t write_ms;   /* how long the peer may take nothing */
    uint64_t ack_ms;     /* how long it may not acknowledge our settings; 0 = for ever */
    uint32_t offences,
        offences_per_s;         /* of small ones: allowed at once, and forgotten; 0 = the usual number */
    uint32_t max_continuations; /* likewise */
    uint32_t max_streams, stream_window, connection_window, max_header_list;
} gm_http2_session_options_t;

#define GM_HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/** The server's side. Takes the socket's callbacks; what lies in its input already is read at once. */
GM_MUST_USE gm_http2_session_t *gm_http2_session_create_server(const gm_http2_session_options_t *options);

/** A client's. The same; for clients only some of the options matter. */
GM_MUST_USE gm_http2_session_t *gm_http2_session_create_client(const gm_http2_session_options_t *options);

/** When on_gone comes: the error of the library's socket that was the reason; NULL = another. */
const char *gm_http2_session_error(const gm_http2_session_t *self);

/** How many streams more the peer allows at the moment. A client's. */
size_t gm_http2_session_room(const gm_http2_session_t *self);

/** How many bytes the peer has sent. A client's. */
uint64_t gm_http2_session_heard(const gm_http2_session_t *self);

/** Asks the peer for a sign of life. */
void gm_http2_session_ping(gm_http2_session_t *self);

/** Forgets everything without a word; streams are not told. The socket stays. */
void gm_http2_session_close(gm_http2_session_t *self);

/** Reads what the socket has already; call once after creation. May call any event. */
void gm_http2_session_start(gm_http2_session_t *self);

/** From now on new streams are not wanted (GOAWAY in two steps, RFC 9113, 6.8); on_gone comes when all are
 * over. */
void gm_http2_session_drain(gm_http2_session_t *self);

/** Ends the session with an error for its peer; on_gone comes soon. */
void gm_http2_session_terminate(gm_http2_session_t *self, gm_http2_error_t error);

/**
 * Sends a head.
 * @param fields  pseudo-fields first; their texts stay valid until the stream is over, but for interim ones
 * until this returns
 * @param kind  of what follows
 */
typedef enum gm_http2_head {
    GM_HTTP2_HEAD_INTERIM,
    GM_HTTP2_HEAD_WITH_BODY,
    GM_HTTP2_HEAD_ALONE
} gm_http2_head_t;
void gm_http2_stream_send_head(gm_http2_stream_t *self, const gm_http2_field_t *fields, size_t count,
                               gm_http2_head_t kind);

/**
 * Begins a stream with the head of a request. A client's.
 * @param fields  the first one is :method; their texts stay valid until the stream is over, was reset or
 * forgotten, or has brought a head
 * @param stream  embedded in what its owner has of it, zeroed; lives until on_close
 * @return 0, or -1: the session takes no more
 */
GM_MUST_USE int gm_http2_session_request(gm_http2_session_t *self, gm_http2_stream_t *stream,
                                         const gm_http2_field_t *fields, size_t count, bool has_body);

/**
 * Sends a piece of the body, one at a time, after the head.
 * @param bufs   stay valid until on_sent, or the stream's end
 * @param is_last  the body ends with it, and with `trailers`
 */
void gm_http2_stream_send(gm_http2_stream_t *self, const h2o_iovec_t *bufs, size_t count, bool is_last,
                          const gm_head_field_t *trailers, size_t trailer_count);

/** Whether anything of it is out, or in the hands of the socket. A client's. */
bool gm_http2_stream_has_begun(const gm_http2_stream_t *self);

/** Whether all of it that we have to say is out, or in the hands of the socket. */
bool gm_http2_stream_is_sent(const gm_http2_stream_t *self);

/** Ends a stream. What was lent for it is not touched any more, and on_close follows. */
void gm_http2_stream_reset(gm_http2_stream_t *self, gm_http2_error_t error);

/** Its owner goes before it: nothing is told of it any more. For one that has not begun, or is over, nothing
 * happens. */
void gm_http2_stream_forget(gm_http2_stream_t *self);

/** So many bytes of a stream that is over were never taken: the connection has room for them again. */
void gm_http2_session_consume(gm_http2_session_t *self, size_t bytes);

/** So many bytes of on_data are taken: the peer may send as many more. */
void gm_http2_stream_consume(gm_http2_stream_t *self, size_t bytes);

#endif
