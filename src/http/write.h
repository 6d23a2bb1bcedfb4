/* write: pieces of messages, written into memory that was measured before */
#ifndef GM_HTTP_WRITE_H
#define GM_HTTP_WRITE_H

#include <string.h>

#include "http/head.h"

/** Each returns where the next piece goes. */
static inline char *gm_write(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}

#define GM_WRITE_LITERAL(at, text) gm_write(at, text, sizeof(text) - 1)

/** Up to 20 digits. */
char *gm_write_number(char *at, uint64_t value);

/** "name: value" lines with their line ends; as long as gm_write_fields_size says. */
char *gm_write_fields(char *at, const gm_head_field_t *fields, size_t count);
size_t gm_write_fields_size(const gm_head_field_t *fields, size_t count);

#endif
