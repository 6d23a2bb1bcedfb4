/* URLs: what is taken, what is refused, and with which words. */
#include "base/url.h"

#include <string.h>

#include "picotest.h"

static void taken(const char *text, bool is_https, const char *host, uint16_t port, const char *path)
{
    gm_error_t err = {.text = ""};
    gm_url_t url;
    int ret = gm_url_parse(text, &url, &err);

    note("%s: %s", text, err.text);
    ok(ret == 0 && url.is_https == is_https && strcmp(url.at.host, host) == 0 && url.at.port == port &&
       strcmp(url.path, path) == 0);
}

static void refused(const char *text, const char *words)
{
    gm_error_t err = {.text = ""};
    gm_url_t url;
    int ret = gm_url_parse(text, &url, &err);

    note("%s: %s", text, err.text);
    ok(ret == -1 && strstr(err.text, words) != NULL);
}

static void test_taken(void)
{
    taken("http://localhost:4318", false, "localhost", 4318, "");
    taken("http://localhost", false, "localhost", 80, "");
    taken("https://collector.example", true, "collector.example", 443, "");
    taken("HTTPS://a/", true, "a", 443, "/");
    taken("http://[::1]", false, "::1", 80, "");
    taken("http://[2001:db8::1]:4318/v1/traces?x=y", false, "2001:db8::1", 4318, "/v1/traces?x=y");
    taken("http://127.0.0.1:1/a%20b", false, "127.0.0.1", 1, "/a%20b");
}

static void test_refused(void)
{
    char longer[GM_URL_MAX_PATH + 32] = "http://a/";

    refused("", "http://");
    refused("localhost:4318", "http://");
    refused("ftp://localhost", "http://");
    refused("http://", "host is missing");
    refused("http:///path", "host is missing");
    refused("http://user:secret@host/", "no place here");
    refused("http://host:0/", "port");
    refused("http://host:65536/", "port");
    refused("http://host:x/", "port");
    refused("http://[::1/", "");
    refused("http://ho st/", "");
    refused("http://host/a b", "character");
    refused("http://host/a\r\nb", "character");
    refused("http://host/\xc3\xa4", "character");
    refused("http://host/#fragment", "character");
    refused("http://host?query", "path is missing");
    memset(longer + 9, 'x', sizeof(longer) - 10);
    refused(longer, "longer than");
    memset(longer + 7, 'x', 400);
    refused(longer, "too long");
}

int main(void)
{
    subtest("taken", test_taken);
    subtest("refused", test_refused);
    return done_testing();
}
