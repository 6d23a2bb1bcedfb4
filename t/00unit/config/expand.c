/* ${VARIABLE} in values. */
#include "config/expand.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "picotest.h"

static char *look_up(const char *name)
{
    static char value[] = "v", empty[] = "", tricky[] = "${A}";

    return strcmp(name, "A") == 0     ? value
           : strcmp(name, "E_1") == 0 ? empty
           : strcmp(name, "T") == 0   ? tricky
                                      : NULL;
}

static bool becomes(const char *text, const char *wanted)
{
    gm_error_t err = {0};
    char *got = gm_expand(text, look_up, &err);
    bool same = got != NULL && strcmp(got, wanted) == 0;

    free(got);
    return same;
}

static bool fails(const char *text, const char *part)
{
    gm_error_t err = {0};
    char *got = gm_expand(text, look_up, &err);
    bool failed = got == NULL && strstr(err.text, part) != NULL;

    free(got);
    return failed;
}

static void test_values(void)
{
    ok(becomes("", ""));
    ok(becomes("plain $ text }", "plain $ text }"));
    ok(becomes("${A}", "v"));
    ok(becomes("x${A}y${A}z", "xvyvz"));
    ok(becomes("${NONE:-d}", "d"));
    ok(becomes("${NONE:-}", ""));
    ok(becomes("${A:-d}", "v"));
    ok(becomes("${E_1:-d}", "d"));
    ok(becomes("${E_1}", ""));
    ok(becomes("$${A}", "${A}"));
    ok(becomes("$$${A}", "$${A}"));
    ok(becomes("${T}", "${A}")); /* not a second time */
    ok(becomes("${NONE:-a:-b}", "a:-b"));
}

static void test_errors(void)
{
    ok(fails("${NONE}", "NONE is not set"));
    ok(fails("a ${A", "without \"}\""));
    ok(fails("${}", "not a variable"));
    ok(fails("${1A}", "not a variable"));
    ok(fails("${A-B}", "not a variable"));
    ok(fails("${ A}", "not a variable"));
    ok(fails("${A}${NONE}", "NONE"));
    ok(fails("${NONE:-${A}}", "the default of ${NONE} has a variable in it"));
    ok(fails("${A:-${B:-c}}", "the default of ${A}"));
}

int main(void)
{
    subtest("values", test_values);
    subtest("errors", test_errors);
    return done_testing();
}
