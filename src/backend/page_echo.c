/*
 * /echo: the request as the backend saw it, which is how tests learn what a proxy changed. The body is
 * described by length and hash, computed in one go: fine for a test backend, whose server bounds it. Called
 * from the table in backend.c once the body is complete, on the thread of the request's loop.
 */
#include "backend/page.h"
#include "base/json_writer.h"
#include "base/sha256.h"

static void write_bytes(gm_json_t *json, const char *key, h2o_iovec_t value)
{
    gm_json_key(json, key);
    gm_json_bytes(json, value.base, value.len);
}

static void write_header(gm_json_t *json, h2o_iovec_t name, h2o_iovec_t value)
{
    gm_json_open(json, '{');
    write_bytes(json, "name", name);
    write_bytes(json, "value", value);
    gm_json_close(json, '}');
}

/* The library moves Host out of the list, and invents one for requests that have none. */
static bool sent_host(const h2o_req_t *req)
{
    return req->input.authority.base != req->hostconf->authority.hostport.base &&
           h2o_find_header(&req->headers, H2O_TOKEN_HOST, -1) == -1;
}

static void write_headers(gm_json_t *json, const h2o_req_t *req)
{
    gm_json_key(json, "headers");
    gm_json_open(json, '[');
    if (sent_host(req))
        write_header(json, h2o_iovec_init(H2O_STRLIT("Host")), req->input.authority);
    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_header_t *header = req->headers.entries + i;
        const char *name = header->orig_name != NULL ? header->orig_name : header->name->base;

        write_header(json, h2o_iovec_init(name, header->name->len), header->value);
    }
    gm_json_close(json, ']');
}

static void write_version(gm_json_t *json, const h2o_req_t *req)
{
    char text[32];

    snprintf(text, sizeof(text), "HTTP/%d.%d", req->version >> 8, req->version & 0xff);
    gm_json_key(json, "version");
    gm_json_string(json, text);
}

void gm_page_echo(const gm_page_call_t *call)
{
    h2o_req_t *req = call->req;
    gm_buffer_t body = {0};
    gm_json_t json = {.out = &body};
    char hash[65];

    gm_sha256_hex(req->entity.base, req->entity.len, hash);
    gm_json_open(&json, '{');
    write_bytes(&json, "method", req->input.method);
    write_bytes(&json, "path", gm_page_path(req));
    write_bytes(&json, "query", gm_page_query(req));
    write_version(&json, req);
    write_headers(&json, req);
    gm_json_key(&json, "body_length");
    gm_json_integer(&json, (int64_t)req->entity.len);
    gm_json_key(&json, "body_sha256");
    gm_json_string(&json, hash);
    gm_json_close(&json, '}');
    gm_buffer_append_char(&body, '\n');
    gm_page_reply(req, 200, "application/json", body.text, body.length);
    gm_buffer_dispose(&body);
}
