/* websocket: the two fields by which client and server of a WebSocket know that they mean it (RFC 6455, 4) */
#ifndef GM_BASE_WEBSOCKET_H
#define GM_BASE_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>

#define GM_WEBSOCKET_KEY_LENGTH 24

/** Writes a new value for Sec-WebSocket-Key, and a NUL. Any thread. */
void gm_websocket_make_key(char key[GM_WEBSOCKET_KEY_LENGTH + 1]);

/** Whether this is the Sec-WebSocket-Accept of that key. Any thread. */
bool gm_websocket_is_accept(const char *key, const char *accept, size_t length);

#endif
