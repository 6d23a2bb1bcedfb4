/* counters: what the origin has served so far, shared with the probe through a mapped file */
#ifndef BENCH_COUNTERS_H
#define BENCH_COUNTERS_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* One writer, and readers in other processes: aligned 64-bit values, read and written whole on the machines
 * we measure on. The order is known to peers.py and loads.py. */
typedef struct {
    uint64_t requests;
    uint64_t bytes_out;
    uint64_t bytes_in;
} counters_t;

/** Makes the file and maps it for its one writer: volatile, because the readers are elsewhere. NULL: see
 * errno */
static inline volatile counters_t *counters_create(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    void *map = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, sizeof(counters_t)) == 0)
        map = mmap(NULL, sizeof(counters_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    return map == MAP_FAILED ? NULL : map;
}

#endif
