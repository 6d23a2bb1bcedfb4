/*
 * Values of header fields on their way into a record: found by name, several of one name as one, cut to a
 * length, and secrets replaced. Called by proxy/finish, and only where the configuration names fields.
 * Worker's thread.
 */
#include "proxy/logged_fields.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/write.h"
#include "front/downstream.h"

#define MAX_VALUE_BYTES 1024 /* what is behind them becomes one CUT_MARK */
#define CUT_MARK "…"

typedef struct shown {
    gm_record_text_t name; /* owned; in lower case */
    bool is_secret;
} shown_t;

typedef GM_VECTOR(shown_t) shown_list_t;

struct gm_logged_fields {
    shown_list_t request, response;
};

/* ---- the names */

static bool has(const gm_texts_t *names, const char *name)
{
    for (size_t i = 0; i != names->size; ++i)
        if (strcasecmp(names->items[i], name) == 0)
            return true;
    return false;
}

/* What lets its reader act as somebody else. */
static bool is_secret(const gm_access_conf_t *conf, const char *name)
{
    static const char *const usual[] = {"authorization", "proxy-authorization", "cookie",
                                        "set-cookie",    "x-api-key",           "x-auth-token",
                                        "x-csrf-token",  "x-amz-security-token"};

    if (conf->show_secrets)
        return false;
    for (size_t i = 0; i != GM_COUNT_OF(usual); ++i)
        if (strcasecmp(usual[i], name) == 0)
            return true;
    return has(&conf->redact, name);
}

static void add_names(shown_list_t *list, const gm_access_conf_t *conf, const gm_texts_t *names)
{
    for (size_t i = 0; i != names->size; ++i) {
        shown_t *shown = gm_vector_push(list);
        char *lower = gm_strdup(names->items[i]);
        for (char *c = lower; *c != '\0'; ++c)
            *c = (char)tolower((unsigned char)*c);
        *shown = (shown_t){{lower, strlen(lower)}, is_secret(conf, lower)};
    }
}

gm_logged_fields_t *gm_logged_fields_create(const gm_access_conf_t *conf)
{
    gm_logged_fields_t *self;

    if (!conf->enabled || (conf->request_headers.size == 0 && conf->response_headers.size == 0))
        return NULL;
    self = gm_alloc(sizeof(*self));
    add_names(&self->request, conf, &conf->request_headers);
    add_names(&self->response, conf, &conf->response_headers);
    return self;
}

static void dispose(shown_list_t *list)
{
    for (size_t i = 0; i != list->size; ++i)
        free((char *)list->items[i].name.base);
    gm_vector_dispose(list);
}

void gm_logged_fields_destroy(gm_logged_fields_t *self)
{
    if (self == NULL)
        return;
    dispose(&self->request);
    dispose(&self->response);
    free(self);
}

/* ---- the values */

static bool is_called(const h2o_header_t *header, const gm_record_text_t *name)
{
    return h2o_memis(header->name->base, header->name->len, name->base, name->length);
}

/* Where to cut: no character loses its tail, if it is one. */
static size_t cut(const char *text, size_t length)
{
    size_t at = MAX_VALUE_BYTES;

    if (length <= MAX_VALUE_BYTES)
        return length;
    while (at != MAX_VALUE_BYTES - 3 && ((unsigned char)text[at] & 0xc0) == 0x80)
        --at;
    return ((unsigned char)text[at] & 0xc0) == 0x80 ? MAX_VALUE_BYTES : at;
}

/* All fields of the name from the first on, as one list (RFC 9110, 5.3), as far as there is room for. */
static size_t join(const h2o_headers_t *headers, size_t first, const gm_record_text_t *name, char *to)
{
    const size_t room = MAX_VALUE_BYTES + 1; /* one more tells that it is to be cut */
    size_t length = 0;

    for (size_t i = first; i != headers->size && length != room; ++i) {
        const h2o_header_t *header = &headers->entries[i];
        const h2o_iovec_t parts[] = {{(char *)", ", i != first ? 2 : 0}, header->value};
        if (!is_called(header, name))
            continue;
        for (size_t k = 0; k != GM_COUNT_OF(parts); ++k) {
            size_t bytes = parts[k].len < room - length ? parts[k].len : room - length;
            memcpy(to + length, parts[k].base, bytes);
            length += bytes;
        }
    }
    return length;
}

static bool is_alone(const h2o_headers_t *headers, size_t first, const gm_record_text_t *name)
{
    for (size_t i = first + 1; i < headers->size; ++i)
        if (is_called(&headers->entries[i], name))
            return false;
    return true;
}

static gm_record_text_t make_value(h2o_mem_pool_t *pool, const h2o_headers_t *headers, size_t first,
                                   const gm_record_text_t *name)
{
    h2o_iovec_t value = headers->entries[first].value;
    char *copy;
    size_t length;

    if (value.len <= MAX_VALUE_BYTES && is_alone(headers, first, name))
        return (gm_record_text_t){value.base, value.len};
    copy = h2o_mem_alloc_pool(pool, MAX_VALUE_BYTES + 1 + sizeof(CUT_MARK));
    length = join(headers, first, name, copy);
    if (cut(copy, length) != length) {
        length = cut(copy, length);
        memcpy(copy + length, CUT_MARK, sizeof(CUT_MARK) - 1);
        length += sizeof(CUT_MARK) - 1;
    }
    return (gm_record_text_t){copy, length};
}

/* What the front end writes itself and the list of fields does not have. @return false if it writes none */
static bool find_written(gm_request_t *request, const gm_record_text_t *name, gm_record_text_t *value)
{
    h2o_req_t *req = request->req;
    char *digits;

    if (h2o_memis(name->base, name->length, H2O_STRLIT("content-length")) &&
        req->res.content_length != SIZE_MAX && req->res.status != 204) {
        digits = h2o_mem_alloc_pool(&req->pool, 20);
        *value =
            (gm_record_text_t){digits, (size_t)(gm_write_number(digits, req->res.content_length) - digits)};
        return true;
    }
    if (h2o_memis(name->base, name->length, H2O_STRLIT("date")) &&
        gm_proxy_is_ours(request->context->proxy)) {
        gm_span_t date = gm_downstream_of(req)->date;
        *value = (gm_record_text_t){date.base, date.length};
        return date.base != NULL;
    }
    return false;
}

/* @return in the pool; NULL = the message has none of them */
static const gm_record_field_t *take(gm_request_t *request, const shown_list_t *list,
                                     const h2o_headers_t *headers, bool is_response)
{
    h2o_mem_pool_t *pool = &request->req->pool;
    gm_record_field_t *fields = NULL;
    size_t count = 0;

    for (size_t i = 0; i != list->size; ++i) {
        const shown_t *shown = &list->items[i];
        gm_record_text_t value;
        size_t first = 0;
        while (first != headers->size && !is_called(&headers->entries[first], &shown->name))
            ++first;
        if (first == headers->size && !(is_response && find_written(request, &shown->name, &value)))
            continue;
        if (shown->is_secret)
            value = (gm_record_text_t){"[redacted]", strlen("[redacted]")};
        else if (first != headers->size)
            value = make_value(pool, headers, first, &shown->name);
        if (fields == NULL)
            fields = h2o_mem_alloc_pool(pool, (list->size + 1) * sizeof(*fields));
        fields[count++] = (gm_record_field_t){shown->name, value};
    }
    if (fields != NULL)
        fields[count] = (gm_record_field_t){{NULL, 0}, {NULL, 0}};
    return fields;
}

void gm_logged_fields_take_request(gm_request_t *request)
{
    const gm_logged_fields_t *self = request->context->proxy->shown;

    request->record.request_fields = take(request, &self->request, &request->req->headers, false);
}

void gm_logged_fields_take_response(gm_request_t *request)
{
    const gm_logged_fields_t *self = request->context->proxy->shown;

    request->record.response_fields = take(request, &self->response, &request->req->res.headers, true);
}
