/* Errors in order, with their line and a caret. */
#include "config/diagnostics.h"

#include <stdbool.h>
#include <string.h>

#include "picotest.h"

static bool prints(gm_diagnostics_t *diagnostics, const char *wanted)
{
    gm_buffer_t out = {0};
    bool same;

    gm_diagnostics_print(diagnostics, &out);
    same = strcmp(out.text != NULL ? out.text : "", wanted) == 0;
    if (!same)
        note("printed:\n%s", out.text);
    gm_buffer_dispose(&out);
    return same;
}

static void test_order_and_carets(void)
{
    static const char source[] = "one: 1\nz\xc3\xbc: x\r\n";
    gm_diagnostics_t diagnostics = {0};
    gm_place_t first = {NULL, 1, 6}, second = {NULL, 2, 5};

    gm_diagnostics_set_source(&diagnostics, "f.yaml", source, sizeof(source) - 1);
    ok(prints(&diagnostics, ""));
    gm_diagnostics_add(&diagnostics, GM_SEVERITY_ERROR, &second, "b %d", 2);
    gm_diagnostics_add(&diagnostics, GM_SEVERITY_WARNING, &first, "a");
    gm_diagnostics_add(&diagnostics, GM_SEVERITY_ERROR, &second, "c");
    ok(diagnostics.errors == 2 && diagnostics.warnings == 1);
    ok(prints(&diagnostics, "f.yaml:1:6: warning: a\n    one: 1\n         ^\n"
                            "f.yaml:2:5: error: b 2\n    z\xc3\xbc: x\n        ^\n"
                            "f.yaml:2:5: error: c\n    z\xc3\xbc: x\n        ^\n"
                            "2 errors and 1 warning in f.yaml\n"));
    gm_diagnostics_dispose(&diagnostics);
}

static void test_hostile_text(void)
{
    gm_diagnostics_t diagnostics = {0};
    gm_place_t place = {NULL, 1, 1}, beyond = {NULL, 9, 9};

    gm_diagnostics_set_source(&diagnostics, "f", "a\x1b[31m", 6);
    gm_diagnostics_add(&diagnostics, GM_SEVERITY_ERROR, &place, "x\ny\x1b");
    ok(prints(&diagnostics, "f:1:1: error: x y \n    a [31m\n    ^\n1 error in f\n"));
    gm_diagnostics_add(&diagnostics, GM_SEVERITY_ERROR, &beyond, "no such line");
    gm_diagnostics_add(&diagnostics, GM_SEVERITY_ERROR, NULL, "the file as a whole");
    ok(prints(&diagnostics, "f: error: the file as a whole\nf:1:1: error: x y \n    a [31m\n    ^\n"
                            "f:9:9: error: no such line\n3 errors in f\n"));
    gm_diagnostics_dispose(&diagnostics);
}

static void test_json(void)
{
    gm_diagnostics_t diagnostics = {0};
    gm_place_t place = {NULL, 3, 4};
    gm_buffer_t out = {0};

    gm_diagnostics_set_source(&diagnostics, "f", NULL, 0);
    gm_diagnostics_add(&diagnostics, GM_SEVERITY_WARNING, &place, "say \"x\"");
    gm_diagnostics_print_json(&diagnostics, &out);
    ok(strcmp(out.text, "{\"file\":\"f\",\"valid\":true,\"errors\":[{\"severity\":\"warning\",\"file\":\"f\","
                        "\"line\":3,\"column\":4,\"message\":\"say \\\"x\\\"\"}]}\n") == 0);
    gm_buffer_dispose(&out);
    gm_diagnostics_dispose(&diagnostics);
}

static void test_a_flood(void)
{
    gm_diagnostics_t diagnostics = {0};
    gm_buffer_t out = {0};
    size_t lines = 0;

    for (int i = 0; i != 5000; ++i)
        gm_diagnostics_add(&diagnostics, GM_SEVERITY_ERROR, NULL, "x");
    gm_diagnostics_print(&diagnostics, &out);
    for (const char *at = out.text; (at = strchr(at, '\n')) != NULL; ++at)
        ++lines;
    ok(lines == 101);
    ok(strstr(out.text, "5000 errors in the configuration; the first 100 are shown\n") != NULL);
    gm_buffer_dispose(&out);
    gm_diagnostics_dispose(&diagnostics);
}

/* Lines end for us where they end for YAML. */
static void test_line_ends(void)
{
    static const char *const ends[] = {"\n", "\r\n", "\r", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};

    for (size_t i = 0; i != 6; ++i) {
        const gm_place_t place = {NULL, 3, 2};
        gm_diagnostics_t diagnostics = {0};
        gm_buffer_t source = {0}, out = {0};
        gm_buffer_printf(&source, "one%stwo%sthree%sfour", ends[i], ends[i], ends[i]);
        gm_diagnostics_set_source(&diagnostics, "f", source.text, source.length);
        gm_diagnostics_add(&diagnostics, GM_SEVERITY_ERROR, &place, "here");
        gm_diagnostics_print(&diagnostics, &out);
        ok(strstr(out.text, "f:3:2: error: here\n    three\n     ^\n") != NULL);
        gm_buffer_dispose(&source);
        gm_buffer_dispose(&out);
        gm_diagnostics_dispose(&diagnostics);
    }
}

int main(void)
{
    subtest("line ends", test_line_ends);
    subtest("order and carets", test_order_and_carets);
    subtest("hostile text", test_hostile_text);
    subtest("JSON", test_json);
    subtest("a flood", test_a_flood);
    return done_testing();
}
