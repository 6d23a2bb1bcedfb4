/*
 * The engine over option rows: reads a YAML tree into structs. It knows types, not options; those are rows in
 * config/schema. Every mistake is reported once, where it stands, and the siblings are still read. Called at
 * load, one thread.
 */
#include "config/fields.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cidr.h"
#include "base/suggest.h"
#include "base/text.h"

/* of sockaddr_un.sun_path, without the NUL */
#define SOCKET_PATH_MAX 107

static void *at(void *base, ptrdiff_t offset)
{
    return (char *)base + offset;
}

static void complain(const gm_fill_t *fill, const gm_node_t *node, const char *name, const char *text)
{
    gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_ERROR, &node->place, "%s: %s", name, text);
}

static bool is_text(const gm_field_t *field)
{
    return field->type == GM_FIELD_TEXT || field->type == GM_FIELD_FILE || field->type == GM_FIELD_HOST;
}

/* "warning" for "warn", "err" for "error": one begins with the other, which counts as no small distance. */
static const char *find_by_beginning(const gm_field_t *field, const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; length >= 3 && field->choices[i] != NULL; ++i) {
        size_t size = strlen(field->choices[i]);
        if (size >= 3 && strncasecmp(field->choices[i], text, size < length ? size : length) == 0)
            return field->choices[i];
    }
    return NULL;
}

static int parse_choice(const gm_field_t *field, const char *text, uint64_t *value, gm_error_t *err)
{
    gm_suggestion_t suggestion = {.wanted = text};
    gm_buffer_t names = {0};

    for (uint64_t i = 0; field->choices[i] != NULL; ++i) {
        if (strcmp(field->choices[i], text) == 0) {
            *value = i;
            gm_buffer_dispose(&names);
            return 0;
        }
        gm_suggestion_offer(&suggestion, field->choices[i]);
        gm_buffer_printf(&names, "%s%s", i != 0 ? ", " : "", field->choices[i]);
    }
    if (suggestion.best == NULL)
        suggestion.best = find_by_beginning(field, text);
    if (suggestion.best != NULL)
        gm_error_set(err, NULL, "\"%.64s\" is not one of %s; did you mean \"%s\"?", text, names.text,
                     suggestion.best);
    else
        gm_error_set(err, NULL, "\"%.64s\" is not one of %s", text, names.text);
    gm_buffer_dispose(&names);
    return -1;
}

static int check_range(const gm_field_t *field, uint64_t value, const char *text, gm_error_t *err)
{
    char min[32], max[32];

    if (value >= field->min && value <= field->max)
        return 0;
    if (field->type == GM_FIELD_DURATION)
        return gm_error_set(err, NULL, "%.64s is out of range, expected %s to %s", text,
                            gm_text_format_duration(min, sizeof(min), field->min),
                            gm_text_format_duration(max, sizeof(max), field->max));
    return gm_error_set(err, NULL, "%.64s is out of range, expected %s to %s", text,
                        gm_text_format_size(min, sizeof(min), field->min),
                        gm_text_format_size(max, sizeof(max), field->max));
}

static int parse_number(const gm_field_t *field, const char *text, uint64_t *value, gm_error_t *err)
{
    if ((field->flags & GM_FIELD_OPEN) && strcmp(text, "auto") == 0) {
        *value = GM_LEFT_OPEN;
        return 0;
    }
    switch (field->type) {
    case GM_FIELD_PORT:
    case GM_FIELD_COUNT:
        return gm_text_parse_integer(text, field->min, field->max, value, err);
    case GM_FIELD_AUTO:
        if (strcmp(text, "auto") == 0) {
            *value = 0;
            return 0;
        }
        return gm_text_parse_integer(text, field->min, field->max, value, NULL) == 0
                   ? 0
                   : gm_error_set(err, NULL,
                                  "\"%.64s\" is neither \"auto\" nor a whole number from %" PRIu64
                                  " to %" PRIu64,
                                  text, field->min, field->max);
    case GM_FIELD_DURATION:
        return gm_text_parse_duration(text, value, err) != 0 ? -1 : check_range(field, *value, text, err);
    case GM_FIELD_SIZE:
        return gm_text_parse_size(text, value, err) != 0 ? -1 : check_range(field, *value, text, err);
    case GM_FIELD_FRACTION:
        return gm_text_parse_fraction(text, value, err);
    default:
        return parse_choice(field, text, value, err);
    }
}

static int check_socket(const char *path, gm_error_t *err)
{
    if (path[0] != '/')
        return gm_error_set(err, NULL, "\"unix:%.200s\" names no socket: its path begins with \"/\"", path);
    if (strlen(path) > SOCKET_PATH_MAX)
        return gm_error_set(err, NULL, "\"unix:%.200s\" is too long, a socket's path has at most %d bytes",
                            path, SOCKET_PATH_MAX);
    return 0;
}

static int check_host(const gm_field_t *field, const char *text, gm_error_t *err)
{
    gm_hostport_t both;

    if ((field->flags & GM_FIELD_UNIX) && gm_text_unix_path(text) != NULL)
        return check_socket(gm_text_unix_path(text), err);
    if (gm_text_is_host(text) || (text[0] == '\0' && field->fallback != NULL && field->fallback[0] == '\0'))
        return 0;
    if (gm_text_parse_hostport(text, false, &both, NULL) == 0)
        return gm_error_set(err, NULL, "\"%.200s\" is a host with a port; give the port in a key of its own",
                            text);
    return gm_error_set(err, NULL, "\"%.200s\" is not a host name or an address", text);
}

static char *in_folder(const char *folder, const char *name)
{
    gm_buffer_t path = {0};

    if (folder != NULL && name[0] != '/' && name[0] != '\0')
        gm_buffer_printf(&path, "%s/", folder);
    gm_buffer_append_text(&path, name);
    return gm_buffer_detach(&path);
}

bool gm_field_is_standard(const gm_field_t *field, const char *text)
{
    return (field->flags & GM_FIELD_STANDARD) && (strcmp(text, "stdout") == 0 || strcmp(text, "stderr") == 0);
}

static bool is_off(const gm_field_t *field, const char *text)
{
    return (field->flags & GM_FIELD_OFF) &&
           (text[0] == '\0' || strcmp(text, "off") == 0 || strcmp(text, "false") == 0);
}

/* Of a file's name nothing is left, of a text an empty one: its default may be another. */
static int set_off(const gm_field_t *field, char **value)
{
    free(*value);
    *value = field->type == GM_FIELD_FILE ? NULL : gm_strdup("");
    return 0;
}

static int set_text(const gm_fill_t *fill, const gm_field_t *field, void *into, const char *text,
                    gm_error_t *err)
{
    char **value = at(into, (ptrdiff_t)field->offset);

    if (field->type == GM_FIELD_HOST && check_host(field, text, err) != 0)
        return -1;
    if (is_off(field, text))
        return set_off(field, value);
    if (field->type != GM_FIELD_HOST && text[0] == '\0')
        return gm_error_set(err, NULL, "must not be empty");
    free(*value);
    *value = field->type == GM_FIELD_FILE && !gm_field_is_standard(field, text)
                 ? in_folder(fill->folder, text)
                 : gm_strdup(text);
    return 0;
}

/* "host:port" into two values. */
static int set_hostport(const char *text, bool host_optional, char **host, uint64_t *port, gm_error_t *err)
{
    gm_hostport_t both;

    if (gm_text_parse_hostport(text, host_optional, &both, err) != 0)
        return -1;
    free(*host);
    *host = gm_strdup(both.host);
    *port = both.port;
    return 0;
}

static void fill_listen(const gm_fill_t *fill, const gm_field_t *field, void *into, const gm_node_t *node,
                        const char *text)
{
    gm_proxy_conf_t *proxy = at(into, (ptrdiff_t)field->offset);
    gm_error_t err = {0};
    bool bad = set_hostport(text, true, &proxy->listen_host, &proxy->listen_port, &err) != 0;

    if (bad)
        complain(fill, node, field->name, err.text);
    else
        gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_WARNING, &node->place,
                           "\"listen\" is accepted; its names here are \"listen_host\" and \"listen_port\"");
    gm_config_set_origin(fill->config, &proxy->listen_host, &node->place, bad);
    gm_config_set_origin(fill->config, &proxy->listen_port, &node->place, bad);
}

static void fill_scalar(const gm_fill_t *fill, const gm_field_t *field, void *into, const gm_node_t *node)
{
    void *value = at(into, (ptrdiff_t)field->offset);
    gm_error_t err = {0};
    char *text = NULL;

    if (gm_node_is_null(node)) {
        gm_error_set(&err, NULL, "no value; give one%s",
                     field->flags & GM_FIELD_REQUIRED ? "" : ", or remove the line for the default");
    } else if (node->kind != GM_NODE_SCALAR) {
        gm_error_set(&err, NULL, "expected a single value, found %s", gm_node_kind_name(node));
    } else if ((text = gm_expand(node->text, fill->lookup, &err)) != NULL) {
        if (field->type == GM_FIELD_LISTEN) {
            fill_listen(fill, field, into, node, text);
            free(text);
            return;
        }
        if ((is_text(field) ? set_text(fill, field, into, text, &err)
                            : parse_number(field, text, value, &err)) == 0)
            err.text[0] = '\0';
    }
    free(text);
    if (err.text[0] != '\0')
        complain(fill, node, field->name, err.text);
    gm_config_set_origin(fill->config, value, &node->place, err.text[0] != '\0');
}

static const gm_field_t *find_row_at(const gm_section_t *section, ptrdiff_t offset)
{
    const gm_field_t *field = section->fields;

    while ((ptrdiff_t)field->offset != offset)
        ++field;
    return field;
}

/* A section given as "unix:/path", which needs nothing else. @return whether it is */
static bool fill_socket(const gm_fill_t *fill, const gm_field_t *field, void *into, const gm_node_t *node,
                        const char *text)
{
    const gm_field_t *row = find_row_at(field->section, field->section->host_offset);
    gm_error_t err = {0};
    bool bad;

    if (!(row->flags & GM_FIELD_UNIX) || gm_text_unix_path(text) == NULL)
        return false;
    bad = set_text(fill, row, into, text, &err) != 0;
    if (bad)
        complain(fill, node, field->name, err.text);
    gm_config_set_origin(fill->config, at(into, (ptrdiff_t)row->offset), &node->place, bad);
    return true;
}

/* A section given as "host:port", which people guess. */
static void fill_short_section(const gm_fill_t *fill, const gm_field_t *field, void *into,
                               const gm_node_t *node)
{
    const gm_section_t *section = field->section;
    char **host = at(into, section->host_offset), *text;
    uint64_t *port = at(into, section->port_offset);
    gm_error_t err = {0};
    bool bad = true;

    if ((text = gm_expand(node->text, fill->lookup, &err)) != NULL) {
        if (fill_socket(fill, field, into, node, text)) {
            free(text);
            return;
        }
        bad = set_hostport(text, false, host, port, &err) != 0;
    }
    free(text);
    if (bad)
        complain(fill, node, field->name, err.text);
    else
        gm_diagnostics_add(
            fill->diagnostics, GM_SEVERITY_WARNING, &node->place,
            "\"host:port\" is accepted for \"%s\"; written out it is { host: %s, port: %" PRIu64 " }",
            field->name, *host, *port);
    gm_config_set_origin(fill->config, host, &node->place, bad);
    gm_config_set_origin(fill->config, port, &node->place, bad);
}

/* "listen_port:8000" is one word to YAML */
static const char *blank_hint(const gm_node_t *node)
{
    return node->kind == GM_NODE_SCALAR && !node->quoted && strchr(node->text, ':') != NULL
               ? "; after a key's colon comes a blank"
               : "";
}

static void fill_section(const gm_fill_t *fill, const gm_field_t *field, void *into, const gm_node_t *node)
{
    const gm_section_t *section = field->section;
    void *part = at(into, (ptrdiff_t)field->offset);

    if (gm_node_is_null(node) && !(field->flags & (GM_FIELD_REQUIRED | GM_FIELD_ONE_OF)))
        return; /* "tls:" with all its keys commented out */
    if (section->present_offset >= 0) {
        *(bool *)at(part, section->present_offset) = true;
        gm_config_set_origin(fill->config, at(part, section->present_offset), &node->place, false);
    }
    if (node->kind == GM_NODE_SCALAR && section->host_offset >= 0 && !gm_node_is_null(node)) {
        fill_short_section(fill, field, part, node);
        return;
    }
    if (node->kind != GM_NODE_MAP && !(gm_node_is_null(node) && (field->flags & GM_FIELD_ONE_OF))) {
        gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_ERROR, &node->place,
                           "%s: expected keys such as \"%s\", found %s%s", field->name,
                           section->fields[0].name, gm_node_kind_name(node), blank_hint(node));
        for (const gm_field_t *row = section->fields; row->name != NULL; ++row)
            gm_config_set_origin(fill->config, at(part, (ptrdiff_t)row->offset), &node->place, true);
        return;
    }
    gm_fields_fill(fill, section, part, node);
}

static bool is_list_of_maps(const gm_node_t *node)
{
    for (size_t i = 0; node->kind == GM_NODE_LIST && i != node->items.size; ++i)
        if (node->items.items[i]->kind != GM_NODE_MAP)
            return false;
    return node->kind == GM_NODE_LIST || gm_node_is_null(node);
}

static void fill_list(const gm_fill_t *fill, const gm_field_t *field, void *into, const gm_node_t *node)
{
    GM_VECTOR(void *) *list = at(into, (ptrdiff_t)field->offset);

    gm_config_set_origin(fill->config, list, &node->place, !is_list_of_maps(node));
    if (gm_node_is_null(node))
        return;
    if (node->kind != GM_NODE_LIST) {
        gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_ERROR, &node->place,
                           "%s: expected a list (lines that begin with \"- \"), found %s", field->name,
                           gm_node_kind_name(node));
        return;
    }
    for (size_t i = 0; i != node->items.size; ++i) {
        const gm_node_t *item = node->items.items[i];
        void *part;
        if (item->kind != GM_NODE_MAP) {
            gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_ERROR, &item->place,
                               "%s: expected keys such as \"%s\", found %s", field->name,
                               field->section->fields[0].name, gm_node_kind_name(item));
            continue;
        }
        part = gm_alloc(field->section->struct_bytes);
        gm_fields_set_defaults(field->section, part);
        if (field->section->place_offset >= 0)
            *(gm_place_t *)at(part, field->section->place_offset) = item->place;
        gm_fields_fill(fill, field->section, part, item);
        *gm_vector_push(list) = part;
    }
}

static void add_text(const gm_fill_t *fill, const gm_field_t *field, gm_texts_t *list, const gm_node_t *node)
{
    char *text = NULL;
    gm_error_t err = {0};
    gm_cidr_t cidr;

    if (node->kind != GM_NODE_SCALAR || gm_node_is_null(node))
        gm_error_set(&err, NULL, "expected text, found %s", gm_node_kind_name(node));
    else if ((text = gm_expand(node->text, fill->lookup, &err)) != NULL && text[0] == '\0')
        gm_error_set(&err, NULL, "must not be empty");
    else if (text != NULL && (field->flags & GM_FIELD_CIDR) && gm_cidr_parse(text, &cidr, &err) == 0)
        err.text[0] = '\0';
    if (err.text[0] != '\0') {
        complain(fill, node, field->name, err.text);
        free(text);
        return;
    }
    gm_config_set_origin(fill->config, text, &node->place, false);
    *gm_vector_push(list) = text;
}

/* One text needs no list around it. */
static void fill_texts(const gm_fill_t *fill, const gm_field_t *field, void *into, const gm_node_t *node)
{
    gm_texts_t *list = at(into, (ptrdiff_t)field->offset);
    size_t errors = fill->diagnostics->errors;

    if (gm_node_is_null(node))
        return;
    if (node->kind == GM_NODE_LIST)
        for (size_t i = 0; i != node->items.size; ++i)
            add_text(fill, field, list, node->items.items[i]);
    else
        add_text(fill, field, list, node);
    gm_config_set_origin(fill->config, list, &node->place, fill->diagnostics->errors != errors);
}

static bool is_guess(const gm_field_t *field, const char *name)
{
    size_t length = strlen(name);
    const char *found = field->guesses;

    if (length == 0 || strchr(name, ' ') != NULL)
        return false; /* nothing, or more than one of them */
    while (found != NULL && (found = strstr(found, name)) != NULL) {
        if ((found == field->guesses || found[-1] == ' ') && (found[length] == '\0' || found[length] == ' '))
            return true;
        found += length;
    }
    return false;
}

static const gm_field_t *find_field(const gm_section_t *section, const char *name)
{
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field)
        if (strcmp(field->name, name) == 0 || is_guess(field, name))
            return field;
    return NULL;
}

/* The title of the section that has this key, `depth` levels below. */
static const char *find_home(const gm_section_t *section, const char *name, int depth)
{
    const char *title = NULL;

    if (depth == 0)
        return find_field(section, name) != NULL ? section->title : NULL;
    for (const gm_field_t *field = section->fields; field->name != NULL && title == NULL; ++field)
        if (field->section != NULL)
            title = find_home(field->section, name, depth - 1);
    return title;
}

/* The name of a row, or NULL. */
static const char *suggest(const gm_section_t *section, const char *name)
{
    gm_suggestion_t suggestion = {.wanted = name};

    for (const gm_field_t *field = section->fields; field->name != NULL; ++field)
        if (!(field->flags & GM_FIELD_GUESSED))
            gm_suggestion_offer(&suggestion, field->name);
    return suggestion.best;
}

static void report_unknown(const gm_fill_t *fill, const gm_section_t *section, const gm_node_t *key)
{
    const char *title = section->title[0] != '\0' ? section->title : "the file";
    const char *best = suggest(section, key->text), *home = NULL;

    for (int depth = 1; depth != 4 && home == NULL; ++depth) /* the nearest one */
        home = find_home(section, key->text, depth);
    if (home != NULL)
        gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_ERROR, &key->place,
                           "unknown key \"%.64s\" in %s; it belongs in %s", key->text, title, home);
    else if (best != NULL)
        gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_ERROR, &key->place,
                           "unknown key \"%.64s\" in %s; did you mean \"%s\"?", key->text, title, best);
    else
        gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_ERROR, &key->place, "unknown key \"%.64s\" in %s",
                           key->text, title);
}

static void fill_field(const gm_fill_t *fill, const gm_field_t *field, void *into, const gm_pair_t *pair)
{
    if (strcmp(field->name, pair->key->text) != 0)
        gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_WARNING, &pair->key->place,
                           "\"%.64s\" is accepted; its name here is \"%s\"", pair->key->text, field->name);
    if (field->type == GM_FIELD_SECTION)
        fill_section(fill, field, into, pair->value);
    else if (field->type == GM_FIELD_LIST)
        fill_list(fill, field, into, pair->value);
    else if (field->type == GM_FIELD_TEXTS)
        fill_texts(fill, field, into, pair->value);
    else
        fill_scalar(fill, field, into, pair->value);
}

static bool starts_with_x(const char *name)
{
    return strncmp(name, "x-", 2) == 0;
}

/* "listen" stands for two other rows. */
static bool says_the_same(const gm_field_t *a, const gm_field_t *b)
{
    if (a == b || a == NULL)
        return a != NULL;
    return (a->type == GM_FIELD_LISTEN && strncmp(b->name, "listen_", 7) == 0) ||
           (b->type == GM_FIELD_LISTEN && strncmp(a->name, "listen_", 7) == 0);
}

/* One option given twice under two names, which the check for duplicate keys cannot see. */
static const gm_pair_t *find_earlier(const gm_section_t *section, const gm_node_t *node, size_t before,
                                     const gm_field_t *field)
{
    for (size_t i = 0; i != before; ++i)
        if (says_the_same(find_field(section, node->pairs.items[i].key->text), field))
            return &node->pairs.items[i];
    return NULL;
}

/* Also with a typo in its name, which has been reported as such. */
static bool is_meant(const gm_section_t *section, const gm_node_t *node, const gm_field_t *field)
{
    for (size_t i = 0; i != node->pairs.size; ++i) {
        const char *name = node->pairs.items[i].key->text;
        const gm_field_t *found = find_field(section, name);
        if (found == field || (found == NULL && i < 64 && suggest(section, name) == field->name))
            return true;
    }
    return false;
}

/* What an unknown key was meant to be is open, so nothing is concluded from what is absent beside it. */
static void doubt(const gm_fill_t *fill, const gm_section_t *section, void *into, const gm_place_t *place)
{
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        void *value = at(into, (ptrdiff_t)field->offset);
        if (field->type == GM_FIELD_SECTION)
            doubt(fill, field->section, value, place);
        else if (field->type != GM_FIELD_LIST && field->type != GM_FIELD_LISTEN)
            gm_config_set_origin(fill->config, value, place, true);
    }
}

static void doubt_absent(const gm_fill_t *fill, const gm_section_t *section, void *into,
                         const gm_node_t *node, const gm_place_t *place)
{
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        const gm_field_t one[] = {*field, {0}};
        const gm_section_t part = {.fields = one};
        if (find_earlier(section, node, node->pairs.size, field) == NULL)
            doubt(fill, &part, into, place);
    }
}

/* The port, beside a host that is a socket. */
static bool is_needless(const gm_section_t *section, const gm_field_t *field, void *of)
{
    const char *host = section->host_offset >= 0 ? *(char **)at(of, section->host_offset) : NULL;

    return host != NULL && (ptrdiff_t)field->offset == section->port_offset &&
           gm_text_unix_path(host) != NULL;
}

static void check_required(const gm_fill_t *fill, const gm_section_t *section, void *into,
                           const gm_node_t *node)
{
    const gm_field_t *instead = gm_fields_instead(section);

    if (instead != NULL && is_meant(section, node, instead))
        return;
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        if ((field->flags & GM_FIELD_REQUIRED) && !is_meant(section, node, field) &&
            !is_needless(section, field, into))
            gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_ERROR, &node->place, "%s: \"%s\" is missing",
                               section->title, field->name);
    }
}

/* Where rows exclude each other: one of them, neither none nor two. */
static void check_one_of(const gm_fill_t *fill, const gm_section_t *section, const gm_node_t *node)
{
    const gm_field_t *first = NULL;
    bool is_any = false;

    for (size_t i = 0; i != node->pairs.size; ++i) {
        const gm_node_t *key = node->pairs.items[i].key;
        const gm_field_t *field = find_field(section, key->text);
        if (field == NULL || !(field->flags & GM_FIELD_ONE_OF)) {
            is_any = true; /* reported as unknown */
            continue;
        }
        if (first != NULL && first != field)
            gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_ERROR, &key->place,
                               "%s: \"%s\" beside \"%s\": one key only; begin a new item with \"- \"",
                               section->title, field->name, first->name);
        first = field;
    }
    if (first == NULL && !is_any)
        gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_ERROR, &node->place,
                           "%s: no key; give one such as \"%s\"", section->title, section->fields[0].name);
}

void gm_fields_fill(const gm_fill_t *fill, const gm_section_t *section, void *into, const gm_node_t *node)
{
    const gm_node_t *unknown = NULL;

    for (size_t i = 0; i != node->pairs.size; ++i) {
        const gm_pair_t *pair = &node->pairs.items[i], *earlier;
        const gm_field_t *field = find_field(section, pair->key->text);
        if (field == NULL) {
            if (section->title[0] == '\0' && starts_with_x(pair->key->text)) /* a place for anchors */
                continue;
            report_unknown(fill, section, unknown = pair->key);
        } else if (i < 64 && (earlier = find_earlier(section, node, i, field)) != NULL) {
            gm_diagnostics_add(fill->diagnostics, GM_SEVERITY_ERROR, &pair->key->place,
                               "\"%.64s\" and \"%.64s\" in line %d are the same option", pair->key->text,
                               earlier->key->text, earlier->key->place.line);
        } else {
            fill_field(fill, field, into, pair);
        }
    }
    if (unknown != NULL)
        doubt_absent(fill, section, into, node, &unknown->place);
    check_required(fill, section, into, node);
    if (section->fields[0].flags & GM_FIELD_ONE_OF)
        check_one_of(fill, section, node);
}

void gm_fields_set_defaults(const gm_section_t *section, void *into)
{
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        void *value = at(into, (ptrdiff_t)field->offset);
        gm_error_t err = {0};
        if (field->type == GM_FIELD_SECTION)
            gm_fields_set_defaults(field->section, value);
        else if (field->fallback == NULL)
            continue;
        else if (is_text(field))
            *(char **)value = gm_strdup(field->fallback);
        else if (parse_number(field, field->fallback, value, &err) != 0)
            abort(); /* a row whose default is not a value of its type */
    }
}

const gm_field_t *gm_fields_instead(const gm_section_t *section)
{
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field)
        if (field->flags & GM_FIELD_INSTEAD)
            return field;
    return NULL;
}

void gm_fields_dispose(const gm_section_t *section, void *of)
{
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        void *value = at(of, (ptrdiff_t)field->offset);
        if (field->type == GM_FIELD_SECTION) {
            gm_fields_dispose(field->section, value);
        } else if (field->type == GM_FIELD_LIST) {
            GM_VECTOR(void *) *list = value;
            for (size_t i = 0; i != list->size; ++i) {
                gm_fields_dispose(field->section, list->items[i]);
                free(list->items[i]);
            }
            gm_vector_dispose(list);
        } else if (field->type == GM_FIELD_TEXTS) {
            gm_texts_t *list = value;
            for (size_t i = 0; i != list->size; ++i)
                free(list->items[i]);
            gm_vector_dispose(list);
        } else if (is_text(field)) {
            free(*(char **)value);
            *(char **)value = NULL;
        }
    }
}

void gm_field_format(const gm_field_t *field, const void *of, gm_buffer_t *out)
{
    const void *value = (const char *)of + field->offset;
    char text[32];

    gm_buffer_dispose(out);
    if (is_text(field)) {
        const char *given = *(const char *const *)value;
        gm_buffer_append_text(out, given != NULL ? given : "");
    } else if ((field->flags & GM_FIELD_OPEN) && *(const uint64_t *)value == GM_LEFT_OPEN) {
        gm_buffer_append_text(out, "auto");
    } else if (field->type == GM_FIELD_DURATION) {
        gm_buffer_append_text(out, gm_text_format_duration(text, sizeof(text), *(const uint64_t *)value));
    } else if (field->type == GM_FIELD_SIZE) {
        gm_buffer_append_text(out, gm_text_format_size(text, sizeof(text), *(const uint64_t *)value));
    } else if (field->type == GM_FIELD_FRACTION) {
        gm_buffer_append_text(out, gm_text_format_fraction(text, sizeof(text), *(const uint64_t *)value));
    } else if (field->choices != NULL) {
        gm_buffer_append_text(out, field->choices[*(const uint64_t *)value]);
    } else if (field->type == GM_FIELD_AUTO && *(const uint64_t *)value == 0) {
        gm_buffer_append_text(out, "auto");
    } else {
        gm_buffer_printf(out, "%" PRIu64, *(const uint64_t *)value);
    }
}
