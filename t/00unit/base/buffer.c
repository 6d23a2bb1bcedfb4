/*
 * The growing text: appends, printf across the edge of its capacity, and giving the text away.
 */
#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "picotest.h"

static void test_empty(void)
{
    gm_buffer_t buffer = {0};
    char *text;

    gm_buffer_dispose(&buffer); /* nothing to free is fine */
    text = gm_buffer_detach(&buffer);
    ok(text != NULL && text[0] == '\0');
    free(text);
    gm_buffer_append(&buffer, NULL, 0);
    ok(buffer.length == 0 && buffer.text != NULL && buffer.text[0] == '\0');
    gm_buffer_dispose(&buffer);
    ok(buffer.text == NULL && buffer.length == 0 && buffer.capacity == 0);
}

static void test_spare(void)
{
    gm_buffer_t one = {0}, two = {0}, spare = {0};
    char *text;

    gm_buffer_append_text(&one, "one");
    text = one.text;
    gm_buffer_spare(&one, &spare);
    ok(one.text == NULL && spare.text == text && spare.length == 0);
    gm_buffer_append_text(&two, "two");
    gm_buffer_spare(&two, &spare); /* it has one already */
    ok(two.text == NULL && two.capacity == 0 && spare.text == text);
    gm_buffer_dispose(&spare);
    gm_buffer_reserve(&two, 100000);
    gm_buffer_spare(&two, &spare); /* too large to lie about */
    ok(two.text == NULL && spare.text == NULL);
}

static void test_appends(void)
{
    gm_buffer_t buffer = {0};

    gm_buffer_append_text(&buffer, "one");
    gm_buffer_append_char(&buffer, ' ');
    gm_buffer_append(&buffer, "two three", 3);
    gm_buffer_printf(&buffer, " %d%%", 3);
    gm_buffer_printf(&buffer, "%s", "");
    ok(strcmp(buffer.text, "one two 3%") == 0);
    ok(buffer.length == 10);
    gm_buffer_append(&buffer, "\0z", 2);
    ok(buffer.length == 12 && memcmp(buffer.text + 10, "\0z", 3) == 0);
    gm_buffer_dispose(&buffer);
}

/* Every length of the last piece around the places where the memory grows. */
static void test_growth(void)
{
    gm_buffer_t buffer = {0};
    size_t failures = 0, expected = 0;
    char piece[301];

    for (size_t length = 0; length <= 300; ++length) {
        memset(piece, 'a' + (int)(length % 26), length);
        piece[length] = '\0';
        if (length % 2 == 0)
            gm_buffer_append(&buffer, piece, length);
        else
            gm_buffer_printf(&buffer, "%s", piece);
        expected += length;
        if (buffer.length != expected || buffer.capacity <= buffer.length || buffer.text[expected] != '\0' ||
            memcmp(buffer.text + expected - length, piece, length) != 0)
            ++failures;
    }
    ok(failures == 0);
    ok(strlen(buffer.text) == expected);
    gm_buffer_dispose(&buffer);
}

static void test_detach(void)
{
    gm_buffer_t buffer = {0};
    char *text;

    gm_buffer_append_text(&buffer, "mine");
    text = gm_buffer_detach(&buffer);
    ok(strcmp(text, "mine") == 0);
    ok(buffer.text == NULL && buffer.length == 0 && buffer.capacity == 0);
    gm_buffer_append_text(&buffer, "again");
    ok(strcmp(buffer.text, "again") == 0 && strcmp(text, "mine") == 0);
    free(text);
    gm_buffer_dispose(&buffer);
}

int main(void)
{
    subtest("empty", test_empty);
    subtest("appends", test_appends);
    subtest("memory for the next one", test_spare);
    subtest("growth", test_growth);
    subtest("detach", test_detach);
    return done_testing();
}
