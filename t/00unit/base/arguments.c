/* Options by rows. */
#include "base/arguments.h"

#include <string.h>

#include "picotest.h"

typedef struct options {
    const char *config, *port;
    bool check, dump;
} options_t;

static const gm_argument_t rows[] = {{"config c", "FILE", offsetof(options_t, config), 1, "x"},
                                     {"port", "PORT", offsetof(options_t, port), 2, "x"},
                                     {"check t", NULL, offsetof(options_t, check), 3, "x"},
                                     {"dump T", NULL, offsetof(options_t, dump), 1, "x"},
                                     {0}};
static options_t options;
static gm_error_t err;

static int parse(unsigned command, const char *a, const char *b, const char *c)
{
    const char *argv[] = {a, b, c};

    options = (options_t){0};
    err = (gm_error_t){0};
    return gm_arguments_parse(rows, command,
                              c != NULL   ? 3
                              : b != NULL ? 2
                              : a != NULL ? 1
                                          : 0,
                              (char *const *)argv, &options, &err);
}

static void test_spellings(void)
{
    ok(parse(1, NULL, NULL, NULL) == 0);
    ok(parse(1, "-config", "f", NULL) == 0 && strcmp(options.config, "f") == 0);
    ok(parse(1, "--config", "f", "-t") == 0 && strcmp(options.config, "f") == 0 && options.check);
    ok(parse(1, "-c", "f", NULL) == 0 && strcmp(options.config, "f") == 0);
    ok(parse(1, "-config=f=g", NULL, NULL) == 0 && strcmp(options.config, "f=g") == 0);
    ok(parse(1, "--c=", NULL, NULL) == 0 && strcmp(options.config, "") == 0);
    ok(parse(1, "-c", "-t", NULL) == 0 && strcmp(options.config, "-t") == 0 && !options.check);
    ok(parse(1, "-T", "-t", NULL) == 0 && options.dump && options.check);
    ok(parse(1, "-c=a", "-c=b", NULL) == 0 && strcmp(options.config, "b") == 0);
    ok(parse(2, "-port", "1", NULL) == 0 && strcmp(options.port, "1") == 0);
}

static bool says(const char *text)
{
    if (strcmp(err.text, text) == 0)
        return true;
    note("%s", err.text);
    return false;
}

static void test_errors(void)
{
    ok(parse(1, "-confg", "f", NULL) == -1 && says("unknown option \"-confg\"; did you mean \"-config\"?"));
    ok(parse(1, "--zebra", NULL, NULL) == -1 && says("unknown option \"--zebra\""));
    ok(parse(1, "-port", "1", NULL) == -1 && says("\"-port\" does not go with this command"));
    ok(parse(1, "-config", NULL, NULL) == -1 && says("\"-config\" needs a value: FILE"));
    ok(parse(1, "-check=yes", NULL, NULL) == -1 && says("\"-check\" takes no value"));
    ok(parse(1, "file", NULL, NULL) == -1 && says("unexpected argument \"file\""));
    ok(parse(1, "-", NULL, NULL) == -1 && says("unexpected argument \"-\""));
    ok(parse(1, "---config", NULL, NULL) == -1 && says("unexpected argument \"---config\""));
    ok(parse(1, "", NULL, NULL) == -1 && says("unexpected argument \"\""));
}

int main(void)
{
    subtest("spellings", test_spellings);
    subtest("errors", test_errors);
    return done_testing();
}
