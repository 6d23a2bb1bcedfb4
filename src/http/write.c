/*
 * The one way in which field lines are written. Called by front/ and proxy/ on a worker.
 */
#include "http/write.h"

char *gm_write_fields(char *at, const gm_head_field_t *fields, size_t count)
{
    for (size_t i = 0; i != count; ++i) {
        at = gm_write(at, fields[i].name.base, fields[i].name.length);
        at = GM_WRITE_LITERAL(at, ": ");
        at = gm_write(at, fields[i].value.base, fields[i].value.length);
        at = GM_WRITE_LITERAL(at, "\r\n");
    }
    return at;
}

size_t gm_write_fields_size(const gm_head_field_t *fields, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i != count; ++i)
        size += fields[i].name.length + fields[i].value.length + sizeof(": \r\n") - 1;
    return size;
}

void gm_write_line(gm_buffer_t *to, gm_span_t name, gm_span_t value)
{
    const gm_head_field_t field = {name, value};
    char *end = gm_write_fields(gm_buffer_reserve(to, gm_write_fields_size(&field, 1)), &field, 1);

    *end = '\0';
    to->length = (size_t)(end - to->text);
}
