/* backend: the test backend, an origin whose answers are easy to check */
#ifndef GM_BACKEND_BACKEND_H
#define GM_BACKEND_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include <h2o.h>

typedef struct gm_backend_options {
    /** Prints one line, without its line end, such as "[BACKEND] Received: GET /api/users". Called from the
       thread of the request's loop. NULL = silent. */
    void (*say)(void *data, const char *line);
    void *data;               /* borrowed, for `say` */
    uint32_t answer_delay_ms; /* pause before the plain answer */
} gm_backend_options_t;

/**
 * Puts the backend's one handler on a pathconf that covers "/". Main thread, before any context exists; the
 * handler then serves on every thread whose context uses the pathconf, and goes with the globalconf.
 * The process must ignore SIGPIPE, as every user of the library must.
 * @param options  copied
 */
void gm_backend_register(h2o_pathconf_t *pathconf, const gm_backend_options_t *options);

/** The pages for a help text, one line each ("/health: OK, at once"); NULL past the last. Static text. */
const char *gm_backend_help(size_t index);

#endif
