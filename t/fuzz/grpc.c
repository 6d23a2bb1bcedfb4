/*
 * Fuzz target: any bytes as gRPC's fields and paths. A deadline that is read is written again as one that is
 * no longer and nearly as long; a path that is split is whole again when its parts are put together; a
 * message breaks out of no field.
 */
#include "http/grpc.h"

#include <stdlib.h>
#include <string.h>

#include "telemetry/grpc_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void fuzz_timeout(const char *text, size_t size)
{
    char out[GM_GRPC_TIMEOUT_LENGTH];
    uint64_t ns, again;

    if (gm_grpc_timeout_read(text, size, &ns) != 0)
        return;
    require(size >= 2 && size <= 9 && strchr("HMSmun", text[size - 1]) != NULL);
    require(gm_grpc_timeout_read(out, gm_grpc_timeout_write(ns, out), &again) == 0);
    require(again != 0 && (again <= ns || ns == 0) && again >= ns - ns / 50000);
}

static void fuzz_message(const char *text, size_t size)
{
    gm_buffer_t out = {0};

    gm_grpc_status_append_message(&out, text, size);
    for (size_t i = 0; i != out.length; ++i)
        require(out.text[i] >= 0x20 && out.text[i] <= 0x7e);
    gm_buffer_dispose(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    size_t service, method;

    if (size != 0)
        memcpy(text, data, size);
    text[size] = '\0';
    fuzz_timeout(text, size);
    fuzz_message(text, size);
    require(gm_grpc_status_read(text, size) < GM_GRPC_STATUS_COUNT);
    require(!gm_grpc_is_content_type(text, size) || size >= 16);
    if (gm_grpc_path_split(text, size, &service, &method)) {
        require(service != 0 && method != 0 && service + method + 2 == size);
        require(text[0] == '/' && text[service + 1] == '/' && strlen(text) == size);
    }
    free(text);
    return 0;
}
