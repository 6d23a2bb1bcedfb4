/*
 * Lines on their way to a file: order, rotation, a file that cannot be opened, a disk without room, and how
 * often the writer does something.
 */
#include "telemetry/log_stream.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "picotest.h"

static char content[1 << 20], folder[] = "/tmp/gomesh-unit-XXXXXX";

static const char *content_of(const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t got = fd != -1 ? read(fd, content, sizeof(content) - 1) : -1;

    if (fd != -1)
        close(fd);
    content[got > 0 ? got : 0] = '\0';
    return content;
}

static void describe_lost(gm_buffer_t *line, size_t lost)
{
    gm_buffer_printf(line, "%zu lost\n", lost);
}

static const char *path_of(const char *name)
{
    static char path[2][128];
    static unsigned turn;
    char *out = path[turn++ % 2];

    snprintf(out, sizeof(path[0]), "%s/%s", folder, name);
    return out;
}

static gm_log_stream_t *open_path(const char *path, gm_error_t *err)
{
    const gm_log_stream_options_t options = {.path = path, .describe_lost = describe_lost};

    return gm_log_stream_open(&options, err);
}

static void test_order(void)
{
    gm_log_stream_t *self = open_path(path_of("order"), NULL);
    int next = 0, number;

    for (int i = 0; i != 5000; ++i) {
        char line[32];
        gm_log_stream_submit(self, line, (size_t)snprintf(line, sizeof(line), "%d\n", i));
    }
    gm_log_stream_close(self);
    content_of(path_of("order"));
    for (char *at = content; sscanf(at, "%d\n", &number) == 1 && number == next; at = strchr(at, '\n') + 1)
        ++next;
    ok(next == 5000);
}

static void test_appends(void)
{
    for (int i = 0; i != 2; ++i) {
        gm_log_stream_t *self = open_path(path_of("append"), NULL);
        gm_log_stream_submit(self, "line\n", 5);
        gm_log_stream_close(self);
    }
    ok(strcmp(content_of(path_of("append")), "line\nline\n") == 0);
}

/* Also while nothing is written, and while there is nowhere to go. */
static void test_rotation(void)
{
    const char *path = path_of("rotation"), *old = path_of("rotation.1");
    gm_log_stream_t *self = open_path(path, NULL);
    struct stat info;

    gm_log_stream_submit(self, "one\n", 4);
    while (strcmp(content_of(path), "one\n") != 0)
        usleep(1000);
    ok(rename(path, old) == 0);
    gm_log_stream_reopen(self);
    while (stat(path, &info) != 0)
        usleep(1000);
    gm_log_stream_submit(self, "two\n", 4);
    gm_log_stream_close(self);
    ok(strcmp(content_of(path), "two\n") == 0);
    ok(strcmp(content_of(old), "one\n") == 0);
}

static void test_no_file(void)
{
    gm_error_t err = {0};

    ok(open_path("/nowhere/x", &err) == NULL);
    ok(strcmp(err.text, "/nowhere/x cannot be opened: No such file or directory") == 0);
}

static void test_no_room(void)
{
    gm_log_stream_t *self = open_path("/dev/full", NULL);

    for (int i = 0; i != 10; ++i)
        gm_log_stream_submit(self, "line\n", 5);
    for (int i = 0; gm_log_stream_dropped(self) != 10 && i != 10000; ++i)
        usleep(1000);
    ok(gm_log_stream_dropped(self) == 10);
    gm_log_stream_close(self);
}

/* The only line there is gets lost; once there is room that is told, though no other line comes. */
static void test_room_again(void)
{
    const char *path = path_of("room");
    gm_log_stream_t *self = open_path(path, NULL);
    struct rlimit limit, none;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
    gm_log_stream_submit(self, "line\n", 5);
    for (int i = 0; gm_log_stream_dropped(self) != 1 && i != 10000; ++i)
        usleep(1000);
    setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; strcmp(content_of(path), "1 lost\n") != 0 && i != 10000; ++i)
        usleep(1000);
    ok(strcmp(content_of(path), "1 lost\n") == 0);
    gm_log_stream_close(self);
}

/* @return the number behind a name in a file of /proc, -1 where there is none */
static long number_in(const char *path, const char *name)
{
    const char *at = strstr(content_of(path), name);

    return at != NULL ? atol(at + strlen(name)) : -1;
}

/* Waits until as much has been written. @return false if that does not come true */
static bool wait_size(const char *path, size_t size)
{
    struct stat info;

    for (int i = 0; i != 10000; ++i) {
        if (stat(path, &info) == 0 && (size_t)info.st_size >= size)
            return true;
        usleep(1000);
    }
    return false;
}

/* A quarter of the bound is written at once; 40 naps, slept to their ends, would be two seconds. */
static void test_large_batches(void)
{
    enum { LINE = 4096, BATCH = 75, ROUNDS = 40, SMALL = 256 * 1024 };
    static char line[LINE];
    const char *path = path_of("large");
    gm_log_stream_t *self = open_path(path, NULL);
    uint64_t began = gm_clock_monotonic_ms();
    size_t submitted = 0;
    bool is_out = true;

    memset(line, 'x', sizeof(line));
    line[LINE - 1] = '\n';
    for (int round = 0; round != ROUNDS && is_out; ++round) {
        for (int i = 0; i != BATCH; ++i)
            gm_log_stream_submit(self, line, sizeof(line));
        submitted += sizeof(line) * BATCH;
        is_out = wait_size(path, submitted - SMALL + 1);
    }
    ok(is_out);
    ok(gm_clock_monotonic_ms() - began < 1000);
    ok(gm_log_stream_dropped(self) == 0);
    gm_log_stream_close(self);
    ok(wait_size(path, submitted));
}

/* A file and /dev/null take large pieces: the lines that come during a nap are one call. */
static void test_few_calls(void)
{
    const char *const paths[] = {path_of("calls"), "/dev/null"};

    if (number_in("/proc/self/io", "syscw: ") == -1) {
        note("/proc/self/io cannot be read");
        return;
    }
    for (int i = 0; i != 2; ++i) {
        char line[1000];
        long before = number_in("/proc/self/io", "syscw: ");
        gm_log_stream_t *self = open_path(paths[i], NULL);
        memset(line, '\n', sizeof(line));
        for (int lines = 0; lines != 200; ++lines)
            gm_log_stream_submit(self, line, sizeof(line));
        gm_log_stream_close(self);
        ok(number_in("/proc/self/io", "syscw: ") - before < 20);
    }
}

/* How often the writers of this process have gone to sleep by themselves. */
static long count_sleeps(void)
{
    DIR *tasks = opendir("/proc/self/task");
    long total = 0;

    for (const struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[sizeof(task->d_name) + 32];
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
        if (strstr(content_of(path), "gm-log") != NULL)
            total += number_in(path, "\nvoluntary_ctxt_switches:");
    }
    closedir(tasks);
    return total;
}

/* Once a nap without a line is over, nobody wakes the writer: it is the thread of an idle process. */
static void test_idle(void)
{
    const char *path = path_of("idle");
    gm_log_stream_t *self = open_path(path, NULL);
    long before;

    gm_log_stream_submit(self, "line\n", 5);
    ok(wait_size(path, 5));
    before = count_sleeps();
    ok(before > 0);
    usleep(500 * 1000); /* ten naps */
    ok(count_sleeps() - before <= 3);
    gm_log_stream_submit(self, "line\n", 5);
    ok(wait_size(path, 10)); /* and the next line does */
    gm_log_stream_close(self);
}

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return 1;
    subtest("order", test_order);
    subtest("adds to a file", test_appends);
    subtest("rotation", test_rotation);
    subtest("a file that cannot be opened", test_no_file);
    subtest("no room", test_no_room);
    subtest("room again", test_room_again);
    subtest("large batches", test_large_batches);
    subtest("few calls", test_few_calls);
    subtest("an idle writer", test_idle);
    for (const char *const *name = (const char *const[]){"order", "append", "rotation", "rotation.1", "room",
                                                         "large", "calls", "idle", NULL};
         *name != NULL; ++name)
        unlink(path_of(*name));
    rmdir(folder);
    return done_testing();
}
