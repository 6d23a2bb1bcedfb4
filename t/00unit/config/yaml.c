/* YAML as a tree with places, and the limits that keep a hostile file cheap. */
#include "config/yaml.h"

#include <string.h>

#include "base/buffer.h"
#include "picotest.h"

static gm_diagnostics_t diagnostics;
static gm_tree_t *tree;

static const gm_node_t *parse_bytes(const char *text, size_t length)
{
    gm_tree_destroy(tree);
    gm_diagnostics_dispose(&diagnostics);
    tree = gm_yaml_parse(text, length, &diagnostics);
    return tree != NULL ? gm_tree_root(tree) : NULL;
}

static const gm_node_t *parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

/* One complaint, at this place, with this part. */
static bool complains(int line, int column, const char *part)
{
    const gm_diagnostic_t *item = diagnostics.items.items;

    if (diagnostics.items.size == 1 && item->place.line == line && item->place.column == column &&
        strstr(item->text, part) != NULL)
        return true;
    for (size_t i = 0; i != diagnostics.items.size && i != 3; ++i)
        note("%d:%d: %s", item[i].place.line, item[i].place.column, item[i].text);
    return false;
}

static const gm_node_t *value(const gm_node_t *map, const char *key)
{
    for (size_t i = 0; map != NULL && map->kind == GM_NODE_MAP && i != map->pairs.size; ++i)
        if (strcmp(map->pairs.items[i].key->text, key) == 0)
            return map->pairs.items[i].value;
    return NULL;
}

static void test_tree(void)
{
    const gm_node_t *root = parse("a: 1\nb:\n  - x\n  - { c: \"y\" }\nn:\n"), *b = value(root, "b");

    ok(root != NULL && root->kind == GM_NODE_MAP && root->pairs.size == 3);
    ok(strcmp(value(root, "a")->text, "1") == 0 && value(root, "a")->place.line == 1 &&
       value(root, "a")->place.column == 4);
    ok(b->kind == GM_NODE_LIST && b->items.size == 2);
    ok(value(b->items.items[1], "c")->quoted && value(b->items.items[1], "c")->place.column == 10);
    ok(gm_node_is_null(value(root, "n")) && !gm_node_is_null(value(root, "a")));
    ok(strcmp(gm_node_kind_name(b), "a list") == 0 && strcmp(gm_node_kind_name(root), "a mapping") == 0 &&
       strcmp(gm_node_kind_name(value(root, "n")), "nothing") == 0);
    ok(parse("") == NULL && tree != NULL && diagnostics.errors == 0);
    ok(parse("# nothing\n") == NULL && tree != NULL);
    ok(!gm_node_is_null(parse("''")) && gm_node_is_null(parse("~")) && gm_node_is_null(parse("null")));
}

static void test_aliases(void)
{
    const gm_node_t *root = parse("d: &d { x: 1, y: 2 }\ne: *d\nf: { <<: *d, y: 3 }\n"),
                    *f = value(root, "f");

    ok(value(root, "d") == value(root, "e"));
    ok(f->pairs.size == 2 && strcmp(value(f, "x")->text, "1") == 0 && strcmp(value(f, "y")->text, "3") == 0);
    ok(parse("a: *none\n") == NULL && complains(1, 4, "alias"));
    ok(parse("a: &a [*a]\n") == NULL && complains(1, 8, "contains itself"));
    ok(parse("a: &a { b: { c: *a } }\n") == NULL && complains(1, 17, "contains itself"));
    ok(parse("a: 1\n<<: x\n") == NULL && complains(2, 5, "takes an alias"));
}

static void test_duplicates(void)
{
    ok(parse("a: 1\nb: 2\na: 3\n") != NULL && complains(3, 1, "duplicate key \"a\", first given in line 1"));
    ok(tree != NULL && gm_tree_root(tree)->pairs.size == 2);
    ok(parse("{a: 1, a: 2}") != NULL && complains(1, 8, "line 1"));
    ok(parse("x: {a: 1}\ny: {a: 2}\n") != NULL && diagnostics.errors == 0);
}

static void test_syntax(void)
{
    ok(parse("a: [1\n") == NULL && diagnostics.errors == 1 &&
       strstr(diagnostics.items.items[0].text, "YAML syntax"));
    ok(parse("a:\n\tb: 1\n") == NULL && complains(2, 1, "tabs"));
    ok(parse("[a]: 1\n") == NULL && complains(1, 1, "a key must be plain text"));
    ok(parse("a: 1\n---\nb: 2\n") == NULL && complains(2, 1, "only one document"));
    ok(parse("a: \"\\0\"\n") == NULL && complains(1, 4, "NUL"));
    ok(parse_bytes("a: \0\n", 5) == NULL && diagnostics.errors == 1);
    ok(parse("a: 1\nb: \xff\n") == NULL && complains(2, 4, "YAML syntax"));
    ok(parse("a: x\x01\n") == NULL && diagnostics.errors == 1);
}

/* `count` times `part`, between `before` and `after`. */
static const gm_node_t *parse_repeated(const char *before, const char *part, int count, const char *after)
{
    gm_buffer_t text = {0};
    const gm_node_t *root;

    gm_buffer_append_text(&text, before);
    for (int i = 0; i != count; ++i)
        gm_buffer_append_text(&text, part);
    gm_buffer_append_text(&text, after);
    root = parse_bytes(text.text, text.length);
    gm_buffer_dispose(&text);
    return root;
}

static void test_limits(void)
{
    gm_buffer_t text = {0};

    ok(parse_repeated("", "[", 64, "") == NULL && strstr(diagnostics.items.items[0].text, "deeper") == NULL);
    ok(parse_repeated("", "[", 65, "") == NULL && complains(1, 65, "nested deeper than 64"));
    ok(parse_repeated("a: ", "x", GM_YAML_MAX_BYTES, "") == NULL && complains(0, 0, "larger than 1 MiB"));
    ok(parse_repeated("a:\n", "  - x\n", 99990, "") != NULL);
    ok(parse_repeated("a:\n", "  - x\n", 100001, "") == NULL && diagnostics.errors == 1 &&
       strcmp(diagnostics.items.items[0].text, "more than 100000 values") == 0);
    /* each level one deeper than the last, by an alias */
    for (int levels = 62; levels != 65; ++levels) {
        gm_buffer_append_text(&text, "- &a0 [x]\n");
        for (int i = 1; i != levels; ++i)
            gm_buffer_printf(&text, "- &a%d [*a%d]\n", i, i - 1);
        ok((parse_bytes(text.text, text.length) != NULL) == (levels < 64) &&
           (levels < 64 ||
            strstr(diagnostics.items.items[0].text, "nested deeper than 64 levels, by way of")));
        gm_buffer_dispose(&text);
    }
    /* nine levels of nine aliases: four hundred million values in three hundred bytes */
    gm_buffer_append_text(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i != 9; ++i) {
        gm_buffer_printf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j != 9; ++j)
            gm_buffer_printf(&text, "%s*a%d", j != 0 ? ", " : "", i - 1);
        gm_buffer_append_text(&text, "]\n");
    }
    ok(parse_bytes(text.text, text.length) == NULL && diagnostics.errors == 1 &&
       strstr(diagnostics.items.items[0].text, "expand"));
    gm_buffer_dispose(&text);
    for (int i = 0; i != 1001; ++i)
        gm_buffer_printf(&text, "- &a%d x\n", i);
    ok(parse_bytes(text.text, text.length) == NULL && complains(1001, 3, "more than 1000 anchors"));
    gm_buffer_dispose(&text);
    for (int i = 0; i != 40000; ++i)
        gm_buffer_printf(&text, "k%d: x\n", i);
    ok(parse_bytes(text.text, text.length) != NULL && gm_tree_root(tree)->pairs.size == 40000);
    gm_buffer_dispose(&text);
}

int main(void)
{
    subtest("tree", test_tree);
    subtest("aliases", test_aliases);
    subtest("duplicates", test_duplicates);
    subtest("syntax", test_syntax);
    subtest("limits", test_limits);
    gm_tree_destroy(tree);
    gm_diagnostics_dispose(&diagnostics);
    return done_testing();
}
