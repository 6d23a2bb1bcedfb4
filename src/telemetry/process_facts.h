/* process_facts: what the kernel says about this process */
#ifndef GM_TELEMETRY_PROCESS_FACTS_H
#define GM_TELEMETRY_PROCESS_FACTS_H

#include <stdint.h>

#define GM_PROCESS_UNKNOWN UINT64_MAX

/** Each may be GM_PROCESS_UNKNOWN, where /proc is not there for us. */
typedef struct gm_process_facts {
    uint64_t cpu_ns; /* user and system */
    uint64_t resident_bytes, virtual_bytes;
    uint64_t open_fds, max_fds; /* the latter unknown = no limit */
} gm_process_facts_t;

/** Waits for no disk. Any thread. */
void gm_process_facts_read(gm_process_facts_t *self);

/** Nanoseconds since 1970, in hundredths of a second. Asked once and kept, as clocks drift. Any thread. */
uint64_t gm_process_start_time(void);

#endif
