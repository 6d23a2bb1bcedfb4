/* The letters of the text format: escapes, digits, buckets that add up. */
#include "telemetry/prometheus.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "picotest.h"

static bool is_text(gm_buffer_t *out, const char *expected)
{
    char *text = gm_buffer_detach(out);
    bool is_equal = strcmp(text, expected) == 0;

    if (!is_equal)
        note("got %s", text);
    free(text);
    return is_equal;
}

static bool is_label(const char *value, const char *expected)
{
    gm_buffer_t labels = {0};

    gm_prometheus_append_label(&labels, "a", value);
    return is_text(&labels, expected);
}

static bool is_number(uint64_t value, const char *expected)
{
    const gm_buffer_t none = {0};
    gm_buffer_t out = {0};

    gm_prometheus_write_number(&out, "x", &none, value);
    return is_text(&out, expected);
}

static bool is_seconds(uint64_t ns, const char *expected)
{
    const gm_buffer_t none = {0};
    gm_buffer_t out = {0};

    gm_prometheus_write_seconds(&out, "x", &none, ns);
    return is_text(&out, expected);
}

static void test_family(void)
{
    gm_buffer_t out = {0};

    gm_prometheus_begin_family(&out, "x_total", GM_PROMETHEUS_COUNTER, "Some \"x\".");
    ok(is_text(&out, "# HELP x_total Some \"x\".\n# TYPE x_total counter\n"));
    gm_prometheus_begin_family(&out, "x", GM_PROMETHEUS_GAUGE, "a\\b\nc");
    ok(is_text(&out, "# HELP x a\\\\b\\nc\n# TYPE x gauge\n"));
    gm_prometheus_begin_family(&out, "x", GM_PROMETHEUS_HISTOGRAM, "");
    ok(is_text(&out, "# HELP x \n# TYPE x histogram\n"));
}

static void test_labels(void)
{
    gm_buffer_t labels = {0};

    ok(is_label("", "a=\"\""));
    ok(is_label("x y", "a=\"x y\""));
    ok(is_label("\"\\\n", "a=\"\\\"\\\\\\n\""));
    ok(is_label("\\n", "a=\"\\\\n\""));
    ok(is_label("},b=\"c", "a=\"},b=\\\"c\""));
    ok(is_label("gr\xc3\xbc\xc3\x9f"
                "e",
                "a=\"gr\xc3\xbc\xc3\x9f"
                "e\""));
    ok(is_label("\xff\xc3", "a=\"\xef\xbf\xbd\xef\xbf\xbd\""));
    ok(is_label("\xc3\"", "a=\"\xef\xbf\xbd\\\"\"")); /* half a character does not eat the quote's escape */
    gm_prometheus_append_label(&labels, "a", "1");
    gm_prometheus_append_label(&labels, "b", "2");
    ok(is_text(&labels, "a=\"1\",b=\"2\""));
}

static void test_numbers(void)
{
    gm_buffer_t out = {0}, labels = {0};

    ok(is_number(0, "x 0\n"));
    ok(is_number(10, "x 10\n"));
    ok(is_number(UINT64_MAX, "x 18446744073709551615\n"));
    ok(is_seconds(0, "x 0\n"));
    ok(is_seconds(1, "x 0.000000001\n"));
    ok(is_seconds(5000000, "x 0.005\n"));
    ok(is_seconds(100000000, "x 0.1\n"));
    ok(is_seconds(1000000000, "x 1\n"));
    ok(is_seconds(12000000001, "x 12.000000001\n"));
    ok(is_seconds(UINT64_MAX, "x 18446744073.709551615\n"));
    gm_prometheus_append_label(&labels, "a", "b");
    gm_prometheus_write_number(&out, "x", &labels, 3);
    gm_prometheus_write_seconds(&out, "y", &labels, 2500000000);
    ok(is_text(&out, "x{a=\"b\"} 3\ny{a=\"b\"} 2.5\n"));
    gm_buffer_dispose(&labels);
}

static void test_histogram(void)
{
    static const uint64_t values[] = {10000, 2500000000};
    static const gm_histogram_bounds_t bounds = {values, 2};
    static const uint64_t cells[] = {3, 0, 4, 12000000001};
    gm_buffer_t out = {0}, labels = {0};

    gm_prometheus_write_histogram(&out, "x", &labels, &bounds, cells);
    ok(is_text(&out, "x_bucket{le=\"0.00001\"} 3\n"
                     "x_bucket{le=\"2.5\"} 3\n"
                     "x_bucket{le=\"+Inf\"} 7\n"
                     "x_sum 12.000000001\n"
                     "x_count 7\n"));
    gm_prometheus_append_label(&labels, "a", "\"");
    gm_prometheus_write_histogram(&out, "x", &labels, &bounds, cells);
    ok(is_text(&out, "x_bucket{a=\"\\\"\",le=\"0.00001\"} 3\n"
                     "x_bucket{a=\"\\\"\",le=\"2.5\"} 3\n"
                     "x_bucket{a=\"\\\"\",le=\"+Inf\"} 7\n"
                     "x_sum{a=\"\\\"\"} 12.000000001\n"
                     "x_count{a=\"\\\"\"} 7\n"));
    gm_buffer_dispose(&labels);
}

int main(void)
{
    subtest("family", test_family);
    subtest("labels", test_labels);
    subtest("numbers", test_numbers);
    subtest("histogram", test_histogram);
    return done_testing();
}
