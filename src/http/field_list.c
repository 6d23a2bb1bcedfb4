/*
 * Both lengths, name and value. Pure; called by both ends of HTTP/2 for each field, on the connection's
 * worker.
 */
#include "http/field_list.h"

#include <string.h>

typedef struct lengths {
    uint32_t name, value;
} lengths_t; /* copied to and from the list, where it is aligned as it comes */

void gm_field_list_add(gm_buffer_t *list, gm_span_t name, gm_span_t value)
{
    const lengths_t lengths = {(uint32_t)name.length, (uint32_t)value.length};
    size_t size = sizeof(lengths) + name.length + value.length;
    char *at = gm_buffer_reserve(list, size);

    memcpy(at, &lengths, sizeof(lengths));
    at += sizeof(lengths);
    if (name.length != 0)
        memcpy(at, name.base, name.length);
    at += name.length;
    if (value.length != 0)
        memcpy(at, value.base, value.length);
    at[value.length] = '\0'; /* as in all buffers */
    list->length += size;
}

bool gm_field_list_next(const char **at, const char *end, gm_head_field_t *field)
{
    lengths_t lengths;
    const char *name;

    if (*at == end)
        return false;
    memcpy(&lengths, *at, sizeof(lengths));
    name = *at + sizeof(lengths);
    field->name = (gm_span_t){name, lengths.name};
    field->value = (gm_span_t){name + lengths.name, lengths.value};
    *at = name + lengths.name + lengths.value;
    return true;
}
