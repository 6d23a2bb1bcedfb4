/*
 * Any thread appends whole lines to a bounded buffer under a short lock; one writer thread swaps the buffer
 * for an empty one and writes outside the lock, so a slow terminal or a full pipe costs lines, never
 * requests. After each batch the writer takes a nap, and what comes meanwhile is the next one: no line of it
 * wakes anybody, but the one that makes it large. Where nothing came, the writer sleeps until something does:
 * the first line after a pause is written at once, and an idle process is left alone.
 */
#include "telemetry/log_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/memory.h"

#define MAX_PENDING_BYTES (1024 * 1024)
#define CLOSE_WAIT_MS 1000
#define RETRY_MS 1000
/* A nap costs the same few system calls however many lines it lets gather, so it should be long; who watches
 * the log must not notice it, and a process that is killed takes the lines of its last nap along. */
#define NAP_MS 50
/* As much ends a nap: what comes until the writer runs has three times as much room. */
#define LARGE_BATCH_BYTES (MAX_PENDING_BYTES / 4)
#define NEVER SIZE_MAX

struct gm_log_stream {
    /* immutable */
    char *path; /* owned; NULL = fd */
    void (*describe_lost)(gm_buffer_t *line, size_t lost);
    pthread_t writer;
    /* writer only */
    int fd;
    bool is_ready; /* always: whatever is written is taken in one go */
    size_t untold; /* lines that were lost, and nobody was told yet */
    bool is_torn;  /* the last line that went out lacks its end */
    /* atomic */
    atomic_uint_fast64_t dropped;
    atomic_bool has_to_reopen;
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    gm_buffer_t pending;
    size_t lost;
    size_t wake_at; /* so many pending bytes wake the writer: 0, LARGE_BATCH_BYTES or NEVER */
    bool closing;
};

static bool is_closing(gm_log_stream_t *self)
{
    bool closing;

    pthread_mutex_lock(&self->lock);
    closing = self->closing;
    pthread_mutex_unlock(&self->lock);
    return closing;
}

/* ---- the file */

static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

/* Regular files, and /dev/null by its number, which is the same on each Linux. */
static bool is_always_ready(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 &&
           (S_ISREG(info.st_mode) || (S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3)));
}

static void use(gm_log_stream_t *self, int fd)
{
    self->fd = fd;
    self->is_ready = is_always_ready(fd);
}

/* Where the new one cannot be had, the old one is written on: better there than nowhere. */
static void reopen(gm_log_stream_t *self)
{
    int fd;

    if (!atomic_exchange(&self->has_to_reopen, false) || self->path == NULL ||
        (fd = open_path(self->path)) == -1)
        return;
    close(self->fd);
    use(self, fd);
}

/* ---- the writer */

static size_t count_lines(const char *bytes, size_t length)
{
    size_t count = 0;

    for (size_t i = 0; i != length; ++i)
        count += bytes[i] == '\n';
    return count;
}

/* Waits until a write of up to a page does not block; false when it is time to give up. */
static bool wait_writable(gm_log_stream_t *self)
{
    struct pollfd slot = {.fd = self->fd, .events = POLLOUT};
    uint64_t give_up_at = 0;

    while (poll(&slot, 1, 100) == 0) {
        if (!is_closing(self))
            continue;
        if (give_up_at == 0)
            give_up_at = gm_clock_monotonic_ms() + CLOSE_WAIT_MS;
        else if (gm_clock_monotonic_ms() >= give_up_at)
            return false;
    }
    return true;
}

static void lose(gm_log_stream_t *self, size_t lines)
{
    self->untold += lines;
    atomic_fetch_add_explicit(&self->dropped, lines, memory_order_relaxed);
}

/* @return whether all of it is out; otherwise *rest says how much is not */
static bool write_all(gm_log_stream_t *self, const char *bytes, size_t length, size_t *rest)
{
    *rest = length;
    while (*rest != 0) {
        /* a pipe that polls writable takes a page without blocking */
        size_t piece = self->is_ready || *rest < 4096 ? *rest : 4096;
        ssize_t written = -1;
        if (self->is_ready || wait_writable(self))
            written = write(self->fd, bytes, piece);
        else
            errno = EPIPE;
        if (written == -1 && errno != EINTR && errno != EAGAIN)
            return false;
        if (written > 0) {
            self->is_torn = bytes[written - 1] != '\n';
            bytes += written;
            *rest -= (size_t)written;
        }
    }
    return true;
}

/* Whatever level is printed: who reads the log must know that it is not whole. */
static bool write_lost(gm_log_stream_t *self)
{
    gm_buffer_t line = {0};
    size_t rest;
    bool is_out;

    if (self->untold == 0)
        return true;
    if (self->is_torn)
        gm_buffer_append_char(&line, '\n');
    self->describe_lost(&line, self->untold);
    is_out = write_all(self, line.text, line.length, &rest);
    self->untold = is_out ? 0 : self->untold;
    gm_buffer_dispose(&line);
    return is_out;
}

static bool write_lines(gm_log_stream_t *self, const gm_buffer_t *lines)
{
    size_t rest = lines->length;

    if (write_lost(self) && write_all(self, lines->text, lines->length, &rest))
        return true;
    lose(self, count_lines(lines->text + lines->length - rest, rest));
    return false;
}

static bool is_asked(const gm_log_stream_t *self)
{
    return self->closing || atomic_load_explicit(&self->has_to_reopen, memory_order_relaxed);
}

/* Also while lost lines are to be told of: there may be room for that before the next line comes. */
static bool has_work(const gm_log_stream_t *self)
{
    return self->pending.length != 0 || self->lost != 0 || self->untold != 0 || is_asked(self);
}

/* Under the lock, until so much is pending, somebody asks for something, or the time is over. */
static void take_nap(gm_log_stream_t *self, long duration_ms, size_t wake_at)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += duration_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    self->wake_at = wake_at;
    while (self->pending.length < wake_at && !is_asked(self) &&
           pthread_cond_timedwait(&self->wake, &self->lock, &until) == 0)
        ; /* woken for nothing, it goes on */
    self->wake_at = NEVER;
}

/* A full disk may have room again later; a reader that is gone stays away. Neither is worth a processor. */
static void pause_writing(gm_log_stream_t *self)
{
    pthread_mutex_lock(&self->lock);
    take_nap(self, RETRY_MS, NEVER);
    pthread_mutex_unlock(&self->lock);
}

/* Takes the lines that are pending, waiting for the first. @return false when there will be no more */
static bool take_lines(gm_log_stream_t *self, gm_buffer_t *lines, size_t *lost)
{
    gm_buffer_t swapped = *lines;
    bool more;

    swapped.length = 0;
    pthread_mutex_lock(&self->lock);
    if (lines->length != 0)
        take_nap(self, NAP_MS, LARGE_BATCH_BYTES);
    while (!has_work(self)) {
        self->wake_at = 0;
        pthread_cond_wait(&self->wake, &self->lock);
    }
    self->wake_at = NEVER;
    *lines = self->pending;
    self->pending = swapped;
    *lost = self->lost;
    self->lost = 0;
    more = lines->length != 0 || !self->closing;
    pthread_mutex_unlock(&self->lock);
    return more;
}

static void *run_writer(void *data)
{
    gm_log_stream_t *self = data;
    gm_buffer_t lines = {0};
    bool more = true;

    gm_crash_enter_thread();
    gm_buffer_reserve(&lines, LARGE_BATCH_BYTES);
    while (more) {
        size_t lost; /* behind these lines */
        bool is_out;
        more = take_lines(self, &lines, &lost);
        reopen(self);
        is_out = write_lines(self, &lines);
        self->untold += lost;
        if (!is_out || !write_lost(self))
            pause_writing(self);
        if (!is_out && is_closing(self))
            break;
    }
    gm_buffer_dispose(&lines);
    gm_crash_leave_thread();
    return NULL;
}

/* ---- for everybody */

static void init_wake(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void destroy(gm_log_stream_t *self)
{
    if (self->path != NULL)
        close(self->fd);
    pthread_mutex_destroy(&self->lock);
    pthread_cond_destroy(&self->wake);
    gm_buffer_dispose(&self->pending);
    free(self->path);
    free(self);
}

gm_log_stream_t *gm_log_stream_open(const gm_log_stream_options_t *options, gm_error_t *err)
{
    gm_log_stream_t *self;
    int fd = options->path != NULL ? open_path(options->path) : options->fd, error;

    if (fd == -1) {
        gm_error_set(err, NULL, "%s cannot be opened: %s", options->path, strerror(errno));
        return NULL;
    }
    self = gm_alloc(sizeof(*self));
    self->path = options->path != NULL ? gm_strdup(options->path) : NULL;
    self->describe_lost = options->describe_lost;
    atomic_init(&self->dropped, 0);
    atomic_init(&self->has_to_reopen, false);
    pthread_mutex_init(&self->lock, NULL);
    init_wake(&self->wake);
    self->wake_at = NEVER;
    gm_buffer_reserve(&self->pending, LARGE_BATCH_BYTES); /* it need not grow, line by line, under the lock */
    use(self, fd);
    if ((error = pthread_create(&self->writer, NULL, run_writer, self)) != 0) {
        gm_error_set(err, NULL, "the thread that writes the log cannot be started: %s", strerror(error));
        destroy(self);
        return NULL;
    }
    pthread_setname_np(self->writer, "gm-log");
    return self;
}

void gm_log_stream_close(gm_log_stream_t *self)
{
    if (self == NULL)
        return;
    pthread_mutex_lock(&self->lock);
    self->closing = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->writer, NULL);
    destroy(self);
}

/* Unlocks. Who is woken with the lock still held would have to wait for it, by a system call on each side. */
static void unlock_and_wake(gm_log_stream_t *self, bool wakes)
{
    if (wakes)
        self->wake_at = NEVER; /* one call will do */
    pthread_mutex_unlock(&self->lock);
    if (wakes)
        pthread_cond_signal(&self->wake);
}

void gm_log_stream_submit(gm_log_stream_t *self, const char *line, size_t length)
{
    pthread_mutex_lock(&self->lock);
    if (self->pending.length + length > MAX_PENDING_BYTES) {
        ++self->lost;
        atomic_fetch_add_explicit(&self->dropped, 1, memory_order_relaxed);
    } else {
        gm_buffer_append(&self->pending, line, length);
    }
    unlock_and_wake(self, self->pending.length >= self->wake_at);
}

void gm_log_stream_reopen(gm_log_stream_t *self)
{
    atomic_store(&self->has_to_reopen, true);
    pthread_mutex_lock(&self->lock);
    unlock_and_wake(self, true);
}

uint64_t gm_log_stream_dropped(const gm_log_stream_t *self)
{
    return atomic_load_explicit(&self->dropped, memory_order_relaxed);
}
