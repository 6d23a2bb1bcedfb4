/*
 * `gomesh schema` and `gomesh reference`: the option rows for editors and for people. Called by the command
 * line.
 */
#include "config/render.h"

#include <string.h>

#include "base/json_writer.h"
#include "base/text.h"
#include "config/schema.h"

/* What a value may look like; "${VAR}" is always allowed. */
static const char *pattern_of(const gm_field_t *field)
{
    switch (field->type) {
    case GM_FIELD_DURATION:
        return "^(([0-9]*\\.?[0-9]+(ns|us|µs|ms|s|m|h))+|.*\\$\\{.*\\}.*)$";
    case GM_FIELD_SIZE:
        return "^([0-9]+(([KMGkmg][iI]?|[Tt][iI])?[bB])?|.*\\$\\{.*\\}.*)$";
    default:
        return "\\$\\{.*\\}";
    }
}

static void render_object(const gm_section_t *section, gm_json_t *json);

static void open_alternative(gm_json_t *json, const char *type)
{
    gm_json_open(json, '{');
    gm_json_key(json, "type");
    gm_json_string(json, type);
}

static void render_variable(const gm_field_t *field, gm_json_t *json)
{
    open_alternative(json, "string");
    gm_json_key(json, "pattern");
    gm_json_string(json, pattern_of(field));
    gm_json_close(json, '}');
}

/* A number, or text with a variable in it. */
static void render_number(const gm_field_t *field, gm_json_t *json)
{
    gm_json_key(json, "anyOf");
    gm_json_open(json, '[');
    open_alternative(json, "integer");
    gm_json_key(json, "minimum");
    gm_json_integer(json, (int64_t)field->min);
    gm_json_key(json, "maximum");
    gm_json_integer(json, (int64_t)field->max);
    gm_json_close(json, '}');
    if (field->type == GM_FIELD_AUTO) {
        gm_json_open(json, '{');
        gm_json_key(json, "const");
        gm_json_string(json, "auto");
        gm_json_close(json, '}');
    }
    render_variable(field, json);
    gm_json_close(json, ']');
}

static void render_choices(const gm_field_t *field, gm_json_t *json)
{
    gm_json_key(json, "anyOf");
    gm_json_open(json, '[');
    gm_json_open(json, '{');
    gm_json_key(json, "enum");
    gm_json_open(json, '[');
    for (const char *const *choice = field->choices; *choice != NULL; ++choice)
        gm_json_string(json, *choice);
    gm_json_close(json, ']');
    gm_json_close(json, '}');
    render_variable(field, json);
    gm_json_close(json, ']');
}

static void render_type(const gm_field_t *field, gm_json_t *json)
{
    switch (field->type) {
    case GM_FIELD_SECTION:
        render_object(field->section, json);
        return;
    case GM_FIELD_LIST:
        gm_json_key(json, "type");
        gm_json_open(json, '[');
        gm_json_string(json, "array");
        gm_json_string(json, "null");
        gm_json_close(json, ']');
        gm_json_key(json, "items");
        gm_json_open(json, '{');
        render_object(field->section, json);
        gm_json_close(json, '}');
        return;
    case GM_FIELD_CHOICE:
        render_choices(field, json);
        return;
    case GM_FIELD_PORT:
    case GM_FIELD_COUNT:
    case GM_FIELD_AUTO:
        render_number(field, json);
        return;
    default:
        gm_json_key(json, "type");
        if (field->type == GM_FIELD_SIZE) {
            gm_json_open(json, '[');
            gm_json_string(json, "string");
            gm_json_string(json, "integer");
            gm_json_close(json, ']');
        } else {
            gm_json_string(json, "string");
        }
        if (field->type == GM_FIELD_SIZE || field->type == GM_FIELD_DURATION) {
            gm_json_key(json, "pattern");
            gm_json_string(json, pattern_of(field));
        }
    }
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

static void render_object(const gm_section_t *section, gm_json_t *json)
{
    gm_json_key(json, "type");
    gm_json_open(json, '[');
    gm_json_string(json, "object");
    gm_json_string(json, "null");
    gm_json_close(json, ']');
    gm_json_key(json, "additionalProperties");
    gm_json_boolean(json, false);
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
        if (field->fallback != NULL) {
            gm_json_key(json, "default");
            gm_json_string(json, field->fallback);
        }
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
    render_object(&gm_config_section, &json);
    gm_json_close(&json, '}');
    gm_buffer_append_char(out, '\n');
}

static void render_values(const gm_field_t *field, gm_buffer_t *out)
{
    char min[32], max[32];

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
    case GM_FIELD_CHOICE:
        for (const char *const *choice = field->choices; *choice != NULL; ++choice)
            gm_buffer_printf(out, "%s%s", choice != field->choices ? ", " : "", *choice);
        return;
    default:
        gm_buffer_append_text(out, field->type == GM_FIELD_HOST   ? "host"
                                   : field->type == GM_FIELD_FILE ? "file"
                                                                  : "text");
    }
}

static void render_rows(const gm_section_t *section, const char *prefix, gm_buffer_t *out)
{
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        gm_buffer_t name = {0};
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
                gm_buffer_printf(out, " | %s | %s |\n", field->flags & GM_FIELD_REQUIRED ? "required" : "–",
                                 field->help);
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
