/*
 * Heads whose parts come one by one: the same rules as for those in lines, and the few that only these have.
 */
#include "http/field_list.h"
#include "http/head.h"

#include <string.h>

#include "picotest.h"

static const gm_head_limits_t limits = {
    .max_bytes = 4096, .max_field_bytes = 40, .max_target_bytes = 30, .max_fields = 5};

static gm_head_t head;
static gm_buffer_t list;

static gm_span_t span(const char *text)
{
    return (gm_span_t){text, text != NULL ? strlen(text) : 0};
}

static bool is(gm_span_t got, const char *text)
{
    return got.base != NULL && got.length == strlen(text) && memcmp(got.base, text, got.length) == 0;
}

/* @param fields  name, value, …, NULL */
static void gather(const char *const *fields)
{
    list.length = 0;
    for (; fields != NULL && *fields != NULL; fields += 2)
        gm_field_list_add(&list, span(fields[0]), span(fields[1]));
    memset(&head, 0xa5, sizeof(head)); /* nothing may rely on zeros */
}

static unsigned request(const char *method, const char *target, const char *host, const char *const *fields)
{
    gm_head_parts_t parts = {.method = span(method), .target = span(target), .host = span(host)};

    gather(fields);
    parts.fields = list.text != NULL ? list.text : "";
    parts.fields_length = list.length;
    return gm_head_read_request(&parts, &limits, &head) == 0 ? 0 : head.refusal;
}

static unsigned response(const char *status, const char *const *fields)
{
    gm_head_parts_t parts = {.status = span(status)};

    gather(fields);
    parts.fields = list.text != NULL ? list.text : "";
    parts.fields_length = list.length;
    return gm_head_read_response(&parts, &limits, &head) == 0 ? 0 : head.refusal;
}

#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_request(void)
{
    ok(request("POST", "/a?b", "example.com:80",
               FIELDS("user-agent", "curl", "content-length", "12", "x", "", "te", "trailers")) == 0);
    ok(is(head.method, "POST") && is(head.target, "/a?b") && is(head.host, "example.com:80"));
    ok(head.minor_version == 1 && head.content_length == 12 && head.accepts_trailers && head.keeps_alive);
    ok(head.field_count == 2 && is(head.fields[0].name, "user-agent") && is(head.fields[0].value, "curl") &&
       is(head.fields[1].name, "x") && is(head.fields[1].value, ""));
    ok(request("OPTIONS", "*", "a", NULL) == 0 && head.content_length == GM_HEAD_NO_LENGTH);
    ok(request("GET", "/", "a", FIELDS("connection", "upgrade, x", "upgrade", "websocket", "x", "1")) == 0 &&
       is(head.upgrade, "websocket") && head.field_count == 0);
}

static void test_refused_requests(void)
{
    ok(request(NULL, "/", "a", NULL) == 400 && request("G T", "/", "a", NULL) == 400);
    ok(request("GET\r\nX:", "/", "a", NULL) == 400);
    ok(request("CONNECT", NULL, "a:1", NULL) == 501);
    ok(request("GET", NULL, "a", NULL) == 400 && request("GET", "", "a", NULL) == 400);
    ok(request("GET", "a", "a", NULL) == 400 && request("GET", "*", "a", NULL) == 400);
    ok(request("GET", "http://a/", "a", NULL) == 400);
    ok(request("GET", "/ HTTP/1.1", "a", NULL) == 400 && request("GET", "/\r", "a", NULL) == 400);
    ok(request("GET", "/0123456789012345678901234567890", "a", NULL) == 414);
    ok(request("GET", "/", NULL, NULL) == 400 && request("GET", "/", "a b", NULL) == 400);
    ok(request("GET", "/", "", NULL) == 400);
    ok(request("GET", "/", "a", FIELDS("host", "b")) == 400);
    ok(request("GET", "/", "a", FIELDS("content-length", "1x")) == 400);
    ok(request("GET", "/", "a", FIELDS("content-length", "1", "content-length", "1")) == 400);
    ok(request("GET", "/", "a", FIELDS("expect", "200-ok")) == 417);
    ok(request("GET", "/", "a", FIELDS("a", "1", "a", "1", "a", "1", "a", "1", "a", "1")) == 0);
    ok(request("GET", "/", "a", FIELDS("a", "1", "a", "1", "a", "1", "a", "1", "a", "1", "a", "1")) == 431);
    ok(request("GET", "/", "a", FIELDS("a", "0123456789012345678901234567890123456789")) == 431);
}

static void test_fields(void)
{
    static const char *const bad[][2] = {
        {"", "x"},     {"A", "x"},     {"a b", "x"},   {"a:", "x"},   {"a\r\nb", "x"},
        {"\x80", "x"}, {":path", "x"}, {"a", "x\r\n"}, {"a", "x\ry"}, {"a", "\x7f"},
        {"a", "\x01"}, {"a", " x"},    {"a", "x\t"},   {"a", " "},
    };
    static const char *const good[][2] = {{"a", ""},
                                          {"a", "x y\tz"},
                                          {"a", "\xff\x80"},
                                          {"!#$%&'*+-.^_`|~0a", "x"},
                                          {"a", "12345678\t12345678"}};

    for (size_t i = 0; i != sizeof(bad) / sizeof(bad[0]); ++i) {
        const gm_head_field_t field = {span(bad[i][0]), span(bad[i][1])};
        note("%zu", i);
        ok(gm_head_why_no_field(&field) != NULL);
    }
    for (size_t i = 0; i != sizeof(good) / sizeof(good[0]); ++i) {
        const gm_head_field_t field = {span(good[i][0]), span(good[i][1])};
        ok(gm_head_why_no_field(&field) == NULL);
    }
    ok(gm_head_why_no_field(&(gm_head_field_t){{"a", 1}, {"x\0y", 3}}) != NULL);
    ok(gm_head_why_no_field(&(gm_head_field_t){{"a\0b", 3}, {"x", 1}}) != NULL);
}

static void test_response(void)
{
    ok(response("200", FIELDS("content-length", "5", "server", "x")) == 0);
    ok(head.status == 200 && head.content_length == 5 && head.field_count == 1 && head.length == list.length);
    ok(head.reason.length == 0);
    ok(response("599", NULL) == 0 && response("100", NULL) == 0);
    ok(response("099", NULL) == 502 && response("600", NULL) == 502 && response("2x0", NULL) == 502);
    ok(response("20", NULL) == 502 && response("2000", NULL) == 502 && response(NULL, NULL) == 502);
    ok(response("200", FIELDS("content-length", "5", "content-length", "6")) == 502);
    ok(response("204", FIELDS("content-length", "5")) == 0 && head.content_length == GM_HEAD_NO_LENGTH);
}

int main(void)
{
    subtest("requests", test_request);
    subtest("refused requests", test_refused_requests);
    subtest("what a field is", test_fields);
    subtest("answers", test_response);
    gm_buffer_dispose(&list);
    return done_testing();
}
