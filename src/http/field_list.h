/* field_list: fields that come one by one, kept in one piece of memory that may move and be copied */
#ifndef GM_HTTP_FIELD_LIST_H
#define GM_HTTP_FIELD_LIST_H

#include <stdbool.h>

#include "base/buffer.h"
#include "http/head.h"

/** Adds one, whatever bytes it has; each shorter than 4 GiB. */
void gm_field_list_add(gm_buffer_t *list, gm_span_t name, gm_span_t value);

/**
 * The next one of a list, or of a copy of one.
 * @param at  the list's first byte at first; moved on
 * @param end  behind its last byte
 * @param field  set
 * @return false if there is none
 */
bool gm_field_list_next(const char **at, const char *end, gm_head_field_t *field);

#endif
