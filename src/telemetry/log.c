/*
 * The process log. Any thread appends whole lines to a bounded buffer under a short lock; one writer thread
 * swaps the buffer for an empty one and writes outside the lock, so a slow terminal or a full pipe costs
 * lines, never requests.
 */
#include "telemetry/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_writer.h"

#define MAX_PENDING_BYTES (1024 * 1024)
#define MAX_LINE_BYTES 8192
#define CLOSE_WAIT_MS 1000
#define RETRY_MS 1000

static const char *const labels[] = {"DEBUG", "INFO", "WARN", "ERROR"};
static const char *const json_labels[] = {"debug", "info", "warn", "error"};

/* The one mutable global of the process: everything may have something to say. */
static struct {
    gm_log_options_t options;
    bool is_file; /* a regular file is written in one go */
    pthread_t writer;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    gm_buffer_t pending;
    size_t lost;
    bool running, closing;
} process_log = {
    .options = {.fd = STDOUT_FILENO, .level = GM_LOG_INFO},
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
};

static bool is_closing(void)
{
    bool closing;

    pthread_mutex_lock(&process_log.lock);
    closing = process_log.closing;
    pthread_mutex_unlock(&process_log.lock);
    return closing;
}

/* Waits until a write of up to a page does not block; false when it is time to give up. */
static bool wait_writable(void)
{
    struct pollfd slot = {.fd = process_log.options.fd, .events = POLLOUT};
    uint64_t give_up_at = 0;

    while (poll(&slot, 1, 100) == 0) {
        if (!is_closing())
            continue;
        if (give_up_at == 0)
            give_up_at = gm_clock_monotonic_ms() + CLOSE_WAIT_MS;
        else if (gm_clock_monotonic_ms() >= give_up_at)
            return false;
    }
    return true;
}

/* ---- lines */

/* What clients send may stand in a message: no byte of it ends the line or reaches the terminal as a command.
 */
static size_t append_visible(char *out, size_t room, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t length = 0;

    for (; *text != '\0' && length + 4 < room; ++text) {
        unsigned char c = (unsigned char)*text;
        bool is_c1 = c == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0;
        if (c >= 0x20 && c != 0x7f && !is_c1) {
            out[length++] = (char)c;
        } else {
            out[length++] = '\\';
            out[length++] = 'x';
            out[length++] = hex[c >> 4];
            out[length++] = hex[c & 15];
        }
    }
    return length;
}

static void make_text(gm_buffer_t *line, gm_log_level_t level, const char *message)
{
    char text[MAX_LINE_BYTES];
    size_t length = (size_t)snprintf(text, sizeof(text), "[%s] ", labels[level]);

    length += append_visible(text + length, sizeof(text) - length - 1, message);
    text[length++] = '\n';
    gm_buffer_append(line, text, length);
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
    if (process_log.options.json)
        make_json(line, level, message, fields, count);
    else
        make_text(line, level, message);
}

static size_t count_lines(const char *bytes, size_t length)
{
    size_t count = 0;

    for (size_t i = 0; i != length; ++i)
        count += bytes[i] == '\n';
    return count;
}

/* ---- the writer */

/* The writer's own state. */
typedef struct writer {
    size_t lost;  /* lines, and nobody was told yet */
    bool is_torn; /* the last line that went out lacks its end */
} writer_t;

/* @return whether all of it is out; otherwise the lines that are not count as lost */
static bool write_all(writer_t *self, const char *bytes, size_t length)
{
    while (length != 0) {
        /* a pipe that polls writable takes a page without blocking */
        size_t piece = process_log.is_file || length < 4096 ? length : 4096;
        ssize_t written = -1;
        if (process_log.is_file || wait_writable())
            written = write(process_log.options.fd, bytes, piece);
        else
            errno = EPIPE;
        if (written == -1 && errno != EINTR && errno != EAGAIN) {
            self->lost += count_lines(bytes, length);
            return false;
        }
        if (written > 0) {
            self->is_torn = bytes[written - 1] != '\n';
            bytes += written;
            length -= (size_t)written;
        }
    }
    return true;
}

/* Whatever level is printed: who reads the log must know that it is not whole. */
static bool write_lost(writer_t *self)
{
    size_t lost = self->lost;
    char message[96];
    gm_buffer_t line = {0};
    bool is_out;

    if (lost == 0)
        return true;
    if (self->is_torn)
        gm_buffer_append_char(&line, '\n');
    snprintf(message, sizeof(message), "%zu log line%s lost: the reader of the log is too slow, or gone",
             lost, lost == 1 ? " was" : "s were");
    make_line(&line, GM_LOG_WARN, message, NULL, 0);
    is_out = write_all(self, line.text, line.length);
    self->lost = is_out ? 0 : lost;
    gm_buffer_dispose(&line);
    return is_out;
}

/* A full disk may have room again later; a reader that is gone stays away. Neither is worth a processor. */
static void pause_writing(void)
{
    for (int i = 0; i != 10 && !is_closing(); ++i)
        poll(NULL, 0, RETRY_MS / 10);
}

/* Takes the lines that are pending, waiting for the first. @return false when there will be no more */
static bool take_lines(gm_buffer_t *lines, size_t *lost)
{
    gm_buffer_t swapped = *lines;
    bool more;

    swapped.length = 0;
    pthread_mutex_lock(&process_log.lock);
    while (process_log.pending.length == 0 && !process_log.closing)
        pthread_cond_wait(&process_log.wake, &process_log.lock);
    *lines = process_log.pending;
    process_log.pending = swapped;
    *lost = process_log.lost;
    process_log.lost = 0;
    more = lines->length != 0 || !process_log.closing;
    pthread_mutex_unlock(&process_log.lock);
    return more;
}

static void *run_writer(void *unused)
{
    writer_t self = {0};
    gm_buffer_t lines = {0};
    bool more = true;

    (void)unused;
    while (more) {
        size_t lost; /* behind these lines */
        bool is_out;
        more = take_lines(&lines, &lost);
        if ((is_out = write_lost(&self)))
            is_out = write_all(&self, lines.text, lines.length);
        else
            self.lost += count_lines(lines.text, lines.length);
        self.lost += lost;
        if (!is_out || !write_lost(&self))
            pause_writing();
        if (!is_out && is_closing())
            break;
    }
    gm_buffer_dispose(&lines);
    return NULL;
}

void gm_log_open(const gm_log_options_t *options)
{
    struct stat info;

    process_log.options = *options;
    process_log.is_file = fstat(options->fd, &info) == 0 && S_ISREG(info.st_mode);
    process_log.closing = false;
    process_log.running = pthread_create(&process_log.writer, NULL, run_writer, NULL) == 0;
    if (process_log.running)
        pthread_setname_np(process_log.writer, "gm-log");
}

void gm_log_close(void)
{
    if (!process_log.running)
        return;
    pthread_mutex_lock(&process_log.lock);
    process_log.closing = true;
    pthread_cond_signal(&process_log.wake);
    pthread_mutex_unlock(&process_log.lock);
    pthread_join(process_log.writer, NULL);
    process_log.running = false;
    gm_buffer_dispose(&process_log.pending);
}

bool gm_log_is_on(gm_log_level_t level)
{
    return level >= process_log.options.level;
}

static void submit(const char *line, size_t length)
{
    bool was_empty;

    pthread_mutex_lock(&process_log.lock);
    if (!process_log.running) {
        pthread_mutex_unlock(&process_log.lock);
        if (write(process_log.options.fd, line, length) == -1)
            return; /* nobody is left to be told */
        return;
    }
    was_empty = process_log.pending.length == 0;
    if (process_log.pending.length + length > MAX_PENDING_BYTES)
        ++process_log.lost;
    else
        gm_buffer_append(&process_log.pending, line, length);
    if (was_empty)
        pthread_cond_signal(&process_log.wake);
    pthread_mutex_unlock(&process_log.lock);
}

static void log_message(gm_log_level_t level, const gm_log_field_t *fields, size_t count, const char *format,
                        va_list args)
{
    char message[MAX_LINE_BYTES];
    gm_buffer_t line = {0};

    vsnprintf(message, sizeof(message), format, args);
    make_line(&line, level, message, fields, count);
    submit(line.text, line.length);
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

void gm_log_plain(const char *line)
{
    char copy[MAX_LINE_BYTES];
    size_t length = append_visible(copy, sizeof(copy) - 1, line);

    copy[length++] = '\n';
    submit(copy, length);
}
