/*
 * The words of an answer that tells of a failure. Causes and names may come from clients, backends and their
 * certificates, so each form escapes what would end it. Called by whoever answers (proxy/reply,
 * front/connection), any thread.
 */
#include "telemetry/problem.h"

#include <string.h>

#include "base/json_writer.h"

#define CAUSE_MAX 256

/* Inside the quotes of a structured field's string (RFC 8941, 3.3.3). */
static void append_quoted(gm_buffer_t *out, const char *text, size_t length)
{
    for (size_t i = 0; i != length; ++i) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            gm_buffer_append_char(out, '\\');
        gm_buffer_append_char(out, c < 0x20 || c > 0x7e ? '?' : (char)c);
    }
}

/* Inside a line. */
static void append_plain(gm_buffer_t *out, const char *text, size_t length)
{
    for (size_t i = 0; i != length; ++i) {
        unsigned char c = (unsigned char)text[i];
        gm_buffer_append_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
    }
}

static size_t cause_length(const gm_problem_t *self)
{
    return strnlen(self->cause, CAUSE_MAX);
}

/* ---- what to try */

static bool is_unix(const char *backend)
{
    return strncmp(backend, "unix:", 5) == 0;
}

/* The name alone: of "[::1]:3000" it is "::1". */
static void append_host(gm_buffer_t *out, const char *backend)
{
    const char *port = strrchr(backend, ':');
    size_t length = port != NULL ? (size_t)(port - backend) : strlen(backend);

    if (length > 2 && backend[0] == '[' && backend[length - 1] == ']')
        gm_buffer_append(out, backend + 1, length - 2);
    else
        gm_buffer_append(out, backend, length);
}

/* For curl. Not the path of the request: that is the client's, and people paste this into a shell. */
static void append_url(gm_buffer_t *out, const gm_problem_t *self)
{
    const char *scheme = self->is_tls ? "https" : "http";

    if (is_unix(self->backend))
        gm_buffer_printf(out, "--unix-socket %s %s://localhost/health", self->backend + 5, scheme);
    else
        gm_buffer_printf(out, "%s://%s/health", scheme, self->backend);
}

static void append_name(gm_buffer_t *out, const char *name, const gm_problem_t *self)
{
    if (*name == 'u')
        append_url(out, self);
    else if (*name == 'h')
        append_host(out, self->backend);
    else
        gm_buffer_append_text(out, self->backend);
}

/* @return whether there is one */
static bool make_next_step(const gm_problem_t *self, gm_buffer_t *out)
{
    const char *rest = gm_failure_row(self->failure)->next_step, *name;

    if (!self->has_next_step || (self->backend == NULL && strchr(rest, '{') != NULL))
        return false;
    while ((name = strchr(rest, '{')) != NULL) {
        gm_buffer_append(out, rest, (size_t)(name - rest));
        append_name(out, name + 1, self);
        rest = strchr(name, '}') + 1;
    }
    gm_buffer_append_text(out, rest);
    return true;
}

/* ---- the forms */

void gm_problem_write_proxy_status(const gm_problem_t *self, gm_buffer_t *out)
{
    const gm_failure_row_t *row = gm_failure_row(self->failure);

    gm_buffer_printf(out, "gomesh; error=%s; details=\"%s: %s", row->proxy_status, row->label, row->sentence);
    if (self->backend != NULL) {
        gm_buffer_append_text(out, " (backend: ");
        append_quoted(out, self->backend, strlen(self->backend));
    }
    if (self->cause != NULL) {
        gm_buffer_append_text(out, self->backend != NULL ? "; cause: " : " (cause: ");
        append_quoted(out, self->cause, cause_length(self));
    }
    gm_buffer_append_text(out, self->backend != NULL || self->cause != NULL ? ")\"" : "\"");
}

void gm_problem_write_grpc_message(const gm_problem_t *self, gm_buffer_t *out)
{
    const gm_failure_row_t *row = gm_failure_row(self->failure);

    gm_buffer_printf(out, "%s: %s", row->label, row->sentence);
    if (self->backend != NULL) {
        gm_buffer_append_text(out, " (backend: ");
        gm_grpc_status_append_message(out, self->backend, strlen(self->backend));
    }
    if (self->cause != NULL) {
        gm_buffer_append_text(out, self->backend != NULL ? "; cause: " : " (cause: ");
        gm_grpc_status_append_message(out, self->cause, cause_length(self));
    }
    if (self->backend != NULL || self->cause != NULL)
        gm_buffer_append_char(out, ')');
}

static void append_line(gm_buffer_t *out, const char *name, const char *text, size_t length)
{
    gm_buffer_printf(out, "%s: ", name);
    append_plain(out, text, length);
    gm_buffer_append_char(out, '\n');
}

void gm_problem_write_text(const gm_problem_t *self, gm_buffer_t *out)
{
    const gm_failure_row_t *row = gm_failure_row(self->failure);
    gm_buffer_t step = {0};

    append_line(out, row->label, row->sentence, strlen(row->sentence));
    if (self->backend != NULL)
        append_line(out, "backend", self->backend, strlen(self->backend));
    if (self->cause != NULL)
        append_line(out, "cause", self->cause, cause_length(self));
    if (make_next_step(self, &step))
        append_line(out, "try", step.text, step.length);
    gm_buffer_dispose(&step);
}

static void add_member(gm_json_t *json, const char *name, const char *text, size_t length)
{
    gm_json_key(json, name);
    gm_json_bytes(json, text, length);
}

void gm_problem_write_json(const gm_problem_t *self, gm_buffer_t *out)
{
    const gm_failure_row_t *row = gm_failure_row(self->failure);
    const char *title = gm_failure_reason_phrase(row->status);
    gm_json_t json = {.out = out};
    gm_buffer_t step = {0};

    gm_json_open(&json, '{');
    add_member(&json, "type", "about:blank", strlen("about:blank"));
    add_member(&json, "title", title, strlen(title)); /* as RFC 9457, 4.2.1 wants for that type */
    gm_json_key(&json, "status");
    gm_json_integer(&json, row->status);
    add_member(&json, "detail", row->sentence, strlen(row->sentence));
    add_member(&json, "failure", row->label, strlen(row->label));
    gm_json_key(&json, "retryable");
    gm_json_boolean(&json, row->is_retryable);
    if (self->backend != NULL)
        add_member(&json, "backend", self->backend, strlen(self->backend));
    if (self->cause != NULL)
        add_member(&json, "cause", self->cause, cause_length(self));
    if (make_next_step(self, &step))
        add_member(&json, "try", step.text, step.length);
    gm_json_close(&json, '}');
    gm_buffer_append_char(out, '\n');
    gm_buffer_dispose(&step);
}
