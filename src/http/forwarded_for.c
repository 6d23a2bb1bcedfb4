/*
 * X-Forwarded-For. Pure; called by proxy/policy_facts for requests that come from a trusted proxy.
 */
#include "http/forwarded_for.h"

#include <arpa/inet.h>
#include <string.h>

#define MAX_ADDRESS 64

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_port(const char *text, size_t length)
{
    for (size_t i = 0; i != length; ++i)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return length != 0 && length <= 5;
}

/* "[::1]:80" and "1.2.3.4:80" without port and brackets; "::1" has neither. @return false for what is none */
static bool strip(gm_span_t *text)
{
    const char *end = text->base + text->length, *colon;

    if (text->length != 0 && text->base[0] == '[') {
        const char *bracket = memchr(text->base, ']', text->length);
        if (bracket == NULL ||
            (bracket + 1 != end && (bracket[1] != ':' || !is_port(bracket + 2, (size_t)(end - bracket - 2)))))
            return false;
        *text = (gm_span_t){text->base + 1, (size_t)(bracket - text->base) - 1};
        return true;
    }
    colon = memchr(text->base, ':', text->length);
    if (colon == NULL || memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL)
        return true;
    text->length = (size_t)(colon - text->base);
    return is_port(colon + 1, (size_t)(end - colon - 1));
}

static bool parse(gm_span_t text, struct sockaddr_storage *address)
{
    char copy[MAX_ADDRESS];

    if (!strip(&text) || text.length >= sizeof(copy) || memchr(text.base, '\0', text.length) != NULL)
        return false;
    memcpy(copy, text.base, text.length);
    copy[text.length] = '\0';
    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, copy, &((struct sockaddr_in *)address)->sin_addr) == 1) {
        address->ss_family = AF_INET;
        return true;
    }
    address->ss_family = AF_INET6;
    return inet_pton(AF_INET6, copy, &((struct sockaddr_in6 *)address)->sin6_addr) == 1;
}

/* Takes the last member off a list. Empty ones are none (RFC 9110, 5.6.1). @return whether there was one */
static bool take_last(gm_span_t *list, gm_span_t *member)
{
    while (list->length != 0) {
        size_t end = list->length, start = end;
        while (start != 0 && list->base[start - 1] != ',')
            --start;
        list->length = start != 0 ? start - 1 : 0;
        while (start != end && is_space(list->base[start]))
            ++start;
        while (end != start && is_space(list->base[end - 1]))
            --end;
        *member = (gm_span_t){list->base + start, end - start};
        if (member->length != 0)
            return true;
    }
    return false;
}

gm_forwarded_t gm_forwarded_for_client(const gm_span_t *values, size_t count, const gm_cidr_t *trusted,
                                       size_t trusted_count, struct sockaddr_storage *address)
{
    gm_forwarded_t found = GM_FORWARDED_NOBODY;

    for (size_t i = count; i-- != 0;) {
        gm_span_t list = values[i], member;
        while (take_last(&list, &member)) {
            if (!parse(member, address))
                return GM_FORWARDED_UNKNOWN;
            found = GM_FORWARDED_CLIENT;
            if (!gm_cidr_any_matches(trusted, trusted_count, (const struct sockaddr *)address))
                return found;
        }
    }
    return found;
}
