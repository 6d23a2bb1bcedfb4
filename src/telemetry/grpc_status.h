/* grpc_status: how gRPC says what became of a request, and the words for it */
#ifndef GM_TELEMETRY_GRPC_STATUS_H
#define GM_TELEMETRY_GRPC_STATUS_H

#include <stdbool.h>

#include "base/buffer.h"

/* clang-format off */
/*
 * In the order of their numbers, from 0. The last column: whether it is the server's mistake, which makes a
 * server's span an error (OpenTelemetry's conventions for gRPC).
 *
 *    name                 of server */
#define GM_GRPC_STATUSES(X) \
    X(OK,                  false) \
    X(CANCELLED,           false) \
    X(UNKNOWN,             true) \
    X(INVALID_ARGUMENT,    false) \
    X(DEADLINE_EXCEEDED,   true) \
    X(NOT_FOUND,           false) \
    X(ALREADY_EXISTS,      false) \
    X(PERMISSION_DENIED,   false) \
    X(RESOURCE_EXHAUSTED,  false) \
    X(FAILED_PRECONDITION, false) \
    X(ABORTED,             false) \
    X(OUT_OF_RANGE,        false) \
    X(UNIMPLEMENTED,       true) \
    X(INTERNAL,            true) \
    X(UNAVAILABLE,         true) \
    X(DATA_LOSS,           true) \
    X(UNAUTHENTICATED,     false)
/* clang-format on */

typedef enum gm_grpc_status {
#define GM_GRPC_STATUS_NAME(name, of_server) GM_GRPC_##name,
    GM_GRPC_STATUSES(GM_GRPC_STATUS_NAME)
#undef GM_GRPC_STATUS_NAME
        GM_GRPC_STATUS_COUNT
} gm_grpc_status_t;

/** "UNAVAILABLE"; static. */
const char *gm_grpc_status_name(gm_grpc_status_t status);

/** Whether a server that answers with it has made a mistake. */
bool gm_grpc_status_is_of_server(gm_grpc_status_t status);

/** What a field grpc-status says; a number that nobody knows, and what is none, is UNKNOWN. */
gm_grpc_status_t gm_grpc_status_read(const char *text, size_t length);

/** What an answer stands for that has no grpc-status, by gRPC's table of HTTP's statuses. */
gm_grpc_status_t gm_grpc_status_of_http(int status);

/** Appends a value for grpc-message, or a part of one: percent-encoded but for printable ASCII. */
void gm_grpc_status_append_message(gm_buffer_t *out, const char *bytes, size_t length);

#endif
