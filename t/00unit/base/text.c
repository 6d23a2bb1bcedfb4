/*
 * Durations, sizes, integers and addresses: tables of what is taken and what is refused, the messages that
 * people read, and properties over many values from a fixed seed.
 */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#include "picotest.h"

#define ROUNDS 20000
#define TWO_53 (UINT64_C(1) << 53)

/* splitmix64: the same values on every run and every machine */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Small, middle and big values alike. */
static uint64_t next_of_any_size(uint64_t *state)
{
    unsigned shift = (unsigned)(next_random(state) % 64);
    return next_random(state) >> shift;
}

static bool duration_is(const char *text, uint64_t expected)
{
    gm_error_t err = {.text = ""};
    uint64_t ms = 12345;
    int ret = gm_text_parse_duration(text, &ms, &err);

    if (ret == 0 && ms == expected && err.text[0] == '\0')
        return true;
    note("%s: returned %d, %llu ms, \"%s\"", text, ret, (unsigned long long)ms, err.text);
    return false;
}

/* Refused, the value is left alone, and the message contains the words. */
static bool duration_fails(const char *text, const char *words)
{
    gm_error_t err = {.text = ""};
    uint64_t ms = 12345;
    int ret = gm_text_parse_duration(text, &ms, &err);

    if (ret == -1 && ms == 12345 && err.text[0] != '\0' && strstr(err.text, words) != NULL)
        return true;
    note("%s: returned %d, %llu ms, \"%s\"", text, ret, (unsigned long long)ms, err.text);
    return false;
}

static void test_durations(void)
{
    ok(duration_is("0s", 0));
    ok(duration_is("30s", 30000));
    ok(duration_is("500ms", 500));
    ok(duration_is("1m30s", 90000));
    ok(duration_is("1h", 3600000));
    ok(duration_is("1h0m0s", 3600000));
    ok(duration_is("1.5h", 5400000));
    ok(duration_is(".5s", 500));
    ok(duration_is("5.s", 5000));
    ok(duration_is("1.0625s", 1063));
    ok(duration_is("30s1m", 90000));
    ok(duration_is("1s1s", 2000));
    ok(duration_is("007s", 7000));
    ok(duration_is("3000us", 3));
    ok(duration_is("3000\xc2\xb5s", 3));
    ok(duration_is("3000\xce\xbcs", 3));
    ok(duration_is("2000000ns", 2));
}

static void test_durations_round(void)
{
    ok(duration_is("1499us", 1));
    ok(duration_is("1500us", 2));
    ok(duration_is("1.4999999999999999999999999999999ms", 1));
    ok(duration_is("1ns", 1)); /* not "never" */
    ok(duration_is("0.000001ns", 1));
    ok(duration_is("1ns0s", 1));
    ok(duration_is("0.000ms", 0));
    ok(duration_is("0h0m0.0s", 0));
    ok(duration_is("0.333333333333333333333333333333s", 333));
    ok(duration_is("0.7777777777777777777777777s", 778));
    ok(duration_is("1.50000000000000000000000000000000000000000000000000000000000000000000000000s", 1500));
}

static void test_durations_overflow(void)
{
    ok(duration_is("9007199254740992ms", TWO_53));
    ok(duration_fails("9007199254740993ms", "too long"));
    ok(duration_fails("9007199254740992ms1ns", "too long"));
    ok(duration_fails("2501999792h2501999792h", "too long"));
    ok(duration_fails("18446744073709551616ms", "too long"));
    ok(duration_fails("340282366920938463463374607431768211456ns", "too long"));
    ok(duration_fails("99999999999999999999999999999999999999999999999999999999999999999999999999h",
                      "too long"));
    ok(duration_is("000000000000000000000000000000000000000000000000000000000000000000000001s", 1000));
}

static void test_duration_messages(void)
{
    ok(duration_fails("30", "\"30\" has no unit; did you mean \"30s\"?"));
    ok(duration_fails("1m30", "\"1m30\" has no unit; did you mean \"1m30s\"?"));
    ok(duration_fails("1.5", "did you mean \"1.5s\"?"));
    ok(duration_fails("0", "did you mean \"0s\"?"));
    ok(duration_fails("5d", "unknown unit \"d\" in \"5d\""));
    ok(duration_fails("5d", "the units are ns, us, ms, s, m, h"));
    ok(duration_fails("30S", "unknown unit \"S\""));
    ok(duration_fails("30 s", "unknown unit \" s\""));
    ok(duration_fails("-5s", "-5s is out of range: a duration is never negative"));
    ok(duration_fails("-1m30s", "-1m30s is out of range"));
    ok(duration_fails("-5", "has a sign"));
    ok(duration_fails("--5s", "has a sign"));
    ok(duration_fails("-", "has a sign"));
    ok(duration_fails("+5s", "has a sign"));
    ok(duration_fails("", "expected a duration such as 30s"));
    ok(duration_fails(" 30s", "expected a duration such as 30s"));
    ok(duration_fails("30s ", "unknown unit \"s \""));
    ok(duration_fails(".s", "expected a duration"));
    ok(duration_fails(".", "expected a duration"));
    ok(duration_fails("1.2.3s", "expected a duration"));
    ok(duration_fails("1e3s", "unknown unit \"e\""));
    ok(duration_fails("0x10s", "unknown unit \"x\""));
    ok(duration_fails("inf", "expected a duration"));
    ok(duration_fails("1,5s", "unknown unit \",\""));
}

static bool size_is(const char *text, uint64_t expected)
{
    gm_error_t err = {.text = ""};
    uint64_t bytes = 12345;
    int ret = gm_text_parse_size(text, &bytes, &err);

    if (ret == 0 && bytes == expected && err.text[0] == '\0')
        return true;
    note("%s: returned %d, %llu bytes, \"%s\"", text, ret, (unsigned long long)bytes, err.text);
    return false;
}

static bool size_fails(const char *text, const char *words)
{
    gm_error_t err = {.text = ""};
    uint64_t bytes = 12345;
    int ret = gm_text_parse_size(text, &bytes, &err);

    if (ret == -1 && bytes == 12345 && err.text[0] != '\0' && strstr(err.text, words) != NULL)
        return true;
    note("%s: returned %d, %llu bytes, \"%s\"", text, ret, (unsigned long long)bytes, err.text);
    return false;
}

static void test_sizes(void)
{
    ok(size_is("0", 0));
    ok(size_is("1048576", 1048576));
    ok(size_is("7B", 7));
    ok(size_is("10MB", 10000000));
    ok(size_is("3KB", 3000));
    ok(size_is("2GB", 2000000000));
    ok(size_is("64KiB", 65536));
    ok(size_is("64kib", 65536));
    ok(size_is("64KIB", 65536));
    ok(size_is("1MiB", 1048576));
    ok(size_is("4GiB", UINT64_C(4294967296)));
    ok(size_is("1TiB", UINT64_C(1099511627776)));
    ok(size_is("18446744073709551615", UINT64_MAX));
    ok(size_is("16777215TiB", UINT64_C(16777215) << 40));
    ok(size_fails("18446744073709551616", "too big"));
    ok(size_fails("16777216TiB", "too big"));
    ok(size_fails("99999999999999999999999999999999999999KiB", "too big"));
    ok(size_fails("", "expected a size such as 64KiB or 10MB"));
    ok(size_fails("KiB", "expected a size such as 64KiB or 10MB"));
    ok(size_fails("-1", "-1 is out of range: a size is never negative"));
    ok(size_fails("-10MB", "-10MB is out of range"));
    ok(size_fails("-", "expected a size such as 64KiB or 10MB"));
    ok(size_fails("--1", "expected a size such as 64KiB or 10MB"));
    ok(size_fails("-1M", "expected a size such as 64KiB or 10MB"));
    ok(size_fails("+1", "expected a size such as 64KiB or 10MB"));
    ok(size_fails("1.5MB", "expected a size such as 64KiB or 10MB"));
    ok(size_fails("64 KiB", "expected a size such as 64KiB or 10MB"));
    ok(size_fails("64K", "unknown unit \"K\" in \"64K\""));
    ok(size_fails("64K", "the units are B, KB, MB, GB, KiB, MiB, GiB, TiB"));
    ok(size_fails("64KiBs", "unknown unit"));
}

static bool integer_says(const char *text, uint64_t min, uint64_t max, const char *expected)
{
    gm_error_t err = {.text = ""};
    uint64_t value = 12345;
    int ret = gm_text_parse_integer(text, min, max, &value, &err);

    if (ret == -1 && value == 12345 && strcmp(err.text, expected) == 0)
        return true;
    note("%s: returned %d, \"%s\"", text, ret, err.text);
    return false;
}

static void test_integers(void)
{
    gm_error_t err = {.text = ""};
    uint64_t value = 0;

    ok(gm_text_parse_integer("1", 1, 65535, &value, &err) == 0 && value == 1);
    ok(gm_text_parse_integer("65535", 1, 65535, &value, &err) == 0 && value == 65535);
    ok(gm_text_parse_integer("0080", 1, 65535, &value, &err) == 0 && value == 80);
    ok(gm_text_parse_integer("18446744073709551615", 0, UINT64_MAX, &value, &err) == 0 &&
       value == UINT64_MAX);
    ok(err.text[0] == '\0');
    ok(integer_says("0", 1, 65535, "0 is out of range, expected 1 to 65535"));
    ok(integer_says("99999", 1, 65535, "99999 is out of range, expected 1 to 65535"));
    ok(integer_says("18446744073709551616", 0, UINT64_MAX,
                    "18446744073709551616 is out of range, expected 0 to 18446744073709551615"));
    ok(integer_says("18446744073709551617", 1, 9, "18446744073709551617 is out of range, expected 1 to 9"));
    ok(integer_says("", 1, 9, "\"\" is not a whole number, expected 1 to 9"));
    ok(integer_says("-1", 1, 9, "-1 is out of range, expected 1 to 9"));
    ok(integer_says("-18446744073709551617", 0, 9, "-18446744073709551617 is out of range, expected 0 to 9"));
    ok(integer_says("-0", 0, 9, "\"-0\" is not a whole number, expected 0 to 9"));
    ok(integer_says("-", 1, 9, "\"-\" is not a whole number, expected 1 to 9"));
    ok(integer_says("--1", 1, 9, "\"--1\" is not a whole number, expected 1 to 9"));
    ok(integer_says("-1x", 1, 9, "\"-1x\" is not a whole number, expected 1 to 9"));
    ok(integer_says(" 1", 1, 9, "\" 1\" is not a whole number, expected 1 to 9"));
    ok(integer_says("1 ", 1, 9, "\"1 \" is not a whole number, expected 1 to 9"));
    ok(integer_says("0x1", 1, 9, "\"0x1\" is not a whole number, expected 1 to 9"));
    ok(gm_text_parse_integer("x", 1, 9, &value, NULL) == -1);
}

/* As long as a configuration may be: nothing is called once per sign. */
static void test_many_signs(void)
{
    static char text[1 << 20];

    memset(text, '-', sizeof(text) - 1);
    ok(duration_fails(text, "has a sign"));
    ok(size_fails(text, "is not a size"));
    ok(gm_text_parse_integer(text, 1, 9, &(uint64_t){0}, NULL) == -1);
}

static bool hostport_is(const char *text, bool host_optional, const char *host, uint16_t port)
{
    gm_error_t err = {.text = ""};
    gm_hostport_t hostport = {.host = "untouched"};
    int ret = gm_text_parse_hostport(text, host_optional, &hostport, &err);

    if (ret == 0 && strcmp(hostport.host, host) == 0 && hostport.port == port && err.text[0] == '\0')
        return true;
    note("%s: returned %d, \"%s\" %u, \"%s\"", text, ret, hostport.host, (unsigned)hostport.port, err.text);
    return false;
}

static bool hostport_fails(const char *text, bool host_optional, const char *words)
{
    gm_error_t err = {.text = ""};
    gm_hostport_t hostport = {.host = "untouched"};
    int ret = gm_text_parse_hostport(text, host_optional, &hostport, &err);

    if (ret == -1 && strcmp(hostport.host, "untouched") == 0 && strstr(err.text, words) != NULL)
        return true;
    note("%s: returned %d, \"%s\" %u, \"%s\"", text, ret, hostport.host, (unsigned)hostport.port, err.text);
    return false;
}

static void test_hostports(void)
{
    ok(hostport_is("localhost:3000", false, "localhost", 3000));
    ok(hostport_is("127.0.0.1:1", false, "127.0.0.1", 1));
    ok(hostport_is("[::1]:65535", false, "::1", 65535));
    ok(hostport_is("[::ffff:10.0.0.1]:80", false, "::ffff:10.0.0.1", 80));
    ok(hostport_is(":8000", true, "", 8000));
    ok(hostport_is("my_service.example-1.com:80", true, "my_service.example-1.com", 80));
    ok(hostport_fails(":8000", false, "has no host, expected host:port such as 127.0.0.1:8080"));
    ok(hostport_fails("localhost", false, "has no port, expected host:port such as 127.0.0.1:8080"));
    ok(hostport_fails("localhost:", false, "has no port"));
    ok(hostport_fails(":", true, "has no port"));
    ok(hostport_fails("", true, "has no port"));
    ok(hostport_fails("[::1]", false, "has no port"));
    ok(hostport_fails("[::1]:", false, "has no port"));
    ok(hostport_fails("::1", false, "as in [::1]:8080"));
    ok(hostport_fails("::1:8080", false, "as in [::1]:8080"));
    ok(hostport_fails("1:2:3:4:5:6:7:8:80", false, "as in [::1]:8080"));
    ok(hostport_fails("[::1:80", false, "no closing bracket"));
    ok(hostport_fails("[::1]80", false, "expected host:port"));
    ok(hostport_fails("[::1]]:80", false, "expected host:port"));
    ok(hostport_fails("[]:80", true, "is not an IPv6 address"));
    ok(hostport_fails("[localhost]:80", false, "is not an IPv6 address"));
    ok(hostport_fails("[1.2.3.4]:80", false, "is not an IPv6 address"));
    ok(hostport_fails("http://localhost:80", false, "is a URL, expected host:port"));
    ok(hostport_fails("a b:80", false, "is not a host name"));
    ok(hostport_fails("localhost:80:90", false, "is not a host name"));
    ok(hostport_fails("localhost:99999", false, "99999 is out of range, expected 1 to 65535"));
    ok(hostport_fails("localhost:0", false, "0 is out of range, expected 1 to 65535"));
    ok(hostport_fails("localhost:65616", false, "out of range")); /* 80 in 16 bits */
    ok(hostport_fails("localhost:http", false, "\"http\" is not a whole number"));
    ok(hostport_fails("localhost:-1", false, "-1 is out of range, expected 1 to 65535"));
    ok(hostport_fails("localhost: 80", false, "not a whole number"));
}

static void test_long_hosts(void)
{
    char text[400], host[256];

    memset(text, 'a', sizeof(text));
    for (size_t i = 50; i < sizeof(text); i += 51)
        text[i] = '.';
    text[253] = '\0';
    ok(gm_text_is_host(text));
    memcpy(host, text, 254);
    memcpy(text + 253, ":80", 4);
    ok(hostport_is(text, false, host, 80));
    memcpy(text + 253, "a", 2);
    ok(!gm_text_is_host(text));
    memset(text, 'a', 390);
    memcpy(text + 390, ":80", 4);
    ok(hostport_fails(text, false, "too long"));
    memset(text, 'a', 64);
    text[64] = '\0';
    ok(!gm_text_is_host(text));
    text[63] = '\0';
    ok(gm_text_is_host(text));
}

static void test_hosts(void)
{
    ok(gm_text_is_host("localhost"));
    ok(gm_text_is_host("a"));
    ok(gm_text_is_host("3com.example"));
    ok(gm_text_is_host("xn--bcher-kva.example"));
    ok(gm_text_is_host("_sip._tcp.example"));
    ok(gm_text_is_host("example.com."));
    ok(gm_text_is_host("10.0.0.1"));
    ok(gm_text_is_host("::"));
    ok(gm_text_is_host("2001:db8::1"));
    ok(gm_text_is_host("0xcafe.example"));
    ok(!gm_text_is_host(""));
    ok(!gm_text_is_host("."));
    ok(!gm_text_is_host(".a"));
    ok(!gm_text_is_host("a..b"));
    ok(!gm_text_is_host("a.."));
    ok(!gm_text_is_host("-a"));
    ok(!gm_text_is_host("a-"));
    ok(!gm_text_is_host("a-.b"));
    ok(!gm_text_is_host("a b"));
    ok(!gm_text_is_host("a/b"));
    ok(!gm_text_is_host("a@b"));
    ok(!gm_text_is_host("*.a"));
    ok(!gm_text_is_host("b\xc3\xbc"
                        "cher.example"));
    ok(!gm_text_is_host("[::1]"));
    ok(!gm_text_is_host("fe80::1%eth0"));
    /* spellings that resolvers read as IPv4 addresses, or that are broken ones */
    ok(!gm_text_is_host("256.1.1.1"));
    ok(!gm_text_is_host("1.2.3"));
    ok(!gm_text_is_host("1.2.3.4."));
    ok(!gm_text_is_host("127.1"));
    ok(!gm_text_is_host("2130706433"));
    ok(!gm_text_is_host("0x7f000001"));
    ok(!gm_text_is_host("0X7F.1"));
    ok(!gm_text_is_host("a.0x"));
}

static void test_formats(void)
{
    char out[272];

    ok(strcmp(gm_text_format_duration(out, sizeof(out), 0), "0s") == 0);
    ok(strcmp(gm_text_format_duration(out, sizeof(out), 1), "1ms") == 0);
    ok(strcmp(gm_text_format_duration(out, sizeof(out), 500), "500ms") == 0);
    ok(strcmp(gm_text_format_duration(out, sizeof(out), 1500), "1.5s") == 0);
    ok(strcmp(gm_text_format_duration(out, sizeof(out), 1001), "1.001s") == 0);
    ok(strcmp(gm_text_format_duration(out, sizeof(out), 30000), "30s") == 0);
    ok(strcmp(gm_text_format_duration(out, sizeof(out), 90000), "1m30s") == 0);
    ok(strcmp(gm_text_format_duration(out, sizeof(out), 60500), "1m500ms") == 0);
    ok(strcmp(gm_text_format_duration(out, sizeof(out), 3600000), "1h") == 0);
    ok(strcmp(gm_text_format_duration(out, sizeof(out), 3610000), "1h10s") == 0);
    ok(strcmp(gm_text_format_duration(out, 32, UINT64_MAX), "5124095576030h25m51.615s") == 0);
    ok(strcmp(gm_text_format_size(out, sizeof(out), 0), "0") == 0);
    ok(strcmp(gm_text_format_size(out, sizeof(out), 1000), "1000") == 0);
    ok(strcmp(gm_text_format_size(out, sizeof(out), 1024), "1KiB") == 0);
    ok(strcmp(gm_text_format_size(out, sizeof(out), 65536), "64KiB") == 0);
    ok(strcmp(gm_text_format_size(out, sizeof(out), 3 << 20), "3MiB") == 0);
    ok(strcmp(gm_text_format_size(out, sizeof(out), UINT64_C(1) << 50), "1024TiB") == 0);
    ok(strcmp(gm_text_format_size(out, 24, UINT64_MAX), "18446744073709551615") == 0);
    ok(strcmp(gm_text_format_hostport(out, sizeof(out), "localhost", 80), "localhost:80") == 0);
    ok(strcmp(gm_text_format_hostport(out, sizeof(out), "::1", 80), "[::1]:80") == 0);
    ok(strcmp(gm_text_format_hostport(out, sizeof(out), "", 80), ":80") == 0);
}

static void test_duration_round_trip(void)
{
    uint64_t state = 1, failures = 0;
    char out[32];

    for (unsigned i = 0; i < ROUNDS; ++i) {
        uint64_t ms = next_of_any_size(&state) % (TWO_53 + 1), parsed = 0;
        gm_error_t err = {.text = ""};

        gm_text_format_duration(out, sizeof(out), ms);
        if (gm_text_parse_duration(out, &parsed, &err) != 0 || parsed != ms) {
            note("%llu -> %s -> %llu %s", (unsigned long long)ms, out, (unsigned long long)parsed, err.text);
            ++failures;
        }
    }
    ok(failures == 0);
}

static void test_size_round_trip(void)
{
    uint64_t state = 2, failures = 0;
    char out[24];

    for (unsigned i = 0; i < ROUNDS; ++i) {
        uint64_t bytes = next_of_any_size(&state) << (10 * (i % 5)), parsed = 0;
        gm_error_t err = {.text = ""};

        gm_text_format_size(out, sizeof(out), bytes);
        if (gm_text_parse_size(out, &parsed, &err) != 0 || parsed != bytes) {
            note("%llu -> %s -> %llu %s", (unsigned long long)bytes, out, (unsigned long long)parsed,
                 err.text);
            ++failures;
        }
    }
    ok(failures == 0);
}

static void test_hostport_round_trip(void)
{
    uint64_t state = 3, failures = 0;
    char host[64], out[272];

    for (unsigned i = 0; i < ROUNDS; ++i) {
        uint64_t r = next_random(&state);
        uint16_t port = (uint16_t)(next_random(&state) % 65535 + 1);
        gm_hostport_t parsed;
        gm_error_t err = {.text = ""};

        if (i % 3 == 0)
            snprintf(host, sizeof(host), "%u.%u.%u.%u", (unsigned)(r & 255), (unsigned)(r >> 8 & 255),
                     (unsigned)(r >> 16 & 255), (unsigned)(r >> 24 & 255));
        else if (i % 3 == 1)
            snprintf(host, sizeof(host), "%x:%x::%x", (unsigned)(r & 65535), (unsigned)(r >> 16 & 65535),
                     (unsigned)(r >> 32 & 65535));
        else
            snprintf(host, sizeof(host), "n%llx.svc-%u.example", (unsigned long long)r, i);
        gm_text_format_hostport(out, sizeof(out), host, port);
        if (gm_text_parse_hostport(out, false, &parsed, &err) != 0 || strcmp(parsed.host, host) != 0 ||
            parsed.port != port) {
            note("%s -> %s", out, err.text);
            ++failures;
        }
    }
    ok(failures == 0);
}

static void test_messages_are_tame(void)
{
    gm_error_t err = {.text = ""};
    uint64_t value;
    char text[1200];

    ok(gm_text_parse_duration("\033[2J\n\r", &value, &err) == -1);
    ok(strstr(err.text, "\"?[2J??\" is not a duration") != NULL);
    /* a long text is cut, and never inside a character */
    memset(text, 'x', sizeof(text));
    for (size_t i = 79; i + 1 < sizeof(text) - 1; i += 2)
        memcpy(text + i, "\xc3\xbc", 2);
    text[sizeof(text) - 1] = '\0';
    err = (gm_error_t){.text = ""};
    ok(gm_text_parse_size(text, &value, &err) == -1);
    ok(strstr(err.text, "x...\"") != NULL && strstr(err.text, "64KiB") != NULL);
}

static void test_fraction(void)
{
    static const struct {
        const char *text;
        uint64_t millionths;
        const char *again;
    } good[] = {{"0", 0, "0"},           {"1", 1000000, "1"},    {"0.01", 10000, "0.01"},
                {"1.000", 1000000, "1"}, {"0.5", 500000, "0.5"}, {"0.000001", 1, "0.000001"}};
    static const char *const bad[] = {"",     "0.",   ".5", "1.1", "2",         "0.1234567",
                                      "-0.1", "1e-3", "x",  "0,5", "1.0000001", "99999999999999999999",
                                      "0.5 "};
    char out[16];

    for (size_t i = 0; i != sizeof(good) / sizeof(good[0]); ++i) {
        uint64_t millionths = 77;
        ok(gm_text_parse_fraction(good[i].text, &millionths, NULL) == 0 && millionths == good[i].millionths);
        ok(strcmp(gm_text_format_fraction(out, sizeof(out), millionths), good[i].again) == 0);
    }
    for (size_t i = 0; i != sizeof(bad) / sizeof(bad[0]); ++i) {
        uint64_t millionths = 77;
        gm_error_t err = {0};
        ok(gm_text_parse_fraction(bad[i], &millionths, &err) == -1 && err.text[0] != '\0' &&
           millionths == 77);
    }
}

int main(void)
{
    subtest("fractions", test_fraction);
    subtest("durations", test_durations);
    subtest("durations are rounded", test_durations_round);
    subtest("durations that overflow", test_durations_overflow);
    subtest("messages about durations", test_duration_messages);
    subtest("sizes", test_sizes);
    subtest("integers", test_integers);
    subtest("many signs", test_many_signs);
    subtest("host:port", test_hostports);
    subtest("long hosts", test_long_hosts);
    subtest("hosts", test_hosts);
    subtest("formats", test_formats);
    subtest("durations round trip", test_duration_round_trip);
    subtest("sizes round trip", test_size_round_trip);
    subtest("host:port round trip", test_hostport_round_trip);
    subtest("messages are tame", test_messages_are_tame);
    return done_testing();
}
