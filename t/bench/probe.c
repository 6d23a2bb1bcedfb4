/*
 * probe: samples a proxy's CPU time against the origin's counters, and the speed of the CPU itself. Started
 * by measure.py as `probe COUNTERFILE SECONDS INTERVAL_MS CPU PID...`, once for each slice; one thread. It
 * runs SCHED_FIFO on the proxy's own CPU: each sample then preempts the proxy, whose run time is up to date,
 * and a fixed spin timed there tells whether the host gave this CPU its full speed at that moment. Prints
 * "scheduler fifo" or "scheduler other", then one line per sample: time_ns cpu_ns requests bytes_out bytes_in
 * spin_ns
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "counters.h"

#define MAX_THREADS 4096
#define SCAN_EVERY_NS 100000000
#define SPIN_TURNS 200000

typedef struct {
    int id;
    int schedstat; /* open file, or -1 once the thread is gone */
    uint64_t cpu_ns;
} thread_t;

typedef struct {
    char **process_ids; /* borrowed from main */
    int process_count;
    size_t thread_count;
    thread_t threads[MAX_THREADS];
} watched_t;

typedef struct {
    int64_t time_ns, spin_ns;
    uint64_t cpu_ns;
    counters_t counters;
} sample_t;

static bool is_known(const watched_t *self, int id)
{
    for (size_t i = 0; i < self->thread_count; i++)
        if (self->threads[i].id == id)
            return true;
    return false;
}

static void add_thread(watched_t *self, const char *process_id, int id)
{
    char path[128];
    int fd;

    if (id <= 0 || self->thread_count == MAX_THREADS || is_known(self, id))
        return;
    snprintf(path, sizeof(path), "/proc/%s/task/%d/schedstat", process_id, id);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        self->threads[self->thread_count++] = (thread_t){.id = id, .schedstat = fd};
}

static void find_threads(watched_t *self)
{
    for (int i = 0; i < self->process_count; i++) {
        char path[64];
        struct dirent *entry;
        DIR *tasks;

        snprintf(path, sizeof(path), "/proc/%s/task", self->process_ids[i]);
        tasks = opendir(path);
        if (tasks == NULL)
            continue;
        while ((entry = readdir(tasks)) != NULL)
            add_thread(self, self->process_ids[i], atoi(entry->d_name));
        closedir(tasks);
    }
}

/* A thread that ended keeps its last known time, so that the sum never runs backwards. */
static uint64_t read_cpu_ns(watched_t *self)
{
    uint64_t sum = 0;
    char text[96];

    for (size_t i = 0; i < self->thread_count; i++) {
        thread_t *thread = &self->threads[i];
        ssize_t n = thread->schedstat >= 0 ? pread(thread->schedstat, text, sizeof(text) - 1, 0) : -1;

        if (n > 0) {
            text[n] = '\0';
            thread->cpu_ns = strtoull(text, NULL, 10);
        } else if (thread->schedstat >= 0) {
            close(thread->schedstat);
            thread->schedstat = -1;
        }
        sum += thread->cpu_ns;
    }
    return sum;
}

static __attribute__((noinline)) int64_t spin(void)
{
    int64_t start = clock_now_ns();
    volatile unsigned long sum = 0;

    for (unsigned long i = 0; i < SPIN_TURNS; i++)
        sum += i;
    (void)sum;
    return clock_now_ns() - start;
}

static bool become_fifo_on(int cpu)
{
    struct sched_param parameter = {.sched_priority = 10};
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    sched_setaffinity(0, sizeof(cpus), &cpus);
    return sched_setscheduler(0, SCHED_FIFO, &parameter) == 0;
}

static size_t take_samples(watched_t *watched, const volatile counters_t *counters, int64_t length_ns,
                           int64_t interval_ns, sample_t *samples, size_t capacity)
{
    int64_t start = clock_now_ns(), next = start, scanned = start;
    size_t n = 0;

    while (n < capacity) {
        sample_t *sample = &samples[n++];
        struct timespec until;

        if (next - scanned >= SCAN_EVERY_NS) {
            find_threads(watched);
            scanned = next;
        }
        sample->spin_ns = spin();
        sample->cpu_ns = read_cpu_ns(watched);
        sample->counters = *counters;
        sample->time_ns = clock_now_ns() - start;
        if (sample->time_ns >= length_ns)
            break;
        next += interval_ns;
        until = clock_timespec(next);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    return n;
}

static const volatile counters_t *map_counters(const char *path)
{
    int fd = open(path, O_RDONLY);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(counters_t), PROT_READ, MAP_SHARED, fd, 0);

    return map == MAP_FAILED ? NULL : map;
}

static void print_samples(const sample_t *samples, size_t count)
{
    for (const sample_t *sample = samples; sample < samples + count; sample++)
        printf("%" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 "\n", sample->time_ns,
               sample->cpu_ns, sample->counters.requests, sample->counters.bytes_out,
               sample->counters.bytes_in, sample->spin_ns);
}

int main(int argc, char **argv)
{
    static watched_t watched;
    const volatile counters_t *counters;
    sample_t *samples;
    size_t capacity;
    int64_t length_ns, interval_ns;

    if (argc < 6 || atof(argv[2]) <= 0 || atof(argv[3]) <= 0) {
        fprintf(stderr, "usage: probe COUNTERFILE SECONDS INTERVAL_MS CPU PID...\n");
        return 64;
    }
    length_ns = (int64_t)(atof(argv[2]) * 1e9);
    interval_ns = (int64_t)(atof(argv[3]) * 1e6);
    watched.process_ids = argv + 5;
    watched.process_count = argc - 5;
    find_threads(&watched);
    if (watched.thread_count == 0) {
        fprintf(stderr, "probe: no /proc/PID/task/TID/schedstat to read\n");
        return 1;
    }
    capacity = (size_t)(length_ns / interval_ns) + 64;
    samples = calloc(capacity, sizeof(*samples));
    counters = map_counters(argv[1]);
    if (samples == NULL || counters == NULL) {
        perror("probe");
        free(samples);
        return 1;
    }
    printf("scheduler %s\n", become_fifo_on(atoi(argv[4])) ? "fifo" : "other");
    print_samples(samples, take_samples(&watched, counters, length_ns, interval_ns, samples, capacity));
    free(samples);
    return 0;
}
