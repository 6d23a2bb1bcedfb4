/* Networks: what is one, and who is in it. */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "picotest.h"

static bool matches(const char *network, const char *client)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    gm_error_t err = {0};
    gm_cidr_t cidr;

    if (gm_cidr_parse(network, &cidr, &err) != 0) {
        note("%s", err.text);
        return false;
    }
    if (inet_pton(AF_INET, client, &v4.sin_addr) == 1)
        return gm_cidr_any_matches(&cidr, 1, (void *)&v4);
    ok(inet_pton(AF_INET6, client, &v6.sin6_addr) == 1);
    return gm_cidr_matches(&cidr, (void *)&v6);
}

static bool refused(const char *text, const char *wanted)
{
    gm_error_t err = {0};
    gm_cidr_t cidr;
    bool same = gm_cidr_parse(text, &cidr, &err) == -1 && strstr(err.text, wanted) != NULL;

    if (!same)
        note("%s: said: %s", text, err.text);
    return same;
}

static void test_ipv4(void)
{
    ok(matches("10.0.0.0/8", "10.255.1.2") && !matches("10.0.0.0/8", "11.0.0.0"));
    ok(matches("192.168.1.7", "192.168.1.7") && !matches("192.168.1.7", "192.168.1.6"));
    ok(matches("192.168.1.7/32", "192.168.1.7") && !matches("192.168.1.7/32", "192.168.1.8"));
    ok(matches("172.16.0.0/12", "172.31.255.255") && !matches("172.16.0.0/12", "172.32.0.0"));
    ok(matches("192.0.2.128/25", "192.0.2.128") && !matches("192.0.2.128/25", "192.0.2.127"));
    ok(matches("0.0.0.0/0", "203.0.113.9") && !matches("0.0.0.0/0", "2001:db8::1"));
}

static void test_ipv6(void)
{
    ok(matches("::1", "::1") && !matches("::1", "::2"));
    ok(matches("fd00::/8", "fdff::1") && !matches("fd00::/8", "fe00::1"));
    ok(matches("2001:db8::/33", "2001:db8:7fff::") && !matches("2001:db8::/33", "2001:db8:8000::"));
    ok(matches("::/0", "2001:db8::1") && !matches("::/0", "10.0.0.1"));
    ok(!matches("::/0", "::ffff:10.0.0.1"));
    ok(matches("2001:db8::7/128", "2001:db8::7") && !matches("2001:db8::7/128", "2001:db8::6"));
}

static void test_mapped(void)
{
    ok(matches("10.0.0.0/8", "::ffff:10.1.2.3") && !matches("10.0.0.0/8", "::ffff:11.1.2.3"));
    ok(matches("::ffff:10.0.0.0/104", "10.1.2.3") && !matches("::ffff:10.0.0.0/104", "11.1.2.3"));
    ok(matches("::ffff:10.1.2.3", "10.1.2.3"));
    ok(!matches("10.0.0.0/8", "::10.1.2.3"));
}

static void test_others(void)
{
    struct sockaddr local = {.sa_family = AF_UNIX};
    gm_cidr_t cidr;

    ok(gm_cidr_parse("0.0.0.0/0", &cidr, NULL) == 0 && !gm_cidr_matches(&cidr, &local));
    ok(!gm_cidr_any_matches(NULL, 0, &local));
}

static void test_mistakes(void)
{
    ok(refused("", "neither an address nor a network"));
    ok(refused("example.com", "neither an address nor a network"));
    ok(refused("10.0.0", "neither an address nor a network"));
    ok(refused("10.0.0.256", "neither an address nor a network"));
    ok(refused("10.0.0.0/8, 11.0.0.0/8", "a length from 0 to 32 comes after"));
    ok(refused("10.0.0.0/", "a length from 0 to 32 comes after"));
    ok(refused("10.0.0.0/33", "a length from 0 to 32 comes after"));
    ok(refused("10.0.0.0/08", "a length from 0 to 32 comes after"));
    ok(refused("10.0.0.0/-1", "a length from 0 to 32 comes after"));
    ok(refused("::/129", "a length from 0 to 128 comes after"));
    ok(refused("10.1.2.3/8", "did you mean \"10.0.0.0/8\"?"));
    ok(refused("fd00::1/8", "did you mean \"fd00::/8\"?"));
    ok(refused("192.0.2.129/25", "did you mean \"192.0.2.128/25\"?"));
    ok(refused("[::1]", "did you mean \"::1\"?"));
    ok(refused("[fd00::]/8", "did you mean \"fd00::/8\"?"));
    ok(refused("1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", "neither"));
}

int main(void)
{
    subtest("IPv4", test_ipv4);
    subtest("IPv6", test_ipv6);
    subtest("IPv4 in IPv6", test_mapped);
    subtest("neither", test_others);
    subtest("mistakes", test_mistakes);
    return done_testing();
}
