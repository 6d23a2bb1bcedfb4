/* metrics_rows: the table of metrics as data, and how numbers lie in memory; for metrics and metrics_page */
#ifndef GM_TELEMETRY_METRICS_ROWS_H
#define GM_TELEMETRY_METRICS_ROWS_H

#include "base/histogram.h"
#include "telemetry/grpc_names.h"
#include "telemetry/interned.h"
#include "telemetry/metrics.h"
#include "telemetry/prometheus.h"
#include "telemetry/series.h"

#define GM_METRIC_LABELS_MAX 5

typedef enum gm_metric_unit { GM_METRIC_UNIT_ONE, GM_METRIC_UNIT_TIME } gm_metric_unit_t;

typedef enum gm_metric_source {
    GM_METRIC_OF_REQUESTS,
    GM_METRIC_OF_CONNECTIONS,
    GM_METRIC_OF_GIVEN,
    GM_METRIC_OF_PROCESS
} gm_metric_source_t;

/* What tells a metric's series apart. The first ones are combinations that come up as requests do. */
typedef enum gm_metric_labels {
    GM_METRIC_LABELS_CLUSTER,
    GM_METRIC_LABELS_SERVICE, /* the same numbers as CLUSTER's */
    GM_METRIC_LABELS_SERVICE_STATUS,
    GM_METRIC_LABELS_SERVICE_ERROR,
    GM_METRIC_LABELS_CLUSTER_RESULT,
    GM_METRIC_LABELS_ROUTE,
    GM_METRIC_LABELS_GRPC,
    GM_METRIC_KEYED_COUNT,
    /* from here on the series are known beforehand */
    GM_METRIC_LABELS_NONE = GM_METRIC_KEYED_COUNT,
    GM_METRIC_LABELS_DIRECTION,
    GM_METRIC_LABELS_LISTENER,
    GM_METRIC_LABELS_HANDSHAKE,
    GM_METRIC_LABELS_OFFENCE,
    GM_METRIC_LABELS_RESET,
    GM_METRIC_LABELS_WORKER,
    GM_METRIC_LABELS_BUILD,
    GM_METRIC_LABELS_COUNT
} gm_metric_labels_t;

typedef struct gm_metric_row {
    const char *name, *help;
    gm_prometheus_type_t type;
    gm_metric_unit_t unit;
    gm_metric_labels_t labels;
    gm_metric_source_t source;
} gm_metric_row_t;

/** Static, as all below. */
const gm_metric_row_t *gm_metric_row(gm_metric_t metric);

/** Names of the labels, ended by NULL where they are fewer than GM_METRIC_LABELS_MAX. */
const char *const *gm_metric_label_names(gm_metric_labels_t labels);

/** Series of a metric whose labels have a known set of words; 1 where there are none. */
size_t gm_metric_fixed_count(gm_metric_labels_t labels);

/** Their words. @param values  of GM_METRIC_LABELS_MAX; static texts */
void gm_metric_fixed_values(gm_metric_labels_t labels, size_t series, const char **values);

/** Whether series are shown only once there is something in them, for there are many. */
static inline bool gm_metric_is_sparse(gm_metric_labels_t labels)
{
    return labels == GM_METRIC_LABELS_OFFENCE || labels == GM_METRIC_LABELS_RESET;
}

/** The series of a reset stream. */
size_t gm_metric_reset(bool by_client, uint32_t code);

/* Of what others do, and of what GoMesh does itself. */
extern const gm_histogram_bounds_t gm_metric_bounds_of_waits, gm_metric_bounds_of_work;

/** Of a histogram. */
static inline const gm_histogram_bounds_t *gm_metric_bounds(gm_metric_t metric)
{
    return metric == GM_METRIC_OVERHEAD ? &gm_metric_bounds_of_work : &gm_metric_bounds_of_waits;
}

/** Counters per series. */
size_t gm_metric_stride(gm_metric_t metric);

/* the label `result` of connections to backends, `status`, `method` */
typedef enum gm_metric_result {
    GM_METRIC_RESULT_REUSED,
    GM_METRIC_RESULT_NEW,
    GM_METRIC_RESULT_FAILED,
    GM_METRIC_RESULT_COUNT
} gm_metric_result_t;

#define GM_METRIC_STATUS_CLASSES 5 /* 1xx to 5xx */
#define GM_METRIC_METHODS 10       /* the last is "other" */

const char *gm_metric_result_text(unsigned result);
const char *gm_metric_class_text(unsigned status_class);
const char *gm_metric_method_text(unsigned method);
unsigned gm_metric_method(const gm_record_text_t *method);

/* A combination as a number, in the order of the page. Those of a cluster alone have detail 0. */
static inline uint64_t gm_metric_cluster_key(uint32_t cluster, unsigned detail)
{
    return (uint64_t)1 << 32 | cluster << 8 | detail; /* 0 is no key */
}

static inline uint32_t gm_metric_cluster_key_cluster(uint64_t key)
{
    return key >> 8 & 0xffff;
}

static inline unsigned gm_metric_cluster_key_detail(uint64_t key)
{
    return key & 0xff;
}

/** The same for a method of gRPC's. @param number  of gm_grpc_names_find */
static inline uint64_t gm_metric_grpc_key(uint32_t number, gm_grpc_status_t status)
{
    return gm_metric_cluster_key(number, status);
}

/**
 * @param code     of the answer, 100 to 999
 * @param failure  one more than gm_failure_t's; 0 = none
 */
static inline uint64_t gm_metric_route_key(uint32_t route, uint32_t cluster, unsigned method, unsigned code,
                                           unsigned failure)
{
    return (uint64_t)route << 48 | (uint64_t)cluster << 32 | (uint64_t)method << 24 | code << 8 | failure;
}

static inline uint32_t gm_metric_route_key_route(uint64_t key)
{
    return key >> 48;
}

static inline uint32_t gm_metric_route_key_cluster(uint64_t key)
{
    return key >> 32 & 0xffff;
}

static inline unsigned gm_metric_route_key_method(uint64_t key)
{
    return key >> 24 & 0xff;
}

static inline unsigned gm_metric_route_key_code(uint64_t key)
{
    return key >> 8 & 0xffff;
}

static inline unsigned gm_metric_route_key_failure(uint64_t key)
{
    return key & 0xff;
}

struct gm_metrics_shard {
    gm_metrics_t *metrics; /* borrowed */
    size_t worker;
    gm_counter_t *memory;                 /* owned */
    gm_counter_t *cells[GM_METRIC_COUNT]; /* within it: series × gm_metric_stride */
};

struct gm_metrics {
    /* immutable */
    gm_metrics_options_t options;
    gm_interned_t *routes, *clusters;           /* owned */
    gm_grpc_names_t *grpc_names;                /* owned */
    gm_series_t *series[GM_METRIC_KEYED_COUNT]; /* owned; SERVICE's is CLUSTER's */
    gm_metrics_shard_t **shards;                /* owned */
    uint64_t start_time_ns;                     /* GM_PROCESS_UNKNOWN */
    /* atomic */
    gm_counter_t given[GM_METRIC_COUNT];
};

#endif
