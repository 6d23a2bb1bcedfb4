/* notify: tells systemd how we are */
#ifndef GM_SERVER_NOTIFY_H
#define GM_SERVER_NOTIFY_H

/** Sends "READY=1" or "STOPPING=1" to $NOTIFY_SOCKET; nothing happens without one. See sd_notify(3). */
void gm_notify(const char *state);

#endif
