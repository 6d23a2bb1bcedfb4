/* ring: the last requests of one worker, for whoever looks inside */
#ifndef GM_TELEMETRY_RING_H
#define GM_TELEMETRY_RING_H

#include "base/memory.h"
#include "telemetry/record.h"

#define GM_RING_SLOTS 1000
#define GM_KEPT_TEXTS 6
#define GM_KEPT_BYTES 512

/** A record with texts of its own, long ones cut off. May be copied; gm_kept_read makes a record of it again.
 */
typedef struct gm_kept {
    gm_record_t facts;
    gm_record_grpc_t grpc;
    uint16_t lengths[GM_KEPT_TEXTS + 2]; /* the last two: of gRPC's */
    char texts[GM_KEPT_BYTES];
} gm_kept_t;

typedef struct gm_ring gm_ring_t; /* owned by its worker, used by that worker only */

GM_MUST_USE gm_ring_t *gm_ring_create(size_t slots);
/** Accepts NULL. */
void gm_ring_destroy(gm_ring_t *self);

/** Keeps a copy; route, cluster, protocol and tls stay borrowed, as they outlive the worker. */
void gm_ring_add(gm_ring_t *self, const gm_record_t *record);

/** @param copies  set to all that is kept, the oldest first; the caller frees it  @return how many */
size_t gm_ring_copy(const gm_ring_t *self, gm_kept_t **copies);

/**
 * @param record  filled; points into *self
 * @param grpc    where record->grpc points to, if the request was one of gRPC's
 */
void gm_kept_read(const gm_kept_t *self, gm_record_t *record, gm_record_grpc_t *grpc);

#endif
