/*
 * The effective configuration as JSON: the same walk over the option rows as the dump. Numbers are numbers;
 * durations and sizes stay as people write them. Any thread: a configuration in use does not change.
 */
#include "config/render.h"

#include <stdlib.h>
#include <string.h>

#include "config/render_value.h"
#include "config/schema.h"

static bool is_number(const gm_field_t *field, const char *text)
{
    return ((field->type >= GM_FIELD_PORT && field->type <= GM_FIELD_AUTO) || field->type == GM_FIELD_SIZE) &&
           text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static void render_scalar(const gm_field_t *field, const void *of, gm_json_t *json)
{
    gm_buffer_t text = {0};

    if ((field->flags & GM_FIELD_SECRET) != 0)
        gm_buffer_append_text(&text, GM_RENDER_HIDDEN);
    else
        gm_render_value(field, of, &text);
    if (text.text == NULL)
        gm_json_string(json, "");
    else if (is_number(field, text.text))
        gm_json_integer(json, strtoll(text.text, NULL, 10));
    else if (field->type == GM_FIELD_BOOLEAN)
        gm_json_boolean(json, strcmp(text.text, "true") == 0);
    else
        gm_json_string(json, text.text);
    gm_buffer_dispose(&text);
}

static void render_texts(const gm_texts_t *list, gm_json_t *json)
{
    gm_json_open(json, '[');
    for (size_t i = 0; i != list->size; ++i)
        gm_json_string(json, list->items[i]);
    gm_json_close(json, ']');
}

static void render_section(const gm_section_t *section, const void *of, gm_json_t *json)
{
    gm_json_open(json, '{');
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        const void *value = (const char *)of + field->offset;
        if (gm_render_is_unset(field, of))
            continue;
        gm_json_key(json, field->name);
        if (field->type == GM_FIELD_SECTION) {
            render_section(field->section, value, json);
        } else if (field->type == GM_FIELD_LIST) {
            const GM_VECTOR(void *) *list = value;
            gm_json_open(json, '[');
            for (size_t i = 0; i != list->size; ++i)
                render_section(field->section, list->items[i], json);
            gm_json_close(json, ']');
        } else if (field->type == GM_FIELD_TEXTS) {
            render_texts(value, json);
        } else {
            render_scalar(field, of, json);
        }
    }
    gm_json_close(json, '}');
}

void gm_render_json(const gm_config_t *config, gm_json_t *json)
{
    render_section(&gm_config_section, config, json);
}
