/* failure: every way in which a request can fail, with one name for answer, header and log */
#ifndef GM_TELEMETRY_FAILURE_H
#define GM_TELEMETRY_FAILURE_H

#include <stdbool.h>

/* clang-format off */
/*    name                  status  label                    Proxy-Status (RFC 9209, 2.3)   sentence for the client */
#define GM_FAILURES(X) \
    X(BAD_REQUEST,          400, "bad_request",           "http_request_error",        "the request cannot be understood") \
    X(NO_ROUTE,             404, "no_route",              "destination_not_found",     "no route matches this request") \
    X(REQUEST_TIMEOUT,      408, "request_timeout",       "http_request_error",        "the request did not arrive in time") \
    X(PAYLOAD_TOO_LARGE,    413, "payload_too_large",     "http_request_error",        "the request body is larger than this proxy allows") \
    X(URI_TOO_LONG,         414, "uri_too_long",          "http_request_error",        "the request's target is longer than this proxy allows") \
    X(HEADER_TOO_LARGE,     431, "header_too_large",      "http_request_error",        "the request's head is larger than this proxy allows") \
    X(CLIENT_GONE,          499, "client_gone",           "connection_terminated",     "the client left before its answer") \
    X(EXPECTATION_FAILED,   417, "expectation_failed",    "http_request_error",        "only 100-continue can be expected") \
    X(INTERNAL,             500, "internal",              "proxy_internal_error",      "the proxy made a mistake") \
    X(NOT_IMPLEMENTED,      501, "not_implemented",       "http_request_denied",       "the proxy does not serve this method") \
    X(CONNECT_REFUSED,      502, "connect_refused",       "connection_refused",        "the backend refused the connection") \
    X(CONNECT_FAILED,       502, "connect_failed",        "destination_ip_unroutable", "the backend cannot be reached") \
    X(CONNECTION_RESET,     502, "connection_reset",      "connection_terminated",     "the backend reset the connection") \
    X(CONNECTION_TERMINATED, 502, "connection_terminated", "connection_terminated",    "the backend closed the connection before it answered") \
    X(RESPONSE_MALFORMED,   502, "response_malformed",    "http_protocol_error",       "the backend's answer is not valid HTTP") \
    X(DNS_FAILED,           502, "dns_failed",            "dns_error",                 "the backend's name cannot be resolved") \
    X(CONNECT_TIMEOUT,      504, "connect_timeout",       "connection_timeout",        "the backend did not accept the connection in time") \
    X(RESPONSE_TIMEOUT,     504, "response_timeout",      "http_response_timeout",     "the backend did not answer in time") \
    X(REQUEST_TOTAL_TIMEOUT, 504, "request_total_timeout", "http_response_timeout",    "the answer took longer than this proxy allows")
/* clang-format on */

typedef enum gm_failure {
#define GM_FAILURE_NAME(name, status, label, proxy_status, sentence) GM_FAILURE_##name,
    GM_FAILURES(GM_FAILURE_NAME)
#undef GM_FAILURE_NAME
        GM_FAILURE_COUNT
} gm_failure_t;

typedef struct gm_failure_row {
    int status;
    const char *label;        /* the one word: in the answer, in the log, in metrics */
    const char *proxy_status; /* error type of RFC 9209 */
    const char *sentence;     /* without names or addresses: clients may read it */
} gm_failure_row_t;

/** The row of a failure; static. */
const gm_failure_row_t *gm_failure_row(gm_failure_t failure);

/** The reason phrase of a status that GoMesh itself answers with. */
const char *gm_failure_reason_phrase(int status);

#endif
