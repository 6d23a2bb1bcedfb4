/*
 * `gomesh schema` and `gomesh reference`: the option rows for editors and for people. Called by the command
 * line.
 */
#include "config/render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/text.h"
#include "config/schema.h"

/* Patterns are what ECMA 262, Python and POSIX all read alike. "$${" is no variable. */
#define VARIABLE "(^|[^$])\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}"
#define OCTET "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define IPV4 OCTET "(\\." OCTET "){3}"
#define IPV6 "[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*"
#define IPV4_NETWORK IPV4 "(/(3[0-2]|[12]?[0-9]))?"
#define IPV6_NETWORK IPV6 "(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"
/* names; the last label is no number */
#define REST "([A-Za-z0-9_-]*[A-Za-z0-9_])?"
#define NAME "([A-Za-z0-9_]" REST "\\.)*([0-9]*[A-Za-z_]" REST "|[0-9]+-[A-Za-z0-9_-]*[A-Za-z0-9_])\\.?"
#define PATH "/([!\"$&->@-~]|%[0-9A-F]{2})*"
#define FIELD_NAME "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
#define NO_PATH "/\\.\\.?(/|$)|%(00|2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])" /* not canonical */
#define SOCKET "unix:/.{0,106}"
#define DECIMAL "([0-9]+(\\.[0-9]*)?|\\.[0-9]+)"
#define ZERO "^[^1-9]*$"

typedef struct unit {
    const char *pattern;
    uint64_t scale;
} unit_t;

/* clang-format off */
static const unit_t duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}};
static const unit_t size_units[] = {
    {"[bB]?", 1}, {"[kK][bB]", 1000}, {"[mM][bB]", 1000 * 1000}, {"[gG][bB]", 1000 * 1000 * 1000},
    {"[kK][iI][bB]", 1 << 10}, {"[mM][iI][bB]", 1 << 20}, {"[gG][iI][bB]", 1 << 30},
    {"[tT][iI][bB]", (uint64_t)1 << 40}};
/* clang-format on */

/* The whole numbers from min to max, block by block: 1..255 is "0*([1-9][0-9]{0,1}|1[0-9]{2}|2[0-4][0-9]|…)".
 */
static void append_range(gm_buffer_t *out, uint64_t min, uint64_t max)
{
    gm_buffer_append_text(out, "0*(");
    for (const char *bar = ""; min <= max; bar = "|") {
        uint64_t block = 1, first, last;
        unsigned digits = 0, most;
        while (min != 0 && min % (block * 10) == 0 && min + block * 10 - 1 <= max)
            block *= 10, ++digits;
        first = last = min / block % 10;
        while (last < 9 && min + (last - first + 2) * block - 1 <= max)
            ++last;
        gm_buffer_append_text(out, bar);
        if (min / block >= 10)
            gm_buffer_printf(out, "%" PRIu64, min / block / 10);
        gm_buffer_printf(out, first == last ? "%" PRIu64 : "[%" PRIu64 "-%" PRIu64 "]", first, last);
        most = digits;
        min += (last - first + 1) * block;
        for (; first == 1 && last == 9 && min == block * 10 && min * 10 - 1 <= max;
             ++most) /* one digit more */
            min *= 10, block *= 10;
        if (most != digits)
            gm_buffer_printf(out, "[0-9]{%u,%u}", digits, most);
        else if (digits != 0)
            gm_buffer_printf(out, digits == 1 ? "[0-9]" : "[0-9]{%u}", digits);
    }
    gm_buffer_append_char(out, ')');
}

/* A sum may be above the maximum: only the parser adds up. */
static void append_durations(gm_buffer_t *out, const gm_field_t *field)
{
    gm_buffer_append_text(out, "^(");
    for (size_t i = 0; i != sizeof(duration_units) / sizeof(duration_units[0]); ++i) {
        uint64_t whole = field->max / duration_units[i].scale;
        gm_buffer_append_text(out, "(");
        if (field->max % duration_units[i].scale == 0)
            gm_buffer_printf(out, "0*%" PRIu64 "(\\.0*)?|", whole--);
        append_range(out, 0, whole);
        gm_buffer_printf(out, "(\\.[0-9]*)?|\\.[0-9]+)%s|", duration_units[i].pattern);
    }
    gm_buffer_append_text(out, DECIMAL "(ns|us|µs|μs)|(" DECIMAL "(ns|us|µs|μs|ms|s|m|h)){2,})$");
}

static void append_sizes(gm_buffer_t *out, const gm_field_t *field)
{
    const char *bar = "^(";

    for (size_t i = 0; i != sizeof(size_units) / sizeof(size_units[0]); ++i) {
        uint64_t scale = size_units[i].scale, least = field->min / scale + (field->min % scale != 0);
        if (least > field->max / scale)
            continue;
        gm_buffer_append_text(out, bar);
        append_range(out, least, field->max / scale);
        gm_buffer_append_text(out, size_units[i].pattern);
        bar = "|";
    }
    gm_buffer_append_text(out, ")$");
}

/* What a value looks like as text, but for the choices. */
static void append_pattern(gm_buffer_t *out, const gm_field_t *field)
{
    switch (field->type) {
    case GM_FIELD_DURATION:
        append_durations(out, field);
        return;
    case GM_FIELD_SIZE:
        append_sizes(out, field);
        return;
    case GM_FIELD_FRACTION:
        gm_buffer_append_text(out, "^(0(\\.[0-9]{1,6})?|1(\\.0{1,6})?)$");
        return;
    case GM_FIELD_HOST:
        gm_buffer_append_text(out, field->flags & GM_FIELD_UNIX ? "^(" SOCKET "|" : "^(");
        gm_buffer_append_text(out, NAME "|" IPV4 "|" IPV6);
        gm_buffer_append_text(out, field->fallback != NULL && field->fallback[0] == '\0' ? "|)$" : ")$");
        return;
    case GM_FIELD_TEXT:
        gm_buffer_append_text(out, field->flags & GM_FIELD_CIDR   ? "^(" IPV4_NETWORK "|" IPV6_NETWORK ")$"
                                   : field->flags & GM_FIELD_OFF  ? "^(" PATH ")?$"
                                   : field->flags & GM_FIELD_PATH ? "^" PATH "$"
                                   : field->flags & GM_FIELD_NAME ? FIELD_NAME
                                                                  : "^((\\*\\.)?" NAME "|(\\*\\.)?" IPV4
                                                                    "|" IPV6 "|\\[" IPV6 "\\])$");
        return;
    default:
        gm_buffer_append_char(out, '^');
        append_range(out, field->min, field->max);
        gm_buffer_append_char(out, '$');
    }
}

static void render_object(const gm_section_t *section, bool or_null, gm_json_t *json);

static void open_alternative(gm_json_t *json, const char *type)
{
    gm_json_open(json, '{');
    gm_json_key(json, "type");
    gm_json_string(json, type);
}

static void render_types(gm_json_t *json, const char *const *types)
{
    gm_json_key(json, "type");
    gm_json_open(json, '[');
    for (; *types != NULL; ++types)
        gm_json_string(json, *types);
    gm_json_close(json, ']');
}

static void render_pattern(const gm_field_t *field, gm_json_t *json)
{
    const char *no = field->type == GM_FIELD_DURATION && field->min != 0 ? ZERO
                     : field->flags & GM_FIELD_PATH                      ? NO_PATH
                                                                         : NULL;
    gm_buffer_t pattern = {0};

    open_alternative(json, "string");
    gm_json_key(json, "pattern");
    append_pattern(&pattern, field);
    gm_json_string(json, pattern.text);
    gm_buffer_dispose(&pattern);
    if (no != NULL) {
        gm_json_key(json, "not");
        gm_json_open(json, '{');
        gm_json_key(json, "pattern");
        gm_json_string(json, no);
        gm_json_close(json, '}');
    }
    gm_json_close(json, '}');
}

/* "1.2" is a number where nobody wrote the quotes. */
static void render_choices(const gm_field_t *field, gm_json_t *json)
{
    gm_json_open(json, '{');
    gm_json_key(json, "enum");
    gm_json_open(json, '[');
    for (const char *const *choice = field->choices; *choice != NULL; ++choice) {
        size_t whole = strspn(*choice, "0123456789");
        gm_json_string(json, *choice);
        if (whole == 0 || (*choice)[whole + strspn(*choice + whole, ".0123456789")] != '\0')
            continue;
        gm_json_integer(json, strtoll(*choice, NULL, 10));
        gm_buffer_append_text(json->out, *choice + whole); /* the fraction */
    }
    gm_json_close(json, ']');
    gm_json_close(json, '}');
}

static void render_integer(const gm_field_t *field, gm_json_t *json)
{
    open_alternative(json, "integer");
    gm_json_key(json, "minimum");
    gm_json_integer(json, (int64_t)field->min);
    gm_json_key(json, "maximum");
    gm_json_integer(json, (int64_t)field->max);
    gm_json_close(json, '}');
}

static void render_fraction(gm_json_t *json)
{
    open_alternative(json, "number");
    gm_json_key(json, "minimum");
    gm_json_integer(json, 0);
    gm_json_key(json, "maximum");
    gm_json_integer(json, 1);
    gm_json_close(json, '}');
}

static bool has_form(const gm_field_t *field)
{
    return (field->type != GM_FIELD_TEXT && field->type != GM_FIELD_FILE) ||
           field->flags & (GM_FIELD_PATH | GM_FIELD_WILDCARD | GM_FIELD_CIDR | GM_FIELD_NAME);
}

/* What YAML's true and false may stand for here. */
static bool takes_boolean(const gm_field_t *field)
{
    /* a host or a field may be called "true" */
    if (field->type == GM_FIELD_HOST || field->flags & (GM_FIELD_WILDCARD | GM_FIELD_NAME))
        return true;
    for (size_t i = 0; field->choices != NULL && field->choices[i] != NULL; ++i)
        if (strcmp(field->choices[i], "true") == 0)
            return true;
    return false;
}

/* The forms of one value, as what YAML takes it for; each may come from a variable. */
static void render_alternatives(const gm_field_t *field, gm_json_t *json)
{
    gm_json_key(json, "anyOf");
    gm_json_open(json, '[');
    if (field->type >= GM_FIELD_PORT && field->type <= GM_FIELD_SIZE && field->type != GM_FIELD_DURATION)
        render_integer(field, json);
    if (field->type == GM_FIELD_FRACTION)
        render_fraction(json);
    if (field->type == GM_FIELD_AUTO || field->flags & GM_FIELD_OPEN) {
        gm_json_open(json, '{');
        gm_json_key(json, "const");
        gm_json_string(json, "auto");
        gm_json_close(json, '}');
    }
    if (field->choices != NULL)
        render_choices(field, json);
    else
        render_pattern(field, json);
    if (takes_boolean(field)) {
        open_alternative(json, "boolean");
        gm_json_close(json, '}');
    }
    open_alternative(json, "string");
    gm_json_key(json, "pattern");
    gm_json_string(json, VARIABLE);
    gm_json_close(json, '}');
    gm_json_close(json, ']');
}

static void render_type(const gm_field_t *field, gm_json_t *json);

/* A text, a list of them, or nothing. */
static void render_texts(const gm_field_t *field, gm_json_t *json)
{
    gm_field_t one = *field;

    one.type = GM_FIELD_TEXT;
    gm_json_key(json, "anyOf");
    gm_json_open(json, '[');
    gm_json_open(json, '{');
    render_type(&one, json);
    gm_json_close(json, '}');
    open_alternative(json, "array");
    gm_json_key(json, "items");
    gm_json_open(json, '{');
    render_type(&one, json);
    gm_json_close(json, '}');
    gm_json_close(json, '}');
    open_alternative(json, "null");
    gm_json_close(json, '}');
    gm_json_close(json, ']');
}

/* A key without a value: as if it were absent, or, of those that exclude each other, all defaults. */
static bool may_be_null(const gm_field_t *field)
{
    const gm_field_t *row = field->section->fields;

    while (row->name != NULL && !(row->flags & GM_FIELD_REQUIRED))
        ++row;
    return !(field->flags & GM_FIELD_REQUIRED) && (!(field->flags & GM_FIELD_ONE_OF) || row->name == NULL);
}

static void render_type(const gm_field_t *field, gm_json_t *json)
{
    static const char *const list_types[] = {"array", "null", NULL};
    static const char *const text_types[] = {"string", "number", "boolean", NULL};

    if (field->type == GM_FIELD_SECTION) {
        render_object(field->section, may_be_null(field), json);
    } else if (field->type == GM_FIELD_LIST) {
        render_types(json, list_types);
        gm_json_key(json, "items");
        gm_json_open(json, '{');
        render_object(field->section, false, json);
        gm_json_close(json, '}');
    } else if (field->type == GM_FIELD_TEXTS) {
        render_texts(field, json);
    } else if (has_form(field)) {
        render_alternatives(field, json);
    } else {
        render_types(json, text_types);
        if (field->flags & GM_FIELD_OFF)
            return;
        gm_json_key(json, "minLength");
        gm_json_integer(json, 1);
    }
}

static void render_fraction_value(const char *text, gm_json_t *json)
{
    gm_json_integer(json, text[0] - '0');
    gm_buffer_append_text(json->out, text + 1);
}

static void render_default(const gm_field_t *field, gm_json_t *json)
{
    /* a size may be digits alone, and so may a choice */
    bool is_number = (field->type >= GM_FIELD_PORT && field->type <= GM_FIELD_AUTO) ||
                     field->type == GM_FIELD_SIZE || field->type == GM_FIELD_CHOICE;

    if (field->fallback == NULL)
        return;
    gm_json_key(json, "default");
    if (is_number && field->fallback[strspn(field->fallback, "0123456789")] == '\0')
        gm_json_integer(json, strtoll(field->fallback, NULL, 10));
    else if (field->type == GM_FIELD_FRACTION && !(field->flags & GM_FIELD_OPEN))
        render_fraction_value(field->fallback, json);
    else if (field->type == GM_FIELD_BOOLEAN)
        gm_json_boolean(json, strcmp(field->fallback, "true") == 0);
    else
        gm_json_string(json, field->fallback);
}

static void render_required(const gm_section_t *section, gm_json_t *json)
{
    bool any = false;

    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        if (!(field->flags & GM_FIELD_REQUIRED))
            continue;
        if (!any) {
            gm_json_key(json, "required");
            gm_json_open(json, '[');
        }
        any = true;
        gm_json_string(json, field->name);
    }
    if (any)
        gm_json_close(json, ']');
}

static void render_one_required(const char *name, gm_json_t *json)
{
    gm_json_key(json, "required");
    gm_json_open(json, '[');
    gm_json_string(json, name);
    gm_json_close(json, ']');
}

/* All required rows, or the one that may stand instead of them: then all of them or none. */
static void render_required_or(const gm_section_t *section, const gm_field_t *instead, gm_json_t *json)
{
    gm_json_key(json, "anyOf");
    gm_json_open(json, '[');
    gm_json_open(json, '{');
    render_required(section, json);
    gm_json_close(json, '}');
    gm_json_open(json, '{');
    render_one_required(instead->name, json);
    gm_json_key(json, "not");
    gm_json_open(json, '{');
    gm_json_key(json, "anyOf");
    gm_json_open(json, '[');
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        if (!(field->flags & GM_FIELD_REQUIRED))
            continue;
        gm_json_open(json, '{');
        render_one_required(field->name, json);
        gm_json_close(json, '}');
    }
    gm_json_close(json, ']');
    gm_json_close(json, '}');
    gm_json_close(json, '}');
    gm_json_close(json, ']');
}

/* `"host": { "pattern": … }`, or what must not match */
static void render_host_pattern(bool is_not, gm_json_t *json)
{
    gm_json_key(json, "host");
    gm_json_open(json, '{');
    if (is_not) {
        gm_json_key(json, "not");
        gm_json_open(json, '{');
    }
    gm_json_key(json, "type");
    gm_json_string(json, "string");
    gm_json_key(json, "pattern");
    gm_json_string(json, is_not ? "^unix:" : "^unix:|\\$\\{");
    if (is_not)
        gm_json_close(json, '}');
    gm_json_close(json, '}');
}

/* A host with all that is required, or a socket without a port. */
static void render_required_or_socket(const gm_section_t *section, gm_json_t *json)
{
    gm_json_key(json, "anyOf");
    gm_json_open(json, '[');
    gm_json_open(json, '{');
    render_required(section, json);
    gm_json_key(json, "properties");
    gm_json_open(json, '{');
    render_host_pattern(true, json);
    gm_json_close(json, '}');
    gm_json_close(json, '}');
    gm_json_open(json, '{');
    render_one_required("host", json);
    gm_json_key(json, "properties");
    gm_json_open(json, '{');
    render_host_pattern(false, json);
    gm_json_close(json, '}');
    gm_json_key(json, "not");
    gm_json_open(json, '{');
    render_one_required("port", json);
    gm_json_close(json, '}');
    gm_json_close(json, '}');
    gm_json_close(json, ']');
}

static bool is_one_of(const gm_section_t *section)
{
    return (section->fields[0].flags & GM_FIELD_ONE_OF) != 0;
}

static void render_one_of(const gm_section_t *section, gm_json_t *json)
{
    gm_json_key(json, "oneOf");
    gm_json_open(json, '[');
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        gm_json_open(json, '{');
        render_one_required(field->name, json);
        gm_json_close(json, '}');
    }
    gm_json_close(json, ']');
}

static bool may_be_socket(const gm_section_t *section)
{
    return section->host_offset >= 0 && (section->fields[0].flags & GM_FIELD_UNIX);
}

static void render_object_type(bool or_null, bool or_socket, gm_json_t *json)
{
    const char *types[4] = {"object"};
    size_t count = 1;

    if (or_null)
        types[count++] = "null";
    if (or_socket)
        types[count++] = "string";
    if (count > 1) {
        render_types(json, types);
    } else {
        gm_json_key(json, "type");
        gm_json_string(json, types[0]);
    }
    if (or_socket) {
        gm_json_key(json, "pattern");
        gm_json_string(json, "^" SOCKET "$|" VARIABLE);
    }
}

static void render_object(const gm_section_t *section, bool or_null, gm_json_t *json)
{
    const gm_field_t *instead = gm_fields_instead(section);

    render_object_type(or_null, may_be_socket(section), json);
    gm_json_key(json, "additionalProperties");
    gm_json_boolean(json, false);
    if (instead != NULL)
        render_required_or(section, instead, json);
    else if (is_one_of(section))
        render_one_of(section, json);
    else if (may_be_socket(section))
        render_required_or_socket(section, json);
    else
        render_required(section, json);
    gm_json_key(json, "properties");
    gm_json_open(json, '{');
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        if (field->flags & GM_FIELD_GUESSED)
            continue;
        gm_json_key(json, field->name);
        gm_json_open(json, '{');
        gm_json_key(json, "description");
        gm_json_string(json, field->help);
        render_default(field, json);
        render_type(field, json);
        gm_json_close(json, '}');
    }
    gm_json_close(json, '}');
}

void gm_render_json_schema(gm_buffer_t *out)
{
    gm_json_t json = {.out = out, .pretty = true};

    gm_json_open(&json, '{');
    gm_json_key(&json, "$schema");
    gm_json_string(&json, "http://json-schema.org/draft-07/schema#");
    gm_json_key(&json, "title");
    gm_json_string(&json, "GoMesh configuration");
    gm_json_key(&json, "patternProperties");
    gm_json_open(&json, '{');
    gm_json_key(&json, "^x-");
    gm_json_open(&json, '{');
    gm_json_close(&json, '}');
    gm_json_close(&json, '}');
    render_object(&gm_config_section, true, &json);
    gm_json_close(&json, '}');
    gm_buffer_append_char(out, '\n');
}

static void render_values(const gm_field_t *field, gm_buffer_t *out)
{
    char min[32], max[32];

    if (field->flags & GM_FIELD_OPEN)
        gm_buffer_append_text(out, "auto, ");
    switch (field->type) {
    case GM_FIELD_PORT:
    case GM_FIELD_COUNT:
        gm_buffer_printf(out, "%d–%d", (int)field->min, (int)field->max);
        return;
    case GM_FIELD_AUTO:
        gm_buffer_printf(out, "auto, %d–%d", (int)field->min, (int)field->max);
        return;
    case GM_FIELD_DURATION:
        gm_buffer_printf(out, "duration, %s–%s", gm_text_format_duration(min, sizeof(min), field->min),
                         gm_text_format_duration(max, sizeof(max), field->max));
        return;
    case GM_FIELD_SIZE:
        gm_buffer_printf(out, "size, %s–%s", gm_text_format_size(min, sizeof(min), field->min),
                         gm_text_format_size(max, sizeof(max), field->max));
        return;
    case GM_FIELD_FRACTION:
        gm_buffer_append_text(out, "fraction, 0–1");
        return;
    case GM_FIELD_CHOICE:
    case GM_FIELD_BOOLEAN:
        for (const char *const *choice = field->choices; *choice != NULL; ++choice)
            gm_buffer_printf(out, "%s%s", choice != field->choices ? ", " : "", *choice);
        return;
    case GM_FIELD_TEXTS:
        gm_buffer_append_text(out, field->flags & GM_FIELD_CIDR ? "addresses, networks" : "texts");
        return;
    default:
        gm_buffer_append_text(out, field->type == GM_FIELD_HOST   ? "host"
                                   : field->type == GM_FIELD_FILE ? "file"
                                                                  : "text");
    }
}

static void render_rows(const gm_section_t *section, const char *prefix, gm_buffer_t *out)
{
    const gm_field_t *instead = gm_fields_instead(section);

    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        gm_buffer_t name = {0};
        bool is_required = field->flags & GM_FIELD_REQUIRED;
        if (field->flags & GM_FIELD_GUESSED)
            continue;
        gm_buffer_printf(&name, "%s%s%s", prefix, field->name, field->type == GM_FIELD_LIST ? "[]" : "");
        if (field->section != NULL) {
            gm_buffer_printf(out, "| **`%s`** | | | %s |\n", name.text, field->help);
            gm_buffer_append_char(&name, '.');
            render_rows(field->section, name.text, out);
        } else {
            gm_buffer_printf(out, "| `%s` | ", name.text);
            render_values(field, out);
            if (field->fallback != NULL)
                gm_buffer_printf(out, " | `%s` | %s |\n",
                                 field->fallback[0] != '\0' ? field->fallback : "\"\"", field->help);
            else
                gm_buffer_printf(out, " | %s%s%s | %s |\n", is_required ? "required" : "–",
                                 is_required && instead != NULL ? ", or " : "",
                                 is_required && instead != NULL ? instead->name : "", field->help);
        }
        gm_buffer_dispose(&name);
    }
}

void gm_render_reference(gm_buffer_t *out)
{
    gm_buffer_append_text(out, "# Configuration reference\n\n"
                               "Written by `gomesh reference`. Every key may be left out unless it is "
                               "required. Durations are written\n"
                               "as in Go (`1m30s`, `500ms`), sizes with a unit (`64KiB`, `10MB`). `${VAR}` "
                               "and `${VAR:-default}` stand\n"
                               "for environment variables; `$${` is a plain `${`. Keys at the top that begin "
                               "with `x-` are ignored: a\n"
                               "place for YAML anchors.\n\n"
                               "| key | values | default | meaning |\n|---|---|---|---|\n");
    render_rows(&gm_config_section, "", out);
}
