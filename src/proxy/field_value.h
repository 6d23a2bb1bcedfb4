/* field_value: the value of a header field with facts of the request in it */
#ifndef GM_PROXY_FIELD_VALUE_H
#define GM_PROXY_FIELD_VALUE_H

#include "base/error.h"
#include "http/head.h"

/* clang-format off */
#define GM_FACTS(X) \
    X(REMOTE_ADDR, "remote_addr") /* the client's address; behind trusted proxies what they say it is */ \
    X(HOST,        "host")        /* as the client wrote it, with its port */ \
    X(METHOD,      "method") \
    X(PATH,        "path")        /* canonical, as the client asked for it, without its query */ \
    X(SCHEME,      "scheme")      /* of this hop: http or https */ \
    X(ROUTE,       "route")       /* its name */ \
    X(CLUSTER,     "cluster")     /* the name of the endpoints that it leads to */ \
    X(TRACE_ID,    "trace_id")
/* clang-format on */

typedef enum gm_fact {
#define GM_FACT_NAME(name, text) GM_FACT_##name,
    GM_FACTS(GM_FACT_NAME)
#undef GM_FACT_NAME
        GM_FACT_COUNT
} gm_fact_t;

typedef struct gm_field_value gm_field_value_t; /* immutable */

/**
 * "plain", "for %{remote_addr}"; "%%{" stands for "%{".
 * @return owned; NULL with *err filled: an unknown fact, a brace that is not closed, control bytes, or more
 * than GM_FIELD_VALUE_MAX_PIECES pieces
 */
GM_MUST_USE gm_field_value_t *gm_field_value_create(const char *text, gm_error_t *err);
/** Accepts NULL. */
void gm_field_value_destroy(gm_field_value_t *self);

#define GM_FIELD_VALUE_MAX_PIECES 32
#define GM_FIELD_VALUE_MAX_BYTES 32768

/** What a fact is for one request; an empty text if there is none. */
typedef gm_span_t (*gm_fact_finder_t)(void *data, gm_fact_t fact);

/** The pieces of one value. */
typedef struct gm_field_pieces {
    size_t count, length; /* `length` of all together */
    gm_span_t items[GM_FIELD_VALUE_MAX_PIECES];
} gm_field_pieces_t;

/**
 * @param pieces  filled; borrowed from the value and from what `find` gave
 * @return 0, or -1 with *err filled: longer than GM_FIELD_VALUE_MAX_BYTES, or a fact with control bytes
 */
GM_MUST_USE int gm_field_value_gather(const gm_field_value_t *self, gm_fact_finder_t find, void *data,
                                      gm_field_pieces_t *pieces, gm_error_t *err);

#endif
