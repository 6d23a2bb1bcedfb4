/*
 * request_buffering: a backend that must not wait for slow clients, or that is to get a large body once more
 * when a connection turned out to be dead. The first megabyte lies in memory; a body that grows beyond it
 * moves into a file that has no name, so that nothing is left behind however the process ends. Used by
 * proxy/forward on a worker.
 */
#include "proxy/held_body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/transport.h"

#define IN_MEMORY ((size_t)1024 * 1024)

struct gm_held_body {
    gm_stream_t stream;
    gm_held_bodies_t *all; /* borrowed */
    h2o_mem_pool_t *pool;
    h2o_buffer_t *memory; /* owned: all of it, or what is on its way into the file */
    int file;             /* owned; -1 = none */
    uint64_t promised;    /* our share of all->bytes */
    uint64_t size, offset;
};

static void on_dispose(void *data)
{
    gm_held_body_t *self = data;

    atomic_fetch_sub(&self->all->bytes, self->promised);
    h2o_buffer_dispose(&self->memory);
    if (self->file != -1)
        close(self->file);
}

gm_held_body_t *gm_held_body_create(h2o_mem_pool_t *pool, gm_held_bodies_t *all)
{
    gm_held_body_t *self = h2o_mem_alloc_shared(pool, sizeof(*self), on_dispose);

    *self = (gm_held_body_t){.all = all, .pool = pool, .file = -1};
    h2o_buffer_init(&self->memory, &h2o_socket_buffer_prototype);
    return self;
}

/* ---- taking it in */

static bool promise(gm_held_body_t *self, uint64_t bytes)
{
    uint64_t more = bytes > self->promised ? bytes - self->promised : 0;

    if (more > self->all->max_bytes) /* also keeps the sum from running over */
        return false;
    if (atomic_fetch_add(&self->all->bytes, more) + more > self->all->max_bytes) {
        atomic_fetch_sub(&self->all->bytes, more);
        return false;
    }
    self->promised += more;
    return true;
}

static int open_file(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    char name[4096];

    if (fd != -1 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    /* a file system that knows no files without a name */
    if ((size_t)snprintf(name, sizeof(name), "%s/gomesh-body-XXXXXX", folder) >= sizeof(name)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if ((fd = mkostemp(name, O_CLOEXEC)) != -1)
        unlink(name);
    return fd;
}

/* @return 0, or -1 with errno */
static int write_out(gm_held_body_t *self)
{
    const char *bytes = self->memory->bytes;
    size_t left = self->memory->size;
    uint64_t at = self->size - left;

    while (left != 0) {
        ssize_t done = pwrite(self->file, bytes, left, (off_t)at);
        if (done == -1 && errno == EINTR)
            continue;
        if (done == -1)
            return -1;
        bytes += done;
        at += (uint64_t)done;
        left -= (size_t)done;
    }
    gm_transport_clear(&self->memory);
    return 0;
}

/* @return 0, or -1 with errno */
static int move_to_file(gm_held_body_t *self)
{
    if (self->file == -1 && (self->file = open_file(self->all->folder)) == -1)
        return -1;
    return write_out(self);
}

static void append(gm_held_body_t *self, gm_stream_t *from)
{
    h2o_buffer_t *piece;
    size_t size;

    if (self->memory->size == 0) {
        from->take(from, &self->memory);
        self->size += self->memory->size;
        return;
    }
    h2o_buffer_init(&piece, &h2o_socket_buffer_prototype);
    from->take(from, &piece);
    size = piece->size;
    memcpy(h2o_buffer_reserve(&self->memory, size).base, piece->bytes, size);
    self->memory->size += size;
    self->size += size;
    h2o_buffer_dispose(&piece);
}

int gm_held_body_take(gm_held_body_t *self, gm_stream_t *from, gm_failure_t *failure, const char **why)
{
    uint64_t known = from->length != GM_HEAD_NO_LENGTH ? from->length : self->size + from->available;
    char *text;

    if (!promise(self, known)) {
        *failure = GM_FAILURE_OVERLOADED;
        *why = "proxy.limits.max_buffered_bodies is used up";
        return -1;
    }
    if (from->available != 0)
        append(self, from);
    if ((self->file == -1 && self->size <= IN_MEMORY) || move_to_file(self) == 0)
        return 0;
    *failure = errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EMFILE || errno == ENFILE
                   ? GM_FAILURE_OVERLOADED
                   : GM_FAILURE_INTERNAL;
    *why = text = h2o_mem_alloc_pool(self->pool, 128);
    snprintf(text, 128, "proxy.temp_dir: %.100s", strerror(errno));
    return -1;
}

/* ---- giving it out, as often as needed */

static void show_next(gm_held_body_t *self)
{
    uint64_t left = self->size - self->offset;

    self->stream.available = left < GM_TRANSPORT_READ_MAX ? (size_t)left : GM_TRANSPORT_READ_MAX;
    self->stream.has_ended = self->stream.available == left;
}

/* @return whether all of it was there */
static bool read_in(const gm_held_body_t *self, char *into, size_t size)
{
    uint64_t at = self->offset;

    while (size != 0) {
        ssize_t got = pread(self->file, into, size, (off_t)at);
        if (got == -1 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        into += got;
        at += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

static void take(gm_stream_t *stream, h2o_buffer_t **to)
{
    gm_held_body_t *self = (gm_held_body_t *)stream;
    size_t size = stream->available;
    char *into = h2o_buffer_reserve(to, size).base;

    if (self->file == -1) {
        memcpy(into, self->memory->bytes + self->offset, size);
    } else if (!read_in(self, into, size)) {
        stream->has_failed = true;
        stream->failure = GM_FAILURE_INTERNAL;
        stream->why = "proxy.temp_dir: the body cannot be read again";
        return;
    }
    (*to)->size += size;
    self->offset += size;
    show_next(self);
}

static void rewind_stream(gm_stream_t *stream)
{
    gm_held_body_t *self = (gm_held_body_t *)stream;

    self->offset = 0;
    show_next(self);
}

static void start(gm_stream_t *stream)
{
    (void)stream; /* it is all here */
}

gm_stream_t *gm_held_body_open(gm_held_body_t *self, const gm_stream_t *from)
{
    self->stream = (gm_stream_t){.start = start,
                                 .take = take,
                                 .rewind = rewind_stream,
                                 .length = from->trailer_count == 0 ? self->size : GM_HEAD_NO_LENGTH,
                                 .trailers = from->trailers,
                                 .trailer_count = from->trailer_count};
    show_next(self);
    return &self->stream;
}
