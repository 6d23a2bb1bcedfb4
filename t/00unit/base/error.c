/*
 * Errors: filled once, with or without a place, never beyond their room.
 */
#include "base/error.h"

#include <string.h>

#include "picotest.h"

static void test_fill(void)
{
    gm_error_t err = {.text = ""};
    gm_place_t place = {.file = "mesh.yaml", .line = 12, .column = 5};

    ok(gm_error_set(&err, &place, "unknown cluster '%s'", "x") == -1);
    ok(strcmp(err.text, "unknown cluster 'x'") == 0);
    ok(strcmp(err.place.file, "mesh.yaml") == 0 && err.place.line == 12 && err.place.column == 5);
}

static void test_first_wins(void)
{
    gm_error_t err = {.text = ""};
    gm_place_t place = {.file = "late.yaml", .line = 1, .column = 1};

    gm_error_set(&err, NULL, "first");
    ok(gm_error_set(&err, &place, "second") == -1);
    ok(strcmp(err.text, "first") == 0 && err.place.file == NULL);
}

static void test_not_wanted(void)
{
    ok(gm_error_set(NULL, NULL, "nobody asks") == -1);
}

static void test_long_text(void)
{
    gm_error_t err = {.text = ""};
    char text[2000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ok(gm_error_set(&err, NULL, "%s", text) == -1);
    ok(strlen(err.text) == sizeof(err.text) - 1);
}

int main(void)
{
    subtest("fill", test_fill);
    subtest("the first error stays", test_first_wins);
    subtest("an error nobody wants", test_not_wanted);
    subtest("long text", test_long_text);
    return done_testing();
}
