/* serve: the commands that serve, from the first line they print to the last */
#ifndef GM_SERVER_SERVE_H
#define GM_SERVER_SERVE_H

#include "config/snapshot.h"

typedef struct gm_serve_options {
    const char *file;       /* of the configuration, for messages; NULL = none */
    bool from_command_line; /* without a file: the command line said what the configuration says otherwise */
    bool production;        /* the log is JSON, whatever the configuration says */
} gm_serve_options_t;

/**
 * The proxy, with a supervisor if the configuration wants one. Starts the log, prints the start lines, serves
 * until a signal ends it.
 * @return the exit code: 0, or 1 with the reason on stderr
 */
int gm_serve_proxy(gm_snapshot_t *snapshot, const gm_serve_options_t *options);

/** The test backend. @param host "" = all addresses */
int gm_serve_backend(const char *host, uint16_t port);

/** Backend and proxy in one process, for the first minute. The snapshot says where both are. */
int gm_serve_demo(gm_snapshot_t *snapshot, const char *file, bool from_command_line);

/** A line of `gomesh backend`'s help on the pages there are; NULL past the last. */
const char *gm_serve_backend_page(size_t index);

/** "GoMesh 0.1.0 (libh2o 2.2.5, …)". `out` holds 256 bytes or more. */
const char *gm_serve_version(char *out, size_t out_bytes);

#endif
