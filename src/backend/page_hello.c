/*
 * The plain answers of the test backend: the greeting after a pause, and `OK` at once for health checks.
 * Called from the table in backend.c, on the thread of the request's loop.
 */
#include "backend/page.h"
#include "base/clock.h"
#include "base/json_writer.h"

static void write_header_value(gm_json_t *json, const char *key, const h2o_req_t *req, const char *name)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, name, strlen(name), -1);

    if (at < 0)
        return;
    gm_json_key(json, key);
    gm_json_bytes(json, req->headers.entries[at].value.base, req->headers.entries[at].value.len);
}

static void send_hello(h2o_req_t *req)
{
    gm_buffer_t body = {0};
    gm_json_t json = {.out = &body};
    h2o_iovec_t path = gm_page_path(req);
    struct timeval now;
    char timestamp[32];

    gettimeofday(&now, NULL);
    gm_json_open(&json, '{');
    gm_json_key(&json, "message");
    gm_json_string(&json, "Hello from the backend service!");
    gm_json_key(&json, "timestamp");
    gm_json_string(&json, gm_clock_format(timestamp, sizeof(timestamp), &now));
    gm_json_key(&json, "path");
    gm_json_bytes(&json, path.base, path.len);
    gm_json_key(&json, "method");
    gm_json_bytes(&json, req->input.method.base, req->input.method.len);
    write_header_value(&json, "trace_id", req, "x-trace-id");
    gm_json_close(&json, '}');
    gm_buffer_append_char(&body, '\n');
    gm_page_reply(req, 200, "application/json", body.text, body.length);
    gm_buffer_dispose(&body);
}

static void on_due(gm_alarm_t *alarm)
{
    gm_page_task_t *self = H2O_STRUCT_FROM_MEMBER(gm_page_task_t, alarm, alarm);

    send_hello(self->req);
}

static void send_hello_after(const gm_page_call_t *call, uint64_t delay_ms)
{
    gm_page_task_t *self;

    if (delay_ms == 0) {
        send_hello(call->req);
        return;
    }
    self = gm_page_task_create(call, sizeof(*self));
    self->alarm.on_due = on_due;
    gm_alarm_set(self->alarms, &self->alarm, delay_ms);
}

void gm_page_hello(const gm_page_call_t *call)
{
    send_hello_after(call, call->answer_delay_ms);
}

void gm_page_delay(const gm_page_call_t *call)
{
    uint64_t delay_ms;

    if (gm_page_parse_pause(call, call->argument, &delay_ms) == 0)
        send_hello_after(call, delay_ms);
}

void gm_page_health(const gm_page_call_t *call)
{
    gm_page_reply(call->req, 200, "text/plain; charset=utf-8", "OK", 2);
}
