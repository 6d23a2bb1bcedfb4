/*
 * Header rules from client to backend. Called by proxy/handler on a worker, before the request is forwarded.
 */
#include "proxy/request_fields.h"

#include "base/memory.h"
#include "http/fields.h"

#define MAX_CONNECTION_FIELDS 4

/* The values of all Connection fields, for what they name. */
typedef struct connection_values {
    h2o_iovec_t items[MAX_CONNECTION_FIELDS];
    size_t count;
} connection_values_t;

static void collect(const h2o_req_t *req, connection_values_t *values)
{
    ssize_t at = -1;

    while (values->count != MAX_CONNECTION_FIELDS &&
           (at = h2o_find_header(&req->headers, H2O_TOKEN_CONNECTION, at)) != -1)
        values->items[values->count++] = req->headers.entries[at].value;
}

static bool is_named(const connection_values_t *values, const char *name, size_t length)
{
    for (size_t i = 0; i != values->count; ++i)
        if (gm_fields_connection_names(values->items[i].base, values->items[i].len, name, length))
            return true;
    return false;
}

bool gm_request_fields_keep_alive(const h2o_req_t *req)
{
    connection_values_t values = {.count = 0};

    collect(req, &values);
    return req->version >= 0x101 ? !is_named(&values, H2O_STRLIT("close"))
                                 : is_named(&values, H2O_STRLIT("keep-alive"));
}

static bool is_ours(const h2o_iovec_t *name)
{
    return h2o_memis(name->base, name->len, H2O_STRLIT("x-forwarded-host")) ||
           h2o_memis(name->base, name->len, H2O_STRLIT("x-forwarded-by")) ||
           h2o_memis(name->base, name->len, H2O_STRLIT("forwarded"));
}

static bool is_dropped(const h2o_iovec_t *name, const connection_values_t *values)
{
    return gm_fields_is_hop_by_hop(name->base, name->len) ||
           gm_fields_is_underscore_twin(name->base, name->len) || is_ours(name) ||
           is_named(values, name->base, name->len);
}

void gm_request_fields_drop(h2o_req_t *req)
{
    connection_values_t values = {.count = 0};
    size_t kept = 0;

    collect(req, &values);
    for (size_t i = 0; i != req->headers.size; ++i)
        if (!is_dropped(req->headers.entries[i].name, &values))
            req->headers.entries[kept++] = req->headers.entries[i];
    req->headers.size = kept;
}

void gm_request_fields_add(h2o_req_t *req)
{
    h2o_add_header_by_str(&req->pool, &req->headers, H2O_STRLIT("x-forwarded-host"), 0, "X-Forwarded-Host",
                          req->authority.base, req->authority.len);
    h2o_add_header_by_str(&req->pool, &req->headers, H2O_STRLIT("x-forwarded-by"), 0, "X-Forwarded-By",
                          H2O_STRLIT("GoMesh-Proxy"));
}
