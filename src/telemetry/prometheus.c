/*
 * The letters of Prometheus' text format. Called by telemetry/metrics_page on whatever thread is asked for
 * the page; numbers are written by hand, as a page has thousands.
 */
#include "telemetry/prometheus.h"

#include <string.h>

#include "base/utf8.h"

#define LITERAL(out, text) gm_buffer_append(out, text, sizeof(text) - 1)
#define SECOND_NS UINT64_C(1000000000)

/* In a label's value quotes are escaped, in a help text they are not. */
static void append_escaped(gm_buffer_t *out, const char *text, const char *specials)
{
    size_t length = strlen(text), at = 0;

    while (at != length) {
        bool is_valid;
        size_t step = gm_utf8_measure(text + at, length - at, &is_valid);
        if (!is_valid) {
            LITERAL(out, GM_UTF8_REPLACEMENT);
        } else if (strchr(specials, text[at]) != NULL) {
            gm_buffer_append_char(out, '\\');
            gm_buffer_append_char(out, text[at] == '\n' ? 'n' : text[at]);
        } else {
            gm_buffer_append(out, text + at, step);
        }
        at += step;
    }
}

void gm_prometheus_begin_family(gm_buffer_t *out, const char *name, gm_prometheus_type_t type,
                                const char *help)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    LITERAL(out, "# HELP ");
    gm_buffer_append_text(out, name);
    gm_buffer_append_char(out, ' ');
    append_escaped(out, help, "\\\n");
    LITERAL(out, "\n# TYPE ");
    gm_buffer_append_text(out, name);
    gm_buffer_append_char(out, ' ');
    gm_buffer_append_text(out, types[type]);
    gm_buffer_append_char(out, '\n');
}

void gm_prometheus_append_label(gm_buffer_t *labels, const char *name, const char *value)
{
    if (labels->length != 0)
        gm_buffer_append_char(labels, ',');
    gm_buffer_append_text(labels, name);
    LITERAL(labels, "=\"");
    append_escaped(labels, value, "\\\"\n");
    gm_buffer_append_char(labels, '"');
}

static void append_number(gm_buffer_t *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    gm_buffer_append(out, digits + at, sizeof(digits) - at);
}

/* "0", "0.005", "12.000000001" */
static void append_seconds(gm_buffer_t *out, uint64_t ns)
{
    uint64_t rest = ns % SECOND_NS;
    char fraction[10] = ".";
    size_t length = sizeof(fraction);

    append_number(out, ns / SECOND_NS);
    if (rest == 0)
        return;
    for (size_t i = sizeof(fraction) - 1; i != 0; --i, rest /= 10)
        fraction[i] = (char)('0' + rest % 10);
    while (fraction[length - 1] == '0')
        --length;
    gm_buffer_append(out, fraction, length);
}

/* Name and labels, up to the blank before the value. */
static void append_series(gm_buffer_t *out, const char *name, const char *suffix, const gm_buffer_t *labels)
{
    gm_buffer_append_text(out, name);
    gm_buffer_append_text(out, suffix);
    if (labels->length != 0) {
        gm_buffer_append_char(out, '{');
        gm_buffer_append(out, labels->text, labels->length);
        gm_buffer_append_char(out, '}');
    }
    gm_buffer_append_char(out, ' ');
}

void gm_prometheus_write_number(gm_buffer_t *out, const char *name, const gm_buffer_t *labels, uint64_t value)
{
    append_series(out, name, "", labels);
    append_number(out, value);
    gm_buffer_append_char(out, '\n');
}

void gm_prometheus_write_seconds(gm_buffer_t *out, const char *name, const gm_buffer_t *labels, uint64_t ns)
{
    append_series(out, name, "", labels);
    append_seconds(out, ns);
    gm_buffer_append_char(out, '\n');
}

/* `bound` NULL = above all bounds. */
static void append_bucket(gm_buffer_t *out, const char *name, const gm_buffer_t *labels,
                          const uint64_t *bound, uint64_t value)
{
    gm_buffer_append_text(out, name);
    LITERAL(out, "_bucket{");
    if (labels->length != 0) {
        gm_buffer_append(out, labels->text, labels->length);
        gm_buffer_append_char(out, ',');
    }
    LITERAL(out, "le=\"");
    if (bound != NULL)
        append_seconds(out, *bound);
    else
        LITERAL(out, "+Inf");
    LITERAL(out, "\"} ");
    append_number(out, value);
    gm_buffer_append_char(out, '\n');
}

void gm_prometheus_write_histogram(gm_buffer_t *out, const char *name, const gm_buffer_t *labels,
                                   const gm_histogram_bounds_t *bounds, const uint64_t *cells)
{
    uint64_t total = 0;

    for (size_t i = 0; i <= bounds->count; ++i) {
        total += cells[i];
        append_bucket(out, name, labels, i != bounds->count ? &bounds->values[i] : NULL, total);
    }
    append_series(out, name, "_sum", labels);
    append_seconds(out, cells[bounds->count + 1]);
    gm_buffer_append_char(out, '\n');
    append_series(out, name, "_count", labels);
    append_number(out, total);
    gm_buffer_append_char(out, '\n');
}
