/*
 * Counting. Each worker writes numbers of its own, which nobody else writes, so an increment is a load and a
 * store; whoever makes the page (telemetry/metrics_page) reads them as they are. All memory is taken in the
 * beginning; series get their places as they come up, the same place in every shard.
 */
#include "telemetry/metrics.h"

#include <assert.h>
#include <stdlib.h>

#include "telemetry/failure.h"
#include "telemetry/metrics_rows.h"
#include "telemetry/process_facts.h"

#define CACHE_LINE_BYTES 64
#define STATUS_LEFT 499 /* the client was gone before an answer; as in telemetry/failure.h */

/* ---- memory */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void create_series(gm_metrics_t *self)
{
    size_t max = self->options.max_series, clusters = gm_interned_count(self->clusters);

    self->series[GM_METRIC_LABELS_CLUSTER] = gm_series_create(smaller(max, clusters));
    self->series[GM_METRIC_LABELS_SERVICE] = self->series[GM_METRIC_LABELS_CLUSTER];
    self->series[GM_METRIC_LABELS_SERVICE_STATUS] =
        gm_series_create(smaller(max, clusters * GM_METRIC_STATUS_CLASSES));
    self->series[GM_METRIC_LABELS_SERVICE_ERROR] =
        gm_series_create(smaller(max, clusters * GM_FAILURE_COUNT));
    self->series[GM_METRIC_LABELS_CLUSTER_RESULT] =
        gm_series_create(smaller(max, clusters * GM_METRIC_RESULT_COUNT));
    self->series[GM_METRIC_LABELS_ROUTE] = gm_series_create(max);
    self->series[GM_METRIC_LABELS_GRPC] = gm_series_create(max);
    self->grpc_names = gm_grpc_names_create(max);
}

/* Counters of a metric in one shard. */
static size_t count_cells(const gm_metrics_t *self, gm_metric_t metric)
{
    const gm_metric_row_t *row = gm_metric_row(metric);
    size_t series = 1;

    if (row->source == GM_METRIC_OF_GIVEN || row->source == GM_METRIC_OF_PROCESS)
        return 0;
    if (row->labels < GM_METRIC_KEYED_COUNT)
        series = gm_series_max(self->series[row->labels]) + 1;
    else
        series = gm_metric_fixed_count(row->labels);
    return series * gm_metric_stride(metric);
}

static gm_metrics_shard_t *create_shard(gm_metrics_t *metrics, size_t worker)
{
    gm_metrics_shard_t *self = gm_alloc(sizeof(*self));
    size_t cells = 0, padding = CACHE_LINE_BYTES / sizeof(gm_counter_t); /* no line of two workers */
    gm_counter_t *at;

    for (size_t i = 0; i != GM_METRIC_COUNT; ++i)
        cells += count_cells(metrics, (gm_metric_t)i);
    self->metrics = metrics;
    self->memory = gm_alloc((cells + 2 * padding) * sizeof(*at));
    at = self->memory + padding;
    for (size_t i = 0; i != GM_METRIC_COUNT; ++i) {
        self->cells[i] = at;
        at += count_cells(metrics, (gm_metric_t)i);
    }
    self->worker = worker;
    return self;
}

gm_metrics_t *gm_metrics_create(const gm_metrics_options_t *options)
{
    gm_metrics_t *self = gm_alloc(sizeof(*self));

    self->options = *options;
    self->routes = gm_interned_create(options->routes, options->route_count);
    self->clusters = gm_interned_create(options->clusters, options->cluster_count);
    create_series(self);
    self->shards = gm_alloc(options->worker_count * sizeof(gm_metrics_shard_t *));
    for (size_t i = 0; i != options->worker_count; ++i)
        self->shards[i] = create_shard(self, i);
    self->start_time_ns = gm_process_start_time();
    gm_metrics_set(self, GM_METRIC_BUILD_INFO, 1);
    return self;
}

void gm_metrics_destroy(gm_metrics_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i != self->options.worker_count; ++i) {
        free(self->shards[i]->memory);
        free(self->shards[i]);
    }
    free(self->shards);
    for (size_t i = 0; i != GM_METRIC_KEYED_COUNT; ++i)
        if (i != GM_METRIC_LABELS_SERVICE)
            gm_series_destroy(self->series[i]);
    gm_grpc_names_destroy(self->grpc_names);
    gm_interned_destroy(self->routes);
    gm_interned_destroy(self->clusters);
    free(self);
}

gm_metrics_shard_t *gm_metrics_shard(gm_metrics_t *self, size_t worker)
{
    assert(worker < self->options.worker_count);
    return self->shards[worker];
}

void gm_metrics_set(gm_metrics_t *self, gm_metric_t metric, uint64_t value)
{
    assert(gm_metric_row(metric)->source == GM_METRIC_OF_GIVEN);
    gm_counter_set(&self->given[metric], value);
}

/* ---- one request */

/* What the metrics say of a record, looked up once. */
typedef struct request {
    const gm_record_t *record;
    gm_metrics_shard_t *shard;
    uint32_t route, cluster;
    size_t cluster_series;
    unsigned status, failure; /* the latter: one more than gm_failure_t's; 0 = none */
} request_t;

/* A cluster that is called "other", or is not in the list, shares the series of those that found no room. */
static size_t find_cluster_series(const gm_metrics_t *self, uint32_t cluster)
{
    if (cluster == GM_INTERNED_OTHER)
        return GM_SERIES_OTHER;
    return gm_series_find(self->series[GM_METRIC_LABELS_CLUSTER], gm_metric_cluster_key(cluster, 0));
}

static size_t find_series(const request_t *self, gm_metric_labels_t labels, uint64_t key)
{
    return gm_series_find(self->shard->metrics->series[labels], key);
}

static void count(const request_t *self, gm_metric_t metric, size_t series, uint64_t value)
{
    gm_counter_add(&self->shard->cells[metric][series], value);
}

static void observe(const request_t *self, gm_metric_t metric, size_t series, uint64_t ns)
{
    const gm_histogram_bounds_t *bounds = gm_metric_bounds(metric);

    gm_histogram_observe(self->shard->cells[metric] + series * GM_HISTOGRAM_CELLS(bounds->count), bounds, ns);
}

static unsigned status_of(const gm_record_t *record)
{
    if (record->status < 100)
        return STATUS_LEFT;
    return record->status <= 999 ? (unsigned)record->status : 999;
}

static unsigned class_of(unsigned status)
{
    return (unsigned)smaller(status / 100, GM_METRIC_STATUS_CLASSES) - 1;
}

static bool is_of_connecting(int failure)
{
    switch (failure) {
    case GM_FAILURE_CONNECT_REFUSED:
    case GM_FAILURE_CONNECT_FAILED:
    case GM_FAILURE_CONNECT_TIMEOUT:
    case GM_FAILURE_DNS_FAILED:
    case GM_FAILURE_NO_ENDPOINT:
    case GM_FAILURE_TLS_HANDSHAKE_FAILED:
    case GM_FAILURE_TLS_CERTIFICATE_INVALID:
        return true;
    default:
        return false;
    }
}

/* Where an answer had begun when the request failed, its status is not that of the failure. */
static bool has_answer(const gm_record_t *record)
{
    if (record->attempts == 0 || record->status == 0)
        return false;
    if (record->grpc != NULL)
        return !record->grpc->is_ours;
    return record->failure == GM_NO_FAILURE ||
           record->status != gm_failure_row((gm_failure_t)record->failure)->status;
}

static void count_connection(const request_t *self)
{
    const gm_record_t *record = self->record;
    gm_metric_result_t result = is_of_connecting(record->failure) ? GM_METRIC_RESULT_FAILED
                                : record->is_reused               ? GM_METRIC_RESULT_REUSED
                                                                  : GM_METRIC_RESULT_NEW;

    if (record->attempts > 1)
        count(self, GM_METRIC_UPSTREAM_RETRIES, self->cluster_series, record->attempts - 1);
    /* somebody gave up while a connection was being made: neither made nor failed */
    if (result != GM_METRIC_RESULT_FAILED && record->endpoint == NULL)
        return;
    count(self, GM_METRIC_UPSTREAM_CONNECTIONS,
          find_series(self, GM_METRIC_LABELS_CLUSTER_RESULT, gm_metric_cluster_key(self->cluster, result)),
          1);
    if (result == GM_METRIC_RESULT_NEW && record->began_ns != 0)
        observe(self, GM_METRIC_UPSTREAM_CONNECT, self->cluster_series,
                record->phase_ns[GM_PHASE_DNS] + record->phase_ns[GM_PHASE_CONNECT] +
                    record->phase_ns[GM_PHASE_TLS]);
}

static void observe_times(const request_t *self)
{
    const uint64_t *phases = self->record->phase_ns;
    uint64_t first_byte = phases[GM_PHASE_FIRST_BYTE];

    observe(self, GM_METRIC_REQUEST_DURATION, self->cluster_series, gm_record_total_ns(self->record));
    observe(self, GM_METRIC_OVERHEAD, 0, phases[GM_PHASE_ROUTE]);
    if (!has_answer(self->record))
        return;
    observe(self, GM_METRIC_UPSTREAM_FIRST_BYTE, self->cluster_series, first_byte);
    observe(self, GM_METRIC_UPSTREAM, self->cluster_series,
            phases[GM_PHASE_SENT] + first_byte + phases[GM_PHASE_LAST_BYTE]);
}

static void count_request(const request_t *self)
{
    unsigned method = gm_metric_method(&self->record->method);

    count(self, GM_METRIC_REQUESTS,
          find_series(self, GM_METRIC_LABELS_SERVICE_STATUS,
                      gm_metric_cluster_key(self->cluster, class_of(self->status))),
          1);
    count(self, GM_METRIC_ROUTE_REQUESTS,
          find_series(self, GM_METRIC_LABELS_ROUTE,
                      gm_metric_route_key(self->route, self->cluster, method, self->status, self->failure)),
          1);
    if (self->failure != 0)
        count(self, GM_METRIC_ERRORS,
              find_series(self, GM_METRIC_LABELS_SERVICE_ERROR,
                          gm_metric_cluster_key(self->cluster, self->failure - 1)),
              1);
    count(self, GM_METRIC_BYTES, 0, self->record->bytes_in);
    count(self, GM_METRIC_BYTES, 1, self->record->bytes_out);
}

/* Only what a backend has answered, and knows, is known to exist. */
static void count_grpc(const request_t *self, const gm_record_grpc_t *grpc)
{
    bool is_real =
        self->failure == 0 && !grpc->is_ours && !grpc->is_missing && grpc->status != GM_GRPC_UNIMPLEMENTED;
    uint32_t number = gm_grpc_names_find(self->shard->metrics->grpc_names, grpc, is_real);

    count(self, GM_METRIC_GRPC_REQUESTS,
          find_series(self, GM_METRIC_LABELS_GRPC, gm_metric_grpc_key(number, grpc->status)), 1);
}

void gm_metrics_begin(gm_metrics_shard_t *self)
{
    gm_counter_add(&self->cells[GM_METRIC_IN_FLIGHT][0], 1);
}

void gm_metrics_cancel(gm_metrics_shard_t *self)
{
    gm_counter_add(&self->cells[GM_METRIC_IN_FLIGHT][0], (uint64_t)-1);
}

void gm_metrics_record(gm_metrics_shard_t *self, const gm_record_t *record)
{
    request_t request = {.record = record, .shard = self};

    request.route = gm_interned_find(self->metrics->routes, record->route);
    request.cluster = gm_interned_find(self->metrics->clusters, record->cluster);
    request.cluster_series = find_cluster_series(self->metrics, request.cluster);
    request.status = status_of(record);
    request.failure = (unsigned)(record->failure - GM_NO_FAILURE);
    count_request(&request);
    if (record->grpc != NULL)
        count_grpc(&request, record->grpc);
    if (record->attempts != 0)
        count_connection(&request);
    if (record->began_ns != 0)
        observe_times(&request);
    gm_metrics_cancel(self);
}

/* ---- what is not about requests */

void gm_metrics_count_open(gm_metrics_shard_t *self, gm_metrics_listener_t listener)
{
    gm_counter_add(&self->cells[GM_METRIC_CONNECTIONS][listener], 1);
    gm_counter_add(&self->cells[GM_METRIC_CONNECTIONS_OPEN][listener], 1);
}

void gm_metrics_count_close(gm_metrics_shard_t *self, gm_metrics_listener_t listener)
{
    gm_counter_add(&self->cells[GM_METRIC_CONNECTIONS_OPEN][listener], (uint64_t)-1);
}

void gm_metrics_count_handshake(gm_metrics_shard_t *self, bool is_ok)
{
    gm_counter_add(&self->cells[GM_METRIC_TLS_HANDSHAKES][is_ok ? 0 : 1], 1);
}

void gm_metrics_count_offence(gm_metrics_shard_t *self, gm_offence_t offence)
{
    gm_counter_add(&self->cells[GM_METRIC_HTTP2_OFFENCES][offence], 1);
}

void gm_metrics_count_reset(gm_metrics_shard_t *self, bool by_client, uint32_t code)
{
    gm_counter_add(&self->cells[GM_METRIC_HTTP2_RESETS][gm_metric_reset(by_client, code)], 1);
}

gm_counter_t *gm_metrics_idle_gauge(gm_metrics_shard_t *self, const char *cluster)
{
    const gm_metrics_t *metrics = self->metrics;
    size_t series = find_cluster_series(metrics, gm_interned_find(metrics->clusters, cluster));

    return &self->cells[GM_METRIC_UPSTREAM_IDLE][series];
}

void gm_metrics_set_loop_lag(gm_metrics_shard_t *self, uint64_t ns)
{
    gm_counter_set(&self->cells[GM_METRIC_LOOP_LAG][0], ns);
}
