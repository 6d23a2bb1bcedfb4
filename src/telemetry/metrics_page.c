/*
 * The page of metrics: the table from top to bottom, the shards' numbers summed. On whatever thread is asked
 * for it, while workers go on counting; it reads only, so any number of threads may make one at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/failure.h"
#include "telemetry/metrics_rows.h"
#include "telemetry/process_facts.h"

#define CELLS_MAX 16

typedef struct entry {
    uint64_t key;
    size_t number;
} entry_t;

typedef struct page {
    gm_metrics_t *metrics; /* borrowed */
    gm_buffer_t *out;      /* borrowed */
    gm_buffer_t labels;    /* of the series at hand */
    /* of combinations, in the page's order; owned; the one for all that found no room is not among them */
    entry_t *entries[GM_METRIC_KEYED_COUNT];
    size_t entry_counts[GM_METRIC_KEYED_COUNT];
    gm_process_facts_t facts;
} page_t;

/* ---- series */

static int compare_entries(const void *a, const void *b)
{
    uint64_t x = ((const entry_t *)a)->key, y = ((const entry_t *)b)->key;

    return x < y ? -1 : x > y;
}

/* The numbers go by who came first, and differ from run to run; keys go by the configuration. */
static void sort_series(page_t *self, gm_metric_labels_t labels)
{
    const gm_series_t *series = self->metrics->series[labels];
    size_t count = gm_series_count(series);
    entry_t *entries = gm_alloc(count * sizeof(*entries));

    for (size_t i = 0; i != count; ++i)
        entries[i] = (entry_t){gm_series_key(series, i + 1), i + 1};
    qsort(entries, count, sizeof(*entries), compare_entries);
    self->entries[labels] = entries;
    self->entry_counts[labels] = count;
}

/* ---- labels */

static void set_labels(page_t *self, gm_metric_labels_t labels, const char *const *values)
{
    const char *const *names = gm_metric_label_names(labels);

    self->labels.length = 0;
    for (size_t i = 0; i != GM_METRIC_LABELS_MAX && names[i] != NULL; ++i)
        gm_prometheus_append_label(&self->labels, names[i], values[i] != NULL ? values[i] : "");
}

/* Of combinations with a cluster: the second label's word. */
static const char *detail_text(gm_metric_labels_t labels, unsigned detail)
{
    switch (labels) {
    case GM_METRIC_LABELS_SERVICE_STATUS:
        return gm_metric_class_text(detail);
    case GM_METRIC_LABELS_SERVICE_ERROR:
        return gm_failure_row((gm_failure_t)detail)->label;
    case GM_METRIC_LABELS_CLUSTER_RESULT:
        return gm_metric_result_text(detail);
    default:
        return "";
    }
}

static void set_labels_of_key(page_t *self, gm_metric_labels_t labels, uint64_t key)
{
    const gm_metrics_t *metrics = self->metrics;

    if (labels == GM_METRIC_LABELS_ROUTE) {
        unsigned failure = gm_metric_route_key_failure(key);
        char code[8];
        const char *const values[] = {gm_interned_text(metrics->routes, gm_metric_route_key_route(key)),
                                      gm_interned_text(metrics->clusters, gm_metric_route_key_cluster(key)),
                                      gm_metric_method_text(gm_metric_route_key_method(key)), code,
                                      failure != 0 ? gm_failure_row((gm_failure_t)(failure - 1))->label : ""};
        snprintf(code, sizeof(code), "%u", gm_metric_route_key_code(key));
        set_labels(self, labels, values);
    } else if (labels == GM_METRIC_LABELS_GRPC) {
        uint32_t number = gm_metric_cluster_key_cluster(key);
        const char *const values[] = {
            gm_grpc_names_service(metrics->grpc_names, number),
            gm_grpc_names_method(metrics->grpc_names, number),
            gm_grpc_status_name((gm_grpc_status_t)gm_metric_cluster_key_detail(key))};
        set_labels(self, labels, values);
    } else {
        const char *const values[] = {gm_interned_text(metrics->clusters, gm_metric_cluster_key_cluster(key)),
                                      detail_text(labels, gm_metric_cluster_key_detail(key))};
        set_labels(self, labels, values);
    }
}

/* ---- samples */

/* Gauges are moved up and down, and seen between the two by chance. */
static uint64_t not_negative(uint64_t value)
{
    return value > INT64_MAX ? 0 : value;
}

static void write_sample(page_t *self, const gm_metric_row_t *row, uint64_t value)
{
    if (row->type == GM_PROMETHEUS_GAUGE)
        value = not_negative(value);
    if (row->unit == GM_METRIC_UNIT_TIME)
        gm_prometheus_write_seconds(self->out, row->name, &self->labels, value);
    else
        gm_prometheus_write_number(self->out, row->name, &self->labels, value);
}

/* One series of all shards together. @return whether any of its cells is not zero */
static bool sum_cells(const page_t *self, gm_metric_t metric, size_t series, uint64_t *sums)
{
    size_t stride = gm_metric_stride(metric);
    uint64_t any = 0;

    memset(sums, 0, stride * sizeof(*sums));
    for (size_t i = 0; i != self->metrics->options.worker_count; ++i) {
        const gm_counter_t *cells = self->metrics->shards[i]->cells[metric] + series * stride;
        for (size_t j = 0; j != stride; ++j)
            sums[j] += gm_counter_read(&cells[j]);
    }
    for (size_t j = 0; j != stride; ++j)
        any |= sums[j];
    return any != 0;
}

static void write_sums(page_t *self, gm_metric_t metric, const uint64_t *sums)
{
    const gm_metric_row_t *row = gm_metric_row(metric);

    if (row->type == GM_PROMETHEUS_HISTOGRAM)
        gm_prometheus_write_histogram(self->out, row->name, &self->labels, gm_metric_bounds(metric), sums);
    else
        write_sample(self, row, sums[0]);
}

static void write_combinations(page_t *self, gm_metric_t metric)
{
    static const char *const others[GM_METRIC_LABELS_MAX] = {"other", "other", "other", "other", "other"};
    gm_metric_labels_t labels = gm_metric_row(metric)->labels;
    const gm_series_t *series = self->metrics->series[labels];
    uint64_t sums[CELLS_MAX];

    for (size_t i = 0; i != self->entry_counts[labels]; ++i) {
        const entry_t *entry = &self->entries[labels][i];
        bool is_known = sum_cells(self, metric, entry->number, sums);
        /* most of what a cluster has, "none" has not */
        if (!is_known && entry->key == gm_metric_cluster_key(GM_INTERNED_NONE, 0))
            continue;
        set_labels_of_key(self, labels, entry->key);
        write_sums(self, metric, sums);
    }
    if (sum_cells(self, metric, GM_SERIES_OTHER, sums) || gm_series_has_other(series)) {
        set_labels(self, labels, others);
        write_sums(self, metric, sums);
    }
}

static void write_fixed(page_t *self, gm_metric_t metric)
{
    gm_metric_labels_t labels = gm_metric_row(metric)->labels;
    const char *values[GM_METRIC_LABELS_MAX] = {NULL};
    uint64_t sums[CELLS_MAX];

    for (size_t i = 0; i != gm_metric_fixed_count(labels); ++i) {
        if (!sum_cells(self, metric, i, sums) && gm_metric_is_sparse(labels))
            continue;
        gm_metric_fixed_values(labels, i, values);
        set_labels(self, labels, values);
        write_sums(self, metric, sums);
    }
}

static void write_workers(page_t *self, gm_metric_t metric)
{
    for (size_t i = 0; i != self->metrics->options.worker_count; ++i) {
        char worker[24];
        const char *value = worker;
        snprintf(worker, sizeof(worker), "%zu", i);
        set_labels(self, GM_METRIC_LABELS_WORKER, &value);
        write_sample(self, gm_metric_row(metric), gm_counter_read(self->metrics->shards[i]->cells[metric]));
    }
}

static uint64_t process_value(const page_t *self, gm_metric_t metric)
{
    switch (metric) {
    case GM_METRIC_PROCESS_CPU:
        return self->facts.cpu_ns;
    case GM_METRIC_PROCESS_RESIDENT_MEMORY:
        return self->facts.resident_bytes;
    case GM_METRIC_PROCESS_VIRTUAL_MEMORY:
        return self->facts.virtual_bytes;
    case GM_METRIC_PROCESS_OPEN_FDS:
        return self->facts.open_fds;
    case GM_METRIC_PROCESS_MAX_FDS:
        return self->facts.max_fds;
    case GM_METRIC_PROCESS_START_TIME:
        return self->metrics->start_time_ns;
    default:
        return GM_PROCESS_UNKNOWN;
    }
}

static void write_family(page_t *self, gm_metric_t metric)
{
    const gm_metric_row_t *row = gm_metric_row(metric);
    const gm_metrics_options_t *options = &self->metrics->options;
    const char *const build[] = {options->version, options->libh2o, options->openssl};
    uint64_t value = 0;

    if (row->source == GM_METRIC_OF_PROCESS)
        value = process_value(self, metric);
    else if (row->source == GM_METRIC_OF_GIVEN)
        value = gm_counter_read(&self->metrics->given[metric]);
    if (row->source == GM_METRIC_OF_PROCESS && value == GM_PROCESS_UNKNOWN)
        return;
    gm_prometheus_begin_family(self->out, row->name, row->type, row->help);
    if (row->source == GM_METRIC_OF_PROCESS || row->source == GM_METRIC_OF_GIVEN) {
        set_labels(self, row->labels, build);
        write_sample(self, row, value);
    } else if (row->labels < GM_METRIC_KEYED_COUNT) {
        write_combinations(self, metric);
    } else if (row->labels == GM_METRIC_LABELS_WORKER) {
        write_workers(self, metric);
    } else {
        write_fixed(self, metric);
    }
}

void gm_metrics_render(gm_metrics_t *self, gm_buffer_t *out)
{
    page_t page = {.metrics = self, .out = out};

    gm_process_facts_read(&page.facts);
    for (size_t i = 0; i != GM_METRIC_KEYED_COUNT; ++i)
        sort_series(&page, (gm_metric_labels_t)i);
    for (size_t i = 0; i != GM_METRIC_COUNT; ++i)
        write_family(&page, (gm_metric_t)i);
    for (size_t i = 0; i != GM_METRIC_KEYED_COUNT; ++i)
        free(page.entries[i]);
    gm_buffer_dispose(&page.labels);
}
