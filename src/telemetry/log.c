/*
 * The process log: lines for people or machines, in one form each, on their way through a log_stream. Any
 * thread.
 */
#include "telemetry/log.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/utf8.h"
#include "telemetry/log_stream.h"

#define MAX_LINE_BYTES 8192

static const char *const labels[] = {"DEBUG", "INFO", "WARN", "ERROR"};
static const char *const json_labels[] = {"debug", "info", "warn", "error"};

/* The one mutable global of the process: everything may have something to say. */
static struct {
    gm_log_stream_t
        *stream;      /* owned; NULL = lines are written at once. Main thread, while nobody else logs */
    const char *path; /* without a stream: a file, borrowed; NULL = `fd` */
    int fd;
    bool is_direct, json; /* main thread, while nobody else logs */
    _Atomic(gm_log_level_t) level;
} process_log = {.level = GM_LOG_INFO};

/* ---- lines */

/*
 * What clients send may stand in a message: no byte of it ends the line or reaches the terminal as a command,
 * and the line stays valid UTF-8.
 */
void gm_log_append_visible(gm_buffer_t *out, const char *text, size_t length)
{
    static const char hex[] = "0123456789abcdef";
    size_t plain = 0; /* bytes from here on wait to be copied as they are */

    for (size_t i = 0, step; i != length; i += step) {
        unsigned char c = (unsigned char)text[i];
        bool is_valid = true;
        step = c < 0x80 ? 1 : gm_utf8_measure(text + i, length - i, &is_valid);
        if (is_valid && c >= 0x20 && c != 0x7f && !(c == 0xc2 && (unsigned char)text[i + 1] < 0xa0)) /* C1 */
            continue;
        gm_buffer_append(out, text + plain, i - plain);
        for (plain = i; plain != i + step; ++plain) {
            c = (unsigned char)text[plain];
            gm_buffer_append(out, (const char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
        }
    }
    gm_buffer_append(out, text + plain, length - plain);
}

/* @return as much of it as a line has room for, should every byte need four */
static size_t limit(const char *text)
{
    size_t visible = 0, length = 0;

    for (; text[length] != '\0'; ++length) {
        unsigned char c = (unsigned char)text[length];
        visible += c < 0x20 || c >= 0x7f ? 4 : 1;
        if (visible > MAX_LINE_BYTES - 32)
            break;
    }
    return length;
}

static void make_text(gm_buffer_t *line, gm_log_level_t level, const char *message)
{
    gm_buffer_append_char(line, '[');
    gm_buffer_append_text(line, labels[level]);
    gm_buffer_append_text(line, "] ");
    gm_log_append_visible(line, message, limit(message));
    gm_buffer_append_char(line, '\n');
}

static void make_json(gm_buffer_t *line, gm_log_level_t level, const char *message,
                      const gm_log_field_t *fields, size_t count)
{
    gm_json_t json = {.out = line};
    struct timeval now;
    char at[32];

    gettimeofday(&now, NULL);
    gm_json_open(&json, '{');
    gm_json_key(&json, "level");
    gm_json_string(&json, json_labels[level]);
    gm_json_key(&json, "timestamp");
    gm_json_string(&json, gm_clock_format(at, sizeof(at), &now));
    gm_json_key(&json, "msg");
    gm_json_bytes(&json, message, strlen(message));
    for (size_t i = 0; i != count; ++i) {
        gm_json_key(&json, fields[i].name);
        gm_json_bytes(&json, fields[i].value, fields[i].length);
    }
    gm_json_close(&json, '}');
    gm_buffer_append_char(line, '\n');
}

static void make_line(gm_buffer_t *line, gm_log_level_t level, const char *message,
                      const gm_log_field_t *fields, size_t count)
{
    if (process_log.json)
        make_json(line, level, message, fields, count);
    else
        make_text(line, level, message);
}

/* ---- the way out */

void gm_log_describe_lost(gm_buffer_t *line, size_t lost)
{
    char message[96];

    snprintf(message, sizeof(message), "%zu log line%s lost: the reader of the log is too slow, or gone",
             lost, lost == 1 ? " was" : "s were");
    make_line(line, GM_LOG_WARN, message, NULL, 0);
}

int gm_log_open(const gm_log_options_t *options, gm_error_t *err)
{
    const gm_log_stream_options_t stream = {
        .path = options->path, .fd = options->fd, .describe_lost = gm_log_describe_lost};

    process_log.json = options->json;
    atomic_store(&process_log.level, options->level);
    process_log.stream = gm_log_stream_open(&stream, err);
    return process_log.stream != NULL ? 0 : -1;
}

void gm_log_write_directly(const gm_log_options_t *options)
{
    process_log.path = options->path;
    process_log.fd = options->fd;
    process_log.is_direct = true;
    process_log.json = options->json;
    atomic_store(&process_log.level, options->level);
}

/* Never blocks, whatever the file is: a pipe that polls writable takes a page. */
static void write_directly(const char *line, size_t length)
{
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct pollfd slot = {.fd =
                              process_log.path != NULL ? open(process_log.path, flags, 0640) : process_log.fd,
                          .events = POLLOUT};

    if (poll(&slot, 1, 0) == 1 && write(slot.fd, line, length) == -1)
        (void)0; /* nobody is left to be told */
    if (process_log.path != NULL && slot.fd != -1)
        close(slot.fd);
}

void gm_log_close(void)
{
    gm_log_stream_close(process_log.stream);
    process_log.stream = NULL;
}

void gm_log_reopen(void)
{
    if (process_log.stream != NULL)
        gm_log_stream_reopen(process_log.stream);
}

uint64_t gm_log_dropped(void)
{
    return process_log.stream != NULL ? gm_log_stream_dropped(process_log.stream) : 0;
}

bool gm_log_is_on(gm_log_level_t level)
{
    return level >= atomic_load_explicit(&process_log.level, memory_order_relaxed);
}

void gm_log_set_level(gm_log_level_t level)
{
    atomic_store_explicit(&process_log.level, level, memory_order_relaxed);
}

gm_log_level_t gm_log_get_level(void)
{
    return atomic_load_explicit(&process_log.level, memory_order_relaxed);
}

const char *gm_log_level_name(gm_log_level_t level)
{
    return json_labels[level];
}

bool gm_log_level_parse(const char *text, gm_log_level_t *level)
{
    for (size_t i = 0; i != GM_COUNT_OF(json_labels); ++i)
        if (strcmp(json_labels[i], text) == 0) {
            *level = (gm_log_level_t)i;
            return true;
        }
    return false;
}

bool gm_log_is_json(void)
{
    return process_log.json;
}

void gm_log_submit(const char *line, size_t length)
{
    if (process_log.stream != NULL)
        gm_log_stream_submit(process_log.stream, line, length);
    else if (process_log.is_direct)
        write_directly(line, length);
    else if (write(STDOUT_FILENO, line, length) == -1)
        return; /* nobody is left to be told */
}

static void log_message(gm_log_level_t level, const gm_log_field_t *fields, size_t count, const char *format,
                        va_list args)
{
    char message[MAX_LINE_BYTES];
    gm_buffer_t line = {0};

    vsnprintf(message, sizeof(message), format, args);
    make_line(&line, level, message, fields, count);
    gm_log_submit(line.text, line.length);
    gm_buffer_dispose(&line);
}

void gm_log(gm_log_level_t level, const char *format, ...)
{
    va_list args;

    if (!gm_log_is_on(level))
        return;
    va_start(args, format);
    log_message(level, NULL, 0, format, args);
    va_end(args);
}

void gm_log_with(gm_log_level_t level, const gm_log_field_t *fields, size_t count, const char *format, ...)
{
    va_list args;

    if (!gm_log_is_on(level))
        return;
    va_start(args, format);
    log_message(level, fields, count, format, args);
    va_end(args);
}

void gm_log_plain(const char *text)
{
    gm_buffer_t line = {0};

    gm_log_append_visible(&line, text, limit(text));
    gm_buffer_append_char(&line, '\n');
    gm_log_submit(line.text, line.length);
    gm_buffer_dispose(&line);
}
