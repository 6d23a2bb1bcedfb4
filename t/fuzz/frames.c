/*
 * Frames as the fuzz targets of connections say and read them: as little as can be known without the state of
 * a connection. Called by connection.c.
 */
#include "frames.h"

#include <string.h>

enum { DATA, HEADERS, PRIORITY, PUSH_PROMISE = 5, LAST = 9 };

void frames_write_head(uint8_t head[FRAMES_HEAD], uint8_t type, uint8_t flags, uint8_t stream, size_t length)
{
    memset(head, 0, FRAMES_HEAD);
    head[0] = (uint8_t)(length >> 16);
    head[1] = (uint8_t)(length >> 8);
    head[2] = (uint8_t)length;
    head[3] = type;
    head[4] = flags;
    head[8] = stream;
}

frames_found_t frames_check(const char *text, size_t size)
{
    frames_found_t found = {0};
    uint32_t stream, last = 0;

    for (size_t at = 0, length; size - at >= FRAMES_HEAD; at += FRAMES_HEAD + length) {
        const uint8_t *head = (const uint8_t *)text + at;
        length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        stream = (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];
        found.at = at;
        if (length > FRAMES_MAX || head[3] > LAST || head[3] == PRIORITY || head[3] == PUSH_PROMISE)
            found.fault = "what is no frame of its peer";
        if (head[3] == HEADERS && stream > last) {
            last = stream;
            ++found.count;
        }
        if (head[3] <= HEADERS && (stream % 2 == 0 || stream > last))
            found.fault = "a frame of no stream";
        /* a clean end within a frame is what TCP's reset cannot tell from here */
        if (found.fault != NULL || size - at - FRAMES_HEAD < length)
            break;
    }
    return found;
}
