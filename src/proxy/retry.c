/*
 * The rules of a second try. Called by the engines on their worker.
 */
#include "proxy/retry.h"

#include "base/memory.h"

bool gm_retry_is_idempotent(const h2o_req_t *req)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"};

    for (size_t i = 0; i != GM_COUNT_OF(methods); ++i)
        if (h2o_memis(req->method.base, req->method.len, methods[i], strlen(methods[i])))
            return true;
    return false;
}

bool gm_retry_has_all(bool has_taken_body, bool has_whole_body)
{
    return !has_taken_body || has_whole_body;
}

bool gm_retry_is_allowed(const h2o_req_t *req, bool has_taken_body, bool has_whole_body)
{
    return gm_retry_is_idempotent(req) && gm_retry_has_all(has_taken_body, has_whole_body);
}
