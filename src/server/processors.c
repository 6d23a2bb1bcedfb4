/*
 * Counts processors as a container sees them: a quota of half a processor on a machine with 64 is one worker,
 * not 64. Called once at start.
 */
#include "server/processors.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static unsigned round_up(long quota, long period)
{
    return quota <= 0 || period <= 0 ? UINT_MAX : (unsigned)((quota + period - 1) / period);
}

static int read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    int ok = file != NULL && fgets(line, size, file) != NULL;

    if (file != NULL)
        fclose(file);
    return ok;
}

/* cgroup v2: "max 100000" or "50000 100000", in our own group and those above it. */
static unsigned quota_v2(void)
{
    char line[512], path[640], group[512] = "";
    FILE *file = fopen("/proc/self/cgroup", "re");
    unsigned smallest = UINT_MAX;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "0::", 3) == 0)
            snprintf(group, sizeof(group), "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
    if (file != NULL)
        fclose(file);
    for (;;) {
        char *slash;
        long quota, period;
        snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", strcmp(group, "/") == 0 ? "" : group);
        if (read_line(path, line, sizeof(line)) && sscanf(line, "%ld %ld", &quota, &period) == 2 &&
            round_up(quota, period) < smallest)
            smallest = round_up(quota, period);
        if ((slash = strrchr(group, '/')) == NULL)
            return smallest;
        *slash = '\0';
    }
}

static unsigned quota_v1(void)
{
    char line[64];
    long quota = -1, period = -1;

    if (read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", line, sizeof(line)))
        sscanf(line, "%ld", &quota);
    if (read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", line, sizeof(line)))
        sscanf(line, "%ld", &period);
    return round_up(quota, period);
}

unsigned gm_processors_allowed(void)
{
    cpu_set_t set;
    unsigned allowed = 1, v1 = quota_v1(), v2 = quota_v2();

    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        allowed = (unsigned)CPU_COUNT(&set);
    if (v1 < allowed)
        allowed = v1;
    if (v2 < allowed)
        allowed = v2;
    return allowed != 0 ? allowed : 1;
}
