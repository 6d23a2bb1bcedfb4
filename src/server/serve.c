/*
 * What a user sees of a serving GoMesh: start lines, where it listens, where requests go, and why it could
 * not start. Called by main, on the main thread.
 */
#include "server/serve.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <h2o.h>
#include <h2o/version.h>

#include "base/crash.h"
#include "base/text.h"
#include "config/yaml.h"
#include "proxy/route.h"
#include "server/run.h"
#include "server/window.h"
#include "telemetry/log.h"
#include "tls/context.h"

#define BACKEND_DELAY_MS 50

static const gm_supervised_t unsupervised = {.channel = -1};

/* Starts the first thread: signals are blocked before. @return 0, or 1, which is the exit code */
static int open_log(const gm_log_options_t *options)
{
    gm_error_t err = {0};

    gm_crash_prepare();
    if (gm_log_open(options, &err) == 0)
        return 0;
    fprintf(stderr, "error: %s (log.output)\n", err.text);
    return 1;
}

static gm_log_options_t log_options(const gm_log_conf_t *conf, bool production)
{
    gm_log_options_t options = {.fd = STDOUT_FILENO, .level = (gm_log_level_t)conf->level};

    if (strcmp(conf->output, "stderr") == 0)
        options.fd = STDERR_FILENO;
    else if (strcmp(conf->output, "stdout") != 0)
        options.path = conf->output;
    options.json = production || conf->format == GM_LOG_FORMAT_JSON ||
                   (conf->format == GM_LOG_FORMAT_AUTO && (options.path != NULL || !isatty(options.fd)));
    return options;
}

/* The first start line: which configuration was taken. */
static void log_source(const char *file, bool from_command_line)
{
    if (file != NULL)
        gm_log(GM_LOG_INFO, "Loading configuration from: %s", file);
    else if (from_command_line)
        gm_log(GM_LOG_INFO, "Running without a configuration file");
    else
        gm_log(GM_LOG_INFO, "No configuration file found, running on the defaults");
}

/* Every connection is a descriptor, and so is every connection to a backend: take what the system allows. */
static void raise_descriptor_limit(const gm_limits_conf_t *limits)
{
    struct rlimit limit;
    uint64_t wanted = 2 * limits->max_connections + 256;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void warn_of_descriptor_limit(const gm_limits_conf_t *limits)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limits->max_connections + 64)
        gm_log(GM_LOG_WARN,
               "Only %" PRIu64 " files may be open (ulimit -n): too few for %" PRIu64 " connections",
               (uint64_t)limit.rlim_cur, limits->max_connections);
}

/* A neighbour of the port that is taken, but not the one where the requests go or come from. */
static unsigned another_port(unsigned port, const gm_proxy_conf_t *conf)
{
    int step = port < 65534 ? 1 : -1;
    unsigned other = port + (unsigned)step;

    if (conf != NULL && (other == conf->backend.port || other == conf->listen_port))
        other += (unsigned)step;
    return other;
}

/* @param conf  NULL = of the test backend alone */
static void print_way_out(const gm_port_error_t *err, const char *source, const gm_proxy_conf_t *conf)
{
    unsigned other = another_port(err->port, conf);
    char from[300] = "", to[300] = "";

    if (conf != NULL) {
        gm_text_format_hostport(from, sizeof(from), conf->listen_host, (uint16_t)other);
        gm_text_format_hostport(to, sizeof(to), conf->backend.host, (uint16_t)conf->backend.port);
    }
    if (source != NULL && err->place != NULL)
        fprintf(stderr, "  Choose another port there, or");
    else if (source != NULL)
        fprintf(stderr, "  Set %s in %s, for example to %u, or", err->key, source, other);
    else if (strcmp(err->key, "--from") == 0)
        fprintf(stderr, "  Try \"gomesh proxy --from %s --to %s\", or", from, to);
    else if (err->key[0] == '-')
        fprintf(stderr, "  Choose another port with %s %u, or", err->key, other);
    else
        fprintf(stderr, "  Set %s in a configuration file, try \"gomesh proxy --from %s --to %s\",\n  or",
                err->key, from, to);
    fprintf(stderr, " stop the program that has it: ss -ltnp 'sport = :%u'\n", err->port);
}

/* Why it did not start, and the way out. @param conf  NULL = of the test backend alone */
static int report_start_error(const gm_port_error_t *err, const char *source, const gm_proxy_conf_t *conf)
{
    gm_log_close();
    if (err->key == NULL) {
        fprintf(stderr, "error: %s\n", err->error.text);
        return 1;
    }
    if (err->in_use)
        fprintf(stderr, "error: port %u is already in use (%s", err->port, err->key);
    else
        fprintf(stderr, "error: %s (%s", err->error.text, err->key);
    if (source != NULL && err->place != NULL)
        fprintf(stderr, ", %s:%d:%d", source, err->place->line, err->place->column);
    fprintf(stderr, ")\n");
    if (err->in_use)
        print_way_out(err, source, conf);
    return 1;
}

/* The proxy has started already, and its backend in a demo. @return the exit code */
static int fail_window(const gm_port_error_t *err, gm_server_t *proxy, gm_server_t *backend,
                       const char *source, const gm_proxy_conf_t *conf)
{
    gm_server_t *const servers[] = {proxy, backend};

    for (size_t i = 0; i != GM_COUNT_OF(servers); ++i) {
        if (servers[i] != NULL)
            gm_server_cut(servers[i]); /* whoever came in this moment is not waited for */
        gm_server_destroy(servers[i]);
    }
    return report_start_error(err, source, conf);
}

/* @param cluster  NULL = none */
static void log_route(const gm_snapshot_route_t *route, const gm_snapshot_cluster_t *cluster)
{
    gm_log(GM_LOG_INFO, "Route %s: %s%s%s → %s", route->name, route->host != NULL ? route->host : "",
           route->exact ? "=" : "", route->path, cluster != NULL ? cluster->authority : "redirect");
}

static void log_start(const gm_snapshot_t *snapshot)
{
    const gm_proxy_conf_t *conf = &gm_snapshot_config(snapshot)->proxy;
    size_t route_count, cluster_count;
    const gm_snapshot_route_t *routes = gm_snapshot_routes(snapshot, &route_count);
    const gm_snapshot_cluster_t *clusters = gm_snapshot_clusters(snapshot, &cluster_count);

    gm_log(GM_LOG_INFO, "GoMesh Proxy starting on port %" PRIu64, conf->listen_port);
    if (conf->tls.present)
        gm_log(GM_LOG_INFO, "TLS listener on port %" PRIu64, conf->tls.listen_port);
    for (size_t i = 0; i != route_count - (conf->backend.present ? 1 : 0); ++i)
        log_route(&routes[i], routes[i].cluster != GM_NO_CLUSTER ? &clusters[routes[i].cluster] : NULL);
    if (conf->backend.present)
        gm_log(GM_LOG_INFO, "Forwarding all %straffic to: %s%s", route_count > 1 ? "other " : "",
               gm_text_unix_path(clusters[0].host) != NULL ? ""
               : clusters[0].tls != NULL                   ? "https://"
                                                           : "http://",
               clusters[0].authority);
}

static int serve_proxy(gm_snapshot_t *snapshot, gm_ports_t *ports, const gm_serve_options_t *options,
                       const gm_supervised_t *supervised)
{
    const gm_proxy_conf_t *conf = &gm_snapshot_config(snapshot)->proxy;
    const gm_log_options_t log = log_options(&gm_snapshot_config(snapshot)->log, options->production);
    gm_port_error_t err = {0};
    gm_server_t *servers[2]; /* the window shows until the end how the proxy drains */
    gm_window_t window = {0};
    int signals;

    if (open_log(&log) != 0)
        return 1;
    if (!supervised->is_next) {
        log_source(options->file, options->from_command_line);
        warn_of_descriptor_limit(&conf->limits);
    }
    signals = gm_run_open();
    if ((servers[0] = gm_server_start_proxy(snapshot, ports, supervised->crashes, &err)) == NULL) {
        err.key = err.key != NULL && options->from_command_line ? "--from" : err.key;
        return report_start_error(&err, options->file, conf);
    }
    if (gm_window_open(&window, servers[0], snapshot, options->file, &err) != 0)
        return fail_window(&err, servers[0], NULL, options->file, conf);
    servers[1] = window.server;
    if (supervised->is_next) {
        gm_log(GM_LOG_INFO, "Serving again");
    } else {
        log_start(snapshot);
        gm_window_log_start(&window, snapshot);
        gm_log(GM_LOG_INFO, "Press Ctrl+C to stop");
    }
    gm_run(signals, servers, window.server != NULL ? 2 : 1, conf->timeout.shutdown_timeout_ms, supervised);
    gm_log_close();
    return 0;
}

/* Ports before processes, processes before threads. */
int gm_serve_proxy(gm_snapshot_t *snapshot, const gm_serve_options_t *options)
{
    const gm_proxy_conf_t *conf = &gm_snapshot_config(snapshot)->proxy;
    gm_log_options_t log = log_options(&gm_snapshot_config(snapshot)->log, options->production);
    gm_supervised_t supervised = unsupervised;
    gm_ports_t *ports;
    int code = 0;

    gm_run_prepare();
    raise_descriptor_limit(&conf->limits);
    ports = gm_ports_open_proxy(snapshot);
    gm_log_write_directly(&log);
    if (!gm_supervise_is_wanted(conf->supervise, getenv) ||
        gm_supervise(ports, conf->timeout.shutdown_timeout_ms, &supervised, &code))
        code = serve_proxy(snapshot, ports, options, &supervised);
    gm_ports_destroy(ports);
    return code;
}

static void say(void *data, const char *line)
{
    (void)data;
    gm_log_plain(line);
}

static void log_backend_start(uint16_t port)
{
    char line[64];

    snprintf(line, sizeof(line), "[BACKEND] Starting test backend on :%u", port);
    gm_log_plain(line);
    gm_log_plain("[BACKEND] Ready to receive requests from the proxy");
}

static gm_server_t *start_backend(const char *host, uint16_t port, gm_port_error_t *err)
{
    gm_backend_options_t options = {.say = say, .answer_delay_ms = BACKEND_DELAY_MS};
    gm_ports_t *ports = gm_ports_open(host, port, "-port", NULL);
    gm_server_t *server = gm_server_start_backend(ports, &options, err);

    gm_ports_destroy(ports);
    return server;
}

static gm_server_t *start_demo_proxy(gm_snapshot_t *snapshot, gm_port_error_t *err)
{
    gm_ports_t *ports = gm_ports_open_proxy(snapshot);
    gm_server_t *server = gm_server_start_proxy(snapshot, ports, 0, err);

    gm_ports_destroy(ports);
    return server;
}

int gm_serve_backend(const char *host, uint16_t port)
{
    gm_port_error_t err = {0};
    gm_server_t *server;
    int signals;

    gm_run_prepare();
    if (open_log(&(gm_log_options_t){.fd = STDOUT_FILENO, .level = GM_LOG_INFO}) != 0)
        return 1;
    signals = gm_run_open();
    if ((server = start_backend(host, port, &err)) == NULL)
        return report_start_error(&err, NULL, NULL);
    log_backend_start(port);
    gm_run(signals, &server, 1, 10000, &unsupervised);
    gm_log_close();
    return 0;
}

static bool is_any_or_localhost(const char *host)
{
    static const char *const names[] = {"", "localhost", "localhost.", "0.0.0.0", "127.0.0.1", "::", "::1"};

    for (size_t i = 0; i != GM_COUNT_OF(names); ++i)
        if (strcasecmp(names[i], host) == 0)
            return true;
    return false;
}

/* Where a backend has to listen that requests for this host reach; NULL = not for a demo, as it is elsewhere.
 */
static const char *find_demo_host(const char *host)
{
    struct in_addr address;

    if (is_any_or_localhost(host))
        return "localhost";
    return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET ? host
                                                                                                    : NULL;
}

static void log_no_backend(const gm_backend_conf_t *backend, const char *file)
{
    char line[600], address[300];

    gm_text_format_hostport(address, sizeof(address), backend->host, (uint16_t)backend->port);
    if (backend->present && backend->tls.present)
        snprintf(
            line, sizeof(line),
            "[BACKEND] Not started: proxy.backend in %.200s is to speak TLS, which the test backend does not",
            file);
    else if (backend->present)
        snprintf(line, sizeof(line),
                 "[BACKEND] Not started: proxy.backend in %.200s is %s, which is not localhost", file,
                 address);
    else
        snprintf(line, sizeof(line), "[BACKEND] Not started: %.200s has routes, but no proxy.backend", file);
    gm_log_plain(line);
}

/* A first request that the backend of the demo answers, if there is one. */
static void log_try(const gm_snapshot_t *snapshot)
{
    static const char path[] = "/api/users";
    const gm_proxy_conf_t *conf = &gm_snapshot_config(snapshot)->proxy;
    size_t count;
    const gm_snapshot_route_t *routes = gm_snapshot_routes(snapshot, &count), *route;
    const gm_snapshot_cluster_t *cluster = gm_snapshot_clusters(snapshot, &(size_t){0});
    const char *host = is_any_or_localhost(conf->listen_host) ? "localhost" : conf->listen_host;
    char address[300];
    gm_route_key_t key = {address, 0, path, sizeof(path) - 1};

    gm_text_format_hostport(address, sizeof(address), host, (uint16_t)conf->listen_port);
    key.host_length = (size_t)(strrchr(address, ':') - address);
    if ((route = gm_route_find(routes, count, &key)) == NULL || route->cluster == GM_NO_CLUSTER)
        return; /* not with a proxy.backend, which takes the rest */
    cluster += route->cluster;
    if (cluster->port == conf->backend.port && find_demo_host(cluster->host) != NULL)
        gm_log(GM_LOG_INFO, "Try: curl http://%s%s", address, path);
    else
        gm_log(GM_LOG_INFO, "Try a path that no route takes: %s goes to %s", path, cluster->authority);
}

/* The proxy has not started. */
static int fail_demo(gm_port_error_t *err, gm_server_t *backend, const char *file, bool from_command_line,
                     const gm_proxy_conf_t *conf)
{
    if (backend != NULL)
        gm_server_drain(backend);
    gm_server_destroy(backend);
    err->key = err->key != NULL && (from_command_line || file == NULL) ? "-port" : err->key;
    return report_start_error(err, file, conf);
}

/* For people, unless the file says otherwise. @param conf  NULL = there is no file */
static int open_demo_log(const gm_log_conf_t *conf)
{
    gm_run_prepare();
    return open_log(&(gm_log_options_t){.fd = STDOUT_FILENO,
                                        .json = conf != NULL && conf->format == GM_LOG_FORMAT_JSON,
                                        .level = conf != NULL ? (gm_log_level_t)conf->level : GM_LOG_INFO});
}

int gm_serve_demo(gm_snapshot_t *snapshot, const char *file, bool from_command_line)
{
    const gm_proxy_conf_t *conf = &gm_snapshot_config(snapshot)->proxy;
    const char *host =
        conf->backend.present && !conf->backend.tls.present ? find_demo_host(conf->backend.host) : NULL;
    gm_port_error_t err = {0};
    gm_server_t *servers[3] = {NULL}; /* the proxy ends before its backend, the window last */
    gm_window_t window = {0};
    size_t count = host != NULL ? 2 : 1;
    int signals;

    if (open_demo_log(file != NULL && !from_command_line ? &gm_snapshot_config(snapshot)->log : NULL) != 0)
        return 1;
    signals = gm_run_open();
    if (host != NULL && (servers[1] = start_backend(host, (uint16_t)conf->backend.port, &err)) == NULL) {
        err.key = from_command_line || file == NULL ? "-backend-port" : "proxy.backend.port";
        err.place = gm_snapshot_place_of(snapshot, &conf->backend.port);
        return report_start_error(&err, file, conf);
    }
    if ((servers[0] = start_demo_proxy(snapshot, &err)) == NULL)
        return fail_demo(&err, servers[1], file, from_command_line, conf);
    if (gm_window_open(&window, servers[0], snapshot, file, &err) != 0)
        return fail_window(&err, servers[0], servers[1], file, conf);
    if (window.server != NULL)
        servers[count++] = window.server;
    if (host != NULL)
        log_backend_start((uint16_t)conf->backend.port);
    else
        log_no_backend(&conf->backend, file);
    log_source(file, from_command_line);
    log_start(snapshot);
    gm_window_log_start(&window, snapshot);
    gm_log(GM_LOG_INFO, "Press Ctrl+C to stop");
    if (host != NULL)
        log_try(snapshot);
    gm_run(signals, servers, count, conf->timeout.shutdown_timeout_ms, &unsupervised);
    gm_log_close();
    return 0;
}

const char *gm_serve_backend_page(size_t index)
{
    return gm_backend_help(index);
}

const char *gm_serve_version(char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "GoMesh %s (libh2o %s, %s, libyaml %s)", GM_VERSION, H2O_VERSION,
             gm_tls_library_version(), gm_yaml_library_version());
    return out;
}
