/*
 * Values with facts in them, "%{remote_addr}". Not "${…}": that is an environment variable, which
 * config/expand puts in when the file is read. Pure; parsed at load, put together by proxy/policy_headers for
 * each request.
 */
#include "proxy/field_value.h"

#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

typedef struct piece {
    bool is_fact;
    gm_fact_t fact;
    size_t start, length; /* in the text, if it is none */
} piece_t;

struct gm_field_value {
    char *text; /* owned */
    size_t count;
    piece_t pieces[GM_FIELD_VALUE_MAX_PIECES];
};

static const char *const fact_names[] = {
#define FACT_TEXT(name, text) text,
    GM_FACTS(FACT_TEXT)
#undef FACT_TEXT
};

static bool is_control(unsigned char c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

static bool has_control(const char *text, size_t length)
{
    for (size_t i = 0; i != length; ++i)
        if (is_control((unsigned char)text[i]))
            return true;
    return false;
}

static int find_fact(const char *name, size_t length, gm_fact_t *fact, gm_error_t *err)
{
    char *copy = gm_strndup(name, length < 64 ? length : 64);
    gm_suggestion_t suggestion = {.wanted = copy};
    size_t i = 0;

    while (i != GM_FACT_COUNT &&
           (strlen(fact_names[i]) != length || memcmp(fact_names[i], name, length) != 0))
        gm_suggestion_offer(&suggestion, fact_names[i++]);
    *fact = (gm_fact_t)i;
    if (i == GM_FACT_COUNT && suggestion.best != NULL)
        gm_error_set(err, NULL, "\"%%{%s}\" is not known; did you mean \"%%{%s}\"?", copy, suggestion.best);
    else if (i == GM_FACT_COUNT)
        gm_error_set(
            err, NULL,
            "\"%%{%s}\" is not known; there are remote_addr, host, method, path, scheme, route, cluster "
            "and trace_id",
            copy);
    free(copy);
    return i == GM_FACT_COUNT ? -1 : 0;
}

static piece_t *add_piece(gm_field_value_t *self, gm_error_t *err)
{
    if (self->count == GM_FIELD_VALUE_MAX_PIECES) {
        gm_error_set(err, NULL, "more than %d pieces", GM_FIELD_VALUE_MAX_PIECES);
        return NULL;
    }
    return &self->pieces[self->count++];
}

static int add_text(gm_field_value_t *self, size_t start, size_t end, gm_error_t *err)
{
    piece_t *piece;

    if (start == end)
        return 0;
    if ((piece = add_piece(self, err)) == NULL)
        return -1;
    piece->start = start;
    piece->length = end - start;
    return 0;
}

static int parse(gm_field_value_t *self, gm_error_t *err)
{
    size_t start = 0, at;

    for (const char *mark = self->text; (mark = strstr(mark, "%{")) != NULL;) {
        const char *end;
        piece_t *piece;
        at = (size_t)(mark - self->text);
        if (at > start && mark[-1] == '%') { /* "%%{": the second begins the text that goes on */
            if (add_text(self, start, at - 1, err) != 0)
                return -1;
            start = at;
            mark += 2;
            continue;
        }
        if (add_text(self, start, at, err) != 0)
            return -1;
        if ((end = strchr(mark, '}')) == NULL)
            return gm_error_set(err, NULL,
                                "\"%%{\" without \"}\"; write %%%%{ for the two characters themselves");
        if ((piece = add_piece(self, err)) == NULL)
            return -1;
        piece->is_fact = true;
        if (find_fact(mark + 2, (size_t)(end - mark) - 2, &piece->fact, err) != 0)
            return -1;
        mark = end + 1;
        start = (size_t)(mark - self->text);
    }
    return add_text(self, start, strlen(self->text), err);
}

gm_field_value_t *gm_field_value_create(const char *text, gm_error_t *err)
{
    gm_field_value_t *self;
    size_t length = strlen(text);

    if (has_control(text, length)) {
        gm_error_set(err, NULL, "a header field cannot hold line breaks or other control bytes");
        return NULL;
    }
    if (length != 0 && (strchr(" \t", text[0]) != NULL || strchr(" \t", text[length - 1]) != NULL)) {
        gm_error_set(err, NULL, "begins or ends with a blank, which is not part of a header field");
        return NULL;
    }
    if (length > GM_FIELD_VALUE_MAX_BYTES) {
        gm_error_set(err, NULL, "is longer than %d bytes", GM_FIELD_VALUE_MAX_BYTES);
        return NULL;
    }
    self = gm_alloc(sizeof(*self));
    self->text = gm_strdup(text);
    if (parse(self, err) == 0)
        return self;
    gm_field_value_destroy(self);
    return NULL;
}

void gm_field_value_destroy(gm_field_value_t *self)
{
    if (self == NULL)
        return;
    free(self->text);
    free(self);
}

int gm_field_value_gather(const gm_field_value_t *self, gm_fact_finder_t find, void *data,
                          gm_field_pieces_t *pieces, gm_error_t *err)
{
    pieces->count = self->count;
    pieces->length = 0;
    for (size_t i = 0; i != self->count; ++i) {
        const piece_t *piece = &self->pieces[i];
        gm_span_t *item = &pieces->items[i];
        *item =
            piece->is_fact ? find(data, piece->fact) : (gm_span_t){self->text + piece->start, piece->length};
        if (piece->is_fact && has_control(item->base, item->length))
            return gm_error_set(err, NULL, "%%{%s} of this request has control bytes",
                                fact_names[piece->fact]);
        pieces->length += item->length;
        if (pieces->length > GM_FIELD_VALUE_MAX_BYTES)
            return gm_error_set(err, NULL, "a value would be longer than %d bytes", GM_FIELD_VALUE_MAX_BYTES);
    }
    return 0;
}
