/*
 * The numbers that every program has, for dashboards that are the same for all. Read when a page of metrics
 * is made, on that thread; from /proc, which is memory of the kernel's.
 */
#include "telemetry/process_facts.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)
#define START_TIME_FIELD 22 /* of /proc/self/stat, proc(5) */

/* @return whether there is anything to read; the text ends with a zero */
static bool read_text(const char *path, char *text, size_t text_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, text_bytes - 1) : -1;

    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static void read_memory(gm_process_facts_t *self)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    char text[128], *end;

    if (!read_text("/proc/self/statm", text, sizeof(text)))
        return;
    self->virtual_bytes = strtoull(text, &end, 10) * page_bytes;
    self->resident_bytes = strtoull(end, NULL, 10) * page_bytes;
}

static uint64_t count_fds(void)
{
    const struct dirent *entry;
    uint64_t count = 0;
    struct stat info;
    DIR *dir;

    /* since Linux 6.2 their number, which spares looking at ten thousand of them */
    if (stat("/proc/self/fd", &info) == 0 && info.st_size > 0)
        return (uint64_t)info.st_size;
    dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return GM_PROCESS_UNKNOWN;
    /* cppcheck-suppress readdirCalled ; safe as long as each thread has a DIR of its own */
    while ((entry = readdir(dir)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count - 1; /* the folder itself */
}

void gm_process_facts_read(gm_process_facts_t *self)
{
    struct timespec cpu;
    struct rlimit limit;

    memset(self, 0xff, sizeof(*self)); /* GM_PROCESS_UNKNOWN */
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        self->cpu_ns = (uint64_t)cpu.tv_sec * SECOND_NS + (uint64_t)cpu.tv_nsec;
    read_memory(self);
    self->open_fds = count_fds();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        self->max_fds = limit.rlim_cur;
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now = {0};

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

uint64_t gm_process_start_time(void)
{
    long ticks = sysconf(_SC_CLK_TCK);
    uint64_t since_boot, age_ns;
    char text[1024], *at;

    if (ticks <= 0 || !read_text("/proc/self/stat", text, sizeof(text)))
        return GM_PROCESS_UNKNOWN;
    at = strrchr(text, ')'); /* behind the second field, the program's name, which may hold blanks */
    for (int field = 2; at != NULL && field != START_TIME_FIELD; ++field)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return GM_PROCESS_UNKNOWN;
    since_boot = strtoull(at, NULL, 10);
    age_ns = now_ns(CLOCK_BOOTTIME) - since_boot * (SECOND_NS / (uint64_t)ticks);
    return (now_ns(CLOCK_REALTIME) - age_ns) / (SECOND_NS / 100) * (SECOND_NS / 100);
}
