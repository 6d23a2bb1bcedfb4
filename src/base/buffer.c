/*
 * A string builder for messages, dumps and pages: everything that is made once and then written. Any thread;
 * the buffer is the caller's.
 */
#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define MAX_SPARE_BYTES 4096

char *gm_buffer_reserve(gm_buffer_t *self, size_t more)
{
    size_t needed = self->length + more + 1;

    if (needed > self->capacity) {
        self->capacity = needed < 2 * self->capacity ? 2 * self->capacity : needed + 64;
        self->text = gm_realloc(self->text, self->capacity);
    }
    return self->text + self->length;
}

void gm_buffer_append(gm_buffer_t *self, const char *text, size_t length)
{
    gm_buffer_reserve(self, length);
    if (length != 0)
        memcpy(self->text + self->length, text, length);
    self->length += length;
    self->text[self->length] = '\0';
}

void gm_buffer_append_text(gm_buffer_t *self, const char *text)
{
    gm_buffer_append(self, text, strlen(text));
}

void gm_buffer_append_char(gm_buffer_t *self, char c)
{
    gm_buffer_append(self, &c, 1);
}

void gm_buffer_printf(gm_buffer_t *self, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    gm_buffer_vprintf(self, format, args);
    va_end(args);
}

void gm_buffer_vprintf(gm_buffer_t *self, const char *format, va_list args)
{
    va_list again;
    int length;

    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    if (length > 0) {
        gm_buffer_reserve(self, (size_t)length);
        vsnprintf(self->text + self->length, (size_t)length + 1, format, again);
        self->length += (size_t)length;
    }
    va_end(again);
}

char *gm_buffer_detach(gm_buffer_t *self)
{
    char *text = self->text != NULL ? self->text : gm_strdup("");

    *self = (gm_buffer_t){0};
    return text;
}

void gm_buffer_dispose(gm_buffer_t *self)
{
    free(self->text);
    *self = (gm_buffer_t){0};
}

void gm_buffer_spare(gm_buffer_t *self, gm_buffer_t *spare)
{
    if (spare->text == NULL && self->capacity <= MAX_SPARE_BYTES) {
        *spare = *self;
        spare->length = 0;
        *self = (gm_buffer_t){0};
    } else {
        gm_buffer_dispose(self);
    }
}
