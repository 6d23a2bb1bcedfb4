/* What comes from the option rows: dump, JSON schema, reference; and whether the rows make sense. */
#include "config/render.h"

#include <stdio.h>

#include "base/text.h"
#include "config/schema.h"
#include "config_text.h"

static bool dump_is_stable(const char *yaml)
{
    config_text_t first = config_text_load(yaml), second;
    gm_buffer_t once = {0}, twice = {0};
    bool same = false;

    if (first.snapshot != NULL) {
        gm_render_yaml(gm_snapshot_config(first.snapshot), false, &once);
        second = config_text_load(once.text);
        if (second.snapshot != NULL && second.diagnostics.items.size == 0) {
            gm_render_yaml(gm_snapshot_config(second.snapshot), false, &twice);
            same = strcmp(once.text, twice.text) == 0;
        }
        config_text_dispose(&second);
    }
    if (!same)
        note("first:\n%ssecond:\n%s", once.text, twice.text);
    gm_buffer_dispose(&once);
    gm_buffer_dispose(&twice);
    config_text_dispose(&first);
    return same;
}

static void test_dump(void)
{
    ok(dump_is_stable(""));
    ok(dump_is_stable("proxy: { port: 81, timeouts: { read: 1m30s, request: 250ms }, workers: 4 }"));
    ok(dump_is_stable(
        "proxy: { tls: { cert_file: \"a \\\"b\\\" ü\", key_file: 'no', min_version: \"1.3\" } }"));
    ok(dump_is_stable(
        "routes: [{ name: \"\\x7f \\N \\L \\P \\uFEFF \\e \\u20ac \\U0001F600\", backend: \"a:1\" }]"));
    ok(dump_is_stable(
        "proxy: { backend: { tls: {} }, tls: { client_ca_file: c, client_auth: optional, certificates: [{ "
        "cert_file: "
        "a, key_file: b, names: [\"*.a\", b] }, { cert_file: a, key_file: b }] } }\n"
        "routes: [{ backend: { host: b, port: 1, tls: { verify: true, server_name: c } } }]\n"));
    ok(dump_is_stable("proxy: { tls: { cert_file: \"$${X}\", key_file: \"${TRICKY}\" } }"));
    ok(dump_is_stable(
        "proxy: { backend: { host: b, port: 1 } }\nroutes:\n- { match: { host: \"*.x\" }, backend: \"c:2\" "
        "}\n"
        "- { name: \"- a: #\", match: { path: { exact: /h } }, backend: { host: \"::1\", port: 3 } }\n"));
    ok(dump_is_stable("proxy: { backend: \"unix:/a\" }\nroutes: [{ backend: { host: \"unix:/b\" } }]"));
    ok(dump_is_stable("proxy: { trusted_proxies: [10.0.0.0/8, \"::1\"] }"));
    ok(dump_is_stable("admin: { listen: off, socket: off }") && dump_is_stable("admin: { socket: /s }"));
    ok(dump_is_stable("routes: [{ backend: { host: c, port: 2 } }]\nlog: { level: debug, format: json }"));
}

static void test_dump_text(void)
{
    config_text_t text = config_text_load("routes: [{ name: r, backend: { host: c, port: 2 } }]");
    gm_buffer_t dump = {0};

    gm_render_yaml(gm_snapshot_config(text.snapshot), false, &dump);
    ok(strstr(dump.text, "proxy:\n  listen_host: \"\"\n  listen_port: 8000\n  trusted_proxies: []\n  engine: "
                         "\"gomesh\"\n") == dump.text);
    ok(strstr(dump.text, "routes:\n  - name: \"r\"\n    backend:\n      host: \"c\"\n      port: 2\n") !=
       NULL);
    ok(strstr(dump.text, "tls") == NULL);
    gm_buffer_dispose(&dump);
    config_text_dispose(&text);
}

static void test_json(void)
{
    config_text_t text =
        config_text_load("proxy: { trusted_proxies: [\"::1\"], limits: { max_head: 10000 } }\n"
                         "routes: [{ name: \"${TRICKY}\", backend: \"c:2\" }]\nadmin: { socket: /s }");
    gm_buffer_t out = {0};
    gm_json_t json = {.out = &out};

    gm_render_json(gm_snapshot_config(text.snapshot), &json);
    ok(strstr(out.text,
              "{\"proxy\":{\"listen_host\":\"\",\"listen_port\":8000,\"trusted_proxies\":[\"::1\"],") ==
       out.text);
    ok(strstr(out.text, "\"max_head\":10000,") != NULL &&
       strstr(out.text, "\"read_timeout\":\"30s\"") != NULL);
    ok(strstr(out.text, "\"backend\":{\"host\":\"c\",\"port\":2,\"protocol\":\"auto\"}") != NULL);
    ok(strstr(out.text,
              "\"admin\":{\"listen\":\"127.0.0.1:9901\",\"socket\":\"/s\",\"ready_needs_backend\":false}}") !=
       NULL);
    ok(strstr(out.text, "tls") == NULL);
    gm_buffer_dispose(&out);
    config_text_dispose(&text);
}

/* Calls the visitor for each row of a section and those below. */
static void visit(const gm_section_t *section,
                  void (*visitor)(const gm_section_t *, const gm_field_t *, void *), void *data)
{
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        visitor(section, field, data);
        if (field->section != NULL)
            visit(field->section, visitor, data);
    }
}

typedef struct pages {
    gm_buffer_t schema, reference;
    size_t rows, bad;
} pages_t;

static void check_named(const gm_section_t *section, const gm_field_t *field, void *data)
{
    pages_t *pages = data;
    char in_schema[64], in_reference[64];

    (void)section;
    ++pages->rows;
    if (field->flags & GM_FIELD_GUESSED)
        return;
    snprintf(in_schema, sizeof(in_schema), "\"%s\": {", field->name);
    snprintf(in_reference, sizeof(in_reference), "%s%s`", field->name,
             field->type == GM_FIELD_LIST ? "[]" : "");
    if (strstr(pages->schema.text, in_schema) == NULL ||
        strstr(pages->reference.text, in_reference) == NULL) {
        ++pages->bad;
        note("%s is missing", field->name);
    }
}

static void check_row(const gm_section_t *section, const gm_field_t *field, void *data)
{
    pages_t *pages = data;
    size_t same = 0;

    for (const gm_field_t *other = section->fields; other->name != NULL; ++other) {
        same += strcmp(other->name, field->name) == 0;
        if (field->guesses != NULL && strcmp(field->guesses, other->name) == 0)
            ++same;
    }
    if (same != 1 || field->help == NULL || field->help[0] == '\0' || strchr(field->help, '|') != NULL ||
        field->min > field->max) {
        ++pages->bad;
        note("the row of %s makes no sense", field->name);
    }
}

static void test_rows(void)
{
    pages_t pages = {{0}, {0}, 0, 0};
    config_text_t text = config_text_load(""); /* every default is parsed here, or the process ends */

    gm_render_json_schema(&pages.schema);
    gm_render_reference(&pages.reference);
    visit(&gm_config_section, check_named, &pages);
    visit(&gm_config_section, check_row, &pages);
    ok(pages.rows > 30);
    ok(pages.bad == 0);
    ok(text.snapshot != NULL && text.diagnostics.items.size == 0);
    gm_buffer_dispose(&pages.schema);
    gm_buffer_dispose(&pages.reference);
    config_text_dispose(&text);
}

int main(void)
{
    subtest("JSON", test_json);
    subtest("dump", test_dump);
    subtest("the dump's text", test_dump_text);
    subtest("rows", test_rows);
    return done_testing();
}
