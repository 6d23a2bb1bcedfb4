/* local_socket: a listening unix socket in the file system */
#ifndef GM_SERVER_LOCAL_SOCKET_H
#define GM_SERVER_LOCAL_SOCKET_H

#include <sys/types.h>

#include "base/error.h"
#include "base/memory.h"

typedef struct gm_local_socket {
    char *path; /* owned; NULL = none */
    dev_t device;
    ino_t inode; /* whether the file is still ours */
} gm_local_socket_t;

/**
 * Makes a socket that only the user of this process may connect to (mode 0600). What a process left behind
 * that is gone is removed first; nothing else is. Main thread.
 * @param self  zeroed
 * @return the descriptor, non-blocking, the caller's; or -1 with *err filled
 */
GM_MUST_USE int gm_local_socket_open(gm_local_socket_t *self, const char *path, gm_error_t *err);

/** Removes the file, unless another has taken its place. Not the descriptor. Zeroed is fine. */
void gm_local_socket_dispose(gm_local_socket_t *self);

#endif
