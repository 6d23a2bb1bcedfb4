/*
 * `gomesh --dump`: walks the option rows over a configuration. Called by the command line.
 */
#include "config/render.h"

#include <string.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "config/render_value.h"
#include "config/schema.h"

static const void *at(const void *base, ptrdiff_t offset)
{
    return (const char *)base + offset;
}

/* @return the code point at `at` and how many bytes it has; the text is UTF-8 */
static unsigned decode(const unsigned char *at, size_t *bytes)
{
    *bytes = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (*bytes == 2)
        return (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
    if (*bytes == 3)
        return (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    return *bytes == 1 ? at[0] : 0x10000; /* all of four bytes are printable */
}

/* What JSON lets stand and YAML does not, or takes for the end of a line (YAML 1.1, 5.1 and 5.4). */
static bool must_be_escaped(unsigned point)
{
    return (point >= 0x7f && point < 0xa0) || point == 0x2028 || point == 0x2029 || point == 0xfeff ||
           (point >= 0xfffe && point <= 0xffff);
}

/* JSON strings are YAML strings, but for a few characters; "${" must survive the next loading. */
static void render_text(const char *text, gm_buffer_t *out)
{
    gm_buffer_t escaped = {0}, quoted = {0};
    gm_json_t json = {.out = &quoted};
    size_t bytes;

    for (const char *found; (found = strstr(text, "${")) != NULL; text = found + 2) {
        gm_buffer_append(&escaped, text, (size_t)(found - text));
        gm_buffer_append_text(&escaped, "$${");
    }
    gm_buffer_append_text(&escaped, text);
    gm_json_string(&json, escaped.text);
    for (size_t i = 0; i < quoted.length; i += bytes) {
        unsigned point = decode((const unsigned char *)quoted.text + i, &bytes);
        if (must_be_escaped(point))
            gm_buffer_printf(out, "\\u%04x", point);
        else
            gm_buffer_append(out, quoted.text + i, bytes);
    }
    gm_buffer_dispose(&escaped);
    gm_buffer_dispose(&quoted);
}

static bool needs_quotes(const gm_field_t *field)
{
    /* "1.2" would be a number to other YAML readers */
    return field->type == GM_FIELD_TEXT || field->type == GM_FIELD_FILE || field->type == GM_FIELD_HOST ||
           field->type == GM_FIELD_CHOICE;
}

/* The dump may be saved anywhere, and relative names start at the file's own folder. */
static void make_absolute(gm_buffer_t *name)
{
    gm_buffer_t absolute = {0};
    char folder[4096];

    if (name->length == 0 || name->text[0] == '/' || getcwd(folder, sizeof(folder)) == NULL)
        return;
    gm_buffer_printf(&absolute, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name->text);
    gm_buffer_dispose(name);
    *name = absolute;
}

void gm_render_value(const gm_field_t *field, const void *of, gm_buffer_t *out)
{
    gm_field_format(field, of, out);
    if (field->type == GM_FIELD_FILE && !gm_field_is_standard(field, out->length != 0 ? out->text : ""))
        make_absolute(out);
}

static void render_scalar(const gm_field_t *field, const void *of, bool hides_secrets, gm_buffer_t *out)
{
    gm_buffer_t text = {0};

    if (hides_secrets && (field->flags & GM_FIELD_SECRET) != 0)
        gm_buffer_append_text(&text, GM_RENDER_HIDDEN);
    else
        gm_render_value(field, of, &text);
    if (needs_quotes(field))
        render_text(text.text, out);
    else
        gm_buffer_append_text(out, text.text);
    gm_buffer_append_char(out, '\n');
    gm_buffer_dispose(&text);
}

/* "[]" too: that nobody is on the list is worth knowing. */
static void render_texts(const gm_texts_t *list, gm_buffer_t *out)
{
    gm_buffer_append_char(out, '[');
    for (size_t i = 0; i != list->size; ++i) {
        gm_buffer_append_text(out, i != 0 ? ", " : "");
        render_text(list->items[i], out);
    }
    gm_buffer_append_text(out, "]\n");
}

bool gm_render_is_unset(const gm_field_t *field, const void *of)
{
    const void *value = at(of, (ptrdiff_t)field->offset);
    const gm_section_t *section = field->section;

    switch (field->type) {
    case GM_FIELD_TEXT:
    case GM_FIELD_FILE:
    case GM_FIELD_HOST:
        return *(const char *const *)value == NULL;
    case GM_FIELD_LIST:
        return ((const GM_VECTOR(void *) *)value)->size == 0;
    case GM_FIELD_SECTION:
        if (section->present_offset >= 0)
            return !*(const bool *)at(value, section->present_offset);
        for (const gm_field_t *row = section->fields; row->name != NULL; ++row)
            if (!gm_render_is_unset(row, value))
                return false;
        return true;
    case GM_FIELD_PORT: /* of a socket */
        return *(const uint64_t *)value == 0;
    case GM_FIELD_LISTEN:
        return true;
    default:
        return false;
    }
}

/* `dash` stands in front of the first line of a list item. */
static void render_section(const gm_section_t *section, const void *of, int depth, bool dash,
                           bool hides_secrets, gm_buffer_t *out)
{
    for (const gm_field_t *field = section->fields; field->name != NULL; ++field) {
        const void *value = at(of, (ptrdiff_t)field->offset);
        if (gm_render_is_unset(field, of))
            continue;
        gm_buffer_printf(out, "%*s%s%s:", 2 * depth - (dash ? 2 : 0), "", dash ? "- " : "", field->name);
        dash = false;
        if (field->type == GM_FIELD_SECTION) {
            gm_buffer_append_char(out, '\n');
            render_section(field->section, value, depth + 1, false, hides_secrets, out);
        } else if (field->type == GM_FIELD_LIST) {
            const GM_VECTOR(void *) *list = value;
            gm_buffer_append_char(out, '\n');
            for (size_t i = 0; i != list->size; ++i)
                render_section(field->section, list->items[i], depth + 2, true, hides_secrets, out);
        } else if (field->type == GM_FIELD_TEXTS) {
            gm_buffer_append_char(out, ' ');
            render_texts(value, out);
        } else {
            gm_buffer_append_char(out, ' ');
            render_scalar(field, of, hides_secrets, out);
        }
    }
}

void gm_render_yaml(const gm_config_t *config, bool hides_secrets, gm_buffer_t *out)
{
    render_section(&gm_config_section, config, 0, false, hides_secrets, out);
}
