/*
 * The few lines of sd_notify that we need: one datagram to the socket that the service manager names. Main
 * thread.
 */
#include "server/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REST_MS 5000 /* of an end, once the time for requests is over: server/run */

void gm_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = path != NULL ? strlen(path) : 0;
    int fd;

    if (length < 2 || length >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') /* Linux's abstract names */
        address.sun_path[0] = '\0';
    if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
        return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (void *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == -1)
        (void)0; /* a manager that went away is none of our business */
    close(fd);
}

/* The manager's patience (TimeoutStopSec) may be shorter than ours. */
void gm_notify_stopping(uint64_t shutdown_timeout_ms)
{
    char state[80];

    snprintf(state, sizeof(state), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64,
             (shutdown_timeout_ms + REST_MS) * 1000);
    gm_notify(state);
}
