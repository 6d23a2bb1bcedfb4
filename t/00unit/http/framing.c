/* Where bodies end: by length, by chunks, by the end of the stream; over a buffer that is filled and emptied.
 */
#include "http/framing.h"

#include <string.h>

#include "picotest.h"

/* A socket's buffer, as the callers keep it. */
typedef struct stream {
    gm_framing_t framing;
    char bytes[256];
    size_t size;
} stream_t;

static int feed(stream_t *self, const char *text)
{
    memcpy(self->bytes + self->size, text, strlen(text));
    self->size += strlen(text);
    return gm_framing_feed(&self->framing, self->bytes, &self->size);
}

static void take(stream_t *self)
{
    memmove(self->bytes, self->bytes + self->framing.ready, self->size - self->framing.ready);
    self->size -= self->framing.ready;
    gm_framing_take(&self->framing);
}

static bool holds(const stream_t *self, size_t ready, const char *text)
{
    return self->framing.ready == ready && self->size == strlen(text) &&
           memcmp(self->bytes, text, self->size) == 0;
}

static void test_length(void)
{
    stream_t stream = {.size = 0};

    gm_framing_init(&stream.framing, GM_FRAMING_LENGTH, 10);
    ok(!stream.framing.has_ended && stream.framing.left == 10);
    ok(feed(&stream, "") == 0 && holds(&stream, 0, "") && !stream.framing.has_ended);
    ok(feed(&stream, "abc") == 0 && holds(&stream, 3, "abc") && !stream.framing.has_ended);
    ok(feed(&stream, "de") == 0 && holds(&stream, 5, "abcde"));
    ok(stream.framing.left == 10);
    take(&stream);
    ok(stream.framing.left == 5 && stream.framing.ready == 0 && !stream.framing.has_ended);
    ok(!gm_framing_close(&stream.framing));
    ok(feed(&stream, "fghijGET") == 0 && holds(&stream, 5, "fghijGET") && stream.framing.has_ended);
    ok(feed(&stream, " /") == 0 && holds(&stream, 5, "fghijGET /"));
    take(&stream);
    ok(holds(&stream, 0, "GET /") && stream.framing.has_ended && stream.framing.left == 0);
    ok(feed(&stream, " H") == 0 && holds(&stream, 0, "GET / H"));
    ok(gm_framing_close(&stream.framing));
    gm_framing_dispose(&stream.framing);
}

static void test_no_body(void)
{
    stream_t stream = {.size = 0};

    gm_framing_init(&stream.framing, GM_FRAMING_LENGTH, 0);
    ok(stream.framing.has_ended);
    ok(feed(&stream, "GET /") == 0 && holds(&stream, 0, "GET /"));
    ok(gm_framing_close(&stream.framing));
    gm_framing_dispose(&stream.framing);
}

static void test_huge_length(void)
{
    stream_t stream = {.size = 0};

    gm_framing_init(&stream.framing, GM_FRAMING_LENGTH, UINT64_MAX - 1);
    ok(feed(&stream, "abc") == 0 && holds(&stream, 3, "abc") && !stream.framing.has_ended);
    take(&stream);
    ok(stream.framing.left == UINT64_MAX - 4);
    gm_framing_dispose(&stream.framing);
}

static void test_chunked(void)
{
    stream_t stream = {.size = 0};

    gm_framing_init(&stream.framing, GM_FRAMING_CHUNKED, 0);
    ok(!stream.framing.has_ended);
    ok(feed(&stream, "3") == 0 && holds(&stream, 0, ""));
    ok(feed(&stream, "\r\nab") == 0 && holds(&stream, 2, "ab"));
    ok(feed(&stream, "c\r\n2\r\nde\r\n") == 0 && holds(&stream, 5, "abcde"));
    ok(!gm_framing_close(&stream.framing));
    take(&stream);
    ok(holds(&stream, 0, ""));
    ok(feed(&stream, "1\r\nf\r\n0\r\nA: b\r\n\r\nGET") == 0 && holds(&stream, 1, "fGET"));
    ok(stream.framing.has_ended && stream.framing.chunked.trailers.length == 6);
    ok(feed(&stream, " /") == 0 && holds(&stream, 1, "fGET /"));
    take(&stream);
    ok(feed(&stream, " H") == 0 && holds(&stream, 0, "GET / H"));
    ok(gm_framing_close(&stream.framing));
    gm_framing_dispose(&stream.framing);
}

static void test_chunked_malformed(void)
{
    stream_t stream = {.size = 0};

    gm_framing_init(&stream.framing, GM_FRAMING_CHUNKED, 0);
    ok(feed(&stream, "3\r\nabc\r\n") == 0);
    ok(feed(&stream, "0x1\r\n") == -1);
    ok(!gm_framing_close(&stream.framing));
    gm_framing_dispose(&stream.framing);
}

static void test_until_close(void)
{
    stream_t stream = {.size = 0};

    gm_framing_init(&stream.framing, GM_FRAMING_UNTIL_CLOSE, 0);
    ok(!stream.framing.has_ended);
    ok(feed(&stream, "abc") == 0 && holds(&stream, 3, "abc"));
    take(&stream);
    ok(feed(&stream, "d") == 0 && holds(&stream, 1, "d") && !stream.framing.has_ended);
    ok(gm_framing_close(&stream.framing) && stream.framing.has_ended && stream.framing.ready == 1);
    gm_framing_dispose(&stream.framing);
}

int main(void)
{
    subtest("by length", test_length);
    subtest("no body", test_no_body);
    subtest("huge length", test_huge_length);
    subtest("chunked", test_chunked);
    subtest("chunked, malformed", test_chunked_malformed);
    subtest("until close", test_until_close);
    return done_testing();
}
