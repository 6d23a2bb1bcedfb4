/*
 * The statuses of gRPC. Asked by whoever answers, records, logs or counts a gRPC request; static, any thread.
 */
#include "telemetry/grpc_status.h"

#include <assert.h>

static const struct {
    const char *name;
    bool is_of_server;
} rows[] = {
#define GM_GRPC_STATUS_ROW(name, of_server) {#name, of_server},
    GM_GRPC_STATUSES(GM_GRPC_STATUS_ROW)
#undef GM_GRPC_STATUS_ROW
};

const char *gm_grpc_status_name(gm_grpc_status_t status)
{
    assert(status < GM_GRPC_STATUS_COUNT);
    return rows[status].name;
}

bool gm_grpc_status_is_of_server(gm_grpc_status_t status)
{
    assert(status < GM_GRPC_STATUS_COUNT);
    return rows[status].is_of_server;
}

gm_grpc_status_t gm_grpc_status_read(const char *text, size_t length)
{
    unsigned number = 0;

    if (length == 0 || length > 2)
        return GM_GRPC_UNKNOWN;
    for (size_t i = 0; i != length; ++i) {
        if (text[i] < '0' || text[i] > '9')
            return GM_GRPC_UNKNOWN;
        number = number * 10 + (unsigned)(text[i] - '0');
    }
    return number < GM_GRPC_STATUS_COUNT ? (gm_grpc_status_t)number : GM_GRPC_UNKNOWN;
}

gm_grpc_status_t gm_grpc_status_of_http(int status)
{
    switch (status) {
    case 400:
        return GM_GRPC_INTERNAL;
    case 401:
        return GM_GRPC_UNAUTHENTICATED;
    case 403:
        return GM_GRPC_PERMISSION_DENIED;
    case 404:
        return GM_GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GM_GRPC_UNAVAILABLE;
    default:
        return GM_GRPC_UNKNOWN;
    }
}

void gm_grpc_status_append_message(gm_buffer_t *out, const char *bytes, size_t length)
{
    for (size_t i = 0; i != length; ++i) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < 0x20 || c > 0x7e || c == '%')
            gm_buffer_printf(out, "%%%02X", (unsigned)c);
        else
            gm_buffer_append_char(out, (char)c);
    }
}
