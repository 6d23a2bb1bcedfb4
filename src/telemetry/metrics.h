/* metrics: what is counted, for Prometheus; a shard per worker, summed when somebody asks */
#ifndef GM_TELEMETRY_METRICS_H
#define GM_TELEMETRY_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/counter.h"
#include "base/memory.h"
#include "telemetry/offence.h"
#include "telemetry/record.h"

/* clang-format off */
/*
 * COUNTER, GAUGE, HISTOGRAM; what they count: ONE = things, TIME = seconds, kept in nanoseconds. Labels are a row
 * of GM_METRIC_LABELS in metrics_rows.c. Whose numbers they are:
 *   REQUESTS  gm_metrics_record's, worker by worker          CONNECTIONS  the gm_metrics_count_… functions', likewise
 *   GIVEN     gm_metrics_set's, for the whole process        PROCESS      the kernel's, asked when somebody renders
 *
 *    name                      name for others                            type       unit  labels          whose        help */
#define GM_METRICS(X) \
    X(REQUESTS,                 "gomesh_requests_total",                   COUNTER,   ONE,  SERVICE_STATUS, REQUESTS,    "Requests that are over, by the class of their status.") \
    X(REQUEST_DURATION,         "gomesh_request_duration_seconds",         HISTOGRAM, TIME, SERVICE,        REQUESTS,    "From a request's first byte to the last of its answer.") \
    X(IN_FLIGHT,                "gomesh_requests_in_flight",               GAUGE,     ONE,  NONE,           REQUESTS,    "Requests that are being served.") \
    X(ERRORS,                   "gomesh_errors_total",                     COUNTER,   ONE,  SERVICE_ERROR,  REQUESTS,    "Requests that failed, by the failure that answer and log name.") \
    X(ROUTE_REQUESTS,           "gomesh_route_requests_total",             COUNTER,   ONE,  ROUTE,          REQUESTS,    "Requests that are over; failure is empty where there was none.") \
    X(GRPC_REQUESTS,            "gomesh_grpc_requests_total",              COUNTER,   ONE,  GRPC,           REQUESTS,    "gRPC requests that are over, by the status that their client got.") \
    X(UPSTREAM_CONNECT,         "gomesh_upstream_connect_seconds",         HISTOGRAM, TIME, CLUSTER,        REQUESTS,    "Name look-up, connection and TLS handshake, of requests that made a connection.") \
    X(UPSTREAM_FIRST_BYTE,      "gomesh_upstream_first_byte_seconds",      HISTOGRAM, TIME, CLUSTER,        REQUESTS,    "From the last byte sent to the first of the answer, of requests that a backend answered.") \
    X(UPSTREAM,                 "gomesh_upstream_seconds",                 HISTOGRAM, TIME, CLUSTER,        REQUESTS,    "From the first byte sent to the last of the answer, of requests that a backend answered.") \
    X(OVERHEAD,                 "gomesh_overhead_seconds",                 HISTOGRAM, TIME, NONE,           REQUESTS,    "The proxy's own part of a request: policies and the choice of a route.") \
    X(UPSTREAM_CONNECTIONS,     "gomesh_upstream_connections_total",       COUNTER,   ONE,  CLUSTER_RESULT, REQUESTS,    "Requests by the connection of their last try: reused, new, or failed to be made.") \
    X(UPSTREAM_RETRIES,         "gomesh_upstream_retries_total",           COUNTER,   ONE,  CLUSTER,        REQUESTS,    "Tries beyond the first.") \
    X(UPSTREAM_IDLE,            "gomesh_upstream_connections_idle",        GAUGE,     ONE,  CLUSTER,        CONNECTIONS, "Connections to backends that wait for a request.") \
    X(BYTES,                    "gomesh_bytes_total",                      COUNTER,   ONE,  DIRECTION,      REQUESTS,    "Bytes of bodies, from clients (in) and to clients (out), of requests that are over.") \
    X(CONNECTIONS,              "gomesh_connections_total",                COUNTER,   ONE,  LISTENER,       CONNECTIONS, "Connections from clients.") \
    X(CONNECTIONS_OPEN,         "gomesh_connections_open",                 GAUGE,     ONE,  LISTENER,       CONNECTIONS, "Connections from clients that are open.") \
    X(TLS_HANDSHAKES,           "gomesh_tls_handshakes_total",             COUNTER,   ONE,  HANDSHAKE,      CONNECTIONS, "TLS handshakes with clients.") \
    X(HTTP2_OFFENCES,           "gomesh_http2_offences_total",             COUNTER,   ONE,  OFFENCE,        CONNECTIONS, "Connections of HTTP/2 that were ended for what their clients did.") \
    X(HTTP2_RESETS,             "gomesh_http2_streams_reset_total",        COUNTER,   ONE,  RESET,          CONNECTIONS, "Requests of HTTP/2 whose stream was reset, by whom, and with which error code.") \
    X(LOOP_LAG,                 "gomesh_loop_lag_seconds",                 GAUGE,     TIME, WORKER,         CONNECTIONS, "The longest round of a worker's event loop in the last seconds.") \
    X(LOG_DROPPED,              "gomesh_log_dropped_total",                COUNTER,   ONE,  NONE,           GIVEN,       "Log lines that were dropped because their reader was too slow.") \
    X(SPANS_EXPORTED,           "gomesh_spans_exported_total",             COUNTER,   ONE,  NONE,           GIVEN,       "Spans that the collector of tracing.otlp has taken.") \
    X(SPANS_DROPPED,            "gomesh_spans_dropped_total",              COUNTER,   ONE,  NONE,           GIVEN,       "Spans that were dropped because the collector was slow, away, or did not want them.") \
    X(CONFIG_GENERATION,        "gomesh_config_generation",                GAUGE,     ONE,  NONE,           GIVEN,       "Number of the configuration in use, counted from 1.") \
    X(CRASHES,                  "gomesh_crashes_total",                    COUNTER,   ONE,  NONE,           GIVEN,       "Processes that ended without being asked to, and were started anew.") \
    X(PROCESS_CPU,              "process_cpu_seconds_total",               COUNTER,   TIME, NONE,           PROCESS,     "Processor time, user and system.") \
    X(PROCESS_RESIDENT_MEMORY,  "process_resident_memory_bytes",           GAUGE,     ONE,  NONE,           PROCESS,     "Memory that is in use.") \
    X(PROCESS_VIRTUAL_MEMORY,   "process_virtual_memory_bytes",            GAUGE,     ONE,  NONE,           PROCESS,     "Memory that is mapped.") \
    X(PROCESS_OPEN_FDS,         "process_open_fds",                        GAUGE,     ONE,  NONE,           PROCESS,     "Open file descriptors.") \
    X(PROCESS_MAX_FDS,          "process_max_fds",                         GAUGE,     ONE,  NONE,           PROCESS,     "File descriptors that may be open at once.") \
    X(PROCESS_START_TIME,       "process_start_time_seconds",              GAUGE,     TIME, NONE,           PROCESS,     "When the process began, in seconds since 1970.") \
    X(BUILD_INFO,               "gomesh_build_info",                       GAUGE,     ONE,  BUILD,          GIVEN,       "Always 1; the labels are of interest.")
/* clang-format on */

typedef enum gm_metric {
#define GM_METRIC_NAME(name, ...) GM_METRIC_##name,
    GM_METRICS(GM_METRIC_NAME)
#undef GM_METRIC_NAME
        GM_METRIC_COUNT
} gm_metric_t;

typedef struct gm_metrics gm_metrics_t;             /* one per process; outlives its workers */
typedef struct gm_metrics_shard gm_metrics_shard_t; /* owned by gm_metrics_t; written by one thread */

typedef struct gm_metrics_options {
    /* Borrowed until gm_metrics_destroy: the pointers that records carry, so that they need not be read.
     * Equal texts share their numbers. */
    const char *const *routes, *const *clusters;
    size_t route_count, cluster_count;
    size_t worker_count;                    /* shards; 1 or more */
    size_t max_series;                      /* per metric, beside "other"; 1 or more */
    const char *version, *libh2o, *openssl; /* static; for gomesh_build_info; NULL = unknown */
} gm_metrics_options_t;

/** Main thread. */
GM_MUST_USE gm_metrics_t *gm_metrics_create(const gm_metrics_options_t *options);
/** Nobody writes or renders any more. Accepts NULL. */
void gm_metrics_destroy(gm_metrics_t *self);

/** @param worker  below worker_count, and the value of the label `worker` */
gm_metrics_shard_t *gm_metrics_shard(gm_metrics_t *self, size_t worker);

/* ---- by the thread whose shard it is; no locks, no allocation */

/** A request begins: it is in flight until gm_metrics_record. */
void gm_metrics_begin(gm_metrics_shard_t *self);

/** The request that began is over. Times are left out where nobody wanted to know them (began_ns = 0). */
void gm_metrics_record(gm_metrics_shard_t *self, const gm_record_t *record);

/** The request that began is none that counts. */
void gm_metrics_cancel(gm_metrics_shard_t *self);

typedef enum gm_metrics_listener { GM_METRICS_HTTP, GM_METRICS_HTTPS } gm_metrics_listener_t;

/** A connection from a client is accepted, or gone. */
void gm_metrics_count_open(gm_metrics_shard_t *self, gm_metrics_listener_t listener);
void gm_metrics_count_close(gm_metrics_shard_t *self, gm_metrics_listener_t listener);

/** A TLS handshake with a client is over. */
void gm_metrics_count_handshake(gm_metrics_shard_t *self, bool is_ok);

/** A connection of HTTP/2 is ended for this. */
void gm_metrics_count_offence(gm_metrics_shard_t *self, gm_offence_t offence);

/** A stream of HTTP/2 ends before its time. @param code  of RFC 9113, 7; others are counted as one */
void gm_metrics_count_reset(gm_metrics_shard_t *self, bool by_client, uint32_t code);

/** How many connections to a cluster are idle: for its worker to add to, and to keep at hand. */
gm_counter_t *gm_metrics_idle_gauge(gm_metrics_shard_t *self, const char *cluster);

/** The longest round of the event loop in the last seconds. */
void gm_metrics_set_loop_lag(gm_metrics_shard_t *self, uint64_t ns);

/* ---- by any thread */

/** @param metric  one whose numbers are given */
void gm_metrics_set(gm_metrics_t *self, gm_metric_t metric, uint64_t value);

#define GM_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/**
 * Appends the page: Prometheus' text format 0.0.4, families in the order of the table, series in the order of
 * the configuration. No counter is ever smaller than on a page that was made before. Waits for nobody; the
 * numbers of workers that go on counting are those of slightly different moments.
 */
void gm_metrics_render(gm_metrics_t *self, gm_buffer_t *out);

#endif
