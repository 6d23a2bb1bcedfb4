/* buffer: text that grows */
#ifndef GM_BASE_BUFFER_H
#define GM_BASE_BUFFER_H

#include <stdarg.h>
#include <stddef.h>

/** All zero is an empty buffer. `text` is always NUL-terminated once something was appended, NULL before. */
typedef struct gm_buffer {
    char *text; /* owned */
    size_t length, capacity;
} gm_buffer_t;

/** Makes room for so many bytes behind the text. @return where they go; whoever writes them adds to `length`
 */
char *gm_buffer_reserve(gm_buffer_t *self, size_t more);

void gm_buffer_append(gm_buffer_t *self, const char *text, size_t length);
void gm_buffer_append_text(gm_buffer_t *self, const char *text);
void gm_buffer_append_char(gm_buffer_t *self, char c);
void gm_buffer_printf(gm_buffer_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
void gm_buffer_vprintf(gm_buffer_t *self, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/** Gives the text away (free() it) and leaves an empty buffer; never NULL. */
char *gm_buffer_detach(gm_buffer_t *self);
void gm_buffer_dispose(gm_buffer_t *self);

/** Empties it for good, but `spare` gets its memory if it has none and that is little: for the next text. */
void gm_buffer_spare(gm_buffer_t *self, gm_buffer_t *spare);

#endif
