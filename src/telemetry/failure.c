/*
 * The failure table. Whoever answers, logs or counts a failed request asks here, so that all say the same
 * word.
 */
#include "telemetry/failure.h"

#include <assert.h>

static const gm_failure_row_t rows[] = {
#define GM_FAILURE_ROW(name, status, label, grpc, proxy_status, again, cause, sentence, next_step)           \
    {status, label, GM_GRPC_##grpc, proxy_status, again, GM_FAILURE_CAUSE_##cause, sentence, next_step},
    GM_FAILURES(GM_FAILURE_ROW)
#undef GM_FAILURE_ROW
};

const gm_failure_row_t *gm_failure_row(gm_failure_t failure)
{
    assert(failure < GM_FAILURE_COUNT);
    return &rows[failure];
}

const char *gm_failure_reason_phrase(int status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 408:
        return "Request Timeout";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 417:
        return "Expectation Failed";
    case 431:
        return "Request Header Fields Too Large";
    case 499:
        return "Client Closed Request";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}
