/*
 * Fuzz target: any bytes as fields about traces. Valid is what a second, slower reading finds valid too, what
 * was read is what is written, and what is not valid leaves everything as it was.
 */
#include "telemetry/trace_context.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool are_digits(const char *text, size_t length)
{
    for (size_t i = 0; i != length; ++i)
        if (strchr("0123456789abcdef", text[i]) == NULL || text[i] == '\0')
            return false;
    return true;
}

static bool is_parent(const char *text, size_t length)
{
    if (length < 55 || !are_digits(text, 2) || memcmp(text, "ff", 2) == 0 || text[2] != '-' ||
        !are_digits(text + 3, 32) || text[35] != '-' || !are_digits(text + 36, 16) || text[52] != '-' ||
        !are_digits(text + 53, 2))
        return false;
    if (length > 55 && (memcmp(text, "00", 2) == 0 || text[55] != '-'))
        return false;
    return strspn(text + 3, "0") < 32 && strspn(text + 36, "0") < 16;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const gm_trace_t untouched;
    gm_trace_t trace = untouched;
    char *text = malloc(size + 1), out[GM_TRACEPARENT_LENGTH];

    if (size != 0)
        memcpy(text, data, size);
    text[size] = '\0';
    require(gm_traceparent_read(text, size, &trace) == is_parent(text, size));
    if (is_parent(text, size)) {
        gm_traceparent_write(&trace, trace.span_id, out);
        require(memcmp(out + 3, text + 3, 33) == 0);
    } else {
        require(memcmp(&trace, &untouched, sizeof(trace)) == 0);
    }
    trace = untouched;
    if (gm_trace_id_read(text, size, &trace)) {
        gm_trace_id_write(&trace, out);
        require(size == 32);
        for (size_t i = 0; i != 32; ++i)
            require(out[i] == tolower((unsigned char)text[i]));
    } else {
        require(memcmp(&trace, &untouched, sizeof(trace)) == 0);
    }
    if (gm_tracestate_is_valid(text, size)) { /* nothing in it can end a field */
        require(size != 0 && size <= 512 && memchr(text, '=', size) != NULL);
        for (size_t i = 0; i != size; ++i)
            require((text[i] >= 0x20 || text[i] == '\t') && text[i] < 0x7f);
    }
    free(text);
    return 0;
}
