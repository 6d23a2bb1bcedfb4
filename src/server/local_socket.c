/*
 * The file of a listening unix socket: who may use it from its first moment on, and who removes it. Called by
 * server/server, main thread.
 */
#include "server/local_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

static int fail(gm_error_t *err, const char *path, const char *why)
{
    return gm_error_set(err, NULL, "the socket %.200s cannot be opened: %s", path, why);
}

static int open_stream(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Whether a process listens there; a full queue is one, too. */
static bool is_in_use(const struct sockaddr_un *address)
{
    int fd = open_stream();
    bool is_refused = fd != -1 && connect(fd, (const void *)address, sizeof(*address)) != 0 &&
                      (errno == ECONNREFUSED || errno == ENOENT);

    if (fd != -1)
        close(fd);
    return !is_refused;
}

static int remove_left_over(const struct sockaddr_un *address, gm_error_t *err)
{
    struct stat info;

    if (lstat(address->sun_path, &info) != 0)
        return 0; /* if that is not as it should be, bind says why */
    if (!S_ISSOCK(info.st_mode))
        return fail(err, address->sun_path, "there is a file of that name, which is no socket");
    if (is_in_use(address))
        return fail(err, address->sun_path, "another process has it");
    return unlink(address->sun_path) == 0 ? 0 : fail(err, address->sun_path, strerror(errno));
}

int gm_local_socket_open(gm_local_socket_t *self, const char *path, gm_error_t *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat info;
    int fd, error;

    if (strlen(path) >= sizeof(address.sun_path))
        return fail(err, path, "its path is too long");
    strcpy(address.sun_path, path);
    if (remove_left_over(&address, err) != 0)
        return -1;
    if ((fd = open_stream()) == -1)
        return fail(err, path, strerror(errno));
    /* Linux gives the file the mode of the descriptor: there is no moment in which others may connect */
    if (fchmod(fd, S_IRUSR | S_IWUSR) == 0 && bind(fd, (void *)&address, sizeof(address)) == 0) {
        if (listen(fd, BACKLOG) == 0 && chmod(path, S_IRUSR | S_IWUSR) == 0 && lstat(path, &info) == 0) {
            *self = (gm_local_socket_t){gm_strdup(path), info.st_dev, info.st_ino};
            return fd;
        }
        error = errno;
        unlink(path);
        errno = error;
    }
    error = errno;
    close(fd);
    return fail(err, path, strerror(error));
}

void gm_local_socket_dispose(gm_local_socket_t *self)
{
    struct stat info;

    if (self->path != NULL && lstat(self->path, &info) == 0 && info.st_dev == self->device &&
        info.st_ino == self->inode)
        unlink(self->path);
    free(self->path);
    self->path = NULL;
}
