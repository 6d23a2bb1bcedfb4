/* transport: bounded reading from the library's sockets, and buffers that change hands */
#ifndef GM_NET_TRANSPORT_H
#define GM_NET_TRANSPORT_H

#include <stdbool.h>

#include <h2o.h>

#include "tls/wire.h"

/** As much as piles up per direction of a stream before its reading stops. */
#define GM_TRANSPORT_HIGH_WATER ((size_t)16 * 1024)

/**
 * As much as is read at once while the other side takes everything: less costs system calls. One such piece
 * may be waiting to be written, and a high water behind it: together less than 256 KiB for a transfer that
 * stalls.
 */
#define GM_TRANSPORT_READ_MAX ((size_t)208 * 1024)

/** How one side is read. All zero at first. */
typedef struct gm_reader {
    size_t want; /* as much as is worth reading: grows while the peer fills it, shrinks when it does not */
    unsigned small_reads; /* in a row */
    bool has_filled;      /* the last read may have left something; not told for TLS */
    bool is_taker_busy;   /* the other side has not taken the last piece yet: little is read ahead */
} gm_reader_t;

/** The error of a connection that ended without its TLS having been closed: somebody may have cut it. */
extern const char *const gm_transport_error_cut;

/**
 * To be called once for a new socket, or when its handshake is over: from now on the library only says that
 * there is something to read. Its own reading goes on until the kernel has nothing left and doubles its
 * buffer as it goes: megabytes per event when the peer is fast (lib/common/socket/evloop.c.h, on_read_core).
 * @param wire  NULL = no TLS
 */
void gm_transport_init(h2o_socket_t *sock, gm_tls_wire_t *wire);

/**
 * First thing in a read callback: one read of at most GM_TRANSPORT_READ_MAX into sock->input.
 * @param hint  how much the peer is known to send still; 0 = unknown
 * @return NULL, or one of the library's errors; h2o_socket_error_closed at the end of the stream, or
 *         gm_transport_error_cut
 */
const char *gm_transport_read(h2o_socket_t *sock, gm_tls_wire_t *wire, gm_reader_t *reader, size_t hint);

/** As h2o_socket_write, which may change `bufs`; a few small pieces become one, in TLS one record. */
void gm_transport_write(h2o_socket_t *sock, h2o_iovec_t *bufs, size_t count, h2o_socket_cb cb);

/** Says that nothing more will come, while the peer may still send. Nothing may be waiting to be written. */
void gm_transport_half_close(h2o_socket_t *sock, gm_tls_wire_t *wire);

/**
 * Moves the first `size` bytes of *from into *to, which must be empty; what follows stays. Buffers are
 * exchanged, so that only what follows (nothing, as a rule) is copied.
 */
void gm_transport_take(h2o_buffer_t **from, size_t size, h2o_buffer_t **to);

/** Empties a buffer; keeps its memory if that is not large. */
void gm_transport_clear(h2o_buffer_t **buffer);

/** Gives an empty buffer's memory back: for connections that are idle. */
void gm_transport_shrink(h2o_buffer_t **buffer);

/**
 * Whether the peer's kernel has acknowledged anything since the last call.
 * @param acked  what it had then; at first 0
 */
bool gm_transport_is_taken(h2o_socket_t *sock, uint64_t *acked);

/**
 * For how long the peer has taken nothing of what was sent, which may have been much, and a while ago.
 * @param acked  as above; where something is not taken yet, only the difference to the last call tells
 */
uint64_t gm_transport_silence_ms(h2o_socket_t *sock, uint64_t *acked);

typedef enum gm_transport_state {
    GM_TRANSPORT_OPEN,
    GM_TRANSPORT_FINISHED, /* the peer will send nothing more: it has left, or only has nothing to say */
    GM_TRANSPORT_RESET
} gm_transport_state_t;

/** What the peer has done; also told while nothing is read. */
gm_transport_state_t gm_transport_state(h2o_socket_t *sock);

/** Resets a connection: its peer must see that something is missing. The socket is still to be closed. */
void gm_transport_abort(h2o_socket_t *sock);

#endif
