/* sha256: the SHA-256 of bytes in memory, as text */
#ifndef GM_BASE_SHA256_H
#define GM_BASE_SHA256_H

#include <stddef.h>

/** Writes 64 lower-case hex digits and a NUL. `bytes` may be NULL if `length` is 0. Any thread. */
void gm_sha256_hex(const void *bytes, size_t length, char out[65]);

#endif
