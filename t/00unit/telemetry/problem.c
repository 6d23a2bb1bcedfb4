/* What a client is told of a failure, and that nothing it may contain breaks out of its form. */
#include "telemetry/problem.h"

#include <string.h>

#include "picotest.h"

static const gm_problem_t terse = {.failure = GM_FAILURE_CONNECT_REFUSED};
static const gm_problem_t full = {.failure = GM_FAILURE_CONNECT_REFUSED,
                                  .backend = "localhost:3000",
                                  .cause = "127.0.0.1:3000: Connection refused",
                                  .has_next_step = true};
static const gm_problem_t hostile = {.failure = GM_FAILURE_TLS_CERTIFICATE_INVALID,
                                     .backend = "a\":1",
                                     .cause = "name \"x\\y\"\r\nSet-Cookie: a\x01\x7f\xff \xc3\xbc"};

static bool writes(void (*form)(const gm_problem_t *, gm_buffer_t *), const gm_problem_t *problem,
                   const char *expected)
{
    gm_buffer_t out = {0};
    bool is_equal;

    form(problem, &out);
    is_equal = strcmp(out.text, expected) == 0 && strlen(expected) == out.length;
    if (!is_equal)
        note("got %s", out.text);
    gm_buffer_dispose(&out);
    return is_equal;
}

static void test_proxy_status(void)
{
    ok(writes(gm_problem_write_proxy_status, &terse,
              "gomesh; error=connection_refused; "
              "details=\"connect_refused: the backend refused the connection\""));
    ok(writes(gm_problem_write_proxy_status, &full,
              "gomesh; error=connection_refused; "
              "details=\"connect_refused: the backend refused the connection "
              "(backend: localhost:3000; cause: 127.0.0.1:3000: Connection refused)\""));
    ok(writes(gm_problem_write_proxy_status, &hostile,
              "gomesh; error=tls_certificate_error; "
              "details=\"tls_certificate_invalid: the backend's certificate is not trusted "
              "(backend: a\\\":1; cause: name \\\"x\\\\y\\\"?"
              "?Set-Cookie: a?"
              "?? ?"
              "?)\""));
    ok(writes(gm_problem_write_proxy_status,
              &(gm_problem_t){.failure = GM_FAILURE_BAD_REQUEST, .cause = "a folded line"},
              "gomesh; error=http_request_error; "
              "details=\"bad_request: the request cannot be understood (cause: a folded line)\""));
}

static void test_grpc_message(void)
{
    ok(writes(gm_problem_write_grpc_message, &terse, "connect_refused: the backend refused the connection"));
    ok(writes(gm_problem_write_grpc_message, &full,
              "connect_refused: the backend refused the connection "
              "(backend: localhost:3000; cause: 127.0.0.1:3000: Connection refused)"));
    ok(writes(gm_problem_write_grpc_message, &hostile,
              "tls_certificate_invalid: the backend's certificate is not trusted "
              "(backend: a\":1; cause: name \"x\\y\"%0D%0ASet-Cookie: a%01%7F%FF %C3%BC)"));
}

static void test_text(void)
{
    ok(writes(gm_problem_write_text, &terse, "connect_refused: the backend refused the connection\n"));
    ok(writes(gm_problem_write_text, &full,
              "connect_refused: the backend refused the connection\n"
              "backend: localhost:3000\n"
              "cause: 127.0.0.1:3000: Connection refused\n"
              "try: curl http://localhost:3000/health\n"));
    ok(writes(gm_problem_write_text, &hostile,
              "tls_certificate_invalid: the backend's certificate is not trusted\n"
              "backend: a\":1\n"
              "cause: name \"x\\y\"??Set-Cookie: a??\xff \xc3\xbc\n"));
}

static void test_json(void)
{
    ok(writes(gm_problem_write_json, &terse,
              "{\"type\":\"about:blank\",\"title\":\"Bad Gateway\",\"status\":502,"
              "\"detail\":\"the backend refused the connection\",\"failure\":\"connect_refused\","
              "\"retryable\":true}\n"));
    ok(writes(gm_problem_write_json, &full,
              "{\"type\":\"about:blank\",\"title\":\"Bad Gateway\",\"status\":502,"
              "\"detail\":\"the backend refused the connection\",\"failure\":\"connect_refused\","
              "\"retryable\":true,\"backend\":\"localhost:3000\","
              "\"cause\":\"127.0.0.1:3000: Connection refused\","
              "\"try\":\"curl http://localhost:3000/health\"}\n"));
    ok(writes(gm_problem_write_json, &hostile,
              "{\"type\":\"about:blank\",\"title\":\"Bad Gateway\",\"status\":502,"
              "\"detail\":\"the backend's certificate is not trusted\","
              "\"failure\":\"tls_certificate_invalid\",\"retryable\":false,\"backend\":\"a\\\":1\","
              "\"cause\":\"name \\\"x\\\\y\\\"\\r\\nSet-Cookie: a\\u0001\\u007f\xef\xbf\xbd \xc3\xbc\"}\n"));
}

static bool suggests(gm_failure_t failure, const char *backend, const char *expected)
{
    const gm_problem_t problem = {.failure = failure, .backend = backend, .has_next_step = true};
    gm_buffer_t out = {0};
    const char *line;
    bool is_equal;

    gm_problem_write_text(&problem, &out);
    line = strstr(out.text, "\ntry: ");
    is_equal = expected == NULL ? line == NULL
                                : line != NULL && strncmp(line + 6, expected, strlen(expected)) == 0 &&
                                      strcmp(line + 6 + strlen(expected), "\n") == 0;
    if (!is_equal)
        note("got %s", out.text);
    gm_buffer_dispose(&out);
    return is_equal;
}

static void test_next_step(void)
{
    ok(suggests(GM_FAILURE_CONNECT_REFUSED, "[::1]:3000", "curl http://[::1]:3000/health"));
    ok(suggests(GM_FAILURE_CONNECT_REFUSED, "unix:/run/a.sock",
                "curl --unix-socket /run/a.sock http://localhost/health"));
    ok(suggests(GM_FAILURE_DNS_FAILED, "users.internal:3000", "getent hosts users.internal"));
    ok(suggests(GM_FAILURE_DNS_FAILED, "[::1]:3000", "getent hosts ::1"));
    ok(suggests(GM_FAILURE_TLS_HANDSHAKE_FAILED, "a:443", "openssl s_client -connect a:443"));
    ok(suggests(GM_FAILURE_RESPONSE_TIMEOUT, "a:1",
                "curl http://a:1/health, or a longer proxy.timeout.read_timeout"));
    ok(suggests(GM_FAILURE_RESPONSE_TIMEOUT, NULL, NULL));
    ok(writes(gm_problem_write_text,
              &(gm_problem_t){.failure = GM_FAILURE_CONNECTION_RESET,
                              .backend = "a:443",
                              .is_tls = true,
                              .has_next_step = true},
              "connection_reset: the backend reset the connection\n"
              "backend: a:443\n"
              "try: curl -v https://a:443/health\n"));
    ok(suggests(GM_FAILURE_NO_ROUTE, NULL, "a route for it, or proxy.backend for all other requests"));
}

static void test_long_cause(void)
{
    char cause[10001];
    gm_problem_t problem = {.failure = GM_FAILURE_INTERNAL, .cause = cause};
    gm_buffer_t out = {0};

    memset(cause, '"', sizeof(cause) - 1);
    cause[sizeof(cause) - 1] = '\0';
    gm_problem_write_proxy_status(&problem, &out);
    ok(out.length < 700);
    gm_buffer_dispose(&out);
}

int main(void)
{
    subtest("proxy_status", test_proxy_status);
    subtest("grpc_message", test_grpc_message);
    subtest("text", test_text);
    subtest("json", test_json);
    subtest("next_step", test_next_step);
    subtest("long_cause", test_long_cause);
    return done_testing();
}
