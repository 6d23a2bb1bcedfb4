/* fields: which header fields are passed on, and which are not */
#ifndef GM_HTTP_FIELDS_H
#define GM_HTTP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

/** Fields that a proxy must not pass on (RFC 9110, 7.6.1). @param name in lower case */
bool gm_fields_is_hop_by_hop(const char *name, size_t length);

/**
 * Whether a Connection field's value names the given field. Case does not matter.
 * @param value  a comma-separated list
 */
bool gm_fields_connection_names(const char *value, size_t value_length, const char *name, size_t name_length);

/**
 * Names such as "content_length": to CGI-like backends "-" and "_" are the same, so such a field could pass
 * for one that the proxy checks or sets. True for the twins of framing, forwarding and hop-by-hop fields.
 * @param name in lower case
 */
bool gm_fields_is_underscore_twin(const char *name, size_t length);

/**
 * For configurations: may a policy remove, set or add this field? Not what frames a message, belongs to one
 * connection, or is written by the proxy itself.
 * @param is_answer  of answers; otherwise of requests
 * @return 0, or -1 with *err filled
 */
GM_MUST_USE int gm_fields_check_change(const char *name, bool is_answer, gm_error_t *err);

/**
 * For configurations: can lines about requests show this field? Not what a connection keeps to itself.
 * @param is_answer  of answers; otherwise of requests
 * @return 0, or -1 with *err filled
 */
GM_MUST_USE int gm_fields_check_shown(const char *name, bool is_answer, gm_error_t *err);

/**
 * Whether a trailer section may carry the field: not what is needed before the body, decides who may do what,
 * or belongs to one connection (RFC 9110, 6.5.1). @param name in lower case
 */
bool gm_fields_may_be_trailer(const char *name, size_t length);

#endif
