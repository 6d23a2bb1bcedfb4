/*
 * Clients are sent elsewhere. A request that is where it would be sent already goes on, so "scheme: https"
 * for all sends plain requests to HTTPS and lets the others pass. Worker's thread but for creation.
 */
#include <stdlib.h>
#include <strings.h>

#include "config/schema.h"
#include "front/downstream.h"
#include "http/path.h"
#include "http/reason.h"
#include "proxy/policy_facts.h"

#define HTTP_PORT 80
#define HTTPS_PORT 443

/* scheme://host:port/path */
typedef struct place {
    bool is_https;
    h2o_iovec_t host; /* without port; IPv6 in brackets */
    unsigned port;
    h2o_iovec_t path; /* without query */
} place_t;

static unsigned own_port(bool is_https)
{
    return is_https ? HTTPS_PORT : HTTP_PORT;
}

/* ---- where the request is */

/* A trusted proxy in front may have taken the TLS off. */
static bool is_https(const gm_request_t *request)
{
    h2o_req_t *req = request->req;
    ssize_t at;

    if (gm_proxy_is_ours(request->context->proxy) && gm_downstream_of(req)->is_trusted &&
        (at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("x-forwarded-proto"), -1)) != -1) {
        const h2o_iovec_t *said = &req->headers.entries[at].value;
        /* of a list, what the proxy nearest to the client has said */
        const char *comma = memchr(said->base, ',', said->len);
        size_t length = comma != NULL ? (size_t)(comma - said->base) : said->len;
        while (length != 0 && said->base[length - 1] == ' ')
            --length;
        return h2o_lcstris(said->base, length, H2O_STRLIT("https"));
    }
    return h2o_memis(req->input.scheme->name.base, req->input.scheme->name.len, H2O_STRLIT("https"));
}

static place_t find_here(const gm_request_t *request)
{
    h2o_iovec_t authority = request->req->authority;
    place_t here = {.is_https = is_https(request), .host = authority, .path = request->policies->path};
    size_t colon = authority.len;

    while (colon != 0 && authority.base[colon - 1] >= '0' && authority.base[colon - 1] <= '9')
        --colon;
    here.port = own_port(here.is_https);
    if (colon != 0 && authority.base[colon - 1] == ':') {
        here.host.len = colon - 1;
        if (colon != authority.len) /* admission has seen that these are five digits at most */
            here.port = (unsigned)strtoul(authority.base + colon, NULL, 10);
    }
    return here;
}

/* ---- where it shall be */

static h2o_iovec_t host_of(h2o_mem_pool_t *pool, const char *host)
{
    h2o_iovec_t text = h2o_iovec_init(host, strlen(host));

    if (strchr(host, ':') == NULL)
        return text;
    return h2o_concat(pool, h2o_iovec_init(H2O_STRLIT("[")), text, h2o_iovec_init(H2O_STRLIT("]")));
}

/* @return an empty text for a path that some programs would take for a host */
static h2o_iovec_t replace_prefix(gm_request_t *request, const char *prefix)
{
    const gm_policy_state_t *state = request->policies;
    const gm_path_match_t match = {state->path.base, state->path.len, strlen(request->route->path),
                                   request->route->exact};
    char *out = h2o_mem_alloc_pool(&request->req->pool, state->path.len + strlen(prefix) + 1);

    return h2o_iovec_init(out, gm_path_replace(&match, prefix, out));
}

static place_t find_there(const gm_redirect_policy_conf_t *conf, gm_request_t *request, const place_t *here)
{
    place_t there = *here;

    if (conf->scheme != GM_REDIRECT_SCHEME_AUTO)
        there.is_https = conf->scheme == GM_REDIRECT_SCHEME_HTTPS;
    if (conf->host != NULL)
        there.host = host_of(&request->req->pool, conf->host);
    if (conf->port != 0)
        there.port = (unsigned)conf->port;
    else if (there.is_https != here->is_https)
        there.port = own_port(there.is_https);
    if (conf->path != NULL)
        there.path = h2o_iovec_init(conf->path, strlen(conf->path));
    else if (conf->prefix != NULL && request->route != NULL)
        there.path = replace_prefix(request, conf->prefix);
    return there;
}

static bool is_same(const place_t *a, const place_t *b)
{
    return a->is_https == b->is_https && a->port == b->port &&
           h2o_lcstris(a->host.base, a->host.len, b->host.base, b->host.len) &&
           h2o_memis(a->path.base, a->path.len, b->path.base, b->path.len);
}

/* A path is enough where only that changes, and right whatever stands in front of us. */
static h2o_iovec_t make_location(gm_request_t *request, const place_t *there, bool is_path_only)
{
    h2o_req_t *req = request->req;
    const char *mark = memchr(req->path.base, '?', req->path.len);
    gm_buffer_t text = {0};
    h2o_iovec_t location;

    if (!is_path_only) {
        gm_buffer_printf(&text, "%s://", there->is_https ? "https" : "http");
        gm_buffer_append(&text, there->host.base, there->host.len);
        if (there->port != own_port(there->is_https))
            gm_buffer_printf(&text, ":%u", there->port);
    }
    gm_buffer_append(&text, there->path.base, there->path.len);
    if (mark != NULL)
        gm_buffer_append(&text, mark, (size_t)(req->path.base + req->path.len - mark));
    location = h2o_strdup(&req->pool, text.text, text.length);
    gm_buffer_dispose(&text);
    return location;
}

static gm_verdict_t refuse(gm_request_t *request, const char *why)
{
    gm_policy_refuse(request, GM_FAILURE_BAD_REQUEST, why);
    return GM_VERDICT_ANSWERED;
}

static gm_verdict_t on_request(const void *self, gm_request_t *request, void **own, gm_error_t *err)
{
    const gm_redirect_policy_conf_t *conf = self;
    bool is_path_only = conf->host == NULL && conf->port == 0 && conf->scheme == GM_REDIRECT_SCHEME_AUTO;
    h2o_req_t *req = request->req;
    h2o_iovec_t location;
    place_t here, there;

    (void)own;
    (void)err;
    if (h2o_memis(req->path.base, req->path.len, H2O_STRLIT("*"))) /* OPTIONS of the server as a whole */
        return GM_VERDICT_PASS;
    here = find_here(request);
    there = find_there(conf, request, &here);
    if (there.path.len == 0)
        return refuse(request, "the path of its redirect would begin like a host");
    if (is_same(&here, &there))
        return GM_VERDICT_PASS;
    if (there.host.len == 0 && !is_path_only)
        return refuse(request, "without a Host nobody can be sent to it by another scheme or port");
    location = make_location(request, &there, is_path_only);
    req->res.status = atoi(gm_redirect_statuses[conf->status]);
    req->res.reason = gm_reason_phrase((unsigned)req->res.status);
    req->res.content_length = 0;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_LOCATION, "Location", location.base,
                   location.len);
    gm_policy_answer(request);
    return GM_VERDICT_ANSWERED;
}

const gm_policy_ops_t gm_policy_redirect = {.name = "redirect", .on_request = on_request};
