/* grpc_names: services and methods as numbers, as requests name them, up to a limit */
#ifndef GM_TELEMETRY_GRPC_NAMES_H
#define GM_TELEMETRY_GRPC_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "telemetry/record.h"

#define GM_GRPC_NAMES_OTHER 0 /* the number of all that found no room, or have no names */

typedef struct gm_grpc_names gm_grpc_names_t; /* shared by all threads */

/** @param max  beside GM_GRPC_NAMES_OTHER; 1 to 65534 */
GM_MUST_USE gm_grpc_names_t *gm_grpc_names_create(size_t max);
/** Nobody uses it any more. Accepts NULL. */
void gm_grpc_names_destroy(gm_grpc_names_t *self);

/**
 * The number of a service's method; a new one is given the next as long as there is room. Numbers never
 * change. Takes a lock only for what is new. Any thread.
 * @param is_real  a backend has answered it: anybody can ask for methods that do not exist, so of those that
 * nobody has answered only a few get numbers
 */
uint32_t gm_grpc_names_find(gm_grpc_names_t *self, const gm_record_grpc_t *grpc, bool is_real);

/** "other" for GM_GRPC_NAMES_OTHER. @param number  that was given; borrowed until gm_grpc_names_destroy */
const char *gm_grpc_names_service(const gm_grpc_names_t *self, uint32_t number);
const char *gm_grpc_names_method(const gm_grpc_names_t *self, uint32_t number);

#endif
