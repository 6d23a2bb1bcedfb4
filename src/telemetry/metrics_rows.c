/*
 * The table of metrics as data, with the words that labels have. Read by whoever counts and whoever makes the
 * page; static, any thread.
 */
#include "telemetry/metrics_rows.h"

#include <string.h>

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

const gm_metric_row_t *gm_metric_row(gm_metric_t metric)
{
    static const gm_metric_row_t rows[] = {
#define GM_METRIC_ROW(id, name, type, unit, labels, source, help)                                            \
    {name,                                                                                                   \
     help,                                                                                                   \
     GM_PROMETHEUS_##type,                                                                                   \
     GM_METRIC_UNIT_##unit,                                                                                  \
     GM_METRIC_LABELS_##labels,                                                                              \
     GM_METRIC_OF_##source},
        GM_METRICS(GM_METRIC_ROW)
#undef GM_METRIC_ROW
    };

    return &rows[metric];
}

const char *const *gm_metric_label_names(gm_metric_labels_t labels)
{
    static const char *const names[GM_METRIC_LABELS_COUNT][GM_METRIC_LABELS_MAX] = {
        [GM_METRIC_LABELS_CLUSTER] = {"cluster"},
        [GM_METRIC_LABELS_SERVICE] = {"service"},
        [GM_METRIC_LABELS_SERVICE_STATUS] = {"service", "status"},
        [GM_METRIC_LABELS_SERVICE_ERROR] = {"service", "error_type"},
        [GM_METRIC_LABELS_CLUSTER_RESULT] = {"cluster", "result"},
        [GM_METRIC_LABELS_ROUTE] = {"route", "cluster", "method", "code", "failure"},
        [GM_METRIC_LABELS_GRPC] = {"service", "method", "grpc_status"},
        [GM_METRIC_LABELS_DIRECTION] = {"direction"},
        [GM_METRIC_LABELS_LISTENER] = {"listener"},
        [GM_METRIC_LABELS_HANDSHAKE] = {"result"},
        [GM_METRIC_LABELS_OFFENCE] = {"reason"},
        [GM_METRIC_LABELS_RESET] = {"by", "code"},
        [GM_METRIC_LABELS_WORKER] = {"worker"},
        [GM_METRIC_LABELS_BUILD] = {"version", "libh2o", "openssl"},
    };

    return names[labels];
}

static const char *const error_codes[] = {"no_error",
                                          "protocol_error",
                                          "internal_error",
                                          "flow_control_error",
                                          "settings_timeout",
                                          "stream_closed",
                                          "frame_size_error",
                                          "refused_stream",
                                          "cancel",
                                          "compression_error",
                                          "connect_error",
                                          "enhance_your_calm",
                                          "inadequate_security",
                                          "http_1_1_required",
                                          "other"};

size_t gm_metric_reset(bool by_client, uint32_t code)
{
    size_t last = GM_COUNT_OF(error_codes) - 1;

    return (by_client ? 0 : last + 1) + (code < last ? code : last);
}

size_t gm_metric_fixed_count(gm_metric_labels_t labels)
{
    switch (labels) {
    case GM_METRIC_LABELS_DIRECTION:
    case GM_METRIC_LABELS_LISTENER:
    case GM_METRIC_LABELS_HANDSHAKE:
        return 2;
    case GM_METRIC_LABELS_OFFENCE:
        return GM_OFFENCE_COUNT;
    case GM_METRIC_LABELS_RESET:
        return 2 * GM_COUNT_OF(error_codes);
    default:
        return 1;
    }
}

void gm_metric_fixed_values(gm_metric_labels_t labels, size_t series, const char **values)
{
    static const char *const pairs[GM_METRIC_LABELS_COUNT][2] = {
        [GM_METRIC_LABELS_DIRECTION] = {"in", "out"},
        [GM_METRIC_LABELS_LISTENER] = {"http", "https"},
        [GM_METRIC_LABELS_HANDSHAKE] = {"ok", "failed"},
    };

    if (labels == GM_METRIC_LABELS_OFFENCE) {
        values[0] = gm_offence_label((gm_offence_t)series);
    } else if (labels == GM_METRIC_LABELS_RESET) {
        values[0] = series < GM_COUNT_OF(error_codes) ? "client" : "proxy";
        values[1] = error_codes[series % GM_COUNT_OF(error_codes)];
    } else if (labels != GM_METRIC_LABELS_NONE) {
        values[0] = pairs[labels][series];
    }
}

static const uint64_t waits[] = {1 * MS,   5 * MS,   10 * MS,   25 * MS,   50 * MS,  100 * MS,
                                 250 * MS, 500 * MS, 1000 * MS, 2500 * MS, 5000 * MS};
static const uint64_t works[] = {10 * US,   25 * US,   50 * US,   100 * US, 250 * US, 500 * US,
                                 1000 * US, 2500 * US, 5000 * US, 10 * MS,  25 * MS,  100 * MS};
const gm_histogram_bounds_t gm_metric_bounds_of_waits = {waits, GM_COUNT_OF(waits)};
const gm_histogram_bounds_t gm_metric_bounds_of_work = {works, GM_COUNT_OF(works)};

size_t gm_metric_stride(gm_metric_t metric)
{
    return gm_metric_row(metric)->type == GM_PROMETHEUS_HISTOGRAM
               ? GM_HISTOGRAM_CELLS(gm_metric_bounds(metric)->count)
               : 1;
}

const char *gm_metric_result_text(unsigned result)
{
    static const char *const texts[GM_METRIC_RESULT_COUNT] = {"reused", "new", "failed"};

    return texts[result];
}

const char *gm_metric_class_text(unsigned status_class)
{
    static const char *const texts[GM_METRIC_STATUS_CLASSES] = {"1xx", "2xx", "3xx", "4xx", "5xx"};

    return texts[status_class];
}

static const char methods[GM_METRIC_METHODS][8] = {"GET",     "HEAD",    "POST",  "PUT",   "DELETE",
                                                   "CONNECT", "OPTIONS", "TRACE", "PATCH", "other"};

const char *gm_metric_method_text(unsigned method)
{
    return methods[method];
}

unsigned gm_metric_method(const gm_record_text_t *method)
{
    const char *base = method->base;
    size_t length = method->length;
    unsigned i = 0;

    if (base == NULL || length == 0 || length >= sizeof(methods[0]))
        return GM_METRIC_METHODS - 1;
    if (length == 3 && base[0] == 'G' && base[1] == 'E' && base[2] == 'T') /* nearly always */
        return 0;
    while (i != GM_METRIC_METHODS - 1 &&
           (strlen(methods[i]) != length || memcmp(base, methods[i], length) != 0))
        ++i;
    return i;
}
