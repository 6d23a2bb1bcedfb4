/*
 * From gRPC's description of its protocol over HTTP/2. Called by proxy/grpc_call on workers.
 */
#include "http/grpc.h"

#include <string.h>
#include <strings.h>

#include "base/write.h"

#define DIGITS_MAX 8
#define VALUE_MAX 99999999
#define NS_MAX INT64_MAX

typedef struct unit {
    char letter;
    uint64_t ns;
} unit_t;

static const unit_t units[] = {
    {'n', 1},
    {'u', 1000},
    {'m', 1000000},
    {'S', 1000000000},
    {'M', UINT64_C(60) * 1000000000},
    {'H', UINT64_C(3600) * 1000000000},
};

bool gm_grpc_is_content_type(const char *text, size_t length)
{
    static const char name[] = "application/grpc";
    size_t end = sizeof(name) - 1;

    return length >= end && strncasecmp(text, name, end) == 0 &&
           (length == end || text[end] == '+' || text[end] == ';' || text[end] == ' ' || text[end] == '\t');
}

int gm_grpc_timeout_read(const char *text, size_t length, uint64_t *ns)
{
    uint64_t value = 0;

    if (length < 2 || length > DIGITS_MAX + 1)
        return -1;
    for (size_t i = 0; i != length - 1; ++i) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    for (size_t i = 0; i != GM_COUNT_OF(units); ++i)
        if (units[i].letter == text[length - 1]) {
            *ns = value <= NS_MAX / units[i].ns ? value * units[i].ns : NS_MAX;
            return 0;
        }
    return -1;
}

size_t gm_grpc_timeout_write(uint64_t ns, char *out)
{
    const unit_t *unit = units;
    char *at;

    while (unit->letter != 'H' && ns / unit->ns > VALUE_MAX)
        ++unit;
    ns = ns == 0 ? 1 : ns / unit->ns;
    at = gm_write_number(out, ns < VALUE_MAX ? ns : VALUE_MAX);
    *at++ = unit->letter;
    return (size_t)(at - out);
}

static size_t measure_name(const char *at, const char *end)
{
    const char *start = at;

    while (at != end && ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                         (*at >= '0' && *at <= '9') || *at == '.' || *at == '_' || *at == '-'))
        ++at;
    return (size_t)(at - start);
}

bool gm_grpc_path_split(const char *path, size_t length, size_t *service_length, size_t *method_length)
{
    const char *end = path + length;

    if (length == 0 || path[0] != '/')
        return false;
    *service_length = measure_name(path + 1, end);
    if (*service_length == 0 || *service_length + 2 > length || path[*service_length + 1] != '/')
        return false;
    *method_length = measure_name(path + *service_length + 2, end);
    return *method_length != 0 && *service_length + *method_length + 2 == length;
}
