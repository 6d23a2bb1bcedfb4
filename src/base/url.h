/* url: where a server of others is, as people write it */
#ifndef GM_BASE_URL_H
#define GM_BASE_URL_H

#include <stdbool.h>

#include "base/text.h"

#define GM_URL_MAX_PATH 1024

/** An absolute http or https URL (RFC 3986), without user and fragment. */
typedef struct gm_url {
    bool is_https;
    gm_hostport_t at;           /* the scheme's port where none is given */
    char path[GM_URL_MAX_PATH]; /* with the query; "" = none was given */
} gm_url_t;

/** @return 0, or -1 with *err filled: what is wrong, and what would be right */
GM_MUST_USE int gm_url_parse(const char *text, gm_url_t *url, gm_error_t *err);

#endif
