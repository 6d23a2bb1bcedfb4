/*
 * The option rows: whether each makes sense by itself and beside its siblings, and whether the JSON schema
 * and the reference say of each what the row says. JSON is read as the YAML that it is.
 */
#include "config/schema.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "config/render.h"
#include "picotest.h"

static size_t rows, mistakes;

static void expect(bool condition, const gm_section_t *section, const gm_field_t *field, const char *what)
{
    if (condition)
        return;
    ++mistakes;
    note("%s.%s: %s", section->title, field->name, what);
}

/* Calls the visitor for each row of a section and of those below; `data` is one for all. */
static void visit(const gm_section_t *section,
                  void (*visitor)(const gm_section_t *, const gm_field_t *, void *), void *data)
{
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        visitor(section, field, data);
        if (field->section != NULL)
            visit(field->section, visitor, data);
    }
}

/* How often a row answers to this word. */
static size_t count_word(const gm_field_t *field, const char *word, size_t length)
{
    size_t count = strlen(field->name) == length && memcmp(field->name, word, length) == 0;

    for (const char *at = field->guesses != NULL ? field->guesses : ""; *at != '\0';) {
        size_t size = strcspn(at, " ");
        count += size == length && memcmp(at, word, length) == 0;
        at += size + (at[size] == ' ');
    }
    return count;
}

static bool is_alone(const gm_section_t *section, const char *word, size_t length)
{
    size_t count = 0;

    for (const gm_field_t *other = section->fields; other->name != NULL; ++other)
        count += count_word(other, word, length);
    return count == 1;
}

static bool is_number(const gm_field_t *field)
{
    return field->type >= GM_FIELD_PORT && field->type <= GM_FIELD_BOOLEAN;
}

static void check_words(const gm_section_t *section, const gm_field_t *field)
{
    expect(field->name[strspn(field->name, "abcdefghijklmnopqrstuvwxyz_0123456789")] == '\0', section, field,
           "names are lower case");
    expect(is_alone(section, field->name, strlen(field->name)), section, field, "another row has this name");
    for (const char *at = field->guesses != NULL ? field->guesses : ""; *at != '\0';) {
        size_t size = strcspn(at, " ");
        expect(size != 0 && is_alone(section, at, size), section, field, "another row takes this guess");
        at += size + (at[size] == ' ');
    }
}

static void check_row(const gm_section_t *section, const gm_field_t *field, void *data)
{
    size_t bytes = is_number(field) ? sizeof(uint64_t) : sizeof(char *);

    (void)data;
    ++rows;
    check_words(section, field);
    expect(field->help != NULL && field->help[0] != '\0' && strpbrk(field->help, "|\n") == NULL, section,
           field, "help is one cell of a table");
    expect(field->offset + bytes <= section->struct_bytes, section, field, "lies in its struct");
    expect((field->section != NULL) == (field->type == GM_FIELD_SECTION || field->type == GM_FIELD_LIST),
           section, field, "sections and lists have rows, others have none");
    expect((field->choices != NULL) == (field->type == GM_FIELD_CHOICE || field->type == GM_FIELD_BOOLEAN),
           section, field, "choices and nothing else has choices");
    expect(field->min <= field->max, section, field, "a range");
    expect(!(field->flags & GM_FIELD_REQUIRED) || field->fallback == NULL, section, field,
           "what is required has no default");
    expect(!is_number(field) || field->fallback != NULL || (field->flags & GM_FIELD_REQUIRED), section, field,
           "a number is required or has a default");
}

static void test_rows(void)
{
    rows = mistakes = 0;
    visit(&gm_config_section, check_row, NULL);
    ok(rows > 30);
    ok(mistakes == 0);
}

/* The defaults of one section, and of those below except in lists, which have none. */
static void check_defaults(const gm_section_t *section, const char *of)
{
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        uint64_t value;
        if (field->type == GM_FIELD_SECTION)
            check_defaults(field->section, of + field->offset);
        if (!is_number(field) || field->fallback == NULL)
            continue;
        ++rows;
        memcpy(&value, of + field->offset, sizeof(value));
        if (field->choices == NULL)
            expect((value >= field->min && value <= field->max) ||
                       (field->type == GM_FIELD_AUTO && value == 0),
                   section, field, "the default is out of range");
    }
}

static void test_defaults(void)
{
    gm_config_t *config = gm_config_create();

    rows = mistakes = 0;
    gm_fields_set_defaults(&gm_config_section, config); /* ends the process where one is not of its type */
    check_defaults(&gm_config_section, (const char *)config);
    ok(rows > 12);
    ok(mistakes == 0);
    gm_config_destroy(config);
}

static const gm_node_t *value_of(const gm_node_t *map, const char *key)
{
    for (size_t i = 0; map != NULL && i != map->pairs.size; ++i)
        if (strcmp(map->pairs.items[i].key->text, key) == 0)
            return map->pairs.items[i].value;
    return NULL;
}

static bool is_text(const gm_node_t *node, const char *text)
{
    return text == NULL ? node == NULL : node != NULL && node->text != NULL && strcmp(node->text, text) == 0;
}

static bool lists(const gm_node_t *list, const char *text)
{
    for (size_t i = 0; list != NULL && i != list->items.size; ++i)
        if (strcmp(list->items.items[i]->text, text) == 0)
            return true;
    return false;
}

static bool is_like(const char *pattern, const char *text)
{
    regex_t regex;
    bool found;

    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

/* Whether one of the alternatives takes this text. */
static bool takes(const gm_node_t *alternatives, const char *text)
{
    for (size_t i = 0; i != alternatives->items.size; ++i) {
        const gm_node_t *one = alternatives->items.items[i], *pattern = value_of(one, "pattern");
        if (lists(value_of(one, "enum"), text) || is_text(value_of(one, "const"), text) ||
            (pattern != NULL && is_like(pattern->text, text)))
            return true;
    }
    return false;
}

/* Whether the row's own default is what the schema asks for. */
static bool fits(const gm_node_t *alternatives, const char *fallback)
{
    return alternatives == NULL || (!takes(alternatives, "no ne") && takes(alternatives, "${ANY}") &&
                                    takes(alternatives, "a${ANY:-b}c") && !takes(alternatives, "$${ANY}") &&
                                    (fallback == NULL || takes(alternatives, fallback)));
}

/* A number stands there as one, and so does true. */
static bool is_default(const gm_field_t *field, const gm_node_t *node)
{
    bool is_digits =
        node != NULL && node->text[0] != '\0' && node->text[strspn(node->text, "0123456789")] == '\0';
    bool is_bare = is_digits || field->type == GM_FIELD_BOOLEAN ||
                   (field->type == GM_FIELD_FRACTION && (field->flags & GM_FIELD_OPEN) == 0);

    return is_text(node, field->fallback) && (node == NULL || node->quoted != is_bare);
}

/* What is required is not null, and neither is an item of a list. */
static bool may_be_null(const gm_node_t *object)
{
    const gm_node_t *type = value_of(object, "type");
    return !is_text(type, "object") && lists(type, "object") && lists(type, "null");
}

/* Of those that exclude each other, one without a value has all defaults; if there are any. */
static bool needs_value(const gm_field_t *field)
{
    bool needs = field->flags & GM_FIELD_REQUIRED;

    for (const gm_field_t *row = field->section->fields; row->name != NULL; ++row)
        needs = needs || ((field->flags & GM_FIELD_ONE_OF) && (row->flags & GM_FIELD_REQUIRED));
    return needs;
}

static void check_object(const gm_section_t *section, const gm_node_t *object)
{
    const gm_node_t *properties = value_of(object, "properties");
    const gm_field_t *instead = gm_fields_instead(section);
    const gm_node_t *either = value_of(object, "anyOf"); /* all that is required, or what may stand instead */
    bool or_socket = section->host_offset >= 0;
    size_t named = 0;

    expect((instead != NULL || or_socket) == (either != NULL && either->items.size == 2), section,
           section->fields, "choice");
    if (instead != NULL && either != NULL)
        expect(lists(value_of(either->items.items[1], "required"), instead->name), section, instead,
               "instead");
    if (or_socket && either != NULL)
        expect(lists(value_of(either->items.items[1], "required"), "host"), section, section->fields,
               "socket");
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        const gm_node_t *required = value_of(either != NULL ? either->items.items[0] : object, "required");
        const gm_node_t *property = value_of(properties, field->name);
        if (field->flags & GM_FIELD_GUESSED)
            continue;
        ++named;
        expect(is_text(value_of(property, "description"), field->help), section, field, "its description");
        expect(is_default(field, value_of(property, "default")), section, field, "its default");
        expect(lists(required, field->name) == ((field->flags & GM_FIELD_REQUIRED) != 0), section, field,
               "whether it is required");
        if (field->section == NULL) {
            const gm_node_t *forms = value_of(property, "anyOf");
            if (field->type == GM_FIELD_TEXTS) /* a list or one text; here, the one */
                forms = value_of(forms->items.items[0], "anyOf");
            expect(fits(forms, field->fallback), section, field, "its forms");
            continue;
        }
        expect(field->type == GM_FIELD_LIST ? !may_be_null(value_of(property, "items"))
                                            : may_be_null(property) == !needs_value(field),
               section, field, "whether it may be null");
        check_object(field->section, field->type == GM_FIELD_LIST ? value_of(property, "items") : property);
    }
    rows += named;
    expect(properties != NULL && properties->pairs.size == named, section, section->fields, "nothing else");
    expect(is_text(value_of(object, "additionalProperties"), "false"), section, section->fields, "closed");
}

static void test_json_schema(void)
{
    gm_buffer_t schema = {0};
    gm_diagnostics_t diagnostics = {0};
    gm_tree_t *tree;

    rows = mistakes = 0;
    gm_render_json_schema(&schema);
    tree = gm_yaml_parse(schema.text, schema.length, &diagnostics);
    ok(tree != NULL && diagnostics.errors == 0);
    if (tree != NULL)
        check_object(&gm_config_section, gm_tree_root(tree));
    ok(rows > 30);
    ok(mistakes == 0);
    gm_tree_destroy(tree);
    gm_diagnostics_dispose(&diagnostics);
    gm_buffer_dispose(&schema);
}

/* The reference's line about a row, found by the key's whole name, tells default and help. */
static void check_lines(const gm_section_t *section, const char *prefix, const char *reference)
{
    const gm_field_t *instead = gm_fields_instead(section);

    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        gm_buffer_t name = {0}, key = {0}, end = {0};
        const char *line;
        if (field->flags & GM_FIELD_GUESSED)
            continue;
        ++rows;
        gm_buffer_printf(&name, "%s%s%s", prefix, field->name, field->type == GM_FIELD_LIST ? "[]" : "");
        gm_buffer_printf(&key, field->section != NULL ? "\n| **`%s`** | " : "\n| `%s` | ", name.text);
        if (field->fallback != NULL)
            gm_buffer_printf(&end, " | `%s`", field->fallback[0] != '\0' ? field->fallback : "\"\"");
        else if (field->flags & GM_FIELD_REQUIRED && field->section == NULL)
            gm_buffer_printf(&end, " | required%s%s", instead != NULL ? ", or " : "",
                             instead != NULL ? instead->name : "");
        gm_buffer_printf(&end, " | %s |\n", field->help);
        line = strstr(reference, key.text);
        expect(line != NULL && strstr(line + 1, end.text) != NULL &&
                   strstr(line + 1, end.text) < strchr(line + 1, '\n'),
               section, field, "its line");
        gm_buffer_append_char(&name, '.');
        if (field->section != NULL)
            check_lines(field->section, name.text, reference);
        gm_buffer_dispose(&name);
        gm_buffer_dispose(&key);
        gm_buffer_dispose(&end);
    }
}

static void test_reference(void)
{
    gm_buffer_t reference = {0};

    rows = mistakes = 0;
    gm_render_reference(&reference);
    check_lines(&gm_config_section, "", reference.text);
    ok(rows > 30);
    ok(mistakes == 0);
    gm_buffer_dispose(&reference);
}

int main(void)
{
    subtest("rows", test_rows);
    subtest("defaults", test_defaults);
    subtest("JSON schema", test_json_schema);
    subtest("reference", test_reference);
    return done_testing();
}
