/*
 * For everything that must be UTF-8 though what it is made of may be anything: JSON, metrics. Any thread.
 */
#include "base/utf8.h"

size_t gm_utf8_measure(const char *text, size_t length, bool *is_valid)
{
    const unsigned char *bytes = (const unsigned char *)text;
    unsigned char lead = bytes[0], low = 0x80, high = 0xbf;
    size_t needed = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    *is_valid = false;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4)
        return 1;
    if (lead == 0xe0)
        low = 0xa0; /* shorter forms exist */
    else if (lead == 0xed)
        high = 0x9f; /* surrogates */
    else if (lead == 0xf0)
        low = 0x90; /* shorter forms exist */
    else if (lead == 0xf4)
        high = 0x8f; /* above U+10FFFF */
    for (size_t i = 1; i < needed; ++i) {
        if (i == length || bytes[i] < low || bytes[i] > high)
            return i;
        low = 0x80;
        high = 0xbf;
    }
    *is_valid = true;
    return needed;
}
