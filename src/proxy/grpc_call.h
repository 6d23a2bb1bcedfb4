/* grpc_call: what is kept of a request of gRPC's: its names, its deadline, its status */
#ifndef GM_PROXY_GRPC_CALL_H
#define GM_PROXY_GRPC_CALL_H

#include "http/grpc.h"
#include "net/alarm.h"
#include "proxy/request.h"
#include "proxy/route.h"

/** In the request's pool. Worker only. */
struct gm_grpc_call {
    gm_record_grpc_t record;
    gm_alarm_t alarm;                   /* set while on_late may be called */
    uint64_t due_ns;                    /* of the clock that never jumps; 0 = there is no deadline */
    uint64_t asked_ns;                  /* what the client gave */
    char field[GM_GRPC_TIMEOUT_LENGTH]; /* grpc-timeout, as the endpoint gets it */
    void (*on_late)(void *data);
    void *data;
};

/** Looks whether the request is gRPC's: then it has a call from here on. Engine "gomesh" only. */
void gm_grpc_call_open(gm_request_t *request);

/**
 * Reads names and deadline, of a request that is one.
 * @param key  the canonical path, borrowed for the request's life
 * @return NULL, or why it cannot be served
 */
const char *gm_grpc_call_read(gm_request_t *request, const gm_route_key_t *key);

/**
 * Whoever has the request in hands is told when its deadline is over, until gm_grpc_call_unwatch.
 * @return false if that is so now
 */
GM_MUST_USE bool gm_grpc_call_watch(gm_request_t *request, void (*on_late)(void *data), void *data);
void gm_grpc_call_unwatch(gm_request_t *request);

/** The request's grpc-timeout becomes what is left of it. @return whether there is one */
bool gm_grpc_call_shorten(gm_request_t *request);

/** Makes the response, which has not begun, one without a body: HTTP's 200, the status, and why. */
void gm_grpc_call_fill(const gm_request_t *request, gm_grpc_status_t status, gm_buffer_t *message);

/** The same for an answer of a policy's own, whose status and fields stand in the response. */
void gm_grpc_call_translate(gm_request_t *request);

/** The request is over: what became of it goes into the record, whose other facts are there. */
void gm_grpc_call_finish(gm_request_t *request);

#endif
