/* json: whether a text is JSON (RFC 8259), read by other code than the one that writes it */
#ifndef GM_FUZZ_JSON_H
#define GM_FUZZ_JSON_H

#include <stdbool.h>
#include <stddef.h>

/** @return whether it is one whole value in valid UTF-8, with nothing but blanks around it */
bool json_is_whole(const char *text, size_t length);

#endif
