/*
 * A browser on this machine reaches loopback for every page that asks. What it says of the page decides.
 * Pure; called by admin.c.
 */
#include "admin/guard.h"

#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#define HOST_MAX 255

/* "a:1" → "a", "[::1]:1" → "::1", and a final dot less. @return whether there is a host */
static bool copy_host(const char *text, size_t length, char out[HOST_MAX + 1])
{
    const char *end;

    if (length != 0 && text[0] == '[') {
        if ((end = memchr(text, ']', length)) == NULL)
            return false;
        length = (size_t)(end - ++text);
    } else if ((end = memchr(text, ':', length)) != NULL) {
        length = (size_t)(end - text);
    }
    if (length > 1 && text[length - 1] == '.')
        --length;
    if (length == 0 || length > HOST_MAX || memchr(text, '\0', length) != NULL)
        return false;
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

bool gm_guard_is_host(const char *host, size_t length, const char *listen_host)
{
    char name[HOST_MAX + 1];
    struct in6_addr address;

    if (!copy_host(host, length, name))
        return false;
    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1 ||
           strcasecmp(name, "localhost") == 0 || strcasecmp(name, "localhost.localdomain") == 0 ||
           (listen_host[0] != '\0' && strcasecmp(name, listen_host) == 0);
}

static bool is(const char *value, size_t length, const char *wanted)
{
    return length == strlen(wanted) && memcmp(value, wanted, length) == 0;
}

bool gm_guard_is_foreign_page(const gm_guard_signs_t *signs, bool may_be_link)
{
    if (signs->origin != NULL) /* no page here asks for anything */
        return true;
    if (signs->site == NULL || is(signs->site, signs->site_length, "none") ||
        is(signs->site, signs->site_length, "same-origin"))
        return false;
    return !may_be_link || signs->dest == NULL || !is(signs->dest, signs->dest_length, "document");
}
