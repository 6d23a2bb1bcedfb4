/*
 * Requests and answers carry fields, chunks and trailers alike. Called by front/http1 for what comes from and
 * goes to clients, by proxy/forward for endpoints. Worker's thread.
 */
#include "front/message.h"

#include "http/write.h"

void gm_message_add_fields(h2o_mem_pool_t *pool, h2o_headers_t *headers, const gm_head_t *head,
                           ptrdiff_t distance)
{
    h2o_vector_reserve(pool, headers, head->field_count + 4); /* failures and handlers add some */
    for (size_t i = 0; i != head->field_count; ++i) {
        const gm_head_field_t *field = &head->fields[i];
        const char *name = field->name.base + distance, *value = field->value.base + distance;
        const h2o_token_t *token = h2o_lookup_token(name, field->name.length);
        if (token != NULL)
            h2o_add_header(pool, headers, token, NULL, value, field->value.length);
        else
            h2o_add_header_by_str(pool, headers, name, field->name.length, 0, NULL, value,
                                  field->value.length);
    }
}

gm_failure_t gm_message_failure(unsigned status)
{
    return status == 417   ? GM_FAILURE_EXPECTATION_FAILED
           : status == 414 ? GM_FAILURE_URI_TOO_LONG
           : status == 431 ? GM_FAILURE_HEADER_TOO_LARGE
           : status == 501 ? GM_FAILURE_NOT_IMPLEMENTED
           : status == 505 ? GM_FAILURE_VERSION_NOT_SUPPORTED
                           : GM_FAILURE_BAD_REQUEST;
}

gm_message_options_t gm_message_keep_options(h2o_mem_pool_t *pool, const gm_head_t *head, ptrdiff_t distance)
{
    gm_message_options_t options = {NULL, head->option_count};

    if (options.count == 0)
        return options;
    options.names = h2o_mem_alloc_pool(pool, options.count * sizeof(options.names[0]));
    for (size_t i = 0; i != options.count; ++i)
        options.names[i] = (gm_span_t){head->options[i].base + distance, head->options[i].length};
    return options;
}

int gm_message_take_trailers(h2o_mem_pool_t *pool, const gm_buffer_t *raw,
                             const gm_message_options_t *options, gm_head_field_t **fields, size_t *count)
{
    char *copy;
    int found;

    *count = 0;
    if (raw->length == 0)
        return 0;
    copy = h2o_mem_alloc_pool(pool, raw->length);
    memcpy(copy, raw->text, raw->length);
    *fields = h2o_mem_alloc_pool(pool, GM_HEAD_MAX_FIELDS * sizeof(**fields));
    if ((found = gm_head_parse_trailers(copy, raw->length, *fields, GM_HEAD_MAX_FIELDS)) < 0)
        return -1;
    for (int i = 0; i != found; ++i)
        if (!gm_head_names_option(options->names, options->count, (*fields)[i].name))
            (*fields)[(*count)++] = (*fields)[i];
    return 0;
}

h2o_iovec_t gm_message_last_chunk(h2o_mem_pool_t *pool, const gm_head_field_t *trailers, size_t count)
{
    char *start, *at;

    if (count == 0)
        return h2o_iovec_init(H2O_STRLIT("0\r\n\r\n"));
    at = start = h2o_mem_alloc_pool(pool, gm_write_fields_size(trailers, count) + 5);
    at = GM_WRITE_LITERAL(at, "0\r\n");
    at = gm_write_fields(at, trailers, count);
    at = GM_WRITE_LITERAL(at, "\r\n");
    return h2o_iovec_init(start, (size_t)(at - start));
}
