/*
 * Facts for the values of header fields, and for policies that decide by a client's address. Called by
 * proxy/policy_*, worker's thread.
 */
#include "proxy/policy_facts.h"

#include <arpa/inet.h>

#include "front/downstream.h"
#include "http/forwarded_for.h"

#define MAX_FORWARDED_FIELDS 8

/* ---- the client */

static gm_forwarded_t ask_proxies(const gm_request_t *request, struct sockaddr_storage *address)
{
    const h2o_headers_t *headers = &request->req->headers;
    size_t trusted_count, count = 0;
    const gm_cidr_t *trusted = gm_snapshot_trusted_proxies(request->context->proxy->snapshot, &trusted_count);
    gm_span_t values[MAX_FORWARDED_FIELDS];

    for (ssize_t at = -1; (at = h2o_find_header(headers, H2O_TOKEN_X_FORWARDED_FOR, at)) != -1; ++count) {
        if (count == MAX_FORWARDED_FIELDS) /* the last ones count, and nobody sends so many */
            return GM_FORWARDED_UNKNOWN;
        values[count] = (gm_span_t){headers->entries[at].value.base, headers->entries[at].value.len};
    }
    return gm_forwarded_for_client(values, count, trusted, trusted_count, address);
}

bool gm_policy_client_address(gm_request_t *request, struct sockaddr_storage *address)
{
    h2o_conn_t *conn = request->req->conn;

    if (gm_proxy_is_ours(request->context->proxy) && gm_downstream_of(request->req)->is_trusted) {
        gm_forwarded_t said = ask_proxies(request, address);
        if (said != GM_FORWARDED_NOBODY)
            return said == GM_FORWARDED_CLIENT;
    }
    return conn->callbacks->get_peername(conn, (void *)address) != 0;
}

static gm_span_t span(const char *text)
{
    return (gm_span_t){text, text != NULL ? strlen(text) : 0};
}

static gm_span_t find_remote_address(gm_request_t *request)
{
    struct sockaddr_storage address;
    const struct in6_addr *v6 = &((struct sockaddr_in6 *)&address)->sin6_addr;
    char *text = h2o_mem_alloc_pool(&request->req->pool, INET6_ADDRSTRLEN);

    if (!gm_policy_client_address(request, &address))
        return (gm_span_t){NULL, 0};
    if (address.ss_family == AF_INET)
        return span(inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, text, INET6_ADDRSTRLEN));
    if (IN6_IS_ADDR_V4MAPPED(v6))
        return span(inet_ntop(AF_INET, &v6->s6_addr[12], text, INET6_ADDRSTRLEN));
    return span(inet_ntop(AF_INET6, v6, text, INET6_ADDRSTRLEN));
}

/* ---- the others */

/* A request that was refused before its path was looked at has the one that the client wrote. */
static gm_span_t find_path(const gm_request_t *request)
{
    const h2o_iovec_t *path = &request->req->input.path;
    const char *mark;

    if (request->policies->path.base != NULL)
        return (gm_span_t){request->policies->path.base, request->policies->path.len};
    mark = path->len != 0 ? memchr(path->base, '?', path->len) : NULL;
    return (gm_span_t){path->base, mark != NULL ? (size_t)(mark - path->base) : path->len};
}

/* Empty while nobody traces. */
static gm_span_t find_trace_id(gm_request_t *request)
{
    static const uint8_t none[GM_TRACE_ID_BYTES];
    static const char digits[] = "0123456789abcdef";
    const uint8_t *id = request->record.trace.trace_id;
    char *text;

    if (memcmp(id, none, sizeof(none)) == 0)
        return (gm_span_t){NULL, 0};
    text = h2o_mem_alloc_pool(&request->req->pool, 2 * GM_TRACE_ID_BYTES);
    for (size_t i = 0; i != GM_TRACE_ID_BYTES; ++i) {
        text[2 * i] = digits[id[i] >> 4];
        text[2 * i + 1] = digits[id[i] & 15];
    }
    return (gm_span_t){text, 2 * GM_TRACE_ID_BYTES};
}

gm_span_t gm_policy_fact(void *data, gm_fact_t fact)
{
    gm_request_t *request = data;
    const h2o_req_t *req = request->req;

    switch (fact) {
    case GM_FACT_REMOTE_ADDR:
        return find_remote_address(request);
    case GM_FACT_HOST:
        return (gm_span_t){req->input.authority.base, req->input.authority.len};
    case GM_FACT_METHOD:
        return (gm_span_t){req->input.method.base, req->input.method.len};
    case GM_FACT_PATH:
        return find_path(request);
    case GM_FACT_SCHEME:
        return (gm_span_t){req->input.scheme->name.base, req->input.scheme->name.len};
    case GM_FACT_ROUTE:
        return span(request->route != NULL ? request->route->name : NULL);
    case GM_FACT_CLUSTER:
        return span(request->cluster != NULL ? gm_cluster_name(request->cluster) : NULL);
    case GM_FACT_TRACE_ID:
        return find_trace_id(request);
    default:
        return (gm_span_t){NULL, 0};
    }
}

size_t gm_policy_remove_fields(h2o_headers_t *headers, const char *name, size_t length)
{
    size_t kept = 0, before = headers->size;

    for (size_t i = 0; i != headers->size; ++i) {
        const h2o_header_t *header = &headers->entries[i];
        if (!h2o_memis(header->name->base, header->name->len, name, length))
            headers->entries[kept++] = *header;
    }
    headers->size = kept;
    return before - kept;
}
