/*
 * Collects the errors and warnings of one configuration file and shows them as a good compiler does: place,
 * sentence, the line, a caret. Filled while a configuration is loaded, printed by the command line. One
 * thread.
 */
#include "config/diagnostics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"

/* More than these help nobody; the count at the end is still right. */
#define MAX_SHOWN 100
#define MAX_LINE_SHOWN 160

static const char *const severity_names[] = {"error", "warning"};

void gm_diagnostics_set_source(gm_diagnostics_t *self, const char *file, const char *source, size_t length)
{
    free(self->file);
    free(self->source);
    self->file = gm_strdup(file);
    self->source = source != NULL ? gm_strndup(source, length) : NULL;
}

/* A mistake below an anchor is seen again with each alias. */
static bool is_known(const gm_diagnostics_t *self, const gm_place_t *place, const char *text)
{
    for (size_t i = 0; place != NULL && i != self->items.size; ++i)
        if (self->items.items[i].place.line == place->line &&
            self->items.items[i].place.column == place->column &&
            strcmp(self->items.items[i].text, text) == 0)
            return true;
    return false;
}

void gm_diagnostics_add(gm_diagnostics_t *self, gm_severity_t severity, const gm_place_t *place,
                        const char *format, ...)
{
    gm_buffer_t text = {0};
    gm_diagnostic_t *item;
    bool keep =
        self->items.size != 10 * MAX_SHOWN; /* a hostile file must not fill the memory with complaints */
    va_list args;

    if (keep) {
        va_start(args, format);
        gm_buffer_vprintf(&text, format, args);
        va_end(args);
        if (is_known(self, place, text.text)) {
            gm_buffer_dispose(&text);
            return;
        }
    }
    ++*(severity == GM_SEVERITY_ERROR ? &self->errors : &self->warnings);
    if (!keep)
        return;
    item = gm_vector_push(&self->items);
    item->severity = severity;
    if (place != NULL)
        item->place = *place;
    item->place.file = self->file;
    item->text = gm_buffer_detach(&text);
    item->order = self->items.size;
}

static int compare(const void *a, const void *b)
{
    const gm_diagnostic_t *x = a, *y = b;

    if (x->place.line != y->place.line)
        return x->place.line < y->place.line ? -1 : 1;
    if (x->place.column != y->place.column)
        return x->place.column < y->place.column ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void sort(gm_diagnostics_t *self)
{
    if (self->items.size != 0)
        qsort(self->items.items, self->items.size, sizeof(self->items.items[0]), compare);
}

/* Bytes of what ends a line for YAML 1.1, by which places are counted; 0 = none is here. */
static size_t line_end(const char *at)
{
    if (at[0] == '\r')
        return at[1] == '\n' ? 2 : 1;
    if (strncmp(at, "\xc2\x85", 2) == 0) /* NEL */
        return 2;
    if (strncmp(at, "\xe2\x80\xa8", 3) == 0 || strncmp(at, "\xe2\x80\xa9", 3) == 0) /* LS, PS */
        return 3;
    return at[0] == '\n' ? 1 : 0;
}

static const char *find_line(const char *source, int line, size_t *length)
{
    const char *at = source, *end;

    while (--line > 0) {
        while (*at != '\0' && line_end(at) == 0)
            ++at;
        if (*at == '\0')
            return NULL;
        at += line_end(at);
    }
    for (end = at; *end != '\0' && line_end(end) == 0; ++end)
        ;
    *length = (size_t)(end - at);
    return at;
}

/* Bytes of the UTF-8 character that begins here; 0 = none does. */
static size_t character_bytes(const char *text, size_t length)
{
    unsigned char c = (unsigned char)text[0];
    size_t bytes = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;

    if (bytes > length || c > 0xf4)
        return 0;
    for (size_t i = 1; i < bytes; ++i)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    return bytes;
}

/* Control characters of a hostile file must not reach the terminal: C0, DEL, and C1 in UTF-8. */
static void print_visible(gm_buffer_t *out, const char *text, size_t length)
{
    for (size_t i = 0, bytes; i < length; i += bytes != 0 ? bytes : 1) {
        unsigned char c = (unsigned char)text[i];
        bytes = character_bytes(text + i, length - i);
        if (bytes == 0)
            gm_buffer_append_char(out, '?'); /* also half a character, where a long text was cut */
        else if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0))
            gm_buffer_append_char(out, ' ');
        else
            gm_buffer_append(out, text + i, bytes);
    }
}

static void print_source_line(const gm_diagnostics_t *self, const gm_diagnostic_t *item, gm_buffer_t *out)
{
    size_t length = 0, bytes = 0;
    const char *line;

    if (self->source == NULL || item->place.line == 0 ||
        (line = find_line(self->source, item->place.line, &length)) == NULL || length > MAX_LINE_SHOWN)
        return;
    gm_buffer_append_text(out, "    ");
    print_visible(out, line, length);
    gm_buffer_append_text(out, "\n    ");
    /* columns count characters, so UTF-8 continuation bytes take no place of their own */
    for (int column = 1; column < item->place.column && bytes < length; ++column) {
        gm_buffer_append_char(out, ' ');
        for (++bytes; bytes < length && ((unsigned char)line[bytes] & 0xc0) == 0x80; ++bytes)
            ;
    }
    gm_buffer_append_text(out, "^\n");
}

static void print_count(gm_buffer_t *out, size_t count, const char *noun)
{
    gm_buffer_printf(out, "%zu %s%s", count, noun, count == 1 ? "" : "s");
}

void gm_diagnostics_print(gm_diagnostics_t *self, gm_buffer_t *out)
{
    sort(self);
    for (size_t i = 0; i != self->items.size && i != MAX_SHOWN; ++i) {
        const gm_diagnostic_t *item = &self->items.items[i];
        gm_buffer_append_text(out, self->file != NULL ? self->file : "configuration");
        if (item->place.line != 0)
            gm_buffer_printf(out, ":%d:%d", item->place.line, item->place.column);
        gm_buffer_printf(out, ": %s: ", severity_names[item->severity]);
        print_visible(out, item->text, strlen(item->text));
        gm_buffer_append_char(out, '\n');
        print_source_line(self, item, out);
    }
    if (self->errors == 0)
        return;
    print_count(out, self->errors, "error");
    if (self->warnings != 0) {
        gm_buffer_append_text(out, " and ");
        print_count(out, self->warnings, "warning");
    }
    gm_buffer_printf(out, " in %s", self->file != NULL ? self->file : "the configuration");
    if (self->errors + self->warnings > MAX_SHOWN)
        gm_buffer_printf(out, "; the first %d are shown", MAX_SHOWN);
    gm_buffer_append_char(out, '\n');
}

void gm_diagnostics_print_json(gm_diagnostics_t *self, gm_buffer_t *out)
{
    gm_json_t json = {.out = out};

    sort(self);
    gm_json_open(&json, '{');
    gm_json_key(&json, "file");
    gm_json_string(&json, self->file);
    gm_json_key(&json, "valid");
    gm_json_boolean(&json, self->errors == 0);
    gm_json_key(&json, "errors");
    gm_json_open(&json, '[');
    for (size_t i = 0; i != self->items.size; ++i) {
        const gm_diagnostic_t *item = &self->items.items[i];
        gm_json_open(&json, '{');
        gm_json_key(&json, "severity");
        gm_json_string(&json, severity_names[item->severity]);
        gm_json_key(&json, "file");
        gm_json_string(&json, item->place.file);
        gm_json_key(&json, "line");
        gm_json_integer(&json, item->place.line);
        gm_json_key(&json, "column");
        gm_json_integer(&json, item->place.column);
        gm_json_key(&json, "message");
        gm_json_string(&json, item->text);
        gm_json_close(&json, '}');
    }
    gm_json_close(&json, ']');
    gm_json_close(&json, '}');
    gm_buffer_append_char(out, '\n');
}

void gm_diagnostics_dispose(gm_diagnostics_t *self)
{
    for (size_t i = 0; i != self->items.size; ++i)
        free(self->items.items[i].text);
    gm_vector_dispose(&self->items);
    free(self->file);
    free(self->source);
    *self = (gm_diagnostics_t){0};
}
