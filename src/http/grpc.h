/* grpc: what a request's head says in gRPC's own way */
#ifndef GM_HTTP_GRPC_H
#define GM_HTTP_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

/** Whether a content-type is gRPC's: application/grpc, with "+format" or parameters or alone. Not grpc-web.
 */
bool gm_grpc_is_content_type(const char *text, size_t length);

#define GM_GRPC_TIMEOUT_LENGTH 9 /* eight digits and a unit */

/**
 * A field grpc-timeout: one to eight digits and a unit.
 * @param ns  set to the time; what is longer than 292 years is as long as that
 * @return 0, or -1 if it is none
 */
GM_MUST_USE int gm_grpc_timeout_read(const char *text, size_t length, uint64_t *ns);

/**
 * The same time, or a little less, as exact as eight digits can say it; at least a nanosecond.
 * @param out  GM_GRPC_TIMEOUT_LENGTH bytes, without a zero at the end
 * @return how many
 */
size_t gm_grpc_timeout_write(uint64_t ns, char *out);

/**
 * "/package.Service/Method".
 * @param path  canonical
 * @param service_length, method_length  of the two that follow the slashes
 * @return false if the path is not of that form
 */
bool gm_grpc_path_split(const char *path, size_t length, size_t *service_length, size_t *method_length);

#endif
