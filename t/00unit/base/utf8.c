/* Characters, and what only looks like one (Unicode 15, table 3-7). */
#include "base/utf8.h"

#include <string.h>

#include "picotest.h"

static bool is_character(const char *text)
{
    bool is_valid;

    return gm_utf8_measure(text, strlen(text), &is_valid) == strlen(text) && is_valid;
}

/* @param length  of the part that is one mistake */
static bool is_broken(const char *text, size_t length)
{
    bool is_valid;

    return gm_utf8_measure(text, strlen(text), &is_valid) == length && !is_valid;
}

static void test_characters(void)
{
    ok(is_character("a"));
    ok(is_character("\x7f"));
    ok(is_character("\xc2\x80"));
    ok(is_character("\xdf\xbf"));
    ok(is_character("\xe0\xa0\x80"));
    ok(is_character("\xed\x9f\xbf"));
    ok(is_character("\xef\xbf\xbf"));
    ok(is_character("\xf0\x90\x80\x80"));
    ok(is_character("\xf4\x8f\xbf\xbf"));
}

static void test_broken(void)
{
    ok(is_broken("\x80", 1));
    ok(is_broken("\xc1\xbf", 1));         /* a longer form than needed */
    ok(is_broken("\xe0\x9f\xbf", 1));     /* likewise */
    ok(is_broken("\xed\xa0\x80", 1));     /* a surrogate */
    ok(is_broken("\xf0\x8f\xbf\xbf", 1)); /* a longer form */
    ok(is_broken("\xf4\x90\x80\x80", 1)); /* above U+10FFFF */
    ok(is_broken("\xf5\x80\x80\x80", 1));
    ok(is_broken("\xe2\x82", 2));     /* cut off */
    ok(is_broken("\xf0\x9f\x92", 3)); /* likewise */
    ok(is_broken("\xe2\x82z", 2));    /* the z is for itself */
}

int main(void)
{
    subtest("characters", test_characters);
    subtest("broken", test_broken);
    return done_testing();
}
