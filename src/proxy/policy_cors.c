/*
 * Which other sites' scripts may ask, and read the answers (Fetch, 3.3). Preflights are answered here; of
 * other answers only the fields change, and what the backend says about the same is replaced. Worker's thread
 * but for creation.
 */
#include <inttypes.h>

#include "http/cors_origin.h"
#include "http/fields.h"
#include "proxy/policy_facts.h"

#define ALLOW_ORIGIN "access-control-allow-origin"
#define ALLOW_CREDENTIALS "access-control-allow-credentials"
#define ALLOW_METHODS "access-control-allow-methods"
#define ALLOW_HEADERS "access-control-allow-headers"
#define EXPOSE_HEADERS "access-control-expose-headers"
#define MAX_AGE "access-control-max-age"

typedef struct cors {
    const gm_cors_policy_conf_t *conf;           /* borrowed */
    char *methods, *headers, *exposed, *max_age; /* owned: as fields have them; "" = none */
    bool takes_all;                              /* the answer is the same for every origin */
} cors_t;

static char *join(const gm_texts_t *texts)
{
    gm_buffer_t list = {0};

    for (size_t i = 0; i != texts->size; ++i)
        gm_buffer_printf(&list, "%s%s", i != 0 ? ", " : "", texts->items[i]);
    return gm_buffer_detach(&list);
}

static void *create(const void *section, const gm_snapshot_t *snapshot)
{
    cors_t *self = gm_alloc(sizeof(*self));
    gm_buffer_t seconds = {0};

    (void)snapshot;
    self->conf = section;
    self->methods = join(&self->conf->allow_methods);
    self->headers = join(&self->conf->allow_headers);
    self->exposed = join(&self->conf->expose_headers);
    gm_buffer_printf(&seconds, "%" PRIu64, self->conf->max_age_ms / 1000);
    self->max_age = gm_buffer_detach(&seconds);
    for (size_t i = 0; i != self->conf->allow_origins.size; ++i)
        self->takes_all = self->takes_all || strcmp(self->conf->allow_origins.items[i], "*") == 0;
    return self;
}

static void destroy(void *data)
{
    cors_t *self = data;

    free(self->methods);
    free(self->headers);
    free(self->exposed);
    free(self->max_age);
    free(self);
}

static void add(h2o_req_t *req, const char *name, const char *value, size_t length)
{
    if (length != 0)
        h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, value, length);
}

/* @return NULL if there is none, or more than one, which nobody sends */
static const h2o_iovec_t *find_origin(const h2o_req_t *req)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("origin"), -1);

    if (at == -1 || h2o_find_header_by_str(&req->headers, H2O_STRLIT("origin"), at) != -1)
        return NULL;
    return &req->headers.entries[at].value;
}

static bool is_allowed(const cors_t *self, const h2o_iovec_t *origin)
{
    for (size_t i = 0; i != self->conf->allow_origins.size; ++i)
        if (gm_cors_origin_matches(self->conf->allow_origins.items[i], origin->base, origin->len))
            return true;
    return false;
}

static bool is_preflight(const h2o_req_t *req)
{
    return h2o_memis(req->method.base, req->method.len, H2O_STRLIT("OPTIONS")) &&
           h2o_find_header_by_str(&req->headers, H2O_STRLIT("access-control-request-method"), -1) != -1;
}

static void answer_preflight(const cors_t *self, gm_request_t *request, const h2o_iovec_t *origin)
{
    h2o_req_t *req = request->req;

    req->res.status = 204;
    req->res.reason = "No Content";
    req->res.content_length = SIZE_MAX; /* RFC 9110, 8.6: a 204 has no Content-Length */
    if (is_allowed(self, origin)) {
        add(req, ALLOW_METHODS, self->methods, strlen(self->methods));
        add(req, ALLOW_HEADERS, self->headers, strlen(self->headers));
        add(req, MAX_AGE, self->max_age, strlen(self->max_age));
    }
    gm_policy_answer(request);
}

static gm_verdict_t on_request(const void *self, gm_request_t *request, void **own, gm_error_t *err)
{
    const h2o_iovec_t *origin = find_origin(request->req);
    h2o_iovec_t *kept;

    (void)err;
    if (origin == NULL)
        return GM_VERDICT_PASS;
    kept = h2o_mem_alloc_pool(&request->req->pool, sizeof(*kept)); /* a later policy may remove the field */
    *kept = *origin;
    *own = kept;
    if (!is_preflight(request->req))
        return GM_VERDICT_PASS;
    answer_preflight(self, request, kept);
    return GM_VERDICT_ANSWERED;
}

static bool varies_by_origin(const h2o_headers_t *headers)
{
    for (ssize_t at = -1; (at = h2o_find_header(headers, H2O_TOKEN_VARY, at)) != -1;) {
        const h2o_iovec_t *value = &headers->entries[at].value;
        if (gm_fields_connection_names(value->base, value->len, H2O_STRLIT("origin")) ||
            gm_fields_connection_names(value->base, value->len, H2O_STRLIT("*")))
            return true;
    }
    return false;
}

static int on_response(const void *data, gm_request_t *request, void **own, gm_error_t *err)
{
    const cors_t *self = data;
    h2o_req_t *req = request->req;
    const h2o_iovec_t *origin = *own != NULL ? *own : find_origin(req);

    (void)err;
    gm_policy_remove_fields(&req->res.headers, H2O_STRLIT(ALLOW_ORIGIN));
    gm_policy_remove_fields(&req->res.headers, H2O_STRLIT(ALLOW_CREDENTIALS));
    gm_policy_remove_fields(&req->res.headers, H2O_STRLIT(EXPOSE_HEADERS));
    /* for requests without an origin too: a cache must not hand their answers to those with one */
    if (!self->takes_all && !varies_by_origin(&req->res.headers))
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_VARY, NULL, H2O_STRLIT("Origin"));
    if (origin == NULL || !is_allowed(self, origin))
        return 0;
    if (self->takes_all)
        add(req, ALLOW_ORIGIN, H2O_STRLIT("*"));
    else
        add(req, ALLOW_ORIGIN, origin->base, origin->len);
    if (self->conf->allow_credentials)
        add(req, ALLOW_CREDENTIALS, H2O_STRLIT("true"));
    if (!is_preflight(req))
        add(req, EXPOSE_HEADERS, self->exposed, strlen(self->exposed));
    return 0;
}

const gm_policy_ops_t gm_policy_cors = {.name = "cors",
                                        .create = create,
                                        .destroy = destroy,
                                        .on_request = on_request,
                                        .on_response = on_response};
