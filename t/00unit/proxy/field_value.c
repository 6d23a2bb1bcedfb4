/* Values of header fields with facts in them. */
#include "proxy/field_value.h"

#include <string.h>

#include "base/buffer.h"
#include "picotest.h"

static const char *remote = "10.1.2.3";

static gm_span_t find(void *data, gm_fact_t fact)
{
    const char *text = fact == GM_FACT_REMOTE_ADDR ? remote
                       : fact == GM_FACT_PATH      ? data
                       : fact == GM_FACT_METHOD    ? "GET"
                                                   : NULL;
    return (gm_span_t){text, text != NULL ? strlen(text) : 0};
}

/* What the text gives for a request for this path, or the error. */
static bool gives(const char *text, const char *path, const char *wanted)
{
    gm_error_t err = {0};
    gm_field_value_t *value = gm_field_value_create(text, &err);
    gm_field_pieces_t pieces = {.count = 0};
    gm_buffer_t out = {0};
    bool same;

    if (value == NULL || gm_field_value_gather(value, find, (void *)(uintptr_t)path, &pieces, &err) != 0)
        gm_buffer_append_text(&out, err.text);
    else
        for (size_t i = 0; i != pieces.count; ++i)
            gm_buffer_append(&out, pieces.items[i].base != NULL ? pieces.items[i].base : "",
                             pieces.items[i].length);
    same = strcmp(out.text != NULL ? out.text : "", wanted) == 0;
    same = same && (err.text[0] != '\0' || pieces.length == out.length);
    if (!same)
        note("%s gives %s", text, out.text != NULL ? out.text : "nothing");
    gm_buffer_dispose(&out);
    gm_field_value_destroy(value);
    return same;
}

static void test_values(void)
{
    ok(gives("plain", "/", "plain"));
    ok(gives("%{remote_addr}", "/", "10.1.2.3"));
    ok(gives("a %{method}%{path}, b", "/x/y", "a GET/x/y, b"));
    ok(gives("%{trace_id}", "/", ""));
    ok(gives("[%{route}%{cluster}%{scheme}%{host}]", "/", "[]"));
    ok(gives("100% %20 %x $ {a} }", "/", "100% %20 %x $ {a} }"));
    ok(gives("gr\xc3\xbc\xc3\x9f\x65", "/", "gr\xc3\xbc\xc3\x9f\x65"));
}

static void test_escapes(void)
{
    ok(gives("%%{path}", "/", "%{path}"));
    ok(gives("%%{", "/", "%{"));
    ok(gives("a%%{%{path}%%{b}", "/", "a%{/%{b}"));
    ok(gives("%%{%%{", "/", "%{%{"));
    ok(gives("%{path}%%{path}", "/p", "/p%{path}"));
    ok(gives("%%%{path}", "/", "%%{path}"));
}

static void test_mistakes(void)
{
    char many[GM_FIELD_VALUE_MAX_PIECES * 7 + 9] = "";

    ok(gives("%{remote_adr}", "/", "\"%{remote_adr}\" is not known; did you mean \"%{remote_addr}\"?"));
    ok(gives("%{}", "/",
             "\"%{}\" is not known; there are remote_addr, host, method, path, scheme, route, cluster and "
             "trace_id"));
    ok(gives("%{PATH}", "/", "\"%{PATH}\" is not known; did you mean \"%{path}\"?"));
    ok(gives("a %{path", "/", "\"%{\" without \"}\"; write %%{ for the two characters themselves"));
    ok(gives("a\nb", "/", "a header field cannot hold line breaks or other control bytes"));
    ok(gives("a\rb", "/", "a header field cannot hold line breaks or other control bytes"));
    ok(gives("a\x7f", "/", "a header field cannot hold line breaks or other control bytes"));
    ok(gives("a\tb", "/", "a\tb"));
    ok(gives(" a", "/", "begins or ends with a blank, which is not part of a header field"));
    ok(gives("a\t", "/", "begins or ends with a blank, which is not part of a header field"));
    for (size_t i = 0; i != GM_FIELD_VALUE_MAX_PIECES; ++i)
        strcat(many, "%{path}");
    ok(gives(many, "", ""));
    strcat(many, "a");
    ok(gives(many, "", "more than 32 pieces"));
}

static void test_limits(void)
{
    static char path[GM_FIELD_VALUE_MAX_BYTES + 1];

    memset(path, 'a', sizeof(path) - 1);
    ok(gives("%{path}", path, path));
    ok(gives("%{path}b", path, "a value would be longer than 32768 bytes"));
    ok(gives("%{path}", "/a\nb", "%{path} of this request has control bytes"));
    remote = "1\r\n2";
    ok(gives("%{remote_addr}", "/", "%{remote_addr} of this request has control bytes"));
    remote = "10.1.2.3";
}

int main(void)
{
    subtest("values", test_values);
    subtest("escapes", test_escapes);
    subtest("mistakes", test_mistakes);
    subtest("limits", test_limits);
    return done_testing();
}
