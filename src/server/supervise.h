/* supervise: a small parent process that holds the ports and replaces a serving process that died */
#ifndef GM_SERVER_SUPERVISE_H
#define GM_SERVER_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ports.h"

/** What a serving process knows of its supervisor. */
typedef struct gm_supervised {
    int channel;      /* owned; -1 = there is none */
    unsigned crashes; /* how many serving processes died before this one */
    bool is_next;     /* it follows another, which has printed the start lines */
} gm_supervised_t;

/** Whether there is to be a supervisor. @param mode  gm_supervise_mode_t @param get_env  getenv, or a test's
 */
bool gm_supervise_is_wanted(uint64_t mode, char *(*get_env)(const char *name));

/**
 * Makes a process that is to serve, by fork(), and another one whenever that dies. Returns in each process
 * that is to serve, and in the supervisor when all is over. Main thread, while there is no other.
 * @param ports                held by the supervisor until a serving process begins to end
 * @param shutdown_timeout_ms  for the service manager
 * @param serving              set in a process that is to serve
 * @param exit_code            set in the supervisor
 * @return whether this process is to serve
 */
GM_MUST_USE bool gm_supervise(gm_ports_t *ports, uint64_t shutdown_timeout_ms, gm_supervised_t *serving,
                              int *exit_code);

/** Clients are served from now on. Without a supervisor the service manager is told. Serving process. */
void gm_supervised_tell_ready(const gm_supervised_t *self);

/**
 * Nobody is to be let in any more; returns when the supervisor has closed its ports, so that new clients are
 * refused. Without a supervisor the service manager is told. Serving process.
 */
void gm_supervised_tell_ending(const gm_supervised_t *self, uint64_t shutdown_timeout_ms);

/** How long to wait before another process is started. Pure. */
typedef struct gm_back_off {
    uint64_t next_ms; /* 0 = none has died yet */
} gm_back_off_t;

/**
 * At once for the first, and for whoever has served for a while; for others after 100 ms, and twice as long
 * each time, up to 10 s.
 */
uint64_t gm_back_off_take_ms(gm_back_off_t *self, uint64_t lived_ms);

#endif
