/*
 * /status/<code>: an answer with any final status, for tests of what a proxy makes of it. Called from the
 * table in backend.c, on the thread of the request's loop.
 */
#include "backend/page.h"
#include "base/buffer.h"
#include "base/text.h"

static bool redirects(uint64_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* 204 and 304 end with their head and say no length (RFC 9110, 8.6); the others that are empty say 0. */
static void send_head_only(h2o_req_t *req, int status)
{
    static h2o_generator_t generator;

    gm_page_set_status(req, status);
    if (status == 205)
        req->res.content_length = 0;
    h2o_start_response(req, &generator);
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
}

void gm_page_status(const gm_page_call_t *call)
{
    gm_buffer_t body = {0};
    gm_error_t err = {0};
    uint64_t status;

    /* 1xx only announce an answer: sent alone, they would leave the client waiting */
    if (gm_text_parse_integer(call->argument, 200, 599, &status, &err) != 0) {
        gm_page_refuse(call, "%s", err.text);
        return;
    }
    if (status == 204 || status == 205 || status == 304) {
        send_head_only(call->req, (int)status);
        return;
    }
    if (redirects(status))
        gm_page_add_header(call->req, "location", "Location", "/");
    gm_buffer_printf(&body, "{\"status\":%d}\n", (int)status);
    gm_page_reply(call->req, (int)status, "application/json", body.text, body.length);
    gm_buffer_dispose(&body);
}
