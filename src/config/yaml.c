/*
 * Builds a tree with places from libyaml's events. The limits keep a hostile file cheap: its size, its depth,
 * and the number of nodes it stands for once aliases are expanded. Called by config/load at start, one
 * thread.
 */
#include "config/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#define MAX_ANCHORS 1000 /* they are looked up one by one */

typedef struct anchor {
    char *name;
    gm_node_t *node;
} anchor_t;

struct gm_tree {
    GM_VECTOR(gm_node_t *) nodes;
    const gm_node_t *root;
};

/* One collection that is being read. */
typedef struct level {
    gm_node_t *node;
    const gm_node_t *key; /* of a map: the key whose value comes next */
} level_t;

typedef struct reader {
    yaml_parser_t parser;
    gm_tree_t *tree;
    gm_diagnostics_t *diagnostics;
    GM_VECTOR(anchor_t) anchors;
    GM_VECTOR(level_t) levels;
    const gm_node_t *result;
    bool broken;
} reader_t;

static gm_place_t place_of(const yaml_mark_t *mark)
{
    return (gm_place_t){NULL, (int)mark->line + 1, (int)mark->column + 1};
}

static int fail(reader_t *reader, const gm_place_t *place, const char *text)
{
    gm_diagnostics_add(reader->diagnostics, GM_SEVERITY_ERROR, place, "%s", text);
    reader->broken = true;
    return -1;
}

static gm_node_t *create_node(reader_t *reader, gm_node_kind_t kind, const yaml_mark_t *mark)
{
    gm_node_t *node = gm_alloc(sizeof(*node));

    node->kind = kind;
    node->place = place_of(mark);
    *gm_vector_push(&reader->tree->nodes) = node;
    return node;
}

static void remember_anchor(reader_t *reader, const yaml_char_t *name, gm_node_t *node)
{
    anchor_t *anchor;

    if (name == NULL)
        return;
    if (reader->anchors.size == MAX_ANCHORS) {
        fail(reader, &node->place, "more than 1000 anchors");
        return;
    }
    anchor = gm_vector_push(&reader->anchors);
    anchor->name = gm_strdup((const char *)name);
    anchor->node = node;
}

static const gm_node_t *find_anchor(const reader_t *reader, const char *name)
{
    for (size_t i = reader->anchors.size; i-- != 0;) /* the latest of a name counts */
        if (strcmp(reader->anchors.items[i].name, name) == 0)
            return reader->anchors.items[i].node;
    return NULL;
}

static int compare_keys(const void *a, const void *b)
{
    const gm_node_t *x = ((const gm_pair_t *)a)->key, *y = ((const gm_pair_t *)b)->key;
    int order = strcmp(x->text, y->text);

    if (order != 0)
        return order;
    if (x->place.line != y->place.line)
        return x->place.line < y->place.line ? -1 : 1;
    return x->place.column - y->place.column;
}

static int compare_places(const void *a, const void *b)
{
    const gm_node_t *x = ((const gm_pair_t *)a)->key, *y = ((const gm_pair_t *)b)->key;

    if (x->place.line != y->place.line)
        return x->place.line < y->place.line ? -1 : 1;
    return x->place.column - y->place.column;
}

/* Reports each key that came before and takes it out; sorting keeps a map of a hundred thousand keys cheap.
 */
static void drop_duplicates(reader_t *reader, gm_node_t *map)
{
    size_t kept = 0;

    if (map->pairs.size < 2)
        return;
    qsort(map->pairs.items, map->pairs.size, sizeof(gm_pair_t), compare_keys);
    for (size_t i = 0; i != map->pairs.size; ++i) {
        const gm_pair_t *pair = &map->pairs.items[i], *last = kept != 0 ? &map->pairs.items[kept - 1] : NULL;
        if (last != NULL && strcmp(last->key->text, pair->key->text) == 0)
            gm_diagnostics_add(reader->diagnostics, GM_SEVERITY_ERROR, &pair->key->place,
                               "duplicate key \"%s\", first given in line %d", pair->key->text,
                               last->key->place.line);
        else
            map->pairs.items[kept++] = *pair;
    }
    map->pairs.size = kept;
    qsort(map->pairs.items, map->pairs.size, sizeof(gm_pair_t), compare_places);
}

/* What the parent stands for with this node. */
static int add_measures(reader_t *reader, const gm_node_t *node, const gm_place_t *place)
{
    gm_node_t *parent;
    size_t total;

    if (reader->levels.size == 0)
        return 0;
    parent = reader->levels.items[reader->levels.size - 1].node;
    if (parent->height <= node->height)
        parent->height = node->height + 1;
    total = parent->weight += node->weight;
    return total <= GM_YAML_MAX_NODES
               ? 0
               : fail(reader, place,
                      reader->anchors.size != 0 ? "the aliases in this file expand to more than 100000 values"
                                                : "more than 100000 values");
}

/* Puts a finished node where it belongs: document, list item, map key or map value. */
static int attach(reader_t *reader, const gm_node_t *node, const gm_place_t *place)
{
    level_t *level = reader->levels.size != 0 ? &reader->levels.items[reader->levels.size - 1] : NULL;

    if (add_measures(reader, node, place) != 0)
        return -1;
    if (level == NULL) {
        reader->result = node;
    } else if (level->node->kind == GM_NODE_LIST) {
        *gm_vector_push(&level->node->items) = node;
    } else if (level->key == NULL) {
        if (node->kind != GM_NODE_SCALAR)
            return fail(reader, place, "a key must be plain text");
        level->key = node;
    } else {
        gm_pair_t *pair = gm_vector_push(&level->node->pairs);
        pair->key = level->key;
        pair->value = node;
        level->key = NULL;
    }
    return 0;
}

static int on_scalar(reader_t *reader, const yaml_event_t *event)
{
    gm_node_t *node = create_node(reader, GM_NODE_SCALAR, &event->start_mark);

    node->weight = 1;
    node->text = gm_strndup((const char *)event->data.scalar.value, event->data.scalar.length);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (strlen(node->text) != event->data.scalar.length)
        return fail(reader, &node->place, "this text contains a NUL byte");
    remember_anchor(reader, event->data.scalar.anchor, node);
    return attach(reader, node, &node->place);
}

static int on_alias(reader_t *reader, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    const gm_node_t *node = find_anchor(reader, name);
    gm_place_t place = place_of(&event->start_mark);

    if (node == NULL)
        return fail(reader, &place, "this alias has no anchor before it");
    for (size_t i = 0; i != reader->levels.size; ++i)
        if (reader->levels.items[i].node == node)
            return fail(reader, &place, "this alias contains itself");
    if (reader->levels.size + node->height > GM_YAML_MAX_DEPTH)
        return fail(reader, &place, "nested deeper than 64 levels, by way of this alias");
    return attach(reader, node, &place);
}

static int on_start(reader_t *reader, gm_node_kind_t kind, const yaml_mark_t *mark, const yaml_char_t *anchor)
{
    gm_node_t *node = create_node(reader, kind, mark);

    if (reader->levels.size == GM_YAML_MAX_DEPTH)
        return fail(reader, &node->place, "nested deeper than 64 levels");
    node->weight = node->height = 1;
    remember_anchor(reader, anchor, node);
    gm_vector_push(&reader->levels)->node = node;
    return 0;
}

static const gm_node_t *find_pair(const gm_node_t *map, const char *key)
{
    for (size_t i = 0; i != map->pairs.size; ++i)
        if (strcmp(map->pairs.items[i].key->text, key) == 0)
            return map->pairs.items[i].value;
    return NULL;
}

/* `<<: *defaults`, the merge key of YAML 1.1 that people use with anchors: own keys win. */
static int merge(reader_t *reader, gm_node_t *map)
{
    const gm_node_t *from = find_pair(map, "<<");

    if (from == NULL)
        return 0;
    if (from->kind != GM_NODE_MAP)
        return fail(reader, &from->place, "\"<<\" takes an alias of a mapping, such as *defaults");
    for (size_t i = 0; i != map->pairs.size; ++i)
        if (map->pairs.items[i].value == from && strcmp(map->pairs.items[i].key->text, "<<") == 0) {
            memmove(&map->pairs.items[i], &map->pairs.items[i + 1],
                    (map->pairs.size - i - 1) * sizeof(gm_pair_t));
            --map->pairs.size;
            break;
        }
    if (from->pairs.size > 1000)
        return fail(reader, &from->place, "more than 1000 keys to merge");
    for (size_t i = 0; i != from->pairs.size; ++i)
        if (find_pair(map, from->pairs.items[i].key->text) == NULL)
            *gm_vector_push(&map->pairs) = from->pairs.items[i];
    return 0;
}

static int on_end(reader_t *reader)
{
    gm_node_t *node = reader->levels.items[--reader->levels.size].node;

    if (node->kind == GM_NODE_MAP) {
        drop_duplicates(reader, node);
        if (merge(reader, node) != 0)
            return -1;
    }
    return attach(reader, node, &node->place);
}

static int on_event(reader_t *reader, const yaml_event_t *event, int *documents)
{
    gm_place_t place = place_of(&event->start_mark);

    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return ++*documents == 1 ? 0 : fail(reader, &place, "only one document is allowed in this file");
    case YAML_SCALAR_EVENT:
        return on_scalar(reader, event);
    case YAML_ALIAS_EVENT:
        return on_alias(reader, event);
    case YAML_MAPPING_START_EVENT:
        return on_start(reader, GM_NODE_MAP, &event->start_mark, event->data.mapping_start.anchor);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(reader, GM_NODE_LIST, &event->start_mark, event->data.sequence_start.anchor);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return on_end(reader);
    default:
        return 0;
    }
}

/* libyaml gives a byte offset instead of a mark where the text is not even UTF-8. */
static gm_place_t place_of_offset(const char *text, size_t length, size_t offset)
{
    gm_place_t place = {NULL, 1, 1};

    for (size_t i = 0; i < offset && i < length; ++i) {
        if (text[i] == '\n') {
            ++place.line;
            place.column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            ++place.column;
        }
    }
    return place;
}

/* What the mistake behind the library's words usually is; `at` is what stands at its place. */
static const char *hint_of(const yaml_parser_t *parser, const char *problem, const char *text, size_t index,
                           size_t length)
{
    char at = index < length ? text[index] : '\0';

    if (index != 0 && index < length && at == '{' && text[index - 1] == '$')
        return "; inside { } a value with ${...} needs quotes: \"${NAME}\"";
    if (parser->error == YAML_READER_ERROR)
        return strstr(problem, "UTF-8") != NULL ? "; save the file as UTF-8" : "";
    if (at == '\t')
        return "; indent with blanks, YAML does not allow tabs";
    if (strstr(problem, "cannot start any token") != NULL)
        return "; a value that begins with this character needs quotes";
    if (parser->context != NULL && strstr(parser->context, "scanning an alias") != NULL)
        return "; a value that begins with * needs quotes";
    if (strstr(problem, "mapping values are not allowed") != NULL)
        return "; the line before may lack its colon, or a value with a colon its quotes";
    if (strstr(problem, "did not find expected key") != NULL)
        return "; are keys that belong together indented alike?";
    return "";
}

static void report_syntax(reader_t *reader, const char *text, size_t length)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *hint, *problem = parser->problem != NULL ? parser->problem : "cannot be read";
    size_t index = parser->problem_mark.index;
    gm_place_t place;
    char begin[48] = "";

    reader->broken = true;
    if (parser->error == YAML_READER_ERROR) {
        place = place_of_offset(text, length, parser->problem_offset);
    } else {
        place = place_of(&parser->problem_mark);
    }
    hint = hint_of(parser, problem, text, index, length);
    if (parser->context != NULL && parser->context_mark.line != parser->problem_mark.line)
        snprintf(begin, sizeof(begin), " that begins in line %zu", parser->context_mark.line + 1);
    if (parser->context != NULL)
        gm_diagnostics_add(reader->diagnostics, GM_SEVERITY_ERROR, &place, "YAML syntax: %s (%s%s)%s",
                           problem, parser->context, begin, hint);
    else
        gm_diagnostics_add(reader->diagnostics, GM_SEVERITY_ERROR, &place, "YAML syntax: %s%s", problem,
                           hint);
}

static void read_all(reader_t *reader, const char *text, size_t length)
{
    yaml_event_t event;
    yaml_event_type_t type;
    int documents = 0;

    do {
        if (!yaml_parser_parse(&reader->parser, &event)) {
            report_syntax(reader, text, length);
            return;
        }
        type = event.type;
        on_event(reader, &event, &documents);
        yaml_event_delete(&event);
    } while (type != YAML_STREAM_END_EVENT && !reader->broken);
}

gm_tree_t *gm_yaml_parse(const char *text, size_t length, gm_diagnostics_t *diagnostics)
{
    reader_t reader = {.diagnostics = diagnostics};

    if (length > GM_YAML_MAX_BYTES) {
        gm_diagnostics_add(diagnostics, GM_SEVERITY_ERROR, NULL, "larger than 1 MiB");
        return NULL;
    }
    reader.tree = gm_alloc(sizeof(*reader.tree));
    if (!yaml_parser_initialize(&reader.parser))
        abort(); /* out of memory */
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
    read_all(&reader, text, length);
    yaml_parser_delete(&reader.parser);

    for (size_t i = 0; i != reader.anchors.size; ++i)
        free(reader.anchors.items[i].name);
    gm_vector_dispose(&reader.anchors);
    gm_vector_dispose(&reader.levels);
    if (reader.broken) {
        gm_tree_destroy(reader.tree);
        return NULL;
    }
    reader.tree->root = reader.result;
    return reader.tree;
}

const gm_node_t *gm_tree_root(const gm_tree_t *self)
{
    return self->root;
}

bool gm_node_is_null(const gm_node_t *self)
{
    static const char *const names[] = {"", "~", "null", "Null", "NULL"}; /* YAML 1.2, 10.3.2 */

    if (self->kind != GM_NODE_SCALAR || self->quoted)
        return false;
    for (size_t i = 0; i != sizeof(names) / sizeof(names[0]); ++i)
        if (strcmp(self->text, names[i]) == 0)
            return true;
    return false;
}

const char *gm_node_kind_name(const gm_node_t *self)
{
    static const char *const names[] = {"text", "a mapping", "a list"};

    return gm_node_is_null(self) ? "nothing" : names[self->kind];
}

void gm_tree_destroy(gm_tree_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i != self->nodes.size; ++i) {
        gm_node_t *node = self->nodes.items[i];
        free(node->text);
        gm_vector_dispose(&node->pairs);
        gm_vector_dispose(&node->items);
        free(node);
    }
    gm_vector_dispose(&self->nodes);
    free(self);
}

const char *gm_yaml_library_version(void)
{
    return yaml_get_version_string();
}
