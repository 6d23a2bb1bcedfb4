/* record: the fact sheet of one request, from which log, metrics and traces are made */
#ifndef GM_TELEMETRY_RECORD_H
#define GM_TELEMETRY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "telemetry/grpc_status.h"

/* clang-format off */
/*
 * A request is in one phase at a time, so the phases' times add up to the whole. A phase that is entered again,
 * for another try say, goes on where it stopped.
 *
 *    name        label          what takes the time */
#define GM_PHASES(X) \
    X(HEAD,       "head")       /* the client: from the head's first byte to its last */ \
    X(ROUTE,      "route")      /* GoMesh: policies, the choice of a route, the head for the endpoint */ \
    X(BODY,       "body")       /* the client: its body */ \
    X(QUEUE,      "queue")      /* upstream.max_connections: until another request has left */ \
    X(DNS,        "dns")        /* the resolver: of names that it has not looked up yet */ \
    X(CONNECT,    "connect")    /* the endpoint: accepting the connection */ \
    X(TLS,        "tls")        /* the endpoint: the handshake */ \
    X(SENT,       "sent")       /* the endpoint: taking the request */ \
    X(FIRST_BYTE, "first_byte") /* the endpoint: the answer's head */ \
    X(LAST_BYTE,  "last_byte")  /* the endpoint's body, and the client's taking it */
/* clang-format on */

typedef enum gm_phase {
#define GM_PHASE_NAME(name, label) GM_PHASE_##name,
    GM_PHASES(GM_PHASE_NAME)
#undef GM_PHASE_NAME
        GM_PHASE_COUNT
} gm_phase_t;

#define GM_TRACE_ID_BYTES 16
#define GM_SPAN_ID_BYTES 8
#define GM_NO_FAILURE (-1)

/** Not ended by a zero; NULL = unknown. */
typedef struct gm_record_text {
    const char *base; /* borrowed until the record is finished */
    size_t length;
} gm_record_text_t;

/** A header field that lines show. */
typedef struct gm_record_field {
    gm_record_text_t name, value; /* the name in lower case; NULL = the end of a list */
} gm_record_field_t;

/** Who belongs together; all of W3C Trace Context. */
typedef struct gm_trace {
    uint8_t trace_id[GM_TRACE_ID_BYTES];
    uint8_t span_id[GM_SPAN_ID_BYTES];   /* ours */
    uint8_t parent_id[GM_SPAN_ID_BYTES]; /* the client's; all zero = none */
    bool is_sampled;
} gm_trace_t;

#define GM_ATTEMPTS_MAX 8

/** One try at an endpoint: a connection that a request was sent on, or was to be. */
typedef struct gm_attempt {
    uint8_t span_id[GM_SPAN_ID_BYTES]; /* what the endpoint is told as its parent */
    uint64_t began_ns, ended_ns;       /* of the record's clock; ended_ns: 0 = with the request */
    const char *endpoint;              /* borrowed; "127.0.0.1:3000"; NULL = none was reached */
    int status;                        /* what it answered; 0 = nothing */
    int failure;                       /* gm_failure_t, or GM_NO_FAILURE; where it ended before the request */
} gm_attempt_t;

/** What only requests have whose spans are exported. */
typedef struct gm_spans {
    size_t count;                           /* of attempts, also of those that found no room */
    gm_attempt_t attempts[GM_ATTEMPTS_MAX]; /* the last one is in the last place */
    /* texts as in the record */
    gm_record_text_t trace_state, user_agent;
    const char *scheme;      /* "http"; static */
    const char *route_path;  /* NULL = no route was found */
    const char *authority;   /* of the cluster; NULL = none */
    bool has_secure_backend; /* it is spoken to by TLS */
    bool has_parent;         /* the trace began before us */
} gm_spans_t;

/** The last attempt, or NULL. */
static inline gm_attempt_t *gm_spans_last(gm_spans_t *self)
{
    return self->count == 0
               ? NULL
               : &self->attempts[(self->count < GM_ATTEMPTS_MAX ? self->count : GM_ATTEMPTS_MAX) - 1];
}

/** What only gRPC's requests have. */
typedef struct gm_record_grpc {
    gm_record_text_t service, method; /* "package.Service", "Method"; NULL = its path is not of that form */
    gm_grpc_status_t status;          /* what the client got, or has to make of what it got */
    bool is_missing;                  /* the answer ended without one */
    bool is_ours;                     /* the answer was made here */
} gm_record_grpc_t;

/** One request. Filled by the worker that serves it, read once by each sink when it is over. */
typedef struct gm_record {
    uint64_t began_us;            /* since 1970 */
    uint64_t began_ns, marked_ns; /* of the clock that never jumps; 0 = nobody wants to know the time */
    uint64_t phase_ns[GM_PHASE_COUNT];
    gm_phase_t phase;
    gm_trace_t trace;
    const char
        *trace_text; /* its id in 32 digits, borrowed as the texts below; NULL = nobody has written it */
    /* method and path of a head that was refused are whatever stands there, for lines alone; "-" = nothing */
    gm_record_text_t method, host, path, remote_addr;
    const char *protocol;         /* "HTTP/1.1"; static */
    const char *tls;              /* "TLSv1.3"; static; NULL = plain */
    const char *route, *cluster;  /* NULL = none was found */
    const char *endpoint;         /* "127.0.0.1:3000"; NULL = none was asked */
    int status;                   /* 0 = the client left before an answer */
    int failure;                  /* gm_failure_t, or GM_NO_FAILURE */
    const char *detail;           /* of the failure; NULL = none */
    uint64_t bytes_in, bytes_out; /* of the bodies */
    unsigned attempts;            /* connections that the request was sent on, or was to be */
    gm_spans_t *spans;            /* borrowed as the texts; NULL = nobody wants them */
    const gm_record_grpc_t *grpc; /* borrowed likewise; NULL = it is none of gRPC's */
    bool is_reused;               /* the last one had served another request before */
    const gm_record_field_t *request_fields, *response_fields; /* borrowed as the texts; NULL = none */
} gm_record_t;

/** The word of a phase in logs, metrics and JSON. */
const char *gm_phase_label(gm_phase_t phase);

/** The time since the last mark goes to the phase that was; another one begins. */
static inline void gm_record_enter(gm_record_t *self, gm_phase_t phase)
{
    uint64_t now;

    if (self->marked_ns == 0 || self->phase == phase)
        return;
    now = gm_clock_monotonic_ns();
    self->phase_ns[self->phase] += now - self->marked_ns;
    self->marked_ns = now;
    self->phase = phase;
}

/** All phases together. */
static inline uint64_t gm_record_total_ns(const gm_record_t *self)
{
#define GM_PHASE_NS(name, label) +self->phase_ns[GM_PHASE_##name]
    return 0 GM_PHASES(GM_PHASE_NS);
#undef GM_PHASE_NS
}

#endif
