/* write: text into memory that was measured before, for what is made once per request */
#ifndef GM_BASE_WRITE_H
#define GM_BASE_WRITE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Each of these returns where the next piece goes; none writes a zero at the end. */
static inline char *gm_write(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}

#define GM_WRITE_LITERAL(at, text) gm_write(at, text, sizeof(text) - 1)

/** Up to 20 digits. */
char *gm_write_number(char *at, uint64_t value);

/** Exactly six, zeros in front. @param value  below a million */
char *gm_write_six_digits(char *at, uint32_t value);

/** Two digits per byte, lower case. */
char *gm_write_hex(char *at, const uint8_t *bytes, size_t length);

#endif
