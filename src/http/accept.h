/* accept: does a client want JSON rather than text? */
#ifndef GM_HTTP_ACCEPT_H
#define GM_HTTP_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>

/** All zero before the first value. */
typedef struct gm_accept {
    unsigned json, text; /* thousandths of a wish */
    unsigned text_fit;   /* how exactly `text` was named: a "text/plain" overrides an asterisk */
} gm_accept_t;

/** Takes in the value of one Accept field (RFC 9110, 12.5.1). What is malformed is passed over. */
void gm_accept_read(gm_accept_t *self, const char *value, size_t length);

/**
 * Whether JSON was named (application/json, application/problem+json or another type that ends in +json), and
 * is wanted at least as much as plain text. An asterisk alone names nothing.
 */
bool gm_accept_prefers_json(const gm_accept_t *self);

#endif
