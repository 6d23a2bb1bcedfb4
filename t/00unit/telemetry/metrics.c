/*
 * What requests and connections do to the page of metrics. With the argument "page", prints one with
 * something in every family, for tests by others.
 */
#include "telemetry/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "metrics_page.h"
#include "telemetry/failure.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

static const char *const routes[] = {"api", "files"};
static const char *const clusters[] = {"users", "orders"};

static gm_metrics_t *create(size_t workers, size_t max_series)
{
    const gm_metrics_options_t options = {.routes = routes,
                                          .clusters = clusters,
                                          .route_count = 2,
                                          .cluster_count = 2,
                                          .worker_count = workers,
                                          .max_series = max_series,
                                          .version = "1.2.3",
                                          .libh2o = "2.2.5",
                                          .openssl = "3.0"};

    return gm_metrics_create(&options);
}

/* GET, answered with 200 over a connection that was idle, in 4.07 ms. */
static gm_record_t get(void)
{
    return (gm_record_t){.began_ns = 1,
                         .phase_ns = {[GM_PHASE_HEAD] = 10 * US,
                                      [GM_PHASE_ROUTE] = 40 * US,
                                      [GM_PHASE_SENT] = 20 * US,
                                      [GM_PHASE_FIRST_BYTE] = 3 * MS,
                                      [GM_PHASE_LAST_BYTE] = 1 * MS},
                         .method = {"GET", 3},
                         .route = routes[0],
                         .cluster = clusters[0],
                         .endpoint = "127.0.0.1:3000",
                         .status = 200,
                         .failure = GM_NO_FAILURE,
                         .bytes_out = 1000,
                         .attempts = 1,
                         .is_reused = true};
}

static gm_record_t failed(gm_failure_t failure)
{
    gm_record_t record = get();

    record.failure = (int)failure;
    record.status = gm_failure_row(failure)->status;
    record.is_reused = false;
    record.endpoint = NULL;
    return record;
}

static void serve(gm_metrics_t *metrics, size_t worker, const gm_record_t *record)
{
    gm_metrics_begin(gm_metrics_shard(metrics, worker));
    gm_metrics_record(gm_metrics_shard(metrics, worker), record);
}

static void test_nothing(void)
{
    gm_metrics_t *metrics = create(2, 200);
    char *page = page_of(metrics);

    ok(page_count(page, "gomesh_requests_total") == 0);
    ok(page_count(page, "gomesh_request_duration_seconds") == 0);
    ok(page_has(page, "gomesh_requests_in_flight", "0"));
    ok(page_has(page, "gomesh_overhead_seconds_count", "0"));
    ok(page_has(page, "gomesh_bytes_total{direction=\"in\"}", "0"));
    ok(page_has(page, "gomesh_bytes_total{direction=\"out\"}", "0"));
    ok(page_has(page, "gomesh_connections_total{listener=\"http\"}", "0"));
    ok(page_has(page, "gomesh_connections_open{listener=\"https\"}", "0"));
    ok(page_has(page, "gomesh_tls_handshakes_total{result=\"ok\"}", "0"));
    ok(page_has(page, "gomesh_tls_handshakes_total{result=\"failed\"}", "0"));
    ok(page_has(page, "gomesh_loop_lag_seconds{worker=\"0\"}", "0"));
    ok(page_has(page, "gomesh_loop_lag_seconds{worker=\"1\"}", "0"));
    ok(page_has(page, "gomesh_loop_lag_seconds{worker=\"2\"}", NULL));
    ok(page_has(page, "gomesh_build_info{version=\"1.2.3\",libh2o=\"2.2.5\",openssl=\"3.0\"}", "1"));
    ok(page_find(page, "process_cpu_seconds_total") != NULL);
    ok(page_find(page, "process_resident_memory_bytes") != NULL);
    ok(page_find(page, "process_virtual_memory_bytes") != NULL);
    ok(page_find(page, "process_open_fds") != NULL);
    ok(page_find(page, "process_max_fds") != NULL || page_count(page, "# HELP process_max_fds") == 0);
    ok(page_find(page, "process_start_time_seconds") != NULL);
    free(page);
    gm_metrics_destroy(metrics);
    gm_metrics_destroy(NULL);
}

static void test_get(void)
{
    gm_metrics_t *metrics = create(1, 200);
    gm_record_t record = get();
    char *page;

    serve(metrics, 0, &record);
    page = page_of(metrics);
    ok(page_has(page, "gomesh_requests_total{service=\"users\",status=\"2xx\"}", "1"));
    ok(page_has(page, "gomesh_request_duration_seconds_count{service=\"users\"}", "1"));
    ok(page_has(page, "gomesh_request_duration_seconds_sum{service=\"users\"}", "0.00407"));
    ok(page_has(page, "gomesh_request_duration_seconds_bucket{service=\"users\",le=\"0.001\"}", "0"));
    ok(page_has(page, "gomesh_request_duration_seconds_bucket{service=\"users\",le=\"0.005\"}", "1"));
    ok(page_has(page, "gomesh_request_duration_seconds_bucket{service=\"users\",le=\"+Inf\"}", "1"));
    ok(page_has(page,
                "gomesh_route_requests_total{route=\"api\",cluster=\"users\",method=\"GET\",code=\"200\","
                "failure=\"\"}",
                "1"));
    ok(page_has(page, "gomesh_upstream_first_byte_seconds_sum{cluster=\"users\"}", "0.003"));
    ok(page_has(page, "gomesh_upstream_first_byte_seconds_count{cluster=\"users\"}", "1"));
    ok(page_has(page, "gomesh_upstream_seconds_sum{cluster=\"users\"}", "0.00402"));
    ok(page_has(page, "gomesh_upstream_connect_seconds_count{cluster=\"users\"}", "0"));
    ok(page_has(page, "gomesh_overhead_seconds_bucket{le=\"0.000025\"}", "0"));
    ok(page_has(page, "gomesh_overhead_seconds_bucket{le=\"0.00005\"}", "1"));
    ok(page_has(page, "gomesh_overhead_seconds_sum", "0.00004"));
    ok(page_has(page, "gomesh_upstream_connections_total{cluster=\"users\",result=\"reused\"}", "1"));
    ok(page_has(page, "gomesh_upstream_connections_total{cluster=\"users\",result=\"new\"}", NULL));
    ok(page_has(page, "gomesh_upstream_retries_total{cluster=\"users\"}", "0"));
    ok(page_has(page, "gomesh_bytes_total{direction=\"in\"}", "0"));
    ok(page_has(page, "gomesh_bytes_total{direction=\"out\"}", "1000"));
    ok(page_count(page, "gomesh_errors_total") == 0);
    ok(strstr(page, "\"none\"") == NULL && strstr(page, "\"other\"") == NULL);
    free(page);
    gm_metrics_destroy(metrics);
}

static void test_connections_to_backends(void)
{
    gm_metrics_t *metrics = create(1, 200);
    gm_record_t record = get();
    char *page;

    record.is_reused = false;
    record.attempts = 3;
    record.phase_ns[GM_PHASE_DNS] = 1;
    record.phase_ns[GM_PHASE_CONNECT] = 2 * MS;
    record.phase_ns[GM_PHASE_TLS] = 8 * MS;
    serve(metrics, 0, &record);
    record = failed(GM_FAILURE_CONNECT_REFUSED);
    serve(metrics, 0, &record);
    record = failed(GM_FAILURE_CLIENT_GONE); /* while a connection was being made */
    serve(metrics, 0, &record);
    record.attempts = 0; /* before */
    serve(metrics, 0, &record);
    page = page_of(metrics);
    ok(page_has(page, "gomesh_upstream_connections_total{cluster=\"users\",result=\"new\"}", "1"));
    ok(page_has(page, "gomesh_upstream_connections_total{cluster=\"users\",result=\"failed\"}", "1"));
    ok(page_has(page, "gomesh_upstream_connections_total{cluster=\"users\",result=\"reused\"}", NULL));
    ok(page_has(page, "gomesh_upstream_retries_total{cluster=\"users\"}", "2"));
    ok(page_has(page, "gomesh_upstream_connect_seconds_count{cluster=\"users\"}", "1"));
    ok(page_has(page, "gomesh_upstream_connect_seconds_sum{cluster=\"users\"}", "0.010000001"));
    ok(page_has(page, "gomesh_upstream_connect_seconds_bucket{cluster=\"users\",le=\"0.01\"}", "0"));
    ok(page_has(page, "gomesh_upstream_connect_seconds_bucket{cluster=\"users\",le=\"0.025\"}", "1"));
    free(page);
    gm_metrics_destroy(metrics);
}

/* Each failure of the table has its label, and is a failed connection or is not. */
static void test_failures(void)
{
    gm_metrics_t *metrics = create(1, 200);
    char *page, series[160];
    size_t wrong = 0;

    for (int i = 0; i != GM_FAILURE_COUNT; ++i) {
        gm_record_t record = failed((gm_failure_t)i);
        serve(metrics, 0, &record);
    }
    page = page_of(metrics);
    for (int i = 0; i != GM_FAILURE_COUNT; ++i) {
        const gm_failure_row_t *row = gm_failure_row((gm_failure_t)i);
        snprintf(series, sizeof(series), "gomesh_errors_total{service=\"users\",error_type=\"%s\"}",
                 row->label);
        wrong += !page_has(page, series, "1");
        snprintf(series, sizeof(series),
                 "gomesh_route_requests_total{route=\"api\",cluster=\"users\",method=\"GET\",code=\"%d\","
                 "failure=\"%s\"}",
                 row->status, row->label);
        wrong += !page_has(page, series, "1");
    }
    ok(wrong == 0);
    ok(page_sum(page, "gomesh_requests_total") == GM_FAILURE_COUNT);
    ok(page_has(page, "gomesh_upstream_connections_total{cluster=\"users\",result=\"failed\"}", "7"));
    ok(page_has(page, "gomesh_upstream_first_byte_seconds_count{cluster=\"users\"}", "0"));
    ok(page_sum(page, "gomesh_request_duration_seconds_count") == GM_FAILURE_COUNT);
    free(page);
    gm_metrics_destroy(metrics);
}

/* The status is the backend's then. */
static void test_failure_within_answer(void)
{
    gm_metrics_t *metrics = create(1, 200);
    gm_record_t record = get();

    record.failure = GM_FAILURE_RESPONSE_TRUNCATED;
    serve(metrics, 0, &record);
    ok(has(metrics, "gomesh_requests_total{service=\"users\",status=\"2xx\"}", "1"));
    ok(has(metrics, "gomesh_errors_total{service=\"users\",error_type=\"response_truncated\"}", "1"));
    ok(has(metrics, "gomesh_upstream_first_byte_seconds_count{cluster=\"users\"}", "1"));
    gm_metrics_destroy(metrics);
}

static gm_record_t call(const gm_record_grpc_t *grpc)
{
    gm_record_t record = get();

    record.method = (gm_record_text_t){"POST", 4};
    record.grpc = grpc;
    return record;
}

#define GRPC(service, method, status)                                                                        \
    "gomesh_grpc_requests_total{service=\"" service "\",method=\"" method "\",grpc_status=\"" status "\"}"

static void test_grpc(void)
{
    gm_metrics_t *metrics = create(1, 16); /* two of them, and one, for names that nobody has answered */
    gm_record_grpc_t grpc = {{"a.S", 3}, {"Do", 2}, GM_GRPC_OK, false, false};
    gm_record_t record = call(&grpc);
    char name[8];

    serve(metrics, 0, &record);
    serve(metrics, 0, &record);
    grpc.status = GM_GRPC_UNAVAILABLE;
    grpc.is_ours = true;
    record.failure = GM_FAILURE_CONNECT_REFUSED; /* with the status 200 */
    serve(metrics, 0, &record);
    ok(has(metrics, GRPC("a.S", "Do", "OK"), "2") && has(metrics, GRPC("a.S", "Do", "UNAVAILABLE"), "1"));
    ok(has(metrics, "gomesh_upstream_first_byte_seconds_count{cluster=\"users\"}", "2"));
    ok(has(metrics, "gomesh_errors_total{service=\"users\",error_type=\"connect_refused\"}", "1"));
    record.failure = GM_NO_FAILURE;
    grpc.is_ours = false;
    grpc.status = GM_GRPC_UNIMPLEMENTED;
    for (int i = 0; i != 20; ++i) {
        snprintf(name, sizeof(name), "No%d", i);
        grpc.method = (gm_record_text_t){name, strlen(name)};
        serve(metrics, 0, &record);
    }
    ok(has(metrics, GRPC("a.S", "No0", "UNIMPLEMENTED"), "1") &&
       has(metrics, GRPC("a.S", "No2", "UNIMPLEMENTED"), "1"));
    ok(has(metrics, GRPC("other", "other", "UNIMPLEMENTED"), "17"));
    grpc.status = GM_GRPC_NOT_FOUND;
    serve(metrics, 0, &record);
    ok(has(metrics, GRPC("a.S", "No19", "NOT_FOUND"), "1"));
    gm_metrics_destroy(metrics);
}

static void test_no_route(void)
{
    gm_metrics_t *metrics = create(1, 200);
    gm_record_t record = failed(GM_FAILURE_NO_ROUTE);
    char *page;

    record.route = record.cluster = NULL;
    record.attempts = 0;
    serve(metrics, 0, &record);
    page = page_of(metrics);
    ok(page_has(page, "gomesh_requests_total{service=\"none\",status=\"4xx\"}", "1"));
    ok(page_has(page, "gomesh_errors_total{service=\"none\",error_type=\"no_route\"}", "1"));
    ok(page_has(page, "gomesh_request_duration_seconds_count{service=\"none\"}", "1"));
    ok(page_has(page,
                "gomesh_route_requests_total{route=\"none\",cluster=\"none\",method=\"GET\",code=\"404\","
                "failure=\"no_route\"}",
                "1"));
    ok(page_has(page, "gomesh_upstream_seconds_count{cluster=\"none\"}", NULL));
    ok(page_has(page, "gomesh_upstream_retries_total{cluster=\"none\"}", NULL));
    free(page);
    gm_metrics_destroy(metrics);
}

/* @return whether a request of that status is of that class and code */
static bool is_counted_as(int status, const char *status_class, const char *code)
{
    gm_metrics_t *metrics = create(1, 200);
    gm_record_t record = get();
    char series[160];
    bool is_counted;

    record.status = status;
    serve(metrics, 0, &record);
    snprintf(series, sizeof(series), "gomesh_requests_total{service=\"users\",status=\"%s\"}", status_class);
    is_counted = has(metrics, series, "1");
    snprintf(series, sizeof(series),
             "gomesh_route_requests_total{route=\"api\",cluster=\"users\",method=\"GET\",code=\"%s\","
             "failure=\"\"}",
             code);
    is_counted = has(metrics, series, "1") && is_counted;
    gm_metrics_destroy(metrics);
    return is_counted;
}

static void test_statuses(void)
{
    ok(is_counted_as(101, "1xx", "101"));
    ok(is_counted_as(200, "2xx", "200"));
    ok(is_counted_as(299, "2xx", "299"));
    ok(is_counted_as(304, "3xx", "304"));
    ok(is_counted_as(499, "4xx", "499"));
    ok(is_counted_as(500, "5xx", "500"));
    ok(is_counted_as(600, "5xx", "600"));
    ok(is_counted_as(999, "5xx", "999"));
    ok(is_counted_as(0, "4xx", "499")); /* left before an answer */
    ok(is_counted_as(-1, "4xx", "499"));
    ok(is_counted_as(70000, "5xx", "999"));
}

static bool is_method(const char *base, size_t length, const char *label)
{
    gm_metrics_t *metrics = create(1, 200);
    gm_record_t record = get();
    char series[160];
    bool is_equal;

    record.method = (gm_record_text_t){base, length};
    serve(metrics, 0, &record);
    snprintf(series, sizeof(series),
             "gomesh_route_requests_total{route=\"api\",cluster=\"users\",method=\"%s\",code=\"200\","
             "failure=\"\"}",
             label);
    is_equal = has(metrics, series, "1");
    gm_metrics_destroy(metrics);
    return is_equal;
}

static void test_methods(void)
{
    static const char *const known[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH"};

    for (size_t i = 0; i != GM_COUNT_OF(known); ++i)
        ok(is_method(known[i], strlen(known[i]), known[i]));
    ok(is_method("GETX", 3, "GET"));
    ok(is_method("GETX", 4, "other"));
    ok(is_method("GET", 2, "other"));
    ok(is_method("get", 3, "other"));
    ok(is_method("PROPFIND", 8, "other"));
    ok(is_method("GET\0\0\0\0\0", 8, "other"));
    ok(is_method("GET\0", 4, "other"));
    ok(is_method("", 0, "other"));
    ok(is_method(NULL, 0, "other"));
}

/* A bound belongs to its bucket, as `le` says: less or equal. */
static void test_histogram_edges(void)
{
    static const uint64_t totals[] = {MS, MS + 1, 5 * SECOND, 5 * SECOND + 1, 3600 * SECOND};
    gm_metrics_t *metrics = create(1, 200);
    gm_record_t record = get();
    char *page;

    memset(record.phase_ns, 0, sizeof(record.phase_ns));
    for (size_t i = 0; i != GM_COUNT_OF(totals); ++i) {
        record.phase_ns[GM_PHASE_LAST_BYTE] = totals[i];
        serve(metrics, 0, &record);
    }
    page = page_of(metrics);
#define BUCKET(le) "gomesh_request_duration_seconds_bucket{service=\"users\",le=\"" le "\"}"
    ok(page_has(page, BUCKET("0.001"), "1"));
    ok(page_has(page, BUCKET("0.005"), "2"));
    ok(page_has(page, BUCKET("0.01"), "2"));
    ok(page_has(page, BUCKET("0.025"), "2"));
    ok(page_has(page, BUCKET("0.05"), "2"));
    ok(page_has(page, BUCKET("0.1"), "2"));
    ok(page_has(page, BUCKET("0.25"), "2"));
    ok(page_has(page, BUCKET("0.5"), "2"));
    ok(page_has(page, BUCKET("1"), "2"));
    ok(page_has(page, BUCKET("2.5"), "2"));
    ok(page_has(page, BUCKET("5"), "3"));
    ok(page_has(page, BUCKET("+Inf"), "5"));
    ok(page_count(page, "gomesh_request_duration_seconds_bucket") == 12);
    ok(page_has(page, "gomesh_request_duration_seconds_sum{service=\"users\"}", "3610.002000002"));
    ok(page_has(page, "gomesh_request_duration_seconds_count{service=\"users\"}", "5"));
    free(page);
    gm_metrics_destroy(metrics);
}

static void test_no_times(void)
{
    gm_metrics_t *metrics = create(1, 200);
    gm_record_t record = get();

    record.began_ns = 0;
    serve(metrics, 0, &record);
    ok(has(metrics, "gomesh_requests_total{service=\"users\",status=\"2xx\"}", "1"));
    ok(has(metrics, "gomesh_request_duration_seconds_count{service=\"users\"}", "0"));
    ok(has(metrics, "gomesh_overhead_seconds_count", "0"));
    gm_metrics_destroy(metrics);
}

/* ---- limits and names */

static void test_max_series(void)
{
    gm_metrics_t *metrics = create(2, 3);
    gm_record_t record = get();
    char *page;

    for (int i = 0; i != 1000; ++i) {
        record.status = 200 + i % 50;
        serve(metrics, (size_t)i % 2, &record);
    }
    page = page_of(metrics);
    ok(page_count(page, "gomesh_route_requests_total{") == 4);
    ok(page_has(page,
                "gomesh_route_requests_total{route=\"api\",cluster=\"users\",method=\"GET\",code=\"202\","
                "failure=\"\"}",
                "20"));
    ok(page_has(
        page,
        "gomesh_route_requests_total{route=\"other\",cluster=\"other\",method=\"other\",code=\"other\","
        "failure=\"other\"}",
        "940"));
    ok(page_sum(page, "gomesh_route_requests_total") == 1000);
    ok(page_has(page, "gomesh_requests_total{service=\"users\",status=\"2xx\"}", "1000"));
    free(page);
    gm_metrics_destroy(metrics);
}

static void test_max_clusters(void)
{
    gm_metrics_t *metrics = create(1, 1);
    gm_record_t users = get(), orders = get(), refused = failed(GM_FAILURE_CONNECT_REFUSED);
    char *page;

    orders.cluster = clusters[1];
    serve(metrics, 0, &orders);
    serve(metrics, 0, &orders);
    serve(metrics, 0, &users);
    serve(metrics, 0, &refused);
    gm_counter_add(gm_metrics_idle_gauge(gm_metrics_shard(metrics, 0), clusters[0]), (uint64_t)5);
    gm_counter_add(gm_metrics_idle_gauge(gm_metrics_shard(metrics, 0), clusters[1]), (uint64_t)2);
    page = page_of(metrics);
    ok(page_has(page, "gomesh_requests_total{service=\"orders\",status=\"2xx\"}", "2"));
    ok(page_has(page, "gomesh_requests_total{service=\"other\",status=\"other\"}", "2"));
    ok(page_has(page, "gomesh_request_duration_seconds_count{service=\"orders\"}", "2"));
    ok(page_has(page, "gomesh_request_duration_seconds_count{service=\"other\"}", "2"));
    ok(page_has(page, "gomesh_errors_total{service=\"users\",error_type=\"connect_refused\"}", "1"));
    ok(page_has(page, "gomesh_upstream_connections_idle{cluster=\"orders\"}", "2"));
    ok(page_has(page, "gomesh_upstream_connections_idle{cluster=\"other\"}", "5"));
    ok(page_count(page, "gomesh_requests_total{") == 2);
    free(page);
    gm_metrics_destroy(metrics);
}

/* Two series with the same labels would make the page worthless. */
static bool has_twins(const char *page)
{
    char *copy = gm_strdup(page), *rest = copy, *line;
    bool is_twin = false;

    while (!is_twin && (line = strsep(&rest, "\n")) != NULL && rest != NULL) {
        size_t length = (size_t)(strrchr(line, ' ') - line) + 1;
        for (const char *at = rest; line[0] != '#' && (at = strstr(at, "\n")) != NULL; ++at)
            is_twin = is_twin || strncmp(at + 1, line, length) == 0;
        if (is_twin)
            note("twice: %s", line);
    }
    free(copy);
    return is_twin;
}

static void test_reserved_names(void)
{
    const char *const names[] = {"none", "other", "same", "a"};
    char same[] = "same";
    gm_metrics_t *metrics;
    gm_record_t record = get();
    char *page;

    metrics = gm_metrics_create(&(gm_metrics_options_t){.routes = names,
                                                        .clusters = names,
                                                        .route_count = 4,
                                                        .cluster_count = 4,
                                                        .worker_count = 1,
                                                        .max_series = 3});
    for (size_t i = 0; i != 6; ++i) {
        record.route = record.cluster = i < 4 ? names[i] : i == 4 ? NULL : same;
        serve(metrics, 0, &record);
    }
    record.route = record.cluster = "unheard of";
    serve(metrics, 0, &record);
    page = page_of(metrics);
    ok(!has_twins(page));
    ok(page_has(page, "gomesh_request_duration_seconds_count{service=\"none\"}", "2"));
    ok(page_has(page, "gomesh_request_duration_seconds_count{service=\"same\"}", "2"));
    ok(page_has(page, "gomesh_request_duration_seconds_count{service=\"other\"}", "2"));
    ok(page_has(page, "gomesh_request_duration_seconds_count{service=\"a\"}", "1"));
    ok(page_sum(page, "gomesh_requests_total") == 7);
    ok(page_sum(page, "gomesh_route_requests_total") == 7);
    free(page);
    gm_metrics_destroy(metrics);
}

static void test_hostile_names(void)
{
    const char *const names[] = {"a\"} 1\nevil_total 2\\"};
    gm_metrics_t *metrics = gm_metrics_create(&(gm_metrics_options_t){.routes = names,
                                                                      .clusters = names,
                                                                      .route_count = 1,
                                                                      .cluster_count = 1,
                                                                      .worker_count = 1,
                                                                      .max_series = 9,
                                                                      .version = "\"",
                                                                      .libh2o = "",
                                                                      .openssl = "\xff"});
    gm_record_t record = get();
    char *page;

    record.route = record.cluster = names[0];
    serve(metrics, 0, &record);
    page = page_of(metrics);
    ok(page_has(page, "gomesh_requests_total{service=\"a\\\"} 1\\nevil_total 2\\\\\",status=\"2xx\"}", "1"));
    ok(page_count(page, "evil_total") == 0);
    ok(page_has(page, "gomesh_build_info{version=\"\\\"\",libh2o=\"\",openssl=\"\xef\xbf\xbd\"}", "1"));
    free(page);
    gm_metrics_destroy(metrics);
}

/* ---- gauges, and what is given */

static void test_gauges(void)
{
    gm_metrics_t *metrics = create(2, 200);
    gm_metrics_shard_t *first = gm_metrics_shard(metrics, 0), *second = gm_metrics_shard(metrics, 1);
    gm_record_t record = get();
    char *page;

    gm_metrics_begin(first);
    gm_metrics_begin(first);
    gm_metrics_begin(second);
    gm_metrics_record(first, &record);
    gm_metrics_count_open(first, GM_METRICS_HTTP);
    gm_metrics_count_open(second, GM_METRICS_HTTP);
    gm_metrics_count_open(second, GM_METRICS_HTTPS);
    gm_metrics_count_close(second, GM_METRICS_HTTP);
    gm_metrics_count_handshake(second, true);
    gm_metrics_count_handshake(second, false);
    gm_metrics_count_handshake(second, false);
    gm_metrics_count_offence(first, GM_OFFENCE_PING);
    gm_metrics_count_offence(second, GM_OFFENCE_PING);
    gm_metrics_count_reset(first, true, 8);
    gm_metrics_count_reset(first, false, 8);
    gm_metrics_count_reset(second, false, 14);
    gm_metrics_count_reset(second, false, UINT32_MAX);
    gm_counter_add(gm_metrics_idle_gauge(first, clusters[0]), (uint64_t)1);
    gm_counter_add(gm_metrics_idle_gauge(second, clusters[0]), (uint64_t)3);
    gm_counter_add(gm_metrics_idle_gauge(second, clusters[0]), (uint64_t)(-2));
    gm_counter_add(gm_metrics_idle_gauge(second, clusters[1]), (uint64_t)1);
    gm_counter_add(gm_metrics_idle_gauge(second, clusters[1]), (uint64_t)(-1));
    gm_metrics_set_loop_lag(first, 1500000000);
    gm_metrics_set_loop_lag(second, 2 * MS);
    gm_metrics_set_loop_lag(second, MS);
    gm_metrics_set(metrics, GM_METRIC_LOG_DROPPED, 7);
    gm_metrics_set(metrics, GM_METRIC_CONFIG_GENERATION, 2);
    gm_metrics_set(metrics, GM_METRIC_CRASHES, 1);
    page = page_of(metrics);
    ok(page_has(page, "gomesh_requests_in_flight", "2"));
    ok(page_has(page, "gomesh_connections_total{listener=\"http\"}", "2"));
    ok(page_has(page, "gomesh_connections_open{listener=\"http\"}", "1"));
    ok(page_has(page, "gomesh_connections_total{listener=\"https\"}", "1"));
    ok(page_has(page, "gomesh_connections_open{listener=\"https\"}", "1"));
    ok(page_has(page, "gomesh_tls_handshakes_total{result=\"ok\"}", "1"));
    ok(page_has(page, "gomesh_tls_handshakes_total{result=\"failed\"}", "2"));
    ok(page_has(page, "gomesh_http2_offences_total{reason=\"pings\"}", "2"));
    ok(page_count(page, "gomesh_http2_offences_total{") == 1);
    ok(page_has(page, "gomesh_http2_streams_reset_total{by=\"client\",code=\"cancel\"}", "1"));
    ok(page_has(page, "gomesh_http2_streams_reset_total{by=\"proxy\",code=\"cancel\"}", "1"));
    ok(page_has(page, "gomesh_http2_streams_reset_total{by=\"proxy\",code=\"other\"}", "2"));
    ok(page_count(page, "gomesh_http2_streams_reset_total{") == 3);
    ok(page_has(page, "gomesh_upstream_connections_idle{cluster=\"users\"}", "2"));
    ok(page_has(page, "gomesh_upstream_connections_idle{cluster=\"orders\"}", "0"));
    ok(page_has(page, "gomesh_loop_lag_seconds{worker=\"0\"}", "1.5"));
    ok(page_has(page, "gomesh_loop_lag_seconds{worker=\"1\"}", "0.001"));
    ok(page_has(page, "gomesh_log_dropped_total", "7"));
    ok(page_has(page, "gomesh_config_generation", "2"));
    ok(page_has(page, "gomesh_crashes_total", "1"));
    free(page);
    gm_metrics_destroy(metrics);
}

/* Two numbers that are read one after the other can be from before and after: no gauge is below zero then. */
static void test_gauge_below_zero(void)
{
    gm_metrics_t *metrics = create(1, 200);

    gm_metrics_count_close(gm_metrics_shard(metrics, 0), GM_METRICS_HTTP);
    gm_counter_add(gm_metrics_idle_gauge(gm_metrics_shard(metrics, 0), clusters[0]), (uint64_t)(-1));
    ok(has(metrics, "gomesh_connections_open{listener=\"http\"}", "0"));
    ok(has(metrics, "gomesh_upstream_connections_idle{cluster=\"users\"}", "0"));
    gm_metrics_destroy(metrics);
}

/* ---- the page as a whole */

/* Something in every family. */
static gm_metrics_t *create_busy(bool in_reverse)
{
    gm_metrics_t *metrics = create(2, 200);

    for (int i = 0; i != 200; ++i) {
        int n = in_reverse ? 199 - i : i;
        gm_record_t record = n % 5 == 0 ? failed((gm_failure_t)(n / 5 % GM_FAILURE_COUNT)) : get();
        record.route = routes[n % 2];
        record.cluster = clusters[n / 2 % 2];
        record.status = n % 5 == 0 ? record.status : 200 + n;
        record.attempts = 1 + (unsigned)n % 2;
        record.is_reused = n % 3 == 0;
        serve(metrics, (size_t)n % 2, &record);
    }
    gm_counter_add(gm_metrics_idle_gauge(gm_metrics_shard(metrics, 1), clusters[1]), (uint64_t)1);
    return metrics;
}

static void test_order(void)
{
    gm_metrics_t *forth = create_busy(false), *back = create_busy(true);
    char *one = page_of(forth), *two = page_of(back);
    char *end = strstr(one, "# HELP process_"), *other_end = strstr(two, "# HELP process_");

    ok(end != NULL && other_end != NULL);
    ok(end - one == other_end - two && memcmp(one, two, (size_t)(end - one)) == 0);
    ok(page_sum(one, "gomesh_route_requests_total") == 200);
    ok(!has_twins(one));
    free(one);
    free(two);
    gm_metrics_destroy(forth);
    gm_metrics_destroy(back);
}

/* HELP, TYPE, then samples of this family and no other; each family once. */
static void test_families(void)
{
    gm_metrics_t *metrics = create_busy(false);
    char *page = page_of(metrics), *rest = page, *line, family[80] = "";
    size_t families = 0, wrong = 0;

    while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            snprintf(family, sizeof(family), "%.*s", (int)strcspn(line + 7, " "), line + 7);
            wrong += strstr(rest, line) != NULL;
            line = strsep(&rest, "\n");
            wrong += strncmp(line, "# TYPE ", 7) != 0 || strncmp(line + 7, family, strlen(family)) != 0;
            ++families;
        } else {
            wrong += strncmp(line, family, strlen(family)) != 0;
        }
    }
    ok(wrong == 0);
    ok(families == GM_METRIC_COUNT);
    free(page);
    gm_metrics_destroy(metrics);
}

/* ---- threads */

enum { WRITERS = 3, REQUESTS = 20000 };

static atomic_int writing;

typedef struct writer {
    gm_metrics_shard_t *shard;
    unsigned seed;
} writer_t;

static void *write_much(void *data)
{
    writer_t *self = data;

    for (unsigned i = 0; i != REQUESTS; ++i) {
        unsigned n = i * 31 + self->seed;
        gm_record_t record = n % 7 == 0 ? failed((gm_failure_t)(n / 7 % GM_FAILURE_COUNT)) : get();
        record.route = routes[n % 2];
        record.cluster = clusters[n / 2 % 2];
        record.status = n % 7 == 0 ? record.status : (int)(100 + n % 400);
        gm_metrics_begin(self->shard);
        gm_metrics_count_open(self->shard, GM_METRICS_HTTP);
        gm_metrics_record(self->shard, &record);
        gm_metrics_count_close(self->shard, GM_METRICS_HTTP);
    }
    atomic_fetch_sub(&writing, 1);
    return NULL;
}

/* @return how many counters of the older page have become smaller, or were lost */
static size_t count_decreases(const char *older, const char *newer)
{
    const char *at = newer; /* the order is the same */
    size_t decreases = 0;
    bool is_gauge = false;
    char series[256];

    for (const char *line = older; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *value = strchr(line, '\n'), *now;
        if (strncmp(line, "# TYPE", 6) == 0)
            is_gauge = value - line > 6 && strncmp(value - 6, " gauge", 6) == 0;
        if (line[0] == '#' || is_gauge)
            continue;
        while (value[-1] != ' ')
            --value;
        snprintf(series, sizeof(series), "%.*s", (int)(value - line - 1), line);
        now = page_find(at, series);
        if (now == NULL || strtold(now, NULL) < strtold(value, NULL)) {
            note("%s was %.20s, is %.20s", series, value, now != NULL ? now : "missing");
            ++decreases;
        }
        at = now != NULL ? strchr(now, '\n') + 1 : at;
    }
    return decreases;
}

static void test_threads(void)
{
    gm_metrics_t *metrics = create(WRITERS, 50);
    writer_t writers[WRITERS];
    pthread_t threads[WRITERS];
    size_t decreases = 0, pages = 0;
    char *older = page_of(metrics), *newer;

    atomic_store(&writing, WRITERS);
    for (unsigned i = 0; i != WRITERS; ++i) {
        writers[i] = (writer_t){gm_metrics_shard(metrics, i), i};
        pthread_create(&threads[i], NULL, write_much, &writers[i]);
    }
    do {
        newer = page_of(metrics);
        decreases += count_decreases(older, newer);
        free(older);
        older = newer;
        ++pages;
    } while (atomic_load(&writing) != 0);
    for (size_t i = 0; i != WRITERS; ++i)
        pthread_join(threads[i], NULL);
    note("%zu pages", pages);
    ok(decreases == 0);
    newer = page_of(metrics);
    ok(count_decreases(older, newer) == 0);
    ok(page_sum(newer, "gomesh_requests_total") == (uint64_t)WRITERS * REQUESTS);
    ok(page_sum(newer, "gomesh_route_requests_total") == (uint64_t)WRITERS * REQUESTS);
    ok(page_count(newer, "gomesh_route_requests_total{") == 51);
    ok(page_sum(newer, "gomesh_request_duration_seconds_count") == (uint64_t)WRITERS * REQUESTS);
    ok(page_has(newer, "gomesh_requests_in_flight", "0"));
    ok(page_has(newer, "gomesh_connections_open{listener=\"http\"}", "0"));
    ok(page_has(newer, "gomesh_connections_total{listener=\"http\"}", "60000"));
    free(older);
    free(newer);
    gm_metrics_destroy(metrics);
}

static int print_page(void)
{
    gm_metrics_t *metrics = create_busy(false);
    char *page = page_of(metrics);

    fputs(page, stdout);
    free(page);
    gm_metrics_destroy(metrics);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "page") == 0)
        return print_page();
    subtest("nothing", test_nothing);
    subtest("get", test_get);
    subtest("connections_to_backends", test_connections_to_backends);
    subtest("failures", test_failures);
    subtest("failure_within_answer", test_failure_within_answer);
    subtest("grpc", test_grpc);
    subtest("no_route", test_no_route);
    subtest("statuses", test_statuses);
    subtest("methods", test_methods);
    subtest("histogram_edges", test_histogram_edges);
    subtest("no_times", test_no_times);
    subtest("max_series", test_max_series);
    subtest("max_clusters", test_max_clusters);
    subtest("reserved_names", test_reserved_names);
    subtest("hostile_names", test_hostile_names);
    subtest("gauges", test_gauges);
    subtest("gauge_below_zero", test_gauge_below_zero);
    subtest("order", test_order);
    subtest("families", test_families);
    subtest("threads", test_threads);
    return done_testing();
}
