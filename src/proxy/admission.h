/* admission: may this request come in, and what exactly does it ask for? */
#ifndef GM_PROXY_ADMISSION_H
#define GM_PROXY_ADMISSION_H

#include "proxy/request.h"
#include "proxy/route.h"

typedef struct gm_admission_rules {
    bool needs_host; /* some route looks at the host */
    bool keeps_path; /* proxy.normalize_path: off: the canonical path is for routing only */
    uint64_t max_body_bytes;
} gm_admission_rules_t;

/** Why a request is not let in. */
typedef struct gm_refusal {
    gm_failure_t failure;
    const char *why; /* static */
} gm_refusal_t;

/**
 * Brings method, host and target into one form: absolute targets are taken apart (RFC 9112, 3.2.2), the path
 * becomes canonical unless it is to be kept, a missing Host of HTTP/1.0 is filled in by the caller. Changes
 * req->path and req->authority.
 * @param key  filled; points into the request's pool
 * @return 0, or -1 with *refusal filled
 */
GM_MUST_USE int gm_admission_check(h2o_req_t *req, const gm_admission_rules_t *rules, gm_route_key_t *key,
                                   gm_refusal_t *refusal);

#endif
