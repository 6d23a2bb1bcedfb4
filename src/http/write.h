/* write: pieces of messages, written into memory that was measured before */
#ifndef GM_HTTP_WRITE_H
#define GM_HTTP_WRITE_H

#include "base/buffer.h"
#include "base/write.h"
#include "http/head.h"

/** "name: value" lines with their line ends; as long as gm_write_fields_size says. */
char *gm_write_fields(char *at, const gm_head_field_t *fields, size_t count);
size_t gm_write_fields_size(const gm_head_field_t *fields, size_t count);

/** Adds one such line. */
void gm_write_line(gm_buffer_t *to, gm_span_t name, gm_span_t value);

#endif
