/* Who the client is behind trusted proxies. */
#include "http/forwarded_for.h"

#include <arpa/inet.h>
#include <string.h>

#include "picotest.h"

/* The client's address, or "-" for nobody, "?" for nothing that is an address. @param last  NULL = one field
 * only */
static bool is_client(const char *first, const char *last, const char *wanted)
{
    gm_span_t values[] = {{first, strlen(first)}, {last, last != NULL ? strlen(last) : 0}};
    gm_cidr_t trusted[2];
    struct sockaddr_storage address;
    char text[INET6_ADDRSTRLEN] = "-";
    gm_forwarded_t found;

    if (gm_cidr_parse("10.2.0.0/16", &trusted[0], NULL) != 0 ||
        gm_cidr_parse("fd00::/8", &trusted[1], NULL) != 0)
        return false;
    found = gm_forwarded_for_client(values, last != NULL ? 2 : 1, trusted, 2, &address);
    if (found == GM_FORWARDED_UNKNOWN)
        strcpy(text, "?");
    else if (found == GM_FORWARDED_CLIENT && address.ss_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, text, sizeof(text));
    else if (found == GM_FORWARDED_CLIENT)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&address)->sin6_addr, text, sizeof(text));
    if (strcmp(text, wanted) != 0)
        note("%s: %s", first, text);
    return strcmp(text, wanted) == 0;
}

static void test_right_end(void)
{
    ok(is_client("1.2.3.4", NULL, "1.2.3.4"));
    ok(is_client("9.9.9.9, 1.2.3.4", NULL, "1.2.3.4"));
    ok(is_client("9.9.9.9,1.2.3.4,\t10.2.1.1 , fd00::1", NULL, "1.2.3.4"));
    ok(is_client("9.9.9.9", "10.2.1.1", "9.9.9.9"));
    ok(is_client("9.9.9.9", "1.2.3.4, 10.2.1.1", "1.2.3.4"));
    ok(is_client("anything, 1.2.3.4", NULL, "1.2.3.4"));
    ok(is_client("10.2.0.5, 10.2.0.6", NULL, "10.2.0.5")); /* nobody else */
}

static void test_nobody(void)
{
    ok(is_client("", NULL, "-"));
    ok(is_client(" , ,,\t", "", "-"));
    ok(is_client("1.2.3.4,,", " ,", "1.2.3.4"));
}

static void test_forms(void)
{
    ok(is_client("2001:db8::1", NULL, "2001:db8::1"));
    ok(is_client("[2001:db8::1]", NULL, "2001:db8::1"));
    ok(is_client("[2001:db8::1]:65535", NULL, "2001:db8::1"));
    ok(is_client("1.2.3.4:80", NULL, "1.2.3.4"));
    ok(is_client("::ffff:1.2.3.4", NULL, "::ffff:1.2.3.4"));
    ok(is_client("9.9.9.9, ::ffff:10.2.1.1", NULL, "9.9.9.9")); /* the same as 10.2.1.1 */
}

static void test_no_address(void)
{
    static const char *const texts[] = {
        "unknown",
        "_hidden",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4:",
        "1.2.3.4:x",
        "1.2.3.4:123456",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[]",
        "::1]",
        "1.2.3.4/8",
        "\"1.2.3.4\"",
        "1.2.3.4 5",
        "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"};

    for (size_t i = 0; i != GM_COUNT_OF(texts); ++i)
        ok(is_client(texts[i], NULL, "?"));
    ok(is_client("9.9.9.9, unknown, 10.2.1.1", NULL, "?"));
}

int main(void)
{
    subtest("the right end", test_right_end);
    subtest("nobody", test_nobody);
    subtest("forms", test_forms);
    subtest("no address", test_no_address);
    return done_testing();
}
