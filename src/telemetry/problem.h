/* problem: what a client is told of a failure, in a header field, as text and as JSON */
#ifndef GM_TELEMETRY_PROBLEM_H
#define GM_TELEMETRY_PROBLEM_H

#include "base/buffer.h"
#include "telemetry/failure.h"

/** Everything borrowed. What is NULL or false, this client is not told. The bytes may be anything. */
typedef struct gm_problem {
    gm_failure_t failure;
    const char *backend; /* "host:port" or "unix:/path" */
    bool is_tls;         /* the backend speaks TLS */
    const char *cause;   /* what exactly was wrong; the first 256 bytes are used */
    bool has_next_step;  /* left out all the same where it names a backend and there is none */
} gm_problem_t;

/**
 * A value for Proxy-Status (RFC 9209): gomesh; error=connection_refused; details="connect_refused: sentence",
 * the sentence followed by " (backend: …; cause: …)" where these are told. Printable ASCII.
 */
void gm_problem_write_proxy_status(const gm_problem_t *self, gm_buffer_t *out);

/** "connect_refused: sentence", then lines "backend: …", "cause: …", "try: …". Without control characters. */
void gm_problem_write_text(const gm_problem_t *self, gm_buffer_t *out);

/** For grpc-message: the details of Proxy-Status, in gRPC's encoding. */
void gm_problem_write_grpc_message(const gm_problem_t *self, gm_buffer_t *out);

/** application/problem+json (RFC 9457), one line. */
void gm_problem_write_json(const gm_problem_t *self, gm_buffer_t *out);

#endif
