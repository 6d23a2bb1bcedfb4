/* The chunked coding: what is decoded, where it ends, what is malformed; in one piece and byte by byte. */
#include "http/chunked.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "picotest.h"

typedef struct outcome {
    int ret;
    gm_buffer_t data, rest, trailers;
} outcome_t;

static void outcome_dispose(outcome_t *self)
{
    gm_buffer_dispose(&self->data);
    gm_buffer_dispose(&self->rest);
    gm_buffer_dispose(&self->trailers);
}

static bool is_text(const gm_buffer_t *buffer, const char *text)
{
    return buffer->length == strlen(text) &&
           memcmp(buffer->text != NULL ? buffer->text : "", text, buffer->length) == 0;
}

/* Feeds pieces of `step` bytes, each in memory of its own size, so that a sanitizer sees the edges. */
static outcome_t decode(const char *bytes, size_t size, size_t step)
{
    gm_chunked_t chunked = {0};
    outcome_t outcome = {0};
    size_t at = 0;

    while (at != size && outcome.ret == 0) {
        size_t length = size - at < step ? size - at : step, left = length, data = 0;
        char *piece = gm_alloc(length);
        memcpy(piece, bytes + at, length);
        at += length;
        outcome.ret = gm_chunked_decode(&chunked, piece, &left, &data);
        gm_buffer_append(&outcome.data, piece, data);
        gm_buffer_append(&outcome.rest, piece + data, left - data);
        free(piece);
    }
    gm_buffer_append(&outcome.rest, bytes + at, size - at);
    gm_buffer_append(&outcome.trailers, chunked.trailers.text, chunked.trailers.length);
    gm_chunked_dispose(&chunked);
    return outcome;
}

static bool decodes(const char *bytes, const char *data, const char *rest, const char *trailers)
{
    bool is_right = true;

    for (size_t step = 1; step <= strlen(bytes); ++step) {
        outcome_t outcome = decode(bytes, strlen(bytes), step);
        is_right &= outcome.ret == 1 && is_text(&outcome.data, data) && is_text(&outcome.rest, rest) &&
                    is_text(&outcome.trailers, trailers);
        outcome_dispose(&outcome);
    }
    return is_right;
}

static int result_of(const char *bytes, size_t size)
{
    outcome_t whole = decode(bytes, size, size), single = decode(bytes, size, 1);
    int ret = whole.ret;

    ok(whole.ret == single.ret);
    outcome_dispose(&whole);
    outcome_dispose(&single);
    return ret;
}

static int result(const char *bytes)
{
    return result_of(bytes, strlen(bytes));
}

static void test_whole(void)
{
    ok(decodes("0\r\n\r\n", "", "", ""));
    ok(decodes("5\r\nhello\r\n0\r\n\r\n", "hello", "", ""));
    ok(decodes("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", "", ""));
    ok(decodes("a\r\n0123456789\r\n00A\r\n0123456789\r\n000\r\n\r\n", "01234567890123456789", "", ""));
    ok(decodes("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", "", ""));
    ok(decodes("000000000000001\r\nx\r\n000000000000000\r\n\r\n", "x", "", ""));
}

static void test_what_follows(void)
{
    ok(decodes("1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "x", "GET / HTTP/1.1\r\n", ""));
    ok(decodes("0\r\n\r\n0\r\n\r\n", "", "0\r\n\r\n", ""));
}

static void test_extensions(void)
{
    ok(decodes("1;a=b;c=\"d e\"\r\nx\r\n0;last\r\n\r\n", "x", "", ""));
    ok(decodes("1;\t\xff\r\nx\r\n0\r\n\r\n", "x", "", ""));
    ok(result("1 ;a\r\nx\r\n0\r\n\r\n") == -1);
    ok(result("1;a\nx\r\n0\r\n\r\n") == -1);
    ok(result("1;a\rb\r\nx\r\n") == -1);
    ok(result("1;\x01\r\nx\r\n") == -1);
    ok(result("1;\x7f\r\nx\r\n") == -1);
    ok(result_of("1;\0\r\nx\r\n", 9) == -1);
}

static void test_trailers(void)
{
    ok(decodes("1\r\nx\r\n0\r\nA: b\r\n\r\nrest", "x", "rest", "A: b\r\n"));
    ok(decodes("0\r\nA: b\r\nC:\td\r\n\r\n", "", "", "A: b\r\nC:\td\r\n"));
    ok(result("0\r\nA: b\n\r\n\r\n") == -1);
    ok(result("0\r\nA: b\rc\r\n\r\n") == -1);
    ok(result("0\r\nA: \x02\r\n\r\n") == -1);
    ok(result("0\r\n\n") == -1);
    ok(result("0\r\n\rx") == -1);
}

static void test_malformed(void)
{
    static const char *const texts[] = {
        "\r\n",
        "0x5\r\nhello\r\n",
        "5g\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "5 \r\nhello\r\n",
        "\t5\r\n",
        "-1\r\n",
        "+1\r\n",
        "5\nhello\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0",
        "5\r\nhelloo\r\n",
        "5\rhello",
        "5\r\r\nhello\r\n",
        "5\r\nhello\r\r\n",
        ";a\r\n",
        "g\r\n",
        "@\r\n",
        "0\n\r\n",
        "0000000000000000\r\n\r\n",
        "1000000000000000\r\n",
        "ffffffffffffffffff\r\n",
        "5\r\nhello\r\n\r\n",
    };

    for (size_t i = 0; i != GM_COUNT_OF(texts); ++i)
        if (result(texts[i]) != -1) {
            note("accepted: %s", texts[i]);
            ok(false);
        }
    ok(result("fffffffffffffff\r\nx") == 0); /* 15 digits are fine, the body is just long */
}

static void test_limits(void)
{
    static const char *const lasts[] = {"a: bcd\r\n", "a: bcde\r\n", "a: bcdef\r\n", "a: bcdefg\r\n"};
    gm_buffer_t text = {0};

    for (int over = 0; over != 2; ++over) {
        for (int i = 0; i != 2048; ++i)
            gm_buffer_append_text(&text, "1;ab\r\nx\r\n");
        gm_buffer_append_text(&text, over ? "1;a\r\nx\r\n0\r\n\r\n" : "0\r\n\r\n");
        ok(result_of(text.text, text.length) == (over ? -1 : 1));
        gm_buffer_dispose(&text);
    }
    for (size_t over = 0; over != GM_COUNT_OF(lasts); ++over) {
        gm_buffer_append_text(&text, "0\r\n");
        for (int i = 0; i != 1023; ++i)
            gm_buffer_append_text(&text, "a: bcd\r\n");
        gm_buffer_append_text(&text, lasts[over]);
        gm_buffer_append_text(&text, "\r\n");
        ok(result_of(text.text, text.length) == (over != 0 ? -1 : 1));
        gm_buffer_dispose(&text);
    }
}

static void test_after_the_end(void)
{
    gm_chunked_t chunked = {0};
    char bytes[] = "0\r\n\r\n", more[] = "GET", bad[] = "x", good[] = "0\r\n\r\n";
    size_t size = 5, data = 7;

    ok(gm_chunked_decode(&chunked, bytes, &size, &data) == 1);
    ok(size == 0 && data == 0);
    size = 3;
    ok(gm_chunked_decode(&chunked, more, &size, &data) == 1);
    ok(size == 3 && data == 0 && memcmp(more, "GET", 3) == 0);
    gm_chunked_dispose(&chunked);

    chunked = (gm_chunked_t){0};
    size = 1;
    ok(gm_chunked_decode(&chunked, bad, &size, &data) == -1);
    size = 5;
    ok(gm_chunked_decode(&chunked, good, &size, &data) == -1);
    gm_chunked_dispose(&chunked);
}

int main(void)
{
    subtest("whole bodies", test_whole);
    subtest("what follows stays", test_what_follows);
    subtest("extensions", test_extensions);
    subtest("trailers", test_trailers);
    subtest("malformed", test_malformed);
    subtest("limits", test_limits);
    subtest("after the end", test_after_the_end);
    return done_testing();
}
