/* failure: every way in which a request can fail, with one name for answer, header and log */
#ifndef GM_TELEMETRY_FAILURE_H
#define GM_TELEMETRY_FAILURE_H

#include <stdbool.h>

#include "telemetry/grpc_status.h"

/* clang-format off */
/*
 * again     whether the same request, sent anew, may succeed
 * cause     who is told what exactly was wrong: ALL clients, where it is about nothing but their own request;
 *           or LOCAL ones, where it may name addresses, limits and the system's words (proxy.error_details)
 * next step what to try; {backend} = localhost:3000, {host} = localhost, {url} = http://localhost:3000/health
 * gRPC      what a gRPC client gets, with status 200: see telemetry/grpc_status.h
 * Where an answer has begun, or nobody is left to read it, the status is only counted.
 *
 *    name                     status label                      gRPC                Proxy-Status (RFC 9209, 2.3) again  cause  sentence for the client, next step */
#define GM_FAILURES(X) \
    X(BAD_REQUEST,             400, "bad_request",             INTERNAL,           "http_request_error",        false, ALL,   "the request cannot be understood", "the same request with curl -v, which shows what is sent") \
    X(ACCESS_DENIED,           403, "access_denied",           PERMISSION_DENIED,  "http_request_denied",       false, LOCAL, "this client may not ask for this", "another address, or the policy access that the cause names") \
    X(NO_ROUTE,                404, "no_route",                UNIMPLEMENTED,      "destination_not_found",     false, LOCAL, "no route matches this request", "a route for it, or proxy.backend for all other requests") \
    X(REQUEST_TIMEOUT,         408, "request_timeout",         DEADLINE_EXCEEDED,  "http_request_error",        true,  ALL,   "the request did not arrive in time", "a longer proxy.timeout.read_timeout, if the client is only slow") \
    X(PAYLOAD_TOO_LARGE,       413, "payload_too_large",       RESOURCE_EXHAUSTED, "http_request_error",        false, LOCAL, "the request body is larger than this proxy allows", "a larger proxy.limits.max_request_body") \
    X(URI_TOO_LONG,            414, "uri_too_long",            RESOURCE_EXHAUSTED, "http_request_error",        false, ALL,   "the request's target is longer than this proxy allows", "a larger proxy.limits.max_target") \
    X(EXPECTATION_FAILED,      417, "expectation_failed",      INTERNAL,           "http_request_error",        false, ALL,   "only 100-continue can be expected", "the request without its Expect field") \
    X(HEADER_TOO_LARGE,        431, "header_too_large",        RESOURCE_EXHAUSTED, "http_request_error",        false, ALL,   "the request's head is larger than this proxy allows", "a larger proxy.limits.max_head, max_field or max_fields") \
    X(CLIENT_GONE,             499, "client_gone",             CANCELLED,          "connection_terminated",     true,  LOCAL, "the client left before its answer", "nothing, for clients may leave") \
    X(CLIENT_STALLED,          499, "client_stalled",          CANCELLED,          "connection_write_timeout",  true,  LOCAL, "the client took no bytes of its answer", "a longer proxy.timeout.write_timeout, if the client is only slow") \
    X(INTERNAL,                500, "internal",                INTERNAL,           "proxy_internal_error",      false, LOCAL, "the proxy made a mistake", "the proxy's log") \
    X(NOT_IMPLEMENTED,         501, "not_implemented",         UNIMPLEMENTED,      "http_request_denied",       false, ALL,   "the proxy does not serve this method", "another method") \
    X(VERSION_NOT_SUPPORTED,   505, "version_not_supported",   INTERNAL,           "http_request_error",        false, ALL,   "the proxy does not speak this version of HTTP", "HTTP/1.1") \
    X(CONNECT_REFUSED,         502, "connect_refused",         UNAVAILABLE,        "connection_refused",        true,  LOCAL, "the backend refused the connection", "curl {url}") \
    X(CONNECT_FAILED,          502, "connect_failed",          UNAVAILABLE,        "destination_ip_unroutable", true,  LOCAL, "the backend cannot be reached", "curl {url}") \
    X(CONNECTION_RESET,        502, "connection_reset",        UNAVAILABLE,        "connection_terminated",     true,  LOCAL, "the backend reset the connection", "curl -v {url}") \
    X(CONNECTION_TERMINATED,   502, "connection_terminated",   UNAVAILABLE,        "connection_terminated",     true,  LOCAL, "the backend closed the connection before it answered", "curl -v {url}") \
    X(RESPONSE_MALFORMED,      502, "response_malformed",      INTERNAL,           "http_protocol_error",       false, LOCAL, "the backend's answer is not valid HTTP", "curl -v {url}") \
    X(RESPONSE_TRUNCATED,      502, "response_truncated",      UNAVAILABLE,        "http_response_incomplete",  true,  LOCAL, "the backend broke off within its answer", "curl -v {url}") \
    X(STREAM_RESET,            502, "stream_reset",            INTERNAL,           "http_response_incomplete",  true,  LOCAL, "the backend reset the stream of this request", "the backend's log") \
    X(PROTOCOL_MISMATCH,       502, "protocol_mismatch",       UNAVAILABLE,        "http_protocol_error",       false, LOCAL, "the backend does not speak the HTTP version that it is configured for", "protocol: http1 for this backend") \
    X(DNS_FAILED,              502, "dns_failed",              UNAVAILABLE,        "dns_error",                 true,  LOCAL, "the backend's name cannot be resolved", "getent hosts {host}") \
    X(TLS_HANDSHAKE_FAILED,    502, "tls_handshake_failed",    UNAVAILABLE,        "tls_protocol_error",        true,  LOCAL, "the TLS handshake with the backend failed", "openssl s_client -connect {backend}") \
    X(TLS_CERTIFICATE_INVALID, 502, "tls_certificate_invalid", UNAVAILABLE,        "tls_certificate_error",     false, LOCAL, "the backend's certificate is not trusted", "openssl s_client -connect {backend}") \
    X(OVERLOADED,              503, "overloaded",              UNAVAILABLE,        "connection_limit_reached",  true,  LOCAL, "the proxy has no room for this request at the moment", "again in a second, or more room in what the cause names") \
    X(STREAM_REFUSED,          503, "stream_refused",          UNAVAILABLE,        "connection_limit_reached",  true,  LOCAL, "the backend refused the request before it looked at it", "again in a second, or the backend's limit of streams") \
    X(NO_ENDPOINT,             503, "no_endpoint",             UNAVAILABLE,        "destination_unavailable",   true,  LOCAL, "the backend's name has no address", "getent ahosts {host}") \
    X(DRAINING,                503, "draining",                UNAVAILABLE,        "proxy_internal_response",   true,  LOCAL, "the proxy is shutting down", "again in a second, or a longer proxy.timeout.shutdown_timeout") \
    X(CONNECT_TIMEOUT,         504, "connect_timeout",         UNAVAILABLE,        "connection_timeout",        true,  LOCAL, "the backend did not accept the connection in time", "curl {url}, or a longer proxy.timeout.connect_timeout") \
    X(RESPONSE_TIMEOUT,        504, "response_timeout",        DEADLINE_EXCEEDED,  "http_response_timeout",     true,  LOCAL, "the backend did not answer in time", "curl {url}, or a longer proxy.timeout.read_timeout") \
    X(REQUEST_TOTAL_TIMEOUT,   504, "request_total_timeout",   DEADLINE_EXCEEDED,  "http_response_timeout",     true,  LOCAL, "the answer took longer than this proxy allows", "curl {url}, or a longer proxy.timeout.request_timeout") \
    X(DEADLINE_EXCEEDED,       504, "deadline_exceeded",       DEADLINE_EXCEEDED,  "http_response_timeout",     false, ALL,   "the deadline that the client gave is over", "a longer deadline; where the time went is in the request's line of the log") \
    X(TUNNEL_IDLE_TIMEOUT,     504, "tunnel_idle_timeout",     UNAVAILABLE,        "connection_read_timeout",   true,  LOCAL, "neither side of the tunnel said a word", "a longer proxy.timeout.tunnel_idle_timeout")
/* clang-format on */

typedef enum gm_failure {
#define GM_FAILURE_NAME(name, ...) GM_FAILURE_##name,
    GM_FAILURES(GM_FAILURE_NAME)
#undef GM_FAILURE_NAME
        GM_FAILURE_COUNT
} gm_failure_t;

/** Who is told the cause of a failure, beside the log. */
typedef enum gm_failure_cause { GM_FAILURE_CAUSE_LOCAL, GM_FAILURE_CAUSE_ALL } gm_failure_cause_t;

typedef struct gm_failure_row {
    int status;
    const char *label; /* the one word: in the answer, in the log, in metrics */
    gm_grpc_status_t grpc;
    const char *proxy_status; /* error type of RFC 9209 */
    bool is_retryable;
    gm_failure_cause_t cause;
    const char *sentence;  /* without names or addresses: clients may read it */
    const char *next_step; /* with {backend}, {host} and {url}; telemetry/problem fills them in */
} gm_failure_row_t;

/** The row of a failure; static. */
const gm_failure_row_t *gm_failure_row(gm_failure_t failure);

/** The reason phrase of a status that GoMesh itself answers with. */
const char *gm_failure_reason_phrase(int status);

#endif
