/* priority: what a Priority field asks for (RFC 9218) */
#ifndef GM_HTTP_PRIORITY_H
#define GM_HTTP_PRIORITY_H

#include <stdbool.h>

#include "http/head.h"

#define GM_PRIORITY_URGENCY 3 /* where nothing else is said (RFC 9218, 4.1) */

typedef struct gm_priority {
    unsigned urgency; /* 0 = most, to 7 */
    bool is_incremental;
} gm_priority_t;

/**
 * Reads a dictionary of structured fields (RFC 8941, 4.2.2); what is unknown in it is passed over.
 * @param priority  changed where the field says something
 * @return false = it cannot be read, or `u` and `i` are not what they should be; then *priority is as before
 */
GM_MUST_USE bool gm_priority_read(gm_span_t field, gm_priority_t *priority);

#endif
