/*
 * Fuzz target: any text into all the parsers of base/text. Whatever happens, an error comes with a message
 * that is one printable line, a success comes with none, and what was read can be written and read again.
 */
#include "base/text.h"
#include "base/url.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert: a build with NDEBUG must find mistakes, too. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

static void require_outcome(int ret, const gm_error_t *err)
{
    require(ret == 0 || ret == -1);
    require((ret == -1) == (err->text[0] != '\0'));
    for (const char *p = err->text; *p != '\0'; ++p)
        require((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void fuzz_duration(const char *text)
{
    gm_error_t err = {.text = ""};
    uint64_t ms = 0, again = 0;
    char first[32], second[32];
    int ret = gm_text_parse_duration(text, &ms, &err);

    require_outcome(ret, &err);
    if (ret != 0)
        return;
    require(ms <= UINT64_C(1) << 53);
    gm_text_format_duration(first, sizeof(first), ms);
    require(gm_text_parse_duration(first, &again, &err) == 0 && again == ms);
    require(strcmp(gm_text_format_duration(second, sizeof(second), again), first) == 0);
}

static void fuzz_size(const char *text)
{
    gm_error_t err = {.text = ""};
    uint64_t bytes = 0, again = 0;
    char first[24], second[24];
    int ret = gm_text_parse_size(text, &bytes, &err);

    require_outcome(ret, &err);
    if (ret != 0)
        return;
    gm_text_format_size(first, sizeof(first), bytes);
    require(gm_text_parse_size(first, &again, &err) == 0 && again == bytes);
    require(strcmp(gm_text_format_size(second, sizeof(second), again), first) == 0);
}

static void fuzz_fraction(const char *text)
{
    gm_error_t err = {.text = ""};
    uint64_t millionths = 0, again = 0;
    char first[16];
    int ret = gm_text_parse_fraction(text, &millionths, &err);

    require_outcome(ret, &err);
    if (ret != 0)
        return;
    require(millionths <= 1000000);
    gm_text_format_fraction(first, sizeof(first), millionths);
    require(gm_text_parse_fraction(first, &again, &err) == 0 && again == millionths);
}

static void fuzz_integer(const char *text, uint64_t min, uint64_t max)
{
    gm_error_t err = {.text = ""};
    uint64_t value = 0;
    int ret = gm_text_parse_integer(text, min, max, &value, &err);

    require_outcome(ret, &err);
    require(ret != 0 || (value >= min && value <= max && strspn(text, "0123456789") == strlen(text)));
}

static void fuzz_hostport(const char *text, bool host_optional)
{
    gm_error_t err = {.text = ""};
    gm_hostport_t hostport = {.host = ""}, again = {.host = ""};
    char formatted[272];
    int ret = gm_text_parse_hostport(text, host_optional, &hostport, &err);

    require_outcome(ret, &err);
    if (ret != 0)
        return;
    require(hostport.port != 0);
    require(hostport.host[0] != '\0' ? gm_text_is_host(hostport.host) : host_optional);
    gm_text_format_hostport(formatted, sizeof(formatted), hostport.host, hostport.port);
    require(gm_text_parse_hostport(formatted, host_optional, &again, &err) == 0);
    require(strcmp(again.host, hostport.host) == 0 && again.port == hostport.port);
}

/* A host with a port behind it is an address, and nothing else is. */
static void fuzz_host(const char *text)
{
    gm_error_t err = {.text = ""};
    gm_hostport_t hostport;
    char formatted[272];

    if (strlen(text) > 255)
        return;
    gm_text_format_hostport(formatted, sizeof(formatted), text, 80);
    require(gm_text_is_host(text) == (gm_text_parse_hostport(formatted, false, &hostport, &err) == 0 &&
                                      strcmp(hostport.host, text) == 0));
}

static void fuzz_url(const char *text)
{
    gm_error_t err = {.text = ""};
    gm_url_t url;
    int ret = gm_url_parse(text, &url, &err);

    require_outcome(ret, &err);
    if (ret != 0)
        return;
    require(url.at.port != 0 && gm_text_is_host(url.at.host));
    require(url.path[0] == '\0' || url.path[0] == '/');
    for (const char *p = url.path; *p != '\0'; ++p)
        require((unsigned char)*p > ' ' && (unsigned char)*p < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = gm_strndup((const char *)data, size);

    fuzz_duration(text);
    fuzz_fraction(text);
    fuzz_size(text);
    fuzz_integer(text, 0, UINT64_MAX);
    fuzz_integer(text, 1, 65535);
    fuzz_hostport(text, false);
    fuzz_hostport(text, true);
    fuzz_host(text);
    fuzz_url(text);
    free(text);
    return 0;
}
