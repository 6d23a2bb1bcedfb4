/*
 * Serializing, in one pass over memory that was measured before. Hop-by-hop fields and their like never
 * reached the request (http/head). Called by proxy/forward on a worker.
 */
#include "proxy/request_head.h"

#include "http/write.h"

static char *put_iovec(char *at, h2o_iovec_t text)
{
    return gm_write(at, text.base, text.len);
}

typedef enum said {
    SAID_BY_CLIENT, /* an ordinary field */
    SAID_FOR,
    SAID_FORWARDED, /* RFC 7239 */
    SAID_PROTO, /* these two, as the next, are kept from trusted proxies; otherwise they are ours to say */
    SAID_HOST,
    SAID_ABOUT_CLIENT, /* X-Real-IP, and what else X-Forwarded- may begin */
    SAID_BY_US         /* never kept */
} said_t;

static said_t who_says(const h2o_iovec_t *name)
{
    if (name->len == 9 && memcmp(name->base, "forwarded", 9) == 0)
        return SAID_FORWARDED;
    if (name->base[0] != 'x')
        return SAID_BY_CLIENT;
    if (name->len < 13 || memcmp(name->base, "x-forwarded-", 12) != 0)
        return h2o_memis(name->base, name->len, H2O_STRLIT("x-real-ip")) ? SAID_ABOUT_CLIENT : SAID_BY_CLIENT;
    if (name->len == 15 && memcmp(name->base + 12, "for", 3) == 0)
        return SAID_FOR;
    if (name->len == 17 && memcmp(name->base + 12, "proto", 5) == 0)
        return SAID_PROTO;
    if (name->len == 16 && memcmp(name->base + 12, "host", 4) == 0)
        return SAID_HOST;
    if ((name->len == 14 && memcmp(name->base + 12, "by", 2) == 0) ||
        (name->len == 23 && memcmp(name->base + 12, "client-cert", 11) == 0))
        return SAID_BY_US;
    return SAID_ABOUT_CLIENT;
}

typedef struct forwarded {
    bool has_host, has_proto, has_forwarded;
} forwarded_t;

/* The original spelling is kept only of fields that the policy headers has added: they are ours. */
static bool is_kept(said_t said, const h2o_header_t *header, bool is_trusted)
{
    return said == SAID_BY_CLIENT || ((is_trusted || header->orig_name != NULL) &&
                                      (said == SAID_PROTO || said == SAID_HOST || said == SAID_ABOUT_CLIENT));
}

static char *put_fields(char *at, const h2o_req_t *req, bool is_trusted, forwarded_t *forwarded)
{
    for (size_t i = 0; i != req->headers.size; ++i) {
        const h2o_header_t *header = &req->headers.entries[i];
        said_t said = who_says(header->name);
        forwarded->has_forwarded = forwarded->has_forwarded || said == SAID_FORWARDED;
        if (!is_kept(said, header, is_trusted))
            continue;
        forwarded->has_proto = forwarded->has_proto || said == SAID_PROTO;
        forwarded->has_host = forwarded->has_host || said == SAID_HOST;
        at = put_iovec(at, *header->name);
        at = GM_WRITE_LITERAL(at, ": ");
        at = put_iovec(at, header->value);
        at = GM_WRITE_LITERAL(at, "\r\n");
    }
    return at;
}

/* What proxies before us have said, for us to add to. */
static char *put_said(char *at, const h2o_req_t *req, said_t said)
{
    for (size_t i = 0; i != req->headers.size; ++i)
        if (who_says(req->headers.entries[i].name) == said && req->headers.entries[i].value.len != 0) {
            at = put_iovec(at, req->headers.entries[i].value);
            at = GM_WRITE_LITERAL(at, ", ");
        }
    return at;
}

/* Only where the client sent one, to replace or to add to: who wants neither looks at X-Forwarded-For. */
static char *put_forwarded(char *at, const h2o_req_t *req, gm_span_t peer, bool is_trusted)
{
    bool is_ipv6 = memchr(peer.base, ':', peer.length) != NULL;

    at = GM_WRITE_LITERAL(at, "forwarded: ");
    if (is_trusted)
        at = put_said(at, req, SAID_FORWARDED);
    at = is_ipv6 ? GM_WRITE_LITERAL(at, "for=\"[") : GM_WRITE_LITERAL(at, "for=");
    at = gm_write(at, peer.base, peer.length);
    at = is_ipv6 ? GM_WRITE_LITERAL(at, "]\";host=\"") : GM_WRITE_LITERAL(at, ";host=\"");
    at = put_iovec(at, req->authority);
    at = GM_WRITE_LITERAL(at, "\";proto=");
    at = put_iovec(at, req->input.scheme->name);
    return GM_WRITE_LITERAL(at, "\r\n");
}

static char *put_forwarded_for(char *at, const h2o_req_t *req, gm_span_t peer, bool is_trusted)
{
    at = GM_WRITE_LITERAL(at, "x-forwarded-for: ");
    if (is_trusted)
        at = put_said(at, req, SAID_FOR);
    at = gm_write(at, peer.base, peer.length);
    return GM_WRITE_LITERAL(at, "\r\n");
}

static size_t measure(const h2o_req_t *req, gm_span_t peer, gm_span_t upgrade, gm_span_t client_cert)
{
    size_t size = req->method.len + req->path.len + 2 * req->authority.len + 2 * peer.length + 320;

    size += upgrade.length + client_cert.length;
    for (size_t i = 0; i != req->headers.size; ++i)
        size += req->headers.entries[i].name->len + req->headers.entries[i].value.len + 4;
    return size;
}

static char *put_framing(char *at, const gm_request_framing_t *framing)
{
    if (framing->is_chunked)
        return GM_WRITE_LITERAL(at, "transfer-encoding: chunked\r\n");
    if (framing->content_length == GM_HEAD_NO_LENGTH)
        return at;
    at = GM_WRITE_LITERAL(at, "content-length: ");
    at = gm_write_number(at, framing->content_length);
    return GM_WRITE_LITERAL(at, "\r\n");
}

h2o_iovec_t gm_request_head_make(h2o_req_t *req, h2o_iovec_t host, const gm_downstream_t *downstream,
                                 const gm_request_framing_t *framing)
{
    size_t size = host.len + measure(req, downstream->peer, framing->upgrade, downstream->client_cert);
    char *start = h2o_mem_alloc_pool(&req->pool, size), *at = start;
    bool is_trusted = downstream->is_trusted;
    forwarded_t forwarded = {false, false, false};

    at = put_iovec(at, req->method);
    *at++ = ' ';
    at = put_iovec(at, req->path);
    at = GM_WRITE_LITERAL(at, " HTTP/1.1\r\nhost: ");
    at = put_iovec(at, host);
    at = GM_WRITE_LITERAL(at, "\r\n");
    at = put_framing(at, framing);
    if (framing->upgrade.base != NULL) {
        at = downstream->accepts_trailers
                 ? GM_WRITE_LITERAL(at, "connection: upgrade, te\r\nte: trailers\r\nupgrade: ")
                 : GM_WRITE_LITERAL(at, "connection: upgrade\r\nupgrade: ");
        at = gm_write(at, framing->upgrade.base, framing->upgrade.length);
        at = GM_WRITE_LITERAL(at, "\r\n");
    } else if (downstream->accepts_trailers) /* for one connection only, as RFC 9110, 10.1.4, has it */
        at = GM_WRITE_LITERAL(at, "connection: te\r\nte: trailers\r\n");
    at = put_fields(at, req, is_trusted, &forwarded);
    at = put_forwarded_for(at, req, downstream->peer, is_trusted);
    if (forwarded.has_forwarded)
        at = put_forwarded(at, req, downstream->peer, is_trusted);
    if (!forwarded.has_proto) {
        at = GM_WRITE_LITERAL(at, "x-forwarded-proto: ");
        at = put_iovec(at, req->input.scheme->name);
        at = GM_WRITE_LITERAL(at, "\r\n");
    }
    if (!forwarded.has_host) {
        at = GM_WRITE_LITERAL(at, "x-forwarded-host: ");
        at = put_iovec(at, req->authority);
        at = GM_WRITE_LITERAL(at, "\r\n");
    }
    if (downstream->client_cert.base != NULL) {
        at = GM_WRITE_LITERAL(at, "x-forwarded-client-cert: ");
        at = gm_write(at, downstream->client_cert.base, downstream->client_cert.length);
        at = GM_WRITE_LITERAL(at, "\r\n");
    }
    at = GM_WRITE_LITERAL(at, "x-forwarded-by: GoMesh-Proxy\r\n\r\n");
    return h2o_iovec_init(start, (size_t)(at - start));
}
