/*
 * Heads: what is read, what is refused and why, in one piece and byte by byte. Each input lies in memory of
 * its own size, so that a sanitizer sees a step over its edge.
 */
#include "http/head.h"

#include <stdlib.h>
#include <string.h>

#include "picotest.h"

#include "base/buffer.h"
#include "base/memory.h"

#define GET "GET / HTTP/1.1\r\n"
#define OK "HTTP/1.1 200 OK\r\n"
#define HOST "Host: a\r\n"
#define END "\r\n"

typedef int (*parse_t)(char *bytes, size_t size, size_t seen, const gm_head_limits_t *limits,
                       gm_head_t *head);

static const gm_head_limits_t limits = {
    .max_bytes = 4096, .max_field_bytes = 1024, .max_target_bytes = 512, .max_fields = 20};

/* --- helpers: the last head that was read, and its bytes */
static gm_head_t head;
static char *bytes;

static int parse_bytes(parse_t parse, const char *text, size_t size)
{
    free(bytes);
    bytes = gm_alloc(size != 0 ? size : 1);
    memcpy(bytes, text, size);
    memset(&head, 0xa5, sizeof(head)); /* nothing may rely on zeros */
    return parse(bytes, size, 0, &limits, &head);
}

static int request(const char *text)
{
    return parse_bytes(gm_head_parse_request, text, strlen(text));
}

static int response(const char *text)
{
    return parse_bytes(gm_head_parse_response, text, strlen(text));
}

/* @return the status that refuses the request, 0 if it is fine, 1 if it is incomplete */
static unsigned refusal(const char *text)
{
    int ret = request(text);

    return ret > 0 ? 0 : ret == 0 ? 1 : head.why != NULL && head.why[0] != '\0' ? head.refusal : 2;
}

static bool is(gm_span_t span, const char *text)
{
    return span.base != NULL && span.length == strlen(text) && memcmp(span.base, text, span.length) == 0;
}

static bool has(size_t index, const char *name, const char *value)
{
    return index < head.field_count && is(head.fields[index].name, name) &&
           is(head.fields[index].value, value);
}

static void append_times(gm_buffer_t *text, const char *what, int times)
{
    for (int i = 0; i != times; ++i)
        gm_buffer_append_text(text, what);
}

static void test_request(void)
{
    ok(request("POST /a?b=c HTTP/1.1\r\nHost: example.com:80\r\nUser-AGENT:curl \t\r\nX-E:\r\n"
               "A: \t b c\td \r\nContent-Length: 12\r\n\r\nbody") == 1);
    ok(is(head.method, "POST") && is(head.target, "/a?b=c") && is(head.host, "example.com:80"));
    ok(head.minor_version == 1 && head.content_length == 12 && !head.is_chunked && head.keeps_alive);
    ok(!head.expects_continue && !head.accepts_trailers && head.upgrade.base == NULL);
    ok(head.field_count == 3);
    ok(has(0, "user-agent", "curl") && has(1, "x-e", "") && has(2, "a", "b c\td"));

    ok(request(GET HOST END) == 1 && head.length == strlen(GET HOST END));
    ok(head.content_length == GM_HEAD_NO_LENGTH && head.field_count == 0);
    ok(request(END GET HOST END "x") == 1 && head.length == strlen(END GET HOST END));
    ok(request("GET / HTTP/1.0\r\n\r\n") == 1 && head.minor_version == 0 && !head.keeps_alive);
    ok(head.host.base == NULL);
    ok(request("GET / HTTP/1.9\r\n" HOST END) == 1 && head.minor_version == 1);
    ok(request("M-SEARCH / HTTP/1.1\r\n" HOST "X: \x80\xff\r\n\r\n") == 1 && has(0, "x", "\x80\xff"));
    ok(request("GET /!$&'()*+,;=:@[]-._~%20?/? HTTP/1.1\r\n" HOST END) == 1);
}

static void test_framing(void)
{
    static const struct {
        const char *fields;
        unsigned refusal;
    } rows[] = {
        {"Content-Length: 0\r\n", 0},
        {"content-LENGTH:007\r\n", 0},
        {"Content-Length: 9223372036854775807\r\n", 0},
        {"Content-Length: 9223372036854775808\r\n", 400},
        {"Content-Length: 18446744073709551616\r\n", 400},
        {"Content-Length: 99999999999999999999999999\r\n", 400},
        {"Content-Length:\r\n", 400},
        {"Content-Length: +1\r\n", 400},
        {"Content-Length: -1\r\n", 400},
        {"Content-Length: 1 2\r\n", 400},
        {"Content-Length: 0x1\r\n", 400},
        {"Content-Length: 1,1\r\n", 400},
        {"Content-Length: 1\r\nContent-Length: 1\r\n", 400},
        {"Content-Length: 1\r\nContent-Length: 2\r\n", 400},
        {"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", 400},
        {"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", 400},
        {"Transfer-Encoding: chunked\r\n", 0},
        {"Transfer-Encoding: CHUNKED \r\n", 0},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
        {"Transfer-Encoding: identity\r\n", 400},
        {"Transfer-Encoding: chunked, identity\r\n", 400},
        {"Transfer-Encoding: gzip, chunked\r\n", 400},
        {"Transfer-Encoding: xchunked\r\n", 400},
        {"Transfer-Encoding: \x0b"
         "chunked\r\n",
         400},
        {"Transfer-Encoding: \"chunked\"\r\n", 400},
        {"Transfer-Encoding:\r\n", 400},
        {"Transfer-Encoding : chunked\r\n", 400},
        {"Transfer-Encoding\r\n: chunked\r\n", 400},
        {" Transfer-Encoding: chunked\r\n", 400},
    };

    for (size_t i = 0; i != GM_COUNT_OF(rows); ++i) {
        gm_buffer_t text = {0};
        gm_buffer_printf(&text, GET HOST "%s\r\n", rows[i].fields);
        if (refusal(text.text) != rows[i].refusal) {
            note("%u, %s: %s", head.refusal, head.why, rows[i].fields);
            ok(false);
        }
        gm_buffer_dispose(&text);
    }
    ok(request(GET HOST "Transfer-Encoding: chunked\r\n\r\n") == 1 && head.is_chunked);
    ok(refusal("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
    ok(refusal("GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\n") == 0 && head.content_length == 5);
}

static void test_lines(void)
{
    static const struct {
        const char *text;
        unsigned refusal;
    } rows[] = {
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
        {GET "Host: a\n\r\n", 400},
        {GET "Host: a\r\n\n", 400},
        {GET "Host: a\n\n", 400},
        {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {END END GET HOST END, 400},
        {"\r\r\n" GET HOST END, 400},
        {END END, 400},
        {" " GET HOST END, 400},
        {GET HOST "A: b\r\n c\r\n\r\n", 400},
        {GET HOST "A: b\r\n\tc\r\n\r\n", 400},
        {GET " " HOST END, 400},
        {GET HOST "A: b\rc\r\n\r\n", 400},
        {GET HOST "A: b\r\r\n\r\n", 400},
        {GET HOST "A: b\rxB: c\r\n\r\n", 400},
        {GET HOST "\rA: b\r\n\r\n", 400},
        {GET HOST "A : b\r\n\r\n", 400},
        {GET HOST "A\t: b\r\n\r\n", 400},
        {GET HOST ": b\r\n\r\n", 400},
        {GET HOST "A\r\n\r\n", 400},
        {GET HOST "A b: c\r\n\r\n", 400},
        {GET HOST "A(: c\r\n\r\n", 400},
        {GET HOST "\xc3\xa4: c\r\n\r\n", 400},
        {GET HOST "A: \x01\r\n\r\n", 400},
        {GET HOST "A: \x7f\r\n\r\n", 400},
        {GET HOST "A: 0123456789\x1f"
                  "0123456789\r\n\r\n",
         400},
        {GET HOST "A: 0123456789\x7f"
                  "0123456789\r\n\r\n",
         400},
        {"GET  / HTTP/1.1\r\n" HOST END, 400},
        {"GET /  HTTP/1.1\r\n" HOST END, 400},
        {"GET\t/ HTTP/1.1\r\n" HOST END, 400},
        {"GET / HTTP/1.1 \r\n" HOST END, 400},
        {"GET / HTTP/1.1\r\r\n" HOST END, 400},
        {"GET / \r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {"GET \r\n\r\n", 400},
        {"GET\r\n\r\n", 400},
        {"GET / HTTP\r\n\r\n", 400},
        {"GET / HTTP/\r\n\r\n", 400},
        {"GET / HTTP/1\r\n\r\n", 400},
        {"GET / HTTP/1.\r\n\r\n", 400},
        {"GET / HTTP/1.10\r\n" HOST END, 400},
        {"GET / HTTP/01.1\r\n" HOST END, 400},
        {"GET / HTTP/a.1\r\n" HOST END, 400},
        {"GET / http/1.1\r\n" HOST END, 400},
        {"GET / XTTP/1.1\r\n" HOST END, 400},
        {"GET / HTTP/2.0\r\n" HOST END, 505},
        {"GET / HTTP/0.9\r\n" HOST END, 505},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"G(T / HTTP/1.1\r\n" HOST END, 400},
        {"G\xc3T / HTTP/1.1\r\n" HOST END, 400},
        {"G\x01T / HTTP/1.1\r\n" HOST END, 400},
        {" / HTTP/1.1\r\n" HOST END, 400},
        {"get / HTTP/1.1\r\n" HOST END, 0},
        {GET HOST "A: b", 1},
        {GET HOST "A: b\r", 1},
        {GET HOST "A: b\r\n", 1},
        {GET HOST "A: b\r\n\r", 1},
        {GET, 1},
        {"G", 1},
        {"\r", 1},
        {"\r\n", 1},
        {"", 1},
        {"\n", 400},
        {"\rG", 400},
        {"\x16\x03\x01", 400},
        {"GET /\r\n", 400},
        {"GET / HTTP/2.0\r\n", 505},
        {"GET /\x01", 400},
    };

    for (size_t i = 0; i != GM_COUNT_OF(rows); ++i)
        if (refusal(rows[i].text) != rows[i].refusal) {
            note("row %zu: %u, %s: %s", i, head.refusal, head.why, rows[i].text);
            ok(false);
        }
    ok(parse_bytes(gm_head_parse_request, GET HOST "A: \0\r\n\r\n", sizeof(GET HOST "A: \0\r\n\r\n") - 1) ==
       -1);
    ok(parse_bytes(gm_head_parse_request, GET HOST "A\0: b\r\n\r\n", sizeof(GET HOST "A\0: b\r\n\r\n") - 1) ==
       -1);
    ok(parse_bytes(gm_head_parse_request, "GET /\0 HTTP/1.1\r\n" HOST END,
                   sizeof("GET /\0 HTTP/1.1\r\n" HOST END) - 1) == -1);
}

static void test_targets(void)
{
    static const struct {
        const char *line, *target, *host;
        unsigned refusal;
    } rows[] = {
        {"GET /x HTTP/1.1\r\n", "/x", "a", 0},
        {"GET http://b/x?y HTTP/1.1\r\n", "/x?y", "b", 0},
        {"GET HTTPS://b:8443/x HTTP/1.1\r\n", "/x", "b:8443", 0},
        {"GET http://b HTTP/1.1\r\n", "/", "b", 0},
        {"GET http://b:1?x HTTP/1.1\r\n", "/?x", "b:1", 0},
        {"GET https://[::1]:1 HTTP/1.1\r\n", "/", "[::1]:1", 0},
        {"GET http://b// HTTP/1.1\r\n", "//", "b", 0},
        {"GET http://b?/ HTTP/1.1\r\n", "/?/", "b", 0},
        {"GET http:///x HTTP/1.1\r\n", NULL, NULL, 400},
        {"GET http:// HTTP/1.1\r\n", NULL, NULL, 400},
        {"GET http:/b/x HTTP/1.1\r\n", NULL, NULL, 400},
        {"GET http://u@b/x HTTP/1.1\r\n", NULL, NULL, 400},
        {"GET http://u:p@b/x HTTP/1.1\r\n", NULL, NULL, 400},
        {"GET http://b:99999/ HTTP/1.1\r\n", NULL, NULL, 400},
        {"GET ftp://b/x HTTP/1.1\r\n", NULL, NULL, 400},
        {"GET * HTTP/1.1\r\n", NULL, NULL, 400},
        {"OPTIONS * HTTP/1.1\r\n", "*", "a", 0},
        {"OPTIONS http://b:1 HTTP/1.1\r\n", "*", "b:1", 0},
        {"OPTIONS http://b/ HTTP/1.1\r\n", "/", "b", 0},
        {"OPTIONS http://b?x HTTP/1.1\r\n", "/?x", "b", 0},
        {"OPTIONS ** HTTP/1.1\r\n", NULL, NULL, 400},
        {"OPTIONSX * HTTP/1.1\r\n", NULL, NULL, 400},
        {"GET x HTTP/1.1\r\n", NULL, NULL, 400},
        {"GET ?x HTTP/1.1\r\n", NULL, NULL, 400},
        {"GET /x#y HTTP/1.1\r\n", NULL, NULL, 400},
        {"GET /\x7f HTTP/1.1\r\n", NULL, NULL, 400},
        {"GET /\xc3\xa4 HTTP/1.1\r\n", NULL, NULL, 400},
        {"CONNECT b:443 HTTP/1.1\r\n", NULL, NULL, 501},
        {"CONNECT /x HTTP/1.1\r\n", NULL, NULL, 501},
    };

    for (size_t i = 0; i != GM_COUNT_OF(rows); ++i) {
        gm_buffer_t text = {0};
        bool is_right;
        gm_buffer_printf(&text, "%s" HOST END, rows[i].line);
        is_right = refusal(text.text) == rows[i].refusal &&
                   (rows[i].refusal != 0 || (is(head.target, rows[i].target) && is(head.host, rows[i].host)));
        if (!is_right) {
            note("%u, %s: %s", head.refusal, head.why, rows[i].line);
            ok(false);
        }
        gm_buffer_dispose(&text);
    }
    for (const char *c = "\"<>\\# \t\v\x7f\x80\xff"; *c != '\0'; ++c) {
        char text[] = "GET /x? HTTP/1.1\r\n" HOST END;
        text[6] = *c;
        ok(refusal(text) == 400);
    }
    ok(refusal("GET http://b/ HTTP/1.1\r\n\r\n") == 400);              /* Host is due all the same */
    ok(refusal("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n") == 400); /* and valid */
    ok(refusal("GET http://b/ HTTP/1.0\r\n\r\n") == 0 && is(head.host, "b"));
}

static void test_host(void)
{
    static const char *const good[] = {
        "a",
        "A.example.",
        "a_b-c.1",
        "1.2.3.4",
        "1.2.3.4:80",
        "a:0",
        "a:65535",
        "a:00080",
        "[::1]",
        "[::1]:80",
        "[2001:DB8::1.2.3.4]:8",
        "localhost:8000",
    };
    static const char *const bad[] = {
        "",
        ".",
        ".a",
        "a..b",
        "a:",
        ":80",
        "a:b",
        "a:65536",
        "a:000080",
        "a:80:80",
        "a:-1",
        "a:+1",
        "a: 80",
        "a b",
        "a,b",
        "a/b",
        "a@b",
        "u:p@b",
        "a%20b",
        "a?b",
        "a#b",
        "a\\b",
        "::1",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[]",
        "[a]",
        "[::1%25eth0]",
        "[::1%eth0]",
        "[v1.a]",
        "[1.2.3.4]",
        "a]",
        "\xc3\xa4",
        "a\tb",
        "a;b",
        "*",
        "a:8 ",
        "(a)",
        "[::1]80",
        "[[::1]]",
        "[0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:1]",
    };
    char name[257];

    for (size_t i = 0; i != GM_COUNT_OF(good); ++i)
        ok(gm_head_is_host(good[i], strlen(good[i])));
    for (size_t i = 0; i != GM_COUNT_OF(bad); ++i)
        if (gm_head_is_host(bad[i], strlen(bad[i]))) {
            note("accepted: %s", bad[i]);
            ok(false);
        }
    ok(!gm_head_is_host("[::1\0]", 6));
    ok(!gm_head_is_host("a\0", 2));
    memset(name, 'a', sizeof(name));
    ok(gm_head_is_host(name, 255) && !gm_head_is_host(name, 256));

    ok(refusal(GET END) == 400);
    ok(refusal(GET "Host:\r\n\r\n") == 400);
    ok(refusal(GET HOST HOST END) == 400);
    ok(refusal(GET HOST "host: b\r\n\r\n") == 400);
    ok(refusal(GET "Host: a, b\r\n\r\n") == 400);
    ok(refusal("GET / HTTP/1.0\r\nHost: a/b\r\n\r\n") == 400);
    ok(refusal("GET / HTTP/1.0\r\n" HOST END) == 0 && is(head.host, "a"));
}

static void test_connection(void)
{
    ok(request(GET HOST "Connection: close\r\n\r\n") == 1 && !head.keeps_alive && head.field_count == 0);
    ok(request(GET HOST "Connection: x, CLOSE\r\n\r\n") == 1 && !head.keeps_alive);
    ok(request(GET HOST "Connection: keep-alive, close\r\n\r\n") == 1 && !head.keeps_alive);
    ok(request(GET HOST "Connection: closed\r\n\r\n") == 1 && head.keeps_alive);
    ok(request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n") == 1 && head.keeps_alive);

    ok(request(GET "X-Hop: 1\r\n" HOST
                   "Connection: x-hop , ,Close,y\r\nY: 2\r\nKeep: 3\r\nX-HOP: 4\r\n\r\n") == 1);
    ok(head.field_count == 1 && has(0, "keep", "3") && is(head.host, "a"));
    ok(request(GET HOST "Connection: host, content-length\r\nContent-Length: 5\r\n\r\n") == 1);
    ok(is(head.host, "a") && head.content_length == 5);
    ok(request(GET HOST "Proxy-Connection: close\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nTrailer: x\r\n"
                        "Upgrade: h2c\r\nHTTP2-Settings: x\r\nA: b\r\n\r\n") == 1);
    ok(head.field_count == 1 && head.keeps_alive && head.accepts_trailers && head.upgrade.base == NULL);
    ok(request(GET HOST "TE: gzip;q=0.5, Trailers\r\n\r\n") == 1 && head.accepts_trailers);
    ok(request(GET HOST "TE: xtrailers\r\n\r\n") == 1 && !head.accepts_trailers);

    ok(request(GET HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n") == 1);
    ok(is(head.upgrade, "websocket") && head.field_count == 0);
    ok(request(GET HOST "Upgrade: a\r\nUpgrade: b\r\nConnection: upgrade\r\n\r\n") == 1);
    ok(head.upgrade.base == NULL);
    ok(request("GET / HTTP/1.0\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n") == 1 &&
       head.upgrade.base == NULL);
}

static void test_many_connections(void)
{
    gm_buffer_t text = {0};

    for (int count = 16; count <= 17; ++count) {
        gm_buffer_append_text(&text, GET HOST);
        append_times(&text, "Connection: x\r\n", count);
        gm_buffer_append_text(&text, END);
        ok(refusal(text.text) == (count == 16 ? 0u : 400u));
        gm_buffer_dispose(&text);
    }
    for (int count = 31; count <= 32; ++count) {
        gm_buffer_append_text(&text, GET HOST "Connection: close, x");
        append_times(&text, ",y,close", count);
        gm_buffer_append_text(&text, END END);
        ok(refusal(text.text) == (count == 31 ? 0u : 400u));
        gm_buffer_dispose(&text);
    }
}

static void test_other_fields(void)
{
    ok(refusal(GET HOST "Expect: 100-continue\r\n\r\n") == 0 && head.expects_continue &&
       head.field_count == 0);
    ok(refusal(GET HOST "Expect: 100-CONTINUE\r\n\r\n") == 0 && head.expects_continue);
    ok(refusal(GET HOST "Expect: x\r\n\r\n") == 417);
    ok(refusal(GET HOST "Expect: 100-continue, x\r\n\r\n") == 417);
    ok(refusal(GET HOST "Expect:\r\n\r\n") == 417);
    ok(refusal("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n") == 0 && !head.expects_continue);

    ok(request(GET HOST
               "Transfer_Encoding: chunked\r\nX_Forwarded_For: x\r\ncontent_length: 5\r\nmy_field: 1\r\n"
               "X-Forwarded-For: y\r\n\r\n") == 1);
    ok(head.field_count == 2 && has(0, "my_field", "1") && has(1, "x-forwarded-for", "y"));
    ok(!head.is_chunked && head.content_length == GM_HEAD_NO_LENGTH);
}

static void test_limits(void)
{
    gm_buffer_t text = {0};

    for (int count = 19; count <= 20; ++count) { /* Host is one of 20 */
        gm_buffer_append_text(&text, GET HOST);
        append_times(&text, "A: b\r\n", count);
        gm_buffer_append_text(&text, END);
        ok(refusal(text.text) == (count == 19 ? 0u : 431u));
        gm_buffer_dispose(&text);
    }
    for (int count = 1023; count <= 1024; ++count) {
        gm_buffer_append_text(&text, GET HOST "A: ");
        append_times(&text, "x", count);
        gm_buffer_append_text(&text, END END);
        ok(refusal(text.text) == (count == 1023 ? 0u : 431u));
        gm_buffer_dispose(&text);
    }
    for (int count = 511; count <= 512; ++count) {
        gm_buffer_append_text(&text, "GET /");
        append_times(&text, "x", count);
        ok(refusal(text.text) == (count == 511 ? 1u : 414u)); /* without waiting for the rest */
        gm_buffer_append_text(&text, " HTTP/1.1\r\n" HOST END);
        ok(refusal(text.text) == (count == 511 ? 0u : 414u));
        gm_buffer_dispose(&text);
    }
    for (int count = 64; count <= 65; ++count) {
        append_times(&text, "x", count);
        ok(refusal(text.text) == (count == 64 ? 1u : 501u));
        gm_buffer_append_char(&text, ' ');
        ok(refusal(text.text) == (count == 64 ? 1u : 501u));
        gm_buffer_append_text(&text, "/ HTTP/1.1\r\n" HOST END);
        ok(refusal(text.text) == (count == 64 ? 0u : 501u));
        gm_buffer_dispose(&text);
    }
}

static void test_whole_limit(void)
{
    gm_buffer_t text = {0};
    const size_t rest = limits.max_bytes - strlen(GET HOST END) - 4 * strlen("A: \r\n");

    for (size_t over = 0; over != 2; ++over) {
        gm_buffer_append_text(&text, GET HOST);
        for (size_t i = 0; i != 4; ++i) {
            gm_buffer_append_text(&text, "A: ");
            append_times(&text, "x", (int)(rest / 4 + (i == 0 ? rest % 4 + over : 0)));
            gm_buffer_append_text(&text, END);
        }
        ok(parse_bytes(gm_head_parse_request, text.text, limits.max_bytes - 1) == 0);
        gm_buffer_append_text(&text, END);
        ok(text.length == limits.max_bytes + over);
        ok(refusal(text.text) == (over ? 431u : 0u));
        ok(parse_bytes(gm_head_parse_request, text.text, limits.max_bytes) == (over ? -1 : 1));
        gm_buffer_dispose(&text);
    }
}

static void test_response(void)
{
    ok(response(OK "Content-Length: 5\r\nServer:  x \r\nContent-Length: 5, 5\r\n\r\nhello") == 1);
    ok(head.status == 200 && is(head.reason, "OK") && head.content_length == 5 && head.keeps_alive);
    ok(head.field_count == 1 && has(0, "server", "x") && head.minor_version == 1);
    ok(response("HTTP/1.0 404 Not \xff Found\r\n\r\n") == 1 && head.status == 404 && !head.keeps_alive);
    ok(is(head.reason, "Not \xff Found"));
    ok(response("HTTP/1.0 200\r\nConnection: keep-alive\r\n\r\n") == 1 && head.keeps_alive);
    ok(is(head.reason, ""));
    ok(response("HTTP/1.1 599 \r\n\r\n") == 1 && head.status == 599 && is(head.reason, ""));
    ok(response(OK "Transfer-Encoding: Chunked\r\n\r\n") == 1 && head.is_chunked);
    ok(response(OK "Connection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: max=3, Timeout=7\r\nTrailer: x\r\n\r\n") ==
       1);
    ok(head.field_count == 0 && head.keep_alive_s == 7);
    ok(response(OK "Keep-Alive: timeout=x\r\n\r\n") == 1 && head.keep_alive_s == 0);
    ok(response(OK "Keep-Alive: timeout=99999999999\r\n\r\n") == 1 && head.keep_alive_s == UINT32_MAX);
    ok(response("HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n") == 1);
    ok(head.status == 101 && is(head.upgrade, "websocket"));
    ok(response("HTTP/1.1 204 No\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n") == 1);
    ok(head.content_length == GM_HEAD_NO_LENGTH && !head.is_chunked && head.field_count == 0);
    ok(response("HTTP/1.1 100 Continue\r\nContent-Length: x\r\n\r\n") == 1);
    ok(response("HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n") == 1 && head.content_length == 5);
    ok(response(OK "Set-Cookie: a\r\nSet-Cookie: b\r\n\r\n") == 1 && head.field_count == 2);
}

static void test_response_refused(void)
{
    static const char *const rows[] = {
        OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        OK "Content-Length: 5, 6\r\n\r\n",
        OK "Content-Length: 5,\r\n\r\n",
        OK "Content-Length: x\r\n\r\n",
        OK "Content-Length:\r\n\r\n",
        OK "Content-Length: -5\r\n\r\n",
        OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK "A: b\r\n c\r\n\r\n",
        OK " A: b\r\n\r\n",
        OK ": b\r\n\r\n",
        OK "A : b\r\n\r\n",
        OK "A: b\n\r\n",
        OK "A: b\r\n\n",
        OK "A: b\rc\r\n\r\n",
        OK "A: \x01\r\n\r\n",
        "HTTP/1.1 200 OK\nA: b\r\n\r\n",
        "HTTP/1.1 200 O\x01K\r\n\r\n",
        "HTTP/1.1 200 OK\r\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 000 OK\r\n\r\n",
        "HTTP/1.1 999 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 \r\n\r\n",
        "HTTP/1.1 200\r",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/2",
        "ICY 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        " HTTP/1.1 200 OK\r\n\r\n",
        "<html>",
        "\x15\x03\x01",
    };

    for (size_t i = 0; i != GM_COUNT_OF(rows); ++i) {
        int ret = response(rows[i]);
        if (strcmp(rows[i], "HTTP/1.1 200\r") == 0) {
            ok(ret == 0);
        } else if (ret != -1 || head.refusal != 502 || head.why == NULL) {
            note("accepted: %s", rows[i]);
            ok(false);
        }
    }
}

static void test_response_limits(void)
{
    gm_buffer_t text = {0};

    gm_buffer_append_text(&text, OK);
    append_times(&text, "A: b\r\n", 21);
    ok(response(text.text) == 0);
    gm_buffer_append_text(&text, END);
    ok(response(text.text) == -1 && head.refusal == 502);
    gm_buffer_dispose(&text);

    gm_buffer_append_text(&text, OK "A: ");
    append_times(&text, "x", (int)(limits.max_bytes - text.length - 1));
    ok(response(text.text) == 0);
    gm_buffer_append_text(&text, "x");
    ok(response(text.text) == -1 && head.refusal == 502);
    gm_buffer_dispose(&text);
}

static void test_trailers(void)
{
    gm_head_field_t fields[2];
    char one[] = "Grpc-Status: 0\r\nHost: a\r\nX:\r\nContent-Length: 5\r\nCookie: a\r\ncontent_length: 4\r\n",
         three[] = "A: 1\r\nB: 2\r\nC: 3\r\n";
    static const char *const bad[] = {"A\r\n",     "A: b",    "A: b\n",       " A: b\r\n",   "A: b\r\n c\r\n",
                                      "\r\n",      ": b\r\n", "A: b\r\n\r\n", "A: b\rc\r\n", "A: \x01\r\n",
                                      "A : b\r\n", "\n",      "A: b\r"};

    ok(gm_head_parse_trailers(one, strlen(one), fields, 2) == 2);
    ok(is(fields[0].name, "grpc-status") && is(fields[0].value, "0") && is(fields[1].name, "x"));
    ok(is(fields[1].value, ""));
    ok(gm_head_parse_trailers(NULL, 0, fields, 2) == 0);
    ok(gm_head_parse_trailers(three, strlen(three), fields, 2) == -1);
    for (size_t i = 0; i != GM_COUNT_OF(bad); ++i) {
        char *text = gm_alloc(strlen(bad[i]));
        memcpy(text, bad[i], strlen(bad[i]));
        ok(gm_head_parse_trailers(text, strlen(bad[i]), fields, 2) == -1);
        free(text);
    }
}

/* --- properties */

/* What was read, as text: heads that read alike are alike. */
static void describe(int ret, gm_buffer_t *out)
{
    const gm_span_t spans[] = {head.method, head.target, head.host, head.reason, head.upgrade};

    gm_buffer_printf(out, "%d %zu %u %u %ju %d%d%d%d %u", ret, head.length, head.minor_version, head.status,
                     (uintmax_t)head.content_length, head.is_chunked, head.keeps_alive, head.expects_continue,
                     head.accepts_trailers, head.keep_alive_s);
    for (size_t i = 0; i != GM_COUNT_OF(spans); ++i)
        gm_buffer_printf(out, "|%.*s", (int)spans[i].length, spans[i].base != NULL ? spans[i].base : "");
    for (size_t i = 0; i != head.field_count; ++i)
        gm_buffer_printf(out, "|%.*s=%.*s", (int)head.fields[i].name.length, head.fields[i].name.base,
                         (int)head.fields[i].value.length, head.fields[i].value.base);
}

static const struct {
    parse_t parse;
    const char *text;
} valid[] = {
    {gm_head_parse_request, GET HOST END},
    {gm_head_parse_request, END GET HOST END},
    {gm_head_parse_request, "GET / HTTP/1.0\r\n\r\n"},
    {gm_head_parse_request, "GET http://b?x HTTP/1.1\r\n" HOST END},
    {gm_head_parse_request,
     "POST /a/b?c=d HTTP/1.1\r\nHost: example.com:8080\r\nUser-Agent: Mozilla/5.0 (X11)\r\n"
     "Accept: */*\r\nX: a\tb\r\nConnection: close, x\r\nContent-Length: 12\r\n\r\n"},
    {gm_head_parse_request,
     GET HOST "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nTE: trailers\r\n\r\n"},
    {gm_head_parse_request, GET HOST "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"},
    {gm_head_parse_response, OK "Content-Length: 5\r\nServer: x\r\nKeep-Alive: timeout=5\r\n\r\n"},
    {gm_head_parse_response, "HTTP/1.0 200\r\n\r\n"},
    {gm_head_parse_response, "HTTP/1.1 101 \r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"},
};

/* Each piece in memory of its own; @return whether all but the last find the head incomplete */
static bool drip(parse_t parse, const char *text, size_t step, gm_buffer_t *out)
{
    size_t size = strlen(text), at = 0, seen = 0;
    int ret;

    do {
        at = size - at < step ? size : at + step;
        free(bytes);
        bytes = gm_alloc(at);
        memcpy(bytes, text, at);
        ret = parse(bytes, at, seen, &limits, &head);
        seen = at;
    } while (ret == 0 && at != size);
    describe(ret, out);
    return ret == 1 && at == size;
}

static void test_byte_by_byte(void)
{
    for (size_t i = 0; i != GM_COUNT_OF(valid); ++i) {
        gm_buffer_t whole = {0};
        bool is_same = true;
        describe(parse_bytes(valid[i].parse, valid[i].text, strlen(valid[i].text)), &whole);
        for (size_t step = 1; step != 9; ++step) {
            gm_buffer_t dripped = {0};
            is_same &=
                drip(valid[i].parse, valid[i].text, step, &dripped) && strcmp(whole.text, dripped.text) == 0;
            gm_buffer_dispose(&dripped);
        }
        ok(is_same);
        gm_buffer_dispose(&whole);
    }
}

/* Any byte anywhere: no crash, a refusal is explained, and what has an empty line is not incomplete. */
static void test_corrupted(void)
{
    for (size_t i = 0; i != GM_COUNT_OF(valid); ++i) {
        size_t size = strlen(valid[i].text);
        char *text = gm_strdup(valid[i].text);
        bool is_right = true;
        for (size_t at = 0; at != size; ++at) {
            for (int c = 0; c != 256; ++c) {
                text[at] = (char)c;
                int ret = parse_bytes(valid[i].parse, text, size);
                is_right &= ret >= 0 || (head.refusal >= 400 && head.why != NULL);
                is_right &= ret != 0 || memmem(text + 2, size - 2, "\r\n\r\n", 4) == NULL;
                is_right &= ret <= 0 || head.length == size || (c == '\n' && head.length < size);
            }
            text[at] = valid[i].text[at];
        }
        ok(is_right);
        free(text);
    }
}

static bool is_span(gm_span_t span, const char *text)
{
    return text == NULL ? span.base == NULL
                        : span.length == strlen(text) && memcmp(span.base, text, span.length) == 0;
}

static bool glimpses(const char *text, const char *method, const char *target, bool is_cut)
{
    size_t size = strlen(text);
    char *exact = gm_alloc(size + (size == 0)); /* so that a sanitizer sees who reads too far */
    gm_head_glimpse_t glimpse;
    bool is_right;

    memcpy(exact, text, size);
    glimpse = gm_head_glimpse(exact, size);
    is_right = is_span(glimpse.method, method) && is_span(glimpse.target, target) && glimpse.is_cut == is_cut;
    free(exact);
    return is_right;
}

static void test_glimpse(void)
{
    ok(glimpses("GET /a?b HTTP/1.1\r\n", "GET", "/a?b", false));
    ok(glimpses("\r\nx-Y! http://a/ ", "x-Y!", "http://a/", false));
    ok(glimpses("GET /a", "GET", "/a", true));
    ok(glimpses("GET \x01\xff\t\n", "GET", "\x01\xff\t", false));
    ok(glimpses("GET  /a HTTP/1.1", "GET", NULL, false));
    ok(glimpses("GET ", "GET", NULL, true));
    ok(glimpses("GET", NULL, NULL, false));
    ok(glimpses("GET\r\n\r\n", NULL, NULL, false));
    ok(glimpses("G(T / HTTP/1.1\r\n", NULL, NULL, false));
    ok(glimpses(" / HTTP/1.1\r\n", NULL, NULL, false));
    ok(glimpses("\r\n", NULL, NULL, false));
    ok(glimpses("", NULL, NULL, false));
    ok(glimpses("0123456789012345678901234567890123456789012345678901234567890123 /",
                "0123456789012345678901234567890123456789012345678901234567890123", "/", true));
    ok(glimpses("01234567890123456789012345678901234567890123456789012345678901234 / ", NULL, NULL, false));
}

int main(void)
{
    subtest("a request", test_request);
    subtest("framing", test_framing);
    subtest("lines", test_lines);
    subtest("targets", test_targets);
    subtest("Host", test_host);
    subtest("Connection", test_connection);
    subtest("many Connection fields", test_many_connections);
    subtest("other fields", test_other_fields);
    subtest("limits", test_limits);
    subtest("the limit of the whole", test_whole_limit);
    subtest("an answer", test_response);
    subtest("answers that are refused", test_response_refused);
    subtest("limits of answers", test_response_limits);
    subtest("trailers", test_trailers);
    subtest("a glimpse of a first line", test_glimpse);
    subtest("byte by byte", test_byte_by_byte);
    subtest("corrupted", test_corrupted);
    free(bytes);
    return done_testing();
}
