/*
 * Signals and the orderly end. The main thread does nothing else while the workers serve.
 */
#include "server/run.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "telemetry/log.h"

#define ONE_EVENT_MS 200 /* several signals in this time are one wish: timeout(1), say, sends two */
#define CUT_WAIT_MS 2000 /* for workers that tell their clients that the time is over */
#define AT_ONCE_MS                                                                                           \
    200 /* for workers that only cut, so that no client takes the exit for its answer's end                  \
         */

typedef struct ending {
    gm_server_t *const *servers;
    size_t count;
    int signals; /* descriptor */
    uint64_t began, deadline;
    bool is_asked;               /* to end by ourselves: no signal has come yet */
    bool second_signal, is_over; /* is_over: no signal can make it any faster */
} ending_t;

static void fill_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
}

void gm_run_prepare(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* ulimit -f: writing to the file fails, and that is told */
    /* buffers of bodies grow and shrink all the time; giving their memory back each time costs more than the
     * copying */
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    fill_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int gm_run_open(void)
{
    return gm_run_open_with(0);
}

int gm_run_open_with(int another)
{
    sigset_t set;

    fill_set(&set);
    if (another != 0)
        sigaddset(&set, another);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void gm_run_end(void)
{
    sigqueue(getpid(), SIGTERM, (union sigval){.sival_int = 0});
}

/* @param is_asked  set to whether we sent it ourselves. @return its number; 0 = none */
static int take_signal(int signals, bool *is_asked)
{
    struct signalfd_siginfo info;

    if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return 0;
    *is_asked = info.ssi_code == SI_QUEUE && info.ssi_pid == (uint32_t)getpid();
    return (int)info.ssi_signo;
}

static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

    if (fd != -1)
        close(fd);
    return fd != -1;
}

/* SIGHUP says that the terminal is gone, or, where there is none, that somebody has edited the configuration.
 */
static void wait_for_end(int signals, gm_server_t *const *servers, size_t count, bool *is_asked)
{
    struct pollfd slot = {.fd = signals, .events = POLLIN};

    for (;;) {
        int number = poll(&slot, 1, -1) == 1 ? take_signal(signals, is_asked) : 0;
        if (number == SIGUSR1) {
            gm_log_reopen();
            for (size_t i = 0; i != count; ++i)
                gm_server_reopen_logs(servers[i]);
        } else if (number == SIGHUP && !has_terminal())
            gm_log(GM_LOG_WARN, "SIGHUP changes nothing: a new configuration needs a restart");
        else if (number != 0)
            return;
    }
}

static bool is_wish_to_end(int number)
{
    return number != 0 && number != SIGUSR1;
}

typedef bool (*state_t)(const gm_server_t *server);

static void on_signal(ending_t *self)
{
    uint64_t now = gm_clock_monotonic_ms(); /* not that of before the wait */
    bool is_asked;

    if (!is_wish_to_end(take_signal(self->signals, &is_asked)) || is_asked)
        return;
    if (self->is_asked) {
        self->is_asked = false; /* it is the first */
        self->began = now;
    } else if (now - self->began >= ONE_EVENT_MS) {
        self->second_signal = true;
    }
}

/* Waits until the server is in that state, the time is over or a signal came. */
static void wait_for(ending_t *self, const gm_server_t *server, state_t state, uint64_t deadline)
{
    while (!state(server) && (!self->second_signal || self->is_over)) {
        struct pollfd slots[] = {{.fd = self->signals, .events = POLLIN},
                                 {.fd = gm_server_news_fd(server), .events = POLLIN}};
        uint64_t now = gm_clock_monotonic_ms(), count;
        if (now >= deadline)
            return;
        if (poll(slots, 2, (int)(deadline - now < 1000 ? deadline - now : 1000)) <= 0)
            continue;
        if (slots[0].revents != 0)
            on_signal(self);
        if (slots[1].revents != 0 && read(slots[1].fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
            continue; /* several workers had news at once, and one reading took them all */
    }
}

static size_t sum(const ending_t *self, size_t (*of)(const gm_server_t *server))
{
    size_t total = 0;

    for (size_t i = 0; i != self->count; ++i)
        total += of(self->servers[i]);
    return total;
}

static bool all_ended(const ending_t *self)
{
    for (size_t i = 0; i != self->count; ++i)
        if (!gm_server_has_ended(self->servers[i]))
            return false;
    return true;
}

/* In order: a server that sends requests to another ends before it. */
static void end_all(ending_t *self)
{
    for (size_t i = 0; i != self->count; ++i) {
        gm_server_drain(self->servers[i]);
        wait_for(self, self->servers[i], gm_server_has_ended, self->deadline);
    }
    if (all_ended(self))
        return;
    for (size_t i = 0; i != self->count; ++i)
        (self->second_signal ? gm_server_cut : gm_server_expire)(self->servers[i]);
    self->is_over = self->second_signal;
    self->deadline = gm_clock_monotonic_ms() + (self->is_over ? AT_ONCE_MS : CUT_WAIT_MS);
    for (size_t i = 0; i != self->count; ++i)
        wait_for(self, self->servers[i], gm_server_has_ended, self->deadline);
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

void gm_run(int signals, gm_server_t *const *servers, size_t count, uint64_t shutdown_timeout_ms,
            const gm_supervised_t *supervised)
{
    ending_t ending = {.servers = servers, .count = count, .signals = signals};
    char timeout[32];
    size_t in_flight, cut;

    gm_supervised_tell_ready(supervised);
    wait_for_end(signals, servers, count, &ending.is_asked);
    gm_supervised_tell_ending(supervised, shutdown_timeout_ms);
    gm_text_format_duration(timeout, sizeof(timeout), shutdown_timeout_ms);
    ending.began = gm_clock_monotonic_ms();
    ending.deadline = ending.began + shutdown_timeout_ms;
    gm_server_drain(servers[0]);
    wait_for(&ending, servers[0], gm_server_is_draining, gm_clock_monotonic_ms() + CUT_WAIT_MS);
    in_flight = gm_server_in_flight(servers[0]);
    gm_log(GM_LOG_INFO, "Shutting down: waiting up to %s for %zu request%s", timeout, in_flight,
           plural(in_flight));
    end_all(&ending);
    cut = sum(&ending, gm_server_cut_count);
    if (ending.second_signal)
        gm_log(GM_LOG_WARN, "Stopped at once by a second signal");
    else if (cut != 0)
        gm_log(GM_LOG_WARN, "Cut %zu request%s that did not finish within %s", cut, plural(cut), timeout);
    else
        gm_log(GM_LOG_INFO, "Stopped");
    close(ending.signals);
    if (!all_ended(&ending)) {
        /* the library does not let go of a request whose backend is silent: it goes with the process */
        for (size_t i = 0; i != count; ++i)
            gm_server_abandon(servers[i]);
        gm_log_close();
        _exit(0);
    }
    for (size_t i = 0; i != count; ++i)
        gm_server_destroy(servers[i]);
}
