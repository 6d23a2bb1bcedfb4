/*
 * Fields of requests and answers: removed, set, added, in this order. Worker's thread but for creation.
 */
#include <ctype.h>

#include "proxy/policy_facts.h"

typedef struct change {
    char *name, *lower; /* owned: as the file has it, and in lower case */
    size_t length;
    const h2o_token_t *token; /* NULL = not one of the library's */
    gm_field_value_t *value;  /* owned; NULL = only removed */
    bool replaces;            /* those of the same name */
} change_t;

typedef GM_VECTOR(change_t) changes_t;

typedef struct headers {
    changes_t request, response;
} headers_t;

/* ---- making */

static void add_change(changes_t *changes, const char *name, const char *value, bool replaces)
{
    change_t *change = gm_vector_push(changes);

    change->name = gm_strdup(name);
    change->lower = gm_strdup(name);
    change->length = strlen(name);
    for (char *c = change->lower; *c != '\0'; ++c)
        *c = (char)tolower((unsigned char)*c);
    change->token = h2o_lookup_token(change->lower, change->length);
    change->value = value != NULL ? gm_field_value_create(value, NULL) : NULL; /* validate has seen to it */
    change->replaces = replaces;
}

static void add_changes(changes_t *changes, const gm_header_changes_conf_t *conf)
{
    for (size_t i = 0; i != conf->remove.size; ++i)
        add_change(changes, conf->remove.items[i], NULL, true);
    for (size_t i = 0; i != conf->set.size; ++i)
        add_change(changes, conf->set.items[i]->name, conf->set.items[i]->value, true);
    for (size_t i = 0; i != conf->add.size; ++i)
        add_change(changes, conf->add.items[i]->name, conf->add.items[i]->value, false);
}

static void *create(const void *section, const gm_snapshot_t *snapshot)
{
    const gm_headers_policy_conf_t *conf = section;
    headers_t *self = gm_alloc(sizeof(*self));

    (void)snapshot;
    add_changes(&self->request, &conf->request);
    add_changes(&self->response, &conf->response);
    return self;
}

static void dispose_changes(changes_t *changes)
{
    for (size_t i = 0; i != changes->size; ++i) {
        free(changes->items[i].name);
        free(changes->items[i].lower);
        gm_field_value_destroy(changes->items[i].value);
    }
    gm_vector_dispose(changes);
}

static void destroy(void *data)
{
    headers_t *self = data;

    dispose_changes(&self->request);
    dispose_changes(&self->response);
    free(self);
}

/* ---- changing */

static int make_value(const change_t *change, gm_request_t *request, h2o_iovec_t *value, gm_error_t *err)
{
    gm_field_pieces_t pieces;
    char *at;

    if (gm_field_value_gather(change->value, gm_policy_fact, request, &pieces, err) != 0)
        return -1;
    *value = h2o_iovec_init(h2o_mem_alloc_pool(&request->req->pool, pieces.length + 1), pieces.length);
    at = value->base;
    for (size_t i = 0; i != pieces.count; ++i) {
        if (pieces.items[i].length != 0)
            memcpy(at, pieces.items[i].base, pieces.items[i].length);
        at += pieces.items[i].length;
    }
    return 0;
}

/* All of them or, where a value cannot be made, none: the request may go on without. */
static int apply(const changes_t *changes, gm_request_t *request, h2o_headers_t *headers, gm_error_t *err)
{
    h2o_mem_pool_t *pool = &request->req->pool;
    h2o_iovec_t *values = h2o_mem_alloc_pool(pool, (changes->size + 1) * sizeof(*values));

    for (size_t i = 0; i != changes->size; ++i)
        if (changes->items[i].value != NULL && make_value(&changes->items[i], request, &values[i], err) != 0)
            return -1;
    for (size_t i = 0; i != changes->size; ++i) {
        const change_t *change = &changes->items[i];
        const h2o_iovec_t *value = &values[i]; /* if it has one */
        if (change->replaces)
            gm_policy_remove_fields(headers, change->lower, change->length);
        if (change->value == NULL)
            continue;
        /* the original spelling also tells proxy/request_head that this one is not the client's */
        if (change->token != NULL)
            h2o_add_header(pool, headers, change->token, change->name, value->base, value->len);
        else
            h2o_add_header_by_str(pool, headers, change->lower, change->length, 0, change->name, value->base,
                                  value->len);
    }
    return 0;
}

static gm_verdict_t on_request(const void *self, gm_request_t *request, void **own, gm_error_t *err)
{
    (void)own;
    return apply(&((const headers_t *)self)->request, request, &request->req->headers, err) == 0
               ? GM_VERDICT_PASS
               : GM_VERDICT_FAILED;
}

static int on_response(const void *self, gm_request_t *request, void **own, gm_error_t *err)
{
    (void)own;
    return apply(&((const headers_t *)self)->response, request, &request->req->res.headers, err);
}

const gm_policy_ops_t gm_policy_headers = {.name = "headers",
                                           .create = create,
                                           .destroy = destroy,
                                           .on_request = on_request,
                                           .on_response = on_response};
