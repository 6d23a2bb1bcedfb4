/* json_writer: JSON text, one value after another */
#ifndef GM_BASE_JSON_WRITER_H
#define GM_BASE_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

#define GM_JSON_MAX_DEPTH 32

/** Writes into a buffer and places the commas itself. Start from all zero with `out` set. */
typedef struct gm_json {
    gm_buffer_t *out; /* borrowed */
    bool pretty;      /* line breaks and two blanks per level */
    unsigned depth;
    bool filled[GM_JSON_MAX_DEPTH]; /* has this level an element already? */
    bool after_key;
} gm_json_t;

void gm_json_open(gm_json_t *self, char bracket);  /* '{' or '[' */
void gm_json_close(gm_json_t *self, char bracket); /* '}' or ']' */
void gm_json_key(gm_json_t *self, const char *name);
void gm_json_string(gm_json_t *self, const char *text); /* NULL is written as null */
/** Any bytes: control characters are escaped, and what is not UTF-8 becomes U+FFFD. */
void gm_json_bytes(gm_json_t *self, const char *bytes, size_t length);
/** Whether bytes may stand in quotes as they are: printable ASCII, no quotes, no backslash. */
bool gm_json_is_plain(const char *bytes, size_t length);
void gm_json_integer(gm_json_t *self, int64_t value);
void gm_json_boolean(gm_json_t *self, bool value);

#endif
