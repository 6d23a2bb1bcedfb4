/*
 * The first look at a request: what two programs could read differently is refused here, so that the path and
 * host we route by are the path and host that the backend sees. Called by proxy/handler on a worker.
 */
#include "proxy/admission.h"

#include "http/path.h"

static int refuse(gm_refusal_t *refusal, gm_failure_t failure, const char *why)
{
    *refusal = (gm_refusal_t){failure, why};
    return -1;
}

/* Letters of a Host value (RFC 9110, 7.2; RFC 3986, 3.2.2), without percent-codes, lists and user names. */
static bool is_host_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == '~' || c == ':' || c == '[' || c == ']';
}

/* @return the length of the host part, 0 = not a host */
static size_t host_length(h2o_iovec_t authority)
{
    const char *end = NULL;
    size_t length = authority.len, digits;

    for (size_t i = 0; i != authority.len; ++i)
        if (!is_host_char((unsigned char)authority.base[i]))
            return 0;
    if (length != 0 && authority.base[0] == '[') {
        if ((end = memchr(authority.base, ']', length)) == NULL || end - authority.base < 3)
            return 0;
        length = (size_t)(end - authority.base) + 1;
    } else if ((end = memchr(authority.base, ':', length)) != NULL) {
        length = (size_t)(end - authority.base);
    }
    if (length == authority.len)
        return length;
    digits = authority.len - length - 1;
    if (authority.base[length] != ':' || digits > 5)
        return 0;
    for (size_t i = length + 1; i != authority.len; ++i)
        if (authority.base[i] < '0' || authority.base[i] > '9')
            return 0;
    return length;
}

/* "http://host/path" as the target: its host counts, not the Host field. */
static int take_absolute_form(h2o_req_t *req, gm_refusal_t *refusal)
{
    h2o_iovec_t target = req->path;
    size_t scheme = target.len > 7 && strncasecmp(target.base, "http://", 7) == 0    ? 7
                    : target.len > 8 && strncasecmp(target.base, "https://", 8) == 0 ? 8
                                                                                     : 0;
    size_t end = scheme;

    if (scheme == 0)
        return refuse(refusal, GM_FAILURE_BAD_REQUEST, "the request target is neither a path nor a URL");
    while (end != target.len && target.base[end] != '/' && target.base[end] != '?')
        ++end;
    req->authority = h2o_iovec_init(target.base + scheme, end - scheme);
    if (end == target.len || target.base[end] == '?')
        req->path = h2o_concat(&req->pool, h2o_iovec_init("/", 1),
                               h2o_iovec_init(target.base + end, target.len - end));
    else
        req->path = h2o_iovec_init(target.base + end, target.len - end);
    return 0;
}

static int take_path(h2o_req_t *req, bool keeps_path, gm_route_key_t *key, gm_refusal_t *refusal)
{
    const char *why = NULL, *mark;
    size_t query, length;
    char *canonical;

    key->path = req->path.base;
    if (gm_path_is_canonical(req->path.base, req->path.len)) {
        mark = memchr(req->path.base, '?', req->path.len);
        query = mark != NULL ? (size_t)(mark - req->path.base) : req->path.len;
    } else {
        canonical = h2o_mem_alloc_pool(&req->pool, req->path.len);
        if ((length = gm_path_canonicalize(req->path.base, req->path.len, canonical, &query, &why)) == 0)
            return refuse(refusal, GM_FAILURE_BAD_REQUEST, why);
        key->path = canonical;
        if (!keeps_path)
            req->path = h2o_iovec_init(canonical, length);
    }
    key->path_length = query;
    return 0;
}

static int take_host(h2o_req_t *req, bool needs_host, gm_route_key_t *key, gm_refusal_t *refusal)
{
    size_t length = host_length(req->authority);

    if (length == 0)
        return refuse(refusal, GM_FAILURE_BAD_REQUEST, "the Host is not a host name with an optional port");
    key->host = req->authority.base;
    key->host_length = length;
    if (needs_host) {
        char *lower = h2o_mem_alloc_pool(&req->pool, length);
        memcpy(lower, req->authority.base, length);
        h2o_strtolower(lower, length);
        key->host = lower;
        if (length > 1 && lower[length - 1] == '.') /* "example.com." is the same name */
            --key->host_length;
    }
    return 0;
}

int gm_admission_check(h2o_req_t *req, const gm_admission_rules_t *rules, gm_route_key_t *key,
                       gm_refusal_t *refusal)
{
    /* the library puts the default name of its first hostconf where the client gave none */
    bool host_is_missing = req->input.authority.base == req->conn->hosts[0]->authority.hostport.base;

    if (req->entity.len > rules->max_body_bytes)
        return refuse(refusal, GM_FAILURE_PAYLOAD_TOO_LARGE, "above proxy.limits.max_request_body");
    if (h2o_memis(req->method.base, req->method.len, H2O_STRLIT("CONNECT")))
        return refuse(refusal, GM_FAILURE_NOT_IMPLEMENTED, "CONNECT");
    if (h2o_memis(req->path.base, req->path.len, H2O_STRLIT("*"))) {
        if (!h2o_memis(req->method.base, req->method.len, H2O_STRLIT("OPTIONS")))
            return refuse(refusal, GM_FAILURE_BAD_REQUEST, "only OPTIONS may ask for \"*\"");
        /* RFC 9112, 3.2.4: meant for the server as a whole; routed as "/" and sent on as it is */
        key->path = "/";
        key->path_length = 1;
        return host_is_missing ? refuse(refusal, GM_FAILURE_BAD_REQUEST, "no Host")
                               : take_host(req, rules->needs_host, key, refusal);
    }
    if (req->path.len == 0 || req->path.base[0] != '/') {
        if (take_absolute_form(req, refusal) != 0)
            return -1;
        host_is_missing = false;
    }
    if (host_is_missing && req->version >= 0x101)
        return refuse(refusal, GM_FAILURE_BAD_REQUEST, "no Host"); /* RFC 9112, 3.2 */
    if (take_path(req, rules->keeps_path, key, refusal) != 0)
        return -1;
    if (host_is_missing) {
        key->host = "";
        key->host_length = 0;
        req->authority = h2o_iovec_init(NULL, 0);
        return 0;
    }
    return take_host(req, rules->needs_host, key, refusal);
}
