/*
 * Messages of HTTP/2, field by field and frame by frame: what is whole, and where what is not stops being
 * good.
 */
#include "http2/message.h"

#include <string.h>

#include "picotest.h"

static gm_span_t span(const char *text)
{
    return (gm_span_t){text, strlen(text)};
}

/* @param text  "name=value" for each field, '|' between them; @return whether the block is good */
static bool take_block(gm_http2_message_t *message, const char *text, bool has_ended)
{
    char copy[200], *at = copy, *field;

    strcpy(copy, text);
    while ((field = strsep(&at, "|")) != NULL) {
        char *value = strchr(field, '=');
        *value++ = '\0';
        if (!gm_http2_message_field(message, span(field), span(value)))
            return false;
    }
    return gm_http2_message_block(message, has_ended);
}

static bool is_request(const char *text)
{
    gm_http2_message_t message = {.is_answer = false};

    return take_block(&message, text, false);
}

#define GET ":method=GET|:scheme=http|:path=/"
#define HEAD GET "|:authority=a"

static void test_requests(void)
{
    static const char *const good[] = {
        HEAD,
        GET "|host=a",
        HEAD "|host=a|te=trailers|x=",
        ":authority=a|:path=/x|:method=PUT|:scheme=HTTPS",
        ":method=OPTIONS|:scheme=https|:path=*|:authority=a",
        ":method=CONNECT|:authority=a:1",
        ":method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a",
        ":method=GET|:scheme=ftp|:path=x|:authority=a",
        HEAD "|content-length=9223372036854775807",
    };
    static const char *const bad[] = {
        GET,
        ":method=GET|:path=/|:authority=a",
        ":scheme=http|:path=/|:authority=a",
        ":method=GET|:scheme=http|:authority=a",
        ":method=GET|:scheme=http|:path=*|:authority=a",
        ":method=GET|:scheme=http|:path=x|:authority=a",
        ":method=GET|:scheme=http|:path=|:authority=a",
        HEAD "|:method=GET",
        HEAD "|:path=/",
        HEAD "|:authority=a",
        HEAD "|:scheme=http",
        HEAD "|:status=200",
        HEAD "|:x=1",
        HEAD "|:=1",
        HEAD "|:protocol=websocket",
        GET "|x=1|:authority=a",
        GET "|host=a|host=a",
        GET "|host=",
        ":method=CONNECT",
        ":method=CONNECT|:authority=a|:path=/",
        ":method=CONNECT|:protocol=websocket|:authority=a",
        HEAD "|connection=close",
        HEAD "|keep-alive=1",
        HEAD "|proxy-connection=x",
        HEAD "|transfer-encoding=chunked",
        HEAD "|upgrade=x",
        HEAD "|te=gzip",
        HEAD "|X=1",
        HEAD "|x y=1",
        HEAD "|x= 1",
        HEAD "|x=1\r\n",
        HEAD "|x=1\x7f",
        HEAD "|content-length=",
        HEAD "|content-length=1x",
        HEAD "|content-length=9223372036854775808",
        HEAD "|content-length=1|content-length=1",
    };

    for (size_t i = 0; i != sizeof(good) / sizeof(good[0]); ++i) {
        note("%s", good[i]);
        ok(is_request(good[i]));
    }
    for (size_t i = 0; i != sizeof(bad) / sizeof(bad[0]); ++i) {
        note("%s", bad[i]);
        ok(!is_request(bad[i]));
    }
}

static void test_request_bodies(void)
{
    gm_http2_message_t message = {.is_answer = false};

    ok(take_block(&message, HEAD "|content-length=5", false));
    ok(gm_http2_message_data(&message, 2) && !gm_http2_message_end(&message));
    ok(gm_http2_message_data(&message, 3) && gm_http2_message_end(&message));
    ok(take_block(&message, "x=1|host=a|content-length=7", true) && gm_http2_message_end(&message));
    ok(!gm_http2_message_block(&message, false)); /* trailers are the end */
    ok(!gm_http2_message_field(&message, span(":path"), span("/")));
    ok(!gm_http2_message_field(&message, span("connection"), span("close")));
    ok(!gm_http2_message_data(&message, 1));
    message = (gm_http2_message_t){.is_answer = false};
    ok(take_block(&message, HEAD, false) && gm_http2_message_data(&message, 1000) &&
       gm_http2_message_end(&message));
}

static bool is_answer(bool is_head, const char *text, size_t data, bool has_ended)
{
    gm_http2_message_t message = {.is_answer = true, .is_without_body = is_head};

    return take_block(&message, text, has_ended) && (data == 0 || gm_http2_message_data(&message, data)) &&
           (!has_ended || gm_http2_message_end(&message));
}

static void test_answers(void)
{
    gm_http2_message_t message = {.is_answer = true};

    ok(is_answer(false, ":status=200|content-length=3|te=trailers", 3, true));
    ok(!is_answer(false, ":status=200|content-length=3", 2, true));
    ok(!is_answer(false, ":status=200|content-length=3", 4, false));
    ok(is_answer(true, ":status=200|content-length=3", 0, true));
    ok(!is_answer(true, ":status=200", 1, false));
    ok(is_answer(false, ":status=304|content-length=3", 0, true));
    ok(!is_answer(false, ":status=304", 1, false) && !is_answer(false, ":status=204", 1, false));
    ok(is_answer(false, ":status=204|content-length=3", 0, true));
    ok(!is_answer(false, "x=1", 0, false) && !is_answer(false, "x=1|:status=200", 0, false));
    ok(!is_answer(false, ":status=200|:status=200", 0, false) && !is_answer(false, ":path=/", 0, false));
    ok(!is_answer(false, ":status=20", 0, false) && !is_answer(false, ":status=099", 0, false));
    ok(!is_answer(false, ":status=2 0", 0, false) && !is_answer(false, ":status=101", 0, false));
    ok(!is_answer(false, ":status=200|connection=close", 0, false));
    ok(!is_answer(false, ":status=103", 0, true)); /* an interim answer is not all */
    ok(!is_answer(false, ":status=103", 1, false));
    ok(take_block(&message, ":status=103|link=x|content-length=9", false) && !message.has_head);
    ok(take_block(&message, ":status=200", false) && message.has_head && !message.has_length);
    ok(gm_http2_message_data(&message, 7) && gm_http2_message_end(&message));
}

int main(void)
{
    subtest("requests", test_requests);
    subtest("their bodies", test_request_bodies);
    subtest("answers", test_answers);
    return done_testing();
}
