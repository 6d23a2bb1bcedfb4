/* The process log: forms, hostile bytes, many threads, and a reader that does not read. */
#include "telemetry/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "picotest.h"

static char content[4 * 1024 * 1024];

/* Everything in a file that the log wrote to, from the start. */
static const char *read_back(int fd)
{
    ssize_t got = pread(fd, content, sizeof(content) - 1, 0);

    content[got > 0 ? got : 0] = '\0';
    return content;
}

static int open_file(bool json, gm_log_level_t level)
{
    char name[] = "/tmp/gomesh-unit-XXXXXX";
    gm_log_options_t options = {.fd = mkstemp(name), .json = json, .level = level};

    unlink(name);
    ok(gm_log_open(&options, NULL) == 0);
    return options.fd;
}

static void test_text(void)
{
    int fd = open_file(false, GM_LOG_INFO);

    ok(gm_log_is_on(GM_LOG_WARN) && !gm_log_is_on(GM_LOG_DEBUG));
    gm_log(GM_LOG_INFO, "one %d", 1);
    gm_log(GM_LOG_DEBUG, "not this");
    gm_log(GM_LOG_ERROR, "a\nb\x1b[2J \xc2\x9b \xc3\xbc");
    gm_log_plain("[BACKEND] x");
    gm_log_close();
    ok(strcmp(read_back(fd), "[INFO] one 1\n[ERROR] a\\x0ab\\x1b[2J \\xc2\\x9b \xc3\xbc\n[BACKEND] x\n") ==
       0);
    close(fd);
}

static void test_json(void)
{
    int fd = open_file(true, GM_LOG_INFO);
    const gm_log_field_t fields[] = {{"path", "/a\"\n\xff", 5}};
    const char *text;

    gm_log_with(GM_LOG_WARN, fields, 1, "say \"x\"");
    gm_log_close();
    text = read_back(fd);
    ok(strncmp(text, "{\"level\":\"warn\",\"timestamp\":\"", 29) == 0);
    ok(strstr(text, "Z\",\"msg\":\"say \\\"x\\\"\",\"path\":\"/a\\\"\\n\xef\xbf\xbd\"}\n") != NULL);
    close(fd);
}

static void test_long_lines(void)
{
    static char longer[20000];
    int fd = open_file(false, GM_LOG_INFO);

    memset(longer, '\x01', sizeof(longer) - 1);
    gm_log(GM_LOG_INFO, "%s", longer);
    gm_log(GM_LOG_INFO, "next");
    gm_log_close();
    read_back(fd);
    ok(strlen(content) < 9000 && strstr(content, "\n[INFO] next\n") != NULL);
    close(fd);
}

#define THREADS 4
#define LINES 2000

static void *write_lines(void *unused)
{
    (void)unused;
    for (int i = 0; i != LINES; ++i)
        gm_log(GM_LOG_INFO, "a line of some length, so that it would be seen if it were torn");
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];
    int fd = open_file(false, GM_LOG_INFO), lines = 0, torn = 0;

    for (int i = 0; i != THREADS; ++i)
        ok(pthread_create(&threads[i], NULL, write_lines, NULL) == 0);
    for (int i = 0; i != THREADS; ++i)
        pthread_join(threads[i], NULL);
    gm_log_close();
    read_back(fd);
    for (char *at = strtok(content, "\n"); at != NULL; at = strtok(NULL, "\n"), ++lines)
        torn += strcmp(at, "[INFO] a line of some length, so that it would be seen if it were torn") != 0;
    ok(lines == THREADS * LINES);
    ok(torn == 0);
    close(fd);
}

static void *read_to_end(void *data)
{
    size_t total = 0;
    ssize_t got;

    while ((got = read(*(int *)data, content + total, sizeof(content) - 1 - total)) > 0)
        total += (size_t)got;
    content[total] = '\0';
    return NULL;
}

/* A pipe that nobody reads for a while: callers are not held up, lines are lost, and the count is right. */
static void test_no_reader(void)
{
    int ends[2];
    gm_log_options_t options = {.level = GM_LOG_ERROR};
    size_t lost = 0, whole = 0, count;
    pthread_t reader;

    ok(pipe(ends) == 0);
    options.fd = ends[1];
    ok(gm_log_open(&options, NULL) == 0);
    for (int i = 0; i != 30000; ++i)
        gm_log(GM_LOG_ERROR, "%0*d", 90, i); /* 3 MB into 64 KiB of pipe and 1 MiB of buffer */
    ok(pthread_create(&reader, NULL, read_to_end, &ends[0]) == 0);
    gm_log_close();
    close(ends[1]);
    pthread_join(reader, NULL);
    for (char *at = strtok(content, "\n"); at != NULL; at = strtok(NULL, "\n")) {
        if (sscanf(at, "[WARN] %zu log lines were lost", &count) == 1)
            lost += count;
        else
            ++whole;
    }
    ok(lost > 5000); /* twice the buffer at most, as the writer holds one that it cannot get rid of */
    ok(lost + whole == 30000);
    close(ends[0]);
}

static void test_close_without_reader(void)
{
    int ends[2];
    gm_log_options_t options = {.level = GM_LOG_INFO};

    ok(pipe(ends) == 0);
    options.fd = ends[1];
    ok(gm_log_open(&options, NULL) == 0);
    for (int i = 0; i != 3000; ++i)
        gm_log(GM_LOG_INFO, "%0*d", 90, i);
    gm_log_close(); /* gives up after a second; that it returns is the point */
    ok(true);
    close(ends[0]);
    close(ends[1]);
}

static void test_levels(void)
{
    gm_log_level_t level = GM_LOG_INFO;

    ok(gm_log_level_parse("debug", &level) && level == GM_LOG_DEBUG);
    for (int i = GM_LOG_DEBUG; i <= GM_LOG_ERROR; ++i)
        ok(gm_log_level_parse(gm_log_level_name((gm_log_level_t)i), &level) && (int)level == i);
    ok(!gm_log_level_parse("", &level) && !gm_log_level_parse("DEBUG", &level) && level == GM_LOG_ERROR);
}

int main(void)
{
    subtest("names of levels", test_levels);
    subtest("text", test_text);
    subtest("JSON", test_json);
    subtest("long lines", test_long_lines);
    subtest("threads", test_threads);
    subtest("nobody reads", test_no_reader);
    subtest("closing while nobody reads", test_close_without_reader);
    return done_testing();
}
