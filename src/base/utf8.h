/* utf8: where characters begin and end */
#ifndef GM_BASE_UTF8_H
#define GM_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#define GM_UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/**
 * Length of the UTF-8 sequence at the start of the bytes, *is_valid telling whether it is one. Of a broken
 * one, the part that could have begun a character counts as a whole (Unicode 15, 3.9, "maximal subpart"), as
 * in browsers.
 * @param length  1 or more
 */
size_t gm_utf8_measure(const char *bytes, size_t length, bool *is_valid);

#endif
