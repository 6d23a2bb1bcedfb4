/* What pages share, and pages that need no worker, without a server. */
#include "admin/page.h"

#include <stdlib.h>
#include <string.h>

#include "../config/config_text.h"
#include "telemetry/log.h"

static bool finds(const char *query, const char *wanted)
{
    char value[8] = "?";

    return gm_admin_find_parameter(query, "level", value, sizeof(value)) && strcmp(value, wanted) == 0;
}

static void test_parameters(void)
{
    char value[8];

    ok(finds("level=debug", "debug") && finds("text&level=info", "info") && finds("level=&x", ""));
    ok(finds("level=a&level=b", "a") && finds("&&level=x&&", "x") && finds("level==", "="));
    ok(!gm_admin_find_parameter("", "level", value, sizeof(value)));
    ok(!gm_admin_find_parameter("level", "level", value, sizeof(value)));
    ok(!gm_admin_find_parameter("xlevel=1&levels=2&Level=3", "level", value, sizeof(value)));
    ok(finds("level=1234567", "1234567"));
    ok(!gm_admin_find_parameter("level=12345678", "level", value, sizeof(value)));
}

static void test_words(void)
{
    ok(gm_admin_has_word("text", "text") && gm_admin_has_word("a&text&b", "text") &&
       gm_admin_has_word("text=", "text") && gm_admin_has_word("&&text=1&", "text"));
    ok(!gm_admin_has_word("", "text") && !gm_admin_has_word("texts", "text") &&
       !gm_admin_has_word("a=text", "text") && !gm_admin_has_word("Text&tex&t", "text"));
}

/* What a page says. */
typedef struct said {
    gm_buffer_t out;
    gm_json_t json;
    gm_admin_call_t call;
} said_t;

static const char *serve(said_t *said, void (*page)(gm_admin_call_t *call))
{
    gm_buffer_dispose(&said->out);
    said->json = (gm_json_t){.out = &said->out};
    said->call.out = &said->out;
    said->call.json = &said->json;
    said->call.status = 200;
    page(&said->call);
    return said->out.text;
}

static void refuse(gm_admin_call_t *call)
{
    gm_json_open(call->json, '{'); /* half an answer, which is thrown away */
    gm_admin_refuse(call, 405, "no %s", "\"such\"");
}

static void test_refusal(void)
{
    said_t said = {.call = {.query = ""}};

    ok(strcmp(serve(&said, refuse),
              "{\"title\":\"Method Not Allowed\",\"status\":405,\"detail\":\"no \\\"such\\\"\"}\n") == 0);
    ok(said.call.status == 405 && strcmp(said.call.content_type, "application/problem+json") == 0);
    said.call.wants_text = true;
    ok(strcmp(serve(&said, refuse), "no \"such\"\n") == 0);
    gm_buffer_dispose(&said.out);
}

static bool drains;

static bool is_draining(void *data)
{
    (void)data;
    return drains;
}

static void test_readiness(void)
{
    config_text_t text = config_text_load("admin: { ready_needs_backend: true }");
    gm_cluster_t *clusters[] = {gm_cluster_create("a", "a.internal", 1, "a.internal:1"),
                                gm_cluster_create("b", "b.internal", 1, "b.internal:1")};
    const gm_look_up_error_t unknown = {GM_FAILURE_DNS_FAILED, "unknown"};
    const gm_address_t address = {.length = sizeof(struct sockaddr)};
    gm_admin_options_t options = {
        .snapshot = text.snapshot, .clusters = clusters, .cluster_count = 2, .is_draining = is_draining};
    said_t said = {.call = {.options = &options, .wants_text = true}};

    ok(strcmp(serve(&said, gm_admin_page_readyz), "not ready: starting\n") == 0 && said.call.status == 503);
    gm_cluster_set_addresses(clusters[0], NULL, 0, &unknown);
    ok(strcmp(serve(&said, gm_admin_page_readyz), "not ready: starting\n") == 0);
    gm_cluster_set_addresses(clusters[1], NULL, 0, &unknown);
    ok(strcmp(serve(&said, gm_admin_page_readyz), "not ready: no endpoint is reachable\n") == 0);
    gm_cluster_set_addresses(clusters[1], &address, 1, NULL); /* that nobody has tried */
    ok(strcmp(serve(&said, gm_admin_page_readyz), "not ready: starting\n") == 0);
    gm_cluster_note_attempt(clusters[1], 1, false);
    ok(strcmp(serve(&said, gm_admin_page_readyz), "not ready: no endpoint is reachable\n") == 0);
    gm_cluster_note_attempt(clusters[1], 1, true);
    ok(strcmp(serve(&said, gm_admin_page_readyz), "ready\n") == 0 && said.call.status == 200);
    drains = true;
    ok(strcmp(serve(&said, gm_admin_page_readyz), "not ready: draining\n") == 0 && said.call.status == 503);
    drains = false;
    ok(strcmp(serve(&said, gm_admin_page_healthz), "ok\n") == 0);
    gm_buffer_dispose(&said.out);
    gm_cluster_release(clusters[0]);
    gm_cluster_release(clusters[1]);
    config_text_dispose(&text);
}

/* One that has answered, one that has ended, one that is stuck. */
static void test_surveyed(void)
{
    gm_cluster_t *clusters[] = {gm_cluster_create("a", "127.0.0.1", 80, "127.0.0.1:80")};
    gm_admin_options_t options = {.clusters = clusters, .cluster_count = 1};
    gm_survey_t *survey = gm_survey_create(3, 1, GM_SURVEY_NUMBERS);
    said_t said = {.call = {.options = &options, .wants_text = true, .survey = survey}};

    *gm_survey_sheet(survey, 0) = (gm_sheet_t){
        .is_draining = true, .connections = 2, .in_flight = 1, .idle = gm_survey_sheet(survey, 0)->idle};
    gm_survey_sheet(survey, 0)->idle[0] = 5;
    gm_survey_hand_in(survey, 0, true);
    gm_survey_hand_in(survey, 1, false);
    ok(strcmp(serve(&said, gm_admin_page_workers),
              "worker 0: draining, 2 connections, 1 request in flight\nworker 1: ended\n"
              "worker 2: silent, it did not answer within a second\n") == 0);
    ok(strcmp(serve(&said, gm_admin_page_clusters), "cluster a: 127.0.0.1:80, look-up not needed, not tried "
                                                    "yet\n  addresses, version 1: 127.0.0.1:80\n"
                                                    "  idle connections per worker: 5 ? ?\n") == 0);
    said.call.wants_text = false;
    ok(strcmp(serve(&said, gm_admin_page_workers),
              "{\"workers\":[{\"index\":0,\"state\":\"draining\",\"connections\":2,\"requests_in_flight\":1},"
              "{\"index\":1,\"state\":\"ended\"},{\"index\":2,\"state\":\"silent\"}]}") == 0);
    ok(strstr(serve(&said, gm_admin_page_clusters), "\"reachable\":null,") != NULL);
    gm_cluster_note_attempt(clusters[0], 1, false);
    ok(strstr(serve(&said, gm_admin_page_clusters), "\"reachable\":false,") != NULL);
    gm_cluster_note_attempt(clusters[0], 1, true);
    ok(strstr(serve(&said, gm_admin_page_clusters), "\"reachable\":true,") != NULL);
    ok(strstr(serve(&said, gm_admin_page_clusters),
              "\"idle_connections\":[5,null,null],\"last_failure\":null") != NULL);
    gm_survey_hand_in(survey, 2, false);
    gm_survey_release(survey);
    gm_buffer_dispose(&said.out);
    gm_cluster_release(clusters[0]);
}

/* What came from outside must not act on the terminal of whoever looks. */
static void test_requests(void)
{
    const gm_record_t record = {.began_us = 1,
                                .phase_ns = {1000000},
                                .trace = {.trace_id = {0x11}},
                                .path = {"/a\x1b[31m\r\n\xff", 9},
                                .status = 502,
                                .failure = GM_FAILURE_CONNECT_REFUSED,
                                .detail = "a\x1b]0;b\x07\nc"};
    gm_survey_t *survey = gm_survey_create(1, 0, GM_SURVEY_REQUESTS);
    gm_sheet_t *sheet = gm_survey_sheet(survey, 0);
    gm_ring_t *ring = gm_ring_create(4);
    said_t said = {.call = {.query = "", .wants_text = true, .survey = survey}};

    gm_ring_add(ring, &record);
    sheet->kept_count = gm_ring_copy(ring, &sheet->kept);
    gm_survey_hand_in(survey, 0, true);
    said.call.argument = "11000000000000000000000000000000";
    ok(strstr(serve(&said, gm_admin_page_request), "\n  cause: a") != NULL && said.call.status == 200);
    ok(strpbrk(said.out.text, "\x1b\x07\r") == NULL);
    ok(strpbrk(serve(&said, gm_admin_page_requests), "\x1b\x07\r") == NULL);
    gm_buffer_dispose(&said.out);
    gm_ring_destroy(ring);
    gm_survey_release(survey);
}

static void test_level(void)
{
    said_t said = {.call = {.query = "", .wants_text = true}};

    ok(strcmp(serve(&said, gm_admin_page_log_level), "info\n") == 0);
    said.call.is_post = true;
    ok(strstr(serve(&said, gm_admin_page_log_level), "level=debug") != NULL && said.call.status == 400);
    said.call.query = "level=error";
    ok(strcmp(serve(&said, gm_admin_page_log_level), "error\n") == 0);
    ok(gm_log_get_level() == GM_LOG_ERROR && !gm_log_is_on(GM_LOG_WARN));
    gm_log_set_level(GM_LOG_INFO);
    gm_buffer_dispose(&said.out);
}

int main(void)
{
    subtest("parameters", test_parameters);
    subtest("words", test_words);
    subtest("refusals", test_refusal);
    subtest("readiness", test_readiness);
    subtest("what workers said", test_surveyed);
    subtest("requests", test_requests);
    subtest("the log's level", test_level);
    return done_testing();
}
