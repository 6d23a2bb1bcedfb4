/* fields: which header fields belong to one connection only */
#ifndef GM_HTTP_FIELDS_H
#define GM_HTTP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
