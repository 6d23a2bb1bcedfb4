/*
 * The command line of GoMesh: which command, which options, which configuration, which exit code. What serves
 * lives in server/serve.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arguments.h"
#include "base/buffer.h"
#include "base/json_writer.h"
#include "base/suggest.h"
#include "base/text.h"
#include "config/load.h"
#include "config/render.h"
#include "server/checks.h"
#include "server/inspect.h"
#include "server/serve.h"

/* sysexits.h */
enum { EXIT_USAGE = 64, EXIT_CONFIG = 78 };

enum {
    PROXY = 1,
    BACKEND = 2,
    DEMO = 4,
    SCHEMA = 8,
    REFERENCE = 16,
    HEALTHCHECK = 32,
    STATUS = 64,
    ALL = 127
};

typedef struct options {
    const char *config, *from, *to, *port, *backend_port, *host;
    const char *admin;
    bool check, dump, json, production, ready, version, help;
} options_t;

static const gm_argument_t arguments[] = {
    {"config c", "FILE", offsetof(options_t, config), PROXY | DEMO | HEALTHCHECK | STATUS,
     "configuration file"},
    {"from", "[HOST]:PORT", offsetof(options_t, from), PROXY, "listen here, without a configuration file"},
    {"to", "HOST:PORT", offsetof(options_t, to), PROXY, "and forward everything there"},
    {"check t", NULL, offsetof(options_t, check), PROXY, "validate the configuration, then exit"},
    {"json", NULL, offsetof(options_t, json), PROXY, "with -check: the result as JSON"},
    {"dump T", NULL, offsetof(options_t, dump), PROXY, "print the effective configuration, then exit"},
    {"production", NULL, offsetof(options_t, production), PROXY, "log JSON, also on a terminal"},
    {"port", "PORT", offsetof(options_t, port), BACKEND | DEMO,
     "port to listen on (backend 3000, demo 8000)"},
    {"host", "HOST", offsetof(options_t, host), BACKEND, "address to listen on (all)"},
    {"backend-port", "PORT", offsetof(options_t, backend_port), DEMO, "port of the demo's backend (3000)"},
    {"admin", "ADDRESS", offsetof(options_t, admin), HEALTHCHECK | STATUS,
     "the window to ask: HOST:PORT or unix:/PATH"},
    {"ready", NULL, offsetof(options_t, ready), HEALTHCHECK, "ask whether it takes requests, not only lives"},
    {"version v", NULL, offsetof(options_t, version), ALL, "print the versions, then exit"},
    {"help h", NULL, offsetof(options_t, help), ALL, "print this, then exit"},
    {0}};

typedef struct command {
    const char *name;
    unsigned bit;
    int (*run)(const options_t *options);
    const char *help;
} command_t;

static int run_proxy(const options_t *options);
static int run_backend(const options_t *options);
static int run_demo(const options_t *options);
static int run_schema(const options_t *options);
static int run_reference(const options_t *options);
static int run_healthcheck(const options_t *options);
static int run_status(const options_t *options);

static const command_t commands[] = {
    {"proxy", PROXY, run_proxy, "forward requests to backends (the default command)"},
    {"backend", BACKEND, run_backend, "a test backend with pages to try a proxy with"},
    {"demo", DEMO, run_demo, "backend and proxy together, for the first minute"},
    {"schema", SCHEMA, run_schema, "print the JSON Schema of the configuration, for editors"},
    {"reference", REFERENCE, run_reference, "print all configuration keys as Markdown"},
    {"healthcheck", HEALTHCHECK, run_healthcheck, "exit code 0 if the proxy that runs here is alive, else 1"},
    {"status", STATUS, run_status, "what the proxy that runs here is at"},
};

static int fail_usage(const char *text)
{
    fprintf(stderr, "error: %s\n  \"gomesh --help\" shows what there is\n", text);
    return EXIT_USAGE;
}

static void print(gm_buffer_t *text, FILE *to)
{
    if (text->text != NULL)
        fwrite(text->text, 1, text->length, to);
    gm_buffer_dispose(text);
}

static void print_options(unsigned command)
{
    printf("options:\n");
    for (const gm_argument_t *row = arguments; row->names != NULL; ++row) {
        char left[64];
        size_t size = strcspn(row->names, " ");
        bool has_short = row->names[size] == ' ';
        if (!(row->commands & command))
            continue;
        snprintf(left, sizeof(left), "-%.*s%s%s %s", (int)size, row->names, has_short ? ", -" : "",
                 has_short ? row->names + size + 1 : "", row->value != NULL ? row->value : "");
        printf("  %-22s %s\n", left, row->help);
    }
}

static void print_help(void)
{
    printf("GoMesh, a small reverse proxy. usage: gomesh [COMMAND] [OPTIONS]\ncommands:\n");
    for (size_t i = 0; i != GM_COUNT_OF(commands); ++i)
        printf("  %-11s %s\n", commands[i].name, commands[i].help);
    print_options(PROXY);
    printf("Other commands have others: gomesh COMMAND -help.\n"
           "The configuration is -config, else $GOMESH_CONFIG, else config/proxy.yaml, else\n"
           "/etc/gomesh/proxy.yaml, else the defaults: :8000 to localhost:3000.\n"
           "Exit codes: 0 ok, 1 cannot serve, 64 wrong usage, 78 wrong configuration.\n");
}

static void print_command_help(const command_t *command)
{
    printf("usage: gomesh %s [OPTIONS]\n\n%s\n", command->name, command->help);
    print_options(command->bit);
}

static void print_backend_help(void)
{
    printf("usage: gomesh backend [-port PORT] [-host HOST]\n\nA test backend. Its pages:\n");
    for (size_t i = 0; gm_serve_backend_page(i) != NULL; ++i)
        printf("  %s\n", gm_serve_backend_page(i));
}

/* A configuration, its diagnostics, and where it came from. */
typedef struct loaded {
    gm_snapshot_t *snapshot;
    gm_diagnostics_t diagnostics;
    const char *file; /* NULL = none */
} loaded_t;

static const gm_load_context_t load_context = {.checks = GM_CHECKS};

/* @param what  the option, or several, with what was given */
static int fail_value(const char *what, const char *why, const char *rescue)
{
    gm_buffer_t text = {0};
    int code;

    gm_buffer_printf(&text, "%s: %s%s", what, why, rescue);
    code = fail_usage(text.text);
    gm_buffer_dispose(&text);
    return code;
}

/* Loads what options stand for. What is wrong now is wrong with them together, and no file is to be named. */
static int load_options(const char *what, const gm_buffer_t *yaml, loaded_t *loaded)
{
    int code;

    loaded->snapshot =
        gm_load_text("command line", yaml->text, yaml->length, &load_context, &loaded->diagnostics);
    if (loaded->snapshot != NULL)
        return 0;
    code = fail_value(what, loaded->diagnostics.items.items[0].text, "; choose another port for one of them");
    gm_diagnostics_dispose(&loaded->diagnostics);
    return code;
}

static int load_from_to(const options_t *options, loaded_t *loaded)
{
    gm_hostport_t from = {.port = 8000}, to = {.host = "localhost", .port = 3000};
    const bool is_socket = options->to != NULL && gm_text_unix_path(options->to) != NULL;
    gm_error_t err = {0};
    gm_buffer_t yaml = {0}, what = {0};
    gm_json_t backend = {.out = &yaml};
    int code;

    if (options->from != NULL && gm_text_parse_hostport(options->from, true, &from, &err) != 0)
        return fail_value("--from", err.text, "");
    if (options->to != NULL && !is_socket && gm_text_parse_hostport(options->to, false, &to, &err) != 0)
        return fail_value("--to", err.text, "");
    gm_buffer_printf(
        &yaml, "proxy:\n  listen_host: \"%s\"\n  listen_port: %u\n  backend: { host: ", from.host, from.port);
    gm_json_string(&backend, is_socket ? options->to : to.host);
    if (!is_socket)
        gm_buffer_printf(&yaml, ", port: %u", to.port);
    gm_buffer_append_text(&yaml, " }\n");
    gm_buffer_printf(&what, "--from %s with --to %s",
                     options->from != NULL ? options->from : ":8000 (the default)",
                     options->to != NULL ? options->to : "localhost:3000 (the default)");
    code = load_options(what.text, &yaml, loaded);
    gm_buffer_dispose(&yaml);
    gm_buffer_dispose(&what);
    return code;
}

static int load(const options_t *options, loaded_t *loaded)
{
    if (options->from != NULL || options->to != NULL) {
        if (options->config != NULL)
            return fail_usage("\"-from\" and \"-to\" stand for a configuration file; leave out \"-config\"");
        return load_from_to(options, loaded);
    }
    loaded->file = gm_load_find_file(options->config, getenv);
    if (loaded->file != NULL)
        loaded->snapshot = gm_load_file(loaded->file, &load_context, &loaded->diagnostics);
    else
        loaded->snapshot = gm_load_text("the defaults", "", 0, &load_context, &loaded->diagnostics);
    return 0;
}

static int print_check(const options_t *options, loaded_t *loaded)
{
    gm_buffer_t text = {0};
    bool valid = loaded->snapshot != NULL;

    if (options->json) {
        gm_diagnostics_print_json(&loaded->diagnostics, &text);
        print(&text, stdout);
    } else {
        gm_diagnostics_print(&loaded->diagnostics, &text);
        print(&text, stderr);
        if (valid && loaded->file != NULL)
            printf("configuration %s is valid\n", loaded->file);
        else if (valid && (options->from != NULL || options->to != NULL))
            printf("\"--from\" and \"--to\" are valid\n");
        else if (valid)
            printf("no configuration file found; the defaults are valid\n");
    }
    return valid ? 0 : EXIT_CONFIG;
}

static const char *source_name(const options_t *options, const loaded_t *loaded)
{
    return loaded->file != NULL                           ? loaded->file
           : options->from != NULL || options->to != NULL ? "the command line"
                                                          : "no file: the defaults";
}

static int serve(const options_t *options, loaded_t *loaded)
{
    return gm_serve_proxy(
        loaded->snapshot,
        &(gm_serve_options_t){.file = loaded->file,
                              .from_command_line = options->from != NULL || options->to != NULL,
                              .production = options->production});
}

static int run_proxy(const options_t *options)
{
    loaded_t loaded = {0};
    gm_buffer_t text = {0};
    int code;

    if (options->json && !options->check)
        return fail_usage("\"-json\" goes with \"-check\"");
    if (options->check && options->dump)
        return fail_usage("\"-check\" and \"-dump\" do not go together; \"-dump\" checks, too");
    if ((code = load(options, &loaded)) != 0)
        return code;
    if (options->check) {
        code = print_check(options, &loaded);
        goto Exit;
    }
    gm_diagnostics_print(&loaded.diagnostics, &text);
    print(&text, stderr);
    if (loaded.snapshot == NULL) {
        code = EXIT_CONFIG;
    } else if (options->dump) {
        printf("# the effective configuration of %s\n", source_name(options, &loaded));
        gm_render_yaml(gm_snapshot_config(loaded.snapshot), false, &text);
        print(&text, stdout);
    } else {
        code = serve(options, &loaded);
    }
Exit:
    gm_snapshot_release(loaded.snapshot);
    gm_diagnostics_dispose(&loaded.diagnostics);
    return code;
}

/* @param given  NULL leaves the default in *port */
static int parse_port(const char *name, const char *given, uint16_t *port)
{
    gm_error_t err = {0};
    uint64_t value = *port;

    if (given != NULL && gm_text_parse_integer(given, 1, 65535, &value, &err) != 0)
        return fail_value(name, err.text, "");
    *port = (uint16_t)value;
    return 0;
}

static int run_backend(const options_t *options)
{
    uint16_t port = 3000;
    int code = parse_port("-port", options->port, &port);

    return code != 0 ? code : gm_serve_backend(options->host != NULL ? options->host : "", port);
}

/* Both ports from the command line instead of a configuration. */
static int load_demo_ports(const options_t *options, loaded_t *loaded)
{
    uint16_t port = 8000, backend_port = 3000;
    gm_buffer_t yaml = {0}, what = {0};
    int code;

    if ((code = parse_port("-port", options->port, &port)) != 0 ||
        (code = parse_port("-backend-port", options->backend_port, &backend_port)) != 0)
        return code;
    gm_buffer_printf(&yaml, "proxy: { listen_port: %u, backend: { host: localhost, port: %u } }", port,
                     backend_port);
    gm_buffer_printf(&what, "-port %u%s with -backend-port %u%s", port,
                     options->port != NULL ? "" : " (the default)", backend_port,
                     options->backend_port != NULL ? "" : " (the default)");
    code = load_options(what.text, &yaml, loaded);
    gm_buffer_dispose(&yaml);
    gm_buffer_dispose(&what);
    return code;
}

static int run_demo(const options_t *options)
{
    bool own_ports = options->port != NULL || options->backend_port != NULL;
    loaded_t loaded = {0};
    gm_buffer_t text = {0};
    int code;

    if (own_ports && options->config != NULL)
        return fail_usage(options->port != NULL
                              ? "\"-config\" names a file with both ports; leave out \"-port\""
                              : "\"-config\" names a file with both ports; leave out \"-backend-port\"");
    if ((code = own_ports ? load_demo_ports(options, &loaded) : load(options, &loaded)) != 0)
        return code;
    gm_diagnostics_print(&loaded.diagnostics, &text);
    print(&text, stderr);
    code = loaded.snapshot != NULL ? gm_serve_demo(loaded.snapshot, loaded.file, own_ports) : EXIT_CONFIG;
    gm_snapshot_release(loaded.snapshot);
    gm_diagnostics_dispose(&loaded.diagnostics);
    return code;
}

static int run_schema(const options_t *options)
{
    gm_buffer_t text = {0};

    (void)options;
    gm_render_json_schema(&text);
    print(&text, stdout);
    return 0;
}

static int run_reference(const options_t *options)
{
    gm_buffer_t text = {0};

    (void)options;
    gm_render_reference(&text);
    print(&text, stdout);
    return 0;
}

/*
 * Which admin window to ask: the option's, else that of the configuration that a proxy would find here.
 * @param address  to be freed
 */
static int find_admin(const options_t *options, char **address)
{
    loaded_t loaded = {0};
    gm_buffer_t text = {0};
    int code = 0;

    if (options->admin != NULL) {
        *address = gm_strdup(options->admin);
        return 0;
    }
    if ((code = load(options, &loaded)) != 0)
        return code;
    if (loaded.snapshot == NULL) {
        gm_diagnostics_print(&loaded.diagnostics, &text);
        print(&text, stderr);
        fprintf(stderr, "  -admin ADDRESS needs no configuration\n");
        code = EXIT_CONFIG;
    } else if ((*address = gm_inspect_address(&gm_snapshot_config(loaded.snapshot)->admin)) == NULL) {
        fprintf(
            stderr,
            "error: %s has no admin window\n  Set admin.listen or admin.socket there, or say where to ask "
            "with -admin\n",
            source_name(options, &loaded));
        code = 1;
    }
    gm_snapshot_release(loaded.snapshot);
    gm_diagnostics_dispose(&loaded.diagnostics);
    return code;
}

static int run_healthcheck(const options_t *options)
{
    char *address = NULL;
    int code = find_admin(options, &address);

    if (code == 0)
        code = gm_inspect_healthcheck(address, options->ready);
    free(address);
    return code;
}

static int run_status(const options_t *options)
{
    char *address = NULL;
    int code = find_admin(options, &address);

    if (code == 0)
        code = gm_inspect_status(address);
    free(address);
    return code;
}

static const command_t *find_command(const char *name)
{
    for (size_t i = 0; i != GM_COUNT_OF(commands); ++i)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int fail_command(const char *name)
{
    gm_suggestion_t suggestion = {.wanted = name};
    char text[256];

    for (size_t i = 0; i != GM_COUNT_OF(commands); ++i)
        gm_suggestion_offer(&suggestion, commands[i].name);
    gm_suggestion_offer(&suggestion, "help");
    for (const gm_argument_t *row = arguments; row->names != NULL; ++row)
        if (strlen(name) == strcspn(row->names, " ") && strncmp(row->names, name, strlen(name)) == 0) {
            snprintf(text, sizeof(text), "unknown command \"%.64s\"; did you mean \"--%.64s\"?", name, name);
            return fail_usage(text);
        }
    if (suggestion.best != NULL)
        snprintf(text, sizeof(text), "unknown command \"%.64s\"; did you mean \"%s\"?", name,
                 suggestion.best);
    else
        snprintf(text, sizeof(text), "unknown command \"%.64s\"", name);
    return fail_usage(text);
}

/* What was printed may be lost only now, when it leaves the buffer. @return the exit code */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "error: standard output cannot be written: %s\n", strerror(errno));
    return code != 0 ? code : 1;
}

/* Where they are closed, the next thing that is opened would be written to as standard output. */
static void open_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd != -1 && fd <= STDERR_FILENO);
    if (fd != -1)
        close(fd);
}

int main(int argc, char **argv)
{
    const command_t *command = &commands[0];
    options_t options = {0};
    gm_error_t err = {0};
    char version[256];

    open_standard_descriptors();
    --argc, ++argv;
    for (; argc > 0 && strcmp(argv[0], "help") == 0; --argc, ++argv)
        options.help = true; /* "help backend" is "backend -help" */
    if (argc > 0 && argv[0][0] != '-') {
        if ((command = find_command(argv[0])) == NULL)
            return fail_command(argv[0]);
        --argc, ++argv;
    }
    if (gm_arguments_parse(arguments, command->bit, argc, argv, &options, &err) != 0)
        return fail_usage(err.text);
    if (options.config != NULL && options.config[0] == '\0') /* as of a shell's variable that is not set */
        return fail_usage("\"-config\" needs a value: FILE");
    if (options.help) {
        if (command->bit == BACKEND)
            print_backend_help();
        else if (command->bit == PROXY)
            print_help();
        else
            print_command_help(command);
        return finish(0);
    }
    if (options.version) {
        printf("%s\n", gm_serve_version(version, sizeof(version)));
        return finish(0);
    }
    return finish(command->run(&options));
}
