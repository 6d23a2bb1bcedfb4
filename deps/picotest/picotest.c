/*
 * A small TAP (Test Anything Protocol) producer with the interface of the picotest library, so that tests
 * written for one run with the other. Linked into each unit test; checks are made on one thread only.
 */
#include "picotest.h"

#include <stdarg.h>
#include <stdio.h>

/* The level that is being counted; a nested test puts a fresh one in its place and restores it. */
typedef struct level {
    unsigned checks, failures, depth;
} level_t;

static level_t current;

static void indent(FILE *to, unsigned depth)
{
    for (unsigned i = 0; i < depth; ++i)
        fputs("    ", to);
}

/* stdout is flushed line by line: what was reported must survive a crash, and stay in order with stderr. */
static void count(int is_ok, const char *name)
{
    ++current.checks;
    if (!is_ok)
        ++current.failures;
    indent(stdout, current.depth);
    printf("%s %u - %s\n", is_ok ? "ok" : "not ok", current.checks, name);
    fflush(stdout);
}

int picotest_check(int is_ok, const char *expression, const char *file, int line)
{
    char place[256];

    snprintf(place, sizeof(place), "%s:%d", file, line);
    count(is_ok, place);
    if (!is_ok) {
        indent(stderr, current.depth);
        fprintf(stderr, "# failed: %s\n", expression);
        indent(stderr, current.depth);
        fprintf(stderr, "#     at: %s\n", place);
    }
    return is_ok;
}

void note(const char *format, ...)
{
    va_list args;

    indent(stdout, current.depth);
    fputs("# ", stdout);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void subtest(const char *name, void (*function)(void))
{
    level_t outer = current;
    int is_ok;

    note("Subtest: %s", name);
    current = (level_t){.depth = outer.depth + 1};
    function();
    is_ok = done_testing() == 0;
    current = outer;
    count(is_ok, name);
}

int done_testing(void)
{
    int is_ok = current.checks != 0 && current.failures == 0;

    indent(stdout, current.depth);
    printf("1..%u\n", current.checks);
    fflush(stdout);
    if (current.checks == 0)
        fputs("# no checks were made, which counts as a failure\n", stderr);
    else if (current.failures != 0)
        fprintf(stderr, "# %u of %u failed\n", current.failures, current.checks);
    return is_ok ? 0 : 1;
}
