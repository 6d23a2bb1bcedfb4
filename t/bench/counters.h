/* counters: what the origin has served so far, shared with the probe through a mapped file */
#ifndef BENCH_COUNTERS_H
#define BENCH_COUNTERS_H

#include <stdint.h>

/* One writer, and readers in other processes: aligned 64-bit values, read and written whole on the machines
 * we measure on. The order is known to peers.py and loads.py. */
typedef struct {
    uint64_t requests;
    uint64_t bytes_out;
    uint64_t bytes_in;
} counters_t;

#endif
