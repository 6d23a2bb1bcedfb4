/* notify: tells systemd how we are */
#ifndef GM_SERVER_NOTIFY_H
#define GM_SERVER_NOTIFY_H

#include <stdint.h>

/** Sends "READY=1" or "STOPPING=1" to $NOTIFY_SOCKET; nothing happens without one. See sd_notify(3). */
void gm_notify(const char *state);

/** Says that we are ending, and for how long that may take: the manager's patience may be shorter. */
void gm_notify_stopping(uint64_t shutdown_timeout_ms);

#endif
