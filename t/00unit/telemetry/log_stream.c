/* Lines on their way to a file: order, rotation, a file that cannot be opened, and a disk without room. */
#include "telemetry/log_stream.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return 1;
    subtest("order", test_order);
    subtest("adds to a file", test_appends);
    subtest("rotation", test_rotation);
    subtest("a file that cannot be opened", test_no_file);
    subtest("no room", test_no_room);
    for (const char *const *name = (const char *const[]){"order", "append", "rotation", "rotation.1", NULL};
         *name != NULL; ++name)
        unlink(path_of(*name));
    rmdir(folder);
    return done_testing();
}
