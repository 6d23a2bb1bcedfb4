/* Lines about requests: both forms to the byte, hostile texts, and which requests get one. */
#include "telemetry/access_log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "picotest.h"
#include "telemetry/failure.h"
#include "telemetry/log.h"

#define TEXT(text)                                                                                           \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

#define END                                                                                                  \
    {                                                                                                        \
        {NULL, 0},                                                                                           \
        {                                                                                                    \
            NULL, 0                                                                                          \
        }                                                                                                    \
    }

static gm_record_t sample_record(void)
{
    return (gm_record_t){.began_us = UINT64_C(1700000000123456),
                         .began_ns = 1,
                         .marked_ns = 1,
                         .phase_ns = {[GM_PHASE_ROUTE] = 1500, [GM_PHASE_FIRST_BYTE] = 51000002},
                         .method = TEXT("GET"),
                         .host = TEXT("example.com"),
                         .path = TEXT("/a?b"),
                         .remote_addr = TEXT("10.0.0.1"),
                         .protocol = "HTTP/1.1",
                         .route = "users",
                         .cluster = "backend",
                         .endpoint = "127.0.0.1:3000",
                         .status = 200,
                         .failure = GM_NO_FAILURE,
                         .bytes_out = 5,
                         .attempts = 1,
                         .is_reused = true};
}

static const char *line_of(const gm_record_t *record, bool json)
{
    static gm_buffer_t line;
    const gm_access_log_options_t options = {.json = json};
    gm_access_log_t *self = gm_access_log_create(&options);

    gm_buffer_dispose(&line);
    gm_access_log_make_line(self, record, &line);
    gm_access_log_destroy(self);
    return line.text;
}

static void test_json(void)
{
    gm_record_t record = sample_record();

    ok(strcmp(
           line_of(&record, true),
           "{\"level\":\"info\",\"timestamp\":\"2023-11-14T22:13:20.174457Z\",\"msg\":\"request completed\","
           "\"method\":\"GET\",\"host\":\"example.com\",\"path\":\"/a?b\",\"status\":200,"
           "\"latency_ms\":51.001502,\"remote_addr\":\"10.0.0.1\",\"bytes_in\":0,\"bytes_out\":5,"
           "\"protocol\":\"HTTP/1.1\",\"tls\":null,\"route\":\"users\",\"cluster\":\"backend\","
           "\"endpoint\":\"127.0.0.1:3000\",\"attempts\":1,\"reused\":true,\"failure\":null,"
           "\"phases\":{\"route\":0.001500,\"first_byte\":51.000002}}\n") == 0);
    record.trace.trace_id[0] = 0xab;
    record.tls = "TLSv1.3";
    record.failure = GM_FAILURE_RESPONSE_TRUNCATED;
    record.detail = "why";
    ok(strstr(line_of(&record, true), ",\"trace_id\":\"ab000000000000000000000000000000\",\"method\":") !=
       NULL);
    ok(strstr(line_of(&record, true), ",\"tls\":\"TLSv1.3\",") != NULL);
    ok(strstr(line_of(&record, true), ",\"failure\":\"response_truncated\",\"detail\":\"why\",") != NULL);
}

static void test_grpc(void)
{
    gm_record_grpc_t grpc = {{"a.S", 3}, {"Do", 2}, GM_GRPC_NOT_FOUND, false, false};
    gm_record_t record = sample_record();

    record.grpc = &grpc;
    ok(strstr(line_of(&record, true), ",\"failure\":null,\"grpc_service\":\"a.S\",\"grpc_method\":\"Do\","
                                      "\"grpc_status\":\"NOT_FOUND\",\"phases\":") != NULL);
    ok(strstr(line_of(&record, false), " 200 51.001ms grpc_status=NOT_FOUND remote_addr=") != NULL);
    grpc = (gm_record_grpc_t){.status = GM_GRPC_UNKNOWN, .is_missing = true};
    ok(strstr(line_of(&record, true),
              ",\"grpc_service\":null,\"grpc_method\":null,\"grpc_status\":\"UNKNOWN\","
              "\"grpc_status_missing\":true,") != NULL);
}

static void test_text(void)
{
    gm_record_t record = sample_record();

    ok(strcmp(line_of(&record, false), "[INFO] request completed: GET /a?b 200 51.001ms remote_addr=10.0.0.1 "
                                       "route=users endpoint=127.0.0.1:3000\n") == 0);
    record.endpoint = record.route = NULL;
    record.failure = GM_FAILURE_NO_ROUTE;
    record.status = 404;
    record.trace.trace_id[15] = 1;
    ok(strcmp(line_of(&record, false),
              "[INFO] request completed: GET /a?b 404 51.001ms failure=no_route remote_addr=10.0.0.1 "
              "trace_id=00000000000000000000000000000001\n") == 0);
}

static void test_hostile(void)
{
    gm_record_t record = sample_record();

    record.path = (gm_record_text_t)TEXT("/\n\"\\\x1b\xff\xc2\x9b\0x");
    ok(strstr(line_of(&record, true), "\"path\":\"/\\n\\\"\\\\\\u001b\xef\xbf\xbd\xc2\x9b\\u0000x\",") !=
       NULL);
    ok(strstr(line_of(&record, false), " /\\x0a\"\\\\x1b\\xff\\xc2\\x9b\\x00x 200 ") != NULL);
    record.method = record.host = record.path = record.remote_addr = (gm_record_text_t){NULL, 0};
    ok(strstr(line_of(&record, true), "\"method\":null,\"host\":null,\"path\":null,") != NULL);
}

static void test_fields(void)
{
    const gm_record_field_t asked[] = {{TEXT("user-agent"), TEXT("curl/8")},
                                       {TEXT("x-empty"), TEXT("")},
                                       END},
                            told[] = {{TEXT("content-type"), TEXT("text/plain")}, END};
    gm_record_t record = sample_record();

    record.request_fields = asked;
    record.response_fields = told;
    ok(strstr(line_of(&record, true),
              "\"failure\":null,\"request_headers\":{\"user-agent\":\"curl/8\",\"x-empty\":\"\"},"
              "\"response_headers\":{\"content-type\":\"text/plain\"},\"phases\":{") != NULL);
    ok(strstr(line_of(&record, false),
              ":3000 user-agent=\"curl/8\" x-empty=\"\" content-type=\"text/plain\"\n") != NULL);
    record.request_fields = NULL;
    ok(strstr(line_of(&record, true), "\"failure\":null,\"response_headers\":{") != NULL);
    ok(strstr(line_of(&record, false), ":3000 content-type=\"text/plain\"\n") != NULL);
}

static void test_hostile_fields(void)
{
    const gm_record_field_t fields[] = {
        {TEXT("a"), TEXT("\"b\\\n\x1b\x7f\t\xff\xc2\x9b\xc2\xe2\x82\xac\" c=\"d")}, END};
    gm_record_t record = sample_record();

    record.request_fields = fields;
    ok(strstr(line_of(&record, true),
              ",\"request_headers\":{\"a\":\"\\\"b\\\\\\n\\u001b\\u007f\\t\xef\xbf\xbd\xc2\x9b"
              "\xef\xbf\xbd\xe2\x82\xac\\\" c=\\\"d\"},") != NULL);
    ok(strstr(line_of(&record, false),
              " a=\"\\\"b\\\\\\x0a\\x1b\\x7f\\x09\\xff\\xc2\\x9b\\xc2\xe2\x82\xac\\\" c=\\\"d\"\n") != NULL);
}

/* ---- which requests get a line */

/* Records are given to the rules in turn. */
static const char *written(const gm_access_log_rule_t *rules, size_t rule_count, const gm_record_t *records,
                           size_t count)
{
    static char content[65536];
    char name[] = "/tmp/gomesh-unit-XXXXXX";
    gm_access_log_options_t options = {.rules = rules, .rule_count = rule_count};
    gm_log_stream_options_t stream = {.fd = mkstemp(name), .describe_lost = gm_log_describe_lost};
    gm_access_log_t *self;
    ssize_t got;

    unlink(name);
    options.stream = gm_log_stream_open(&stream, NULL);
    self = gm_access_log_create(&options);
    for (size_t i = 0; i != count; ++i)
        gm_access_log_write(self, i % rule_count, &records[i]);
    gm_access_log_destroy(self);
    gm_log_stream_close(options.stream);
    got = pread(stream.fd, content, sizeof(content) - 1, 0);
    content[got > 0 ? got : 0] = '\0';
    close(stream.fd);
    return content;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    while ((text = strstr(text, part)) != NULL) {
        ++count;
        ++text;
    }
    return count;
}

static void test_choice(void)
{
    gm_record_t records[100];
    const gm_access_log_rule_t all = {.sample = GM_FRACTION_ONE}, some = {.sample = GM_FRACTION_ONE / 10},
                               none = {.sample = 0},
                               failures = {.only_failures = true, .sample = GM_FRACTION_ONE},
                               slow = {.slower_than_ns = 60000000, .sample = GM_FRACTION_ONE};

    for (size_t i = 0; i != 100; ++i)
        records[i] = sample_record();
    records[7].failure = GM_FAILURE_CONNECT_REFUSED;
    records[8].phase_ns[GM_PHASE_ROUTE] = 60000000;
    ok(count_of(written(&all, 1, records, 100), "\n") == 100);
    ok(count_of(written(&some, 1, records, 100), "\n") == 9 + 1); /* of 99, and the failure */
    ok(count_of(written(&some, 1, records, 100), "connect_refused") == 1);
    ok(count_of(written(&none, 1, records, 100), "\n") == 1);
    ok(count_of(written(&failures, 1, records, 100), "\n") == 1);
    ok(count_of(written(&slow, 1, records, 100), "\n") == 2);
}

/* Each rule counts its own samples. */
static void test_rules(void)
{
    gm_record_t records[40];
    const gm_access_log_rule_t rules[] = {{.sample = GM_FRACTION_ONE / 2}, {.sample = GM_FRACTION_ONE / 4}};
    const char *lines;

    for (size_t i = 0; i != 40; ++i) {
        records[i] = sample_record();
        records[i].route = i % 2 == 0 ? "half" : "quarter";
    }
    lines = written(rules, 2, records, 40);
    ok(count_of(lines, " route=half") == 10);
    ok(count_of(lines, " route=quarter") == 5);
}

int main(void)
{
    subtest("JSON", test_json);
    subtest("gRPC", test_grpc);
    subtest("text", test_text);
    subtest("hostile bytes", test_hostile);
    subtest("header fields", test_fields);
    subtest("hostile header fields", test_hostile_fields);
    subtest("which requests", test_choice);
    subtest("rules", test_rules);
    return done_testing();
}
