/*
 * The supervisor: it holds the listening sockets, passes signals on and starts another serving process when
 * one dies, so that clients in the queues are served by the next. It has no thread, no loop of the library
 * and writes nothing but log lines. Main thread, called by server/serve; the functions gm_supervised_* are
 * for the process that serves.
 */
#include "server/supervise.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "server/notify.h"
#include "server/run.h"
#include "telemetry/log.h"

#define FIRST_WAIT_MS 100
#define LONGEST_WAIT_MS 10000
#define STEADY_MS 10000 /* who has lived that long did not die of its start */
#define ANSWER_MS 1000  /* for a supervisor that closes its ports */

/* what is said on the channel, a byte each */
enum { READY = 'r', ENDING = 'e', CLOSED = 'c' };

typedef struct supervisor {
    gm_ports_t *ports; /* borrowed */
    uint64_t shutdown_timeout_ms;
    int signals, channel; /* owned descriptors; channel: -1 = there is no serving process */
    pid_t child;          /* 0 = none */
    bool is_ready;        /* the child is */
    bool was_ready;       /* some child was */
    bool has_to_end;      /* somebody wants us to */
    bool is_last;         /* the child was made for that */
    bool are_ports_closed;
    bool is_over;
    int exit_code;
    unsigned crashes;
    gm_back_off_t back_off;
    uint64_t started_ms, start_at_ms;
    sigset_t to_pass; /* signals that came while there was no child */
} supervisor_t;

bool gm_supervise_is_wanted(uint64_t mode, char *(*get_env)(const char *name))
{
    if (mode != GM_SUPERVISE_AUTO)
        return mode == GM_SUPERVISE_ON;
    return get_env("NOTIFY_SOCKET") == NULL && get_env("INVOCATION_ID") == NULL; /* systemd starts us anew */
}

uint64_t gm_back_off_take_ms(gm_back_off_t *self, uint64_t lived_ms)
{
    uint64_t wait_ms = lived_ms < STEADY_MS ? self->next_ms : 0;

    self->next_ms = wait_ms == 0                    ? FIRST_WAIT_MS
                    : wait_ms * 2 < LONGEST_WAIT_MS ? wait_ms * 2
                                                    : LONGEST_WAIT_MS;
    return wait_ms;
}

/* ---- the serving process */

static int set_up_serving(const supervisor_t *self, int channel, pid_t supervisor, gm_supervised_t *serving)
{
    sigset_t set;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would look after it, nor pass signals on */
    if (getppid() != supervisor)      /* which has died before that */
        _exit(1);
    close(self->signals);
    unsetenv("NOTIFY_SOCKET"); /* the service manager hears from the process that it has started */
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    *serving = (gm_supervised_t){.channel = channel, .crashes = self->crashes, .is_next = self->was_ready};
    return 0;
}

static void tell(const gm_supervised_t *self, char what)
{
    if (send(self->channel, &what, 1, MSG_NOSIGNAL) == -1)
        (void)0; /* then it is gone, and so are we */
}

void gm_supervised_tell_ready(const gm_supervised_t *self)
{
    if (self->channel == -1)
        gm_notify("READY=1");
    else
        tell(self, READY);
}

void gm_supervised_tell_ending(const gm_supervised_t *self, uint64_t shutdown_timeout_ms)
{
    struct pollfd slot = {.fd = self->channel, .events = POLLIN};

    if (self->channel == -1) {
        gm_notify_stopping(shutdown_timeout_ms);
        return;
    }
    tell(self, ENDING);
    poll(&slot, 1, ANSWER_MS);
}

/* ---- the supervisor */

static void end(supervisor_t *self, int exit_code)
{
    self->is_over = true;
    self->exit_code = exit_code;
}

static void start_later(supervisor_t *self, uint64_t wait_ms)
{
    self->start_at_ms = gm_clock_monotonic_ms() + wait_ms;
}

/* " in 200ms", or nothing */
static const char *format_wait(char *out, size_t out_bytes, uint64_t wait_ms)
{
    char duration[32];

    snprintf(out, out_bytes, " in %s", gm_text_format_duration(duration, sizeof(duration), wait_ms));
    if (wait_ms == 0)
        out[0] = '\0';
    return out;
}

static void fail_start(supervisor_t *self, const char *why)
{
    char in[48];
    uint64_t wait_ms;

    if (!self->was_ready || self->has_to_end) {
        fprintf(stderr, "error: no serving process can be started: %s\n", why);
        end(self, 1);
        return;
    }
    wait_ms = gm_back_off_take_ms(&self->back_off, 0);
    start_later(self, wait_ms);
    gm_log(GM_LOG_ERROR, "No serving process can be started: %s; trying again%s", why,
           format_wait(in, sizeof(in), wait_ms));
}

static void pass_on(supervisor_t *self)
{
    static const int numbers[] = {SIGUSR1, SIGHUP, SIGINT, SIGTERM};

    for (size_t i = 0; i != GM_COUNT_OF(numbers); ++i)
        if (sigismember(&self->to_pass, numbers[i]))
            kill(self->child, numbers[i]);
    sigemptyset(&self->to_pass);
}

/* @return whether this is the new process */
static bool start(supervisor_t *self, gm_supervised_t *serving)
{
    pid_t supervisor = getpid();
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        fail_start(self, strerror(errno));
        return false;
    }
    fflush(NULL); /* nothing is to be printed twice */
    self->started_ms = gm_clock_monotonic_ms();
    if ((self->child = fork()) == 0) {
        close(ends[0]);
        set_up_serving(self, ends[1], supervisor, serving);
        return true;
    }
    close(ends[1]);
    if (self->child == -1) {
        self->child = 0;
        close(ends[0]);
        fail_start(self, strerror(errno));
        return false;
    }
    self->channel = ends[0];
    self->is_ready = false;
    pass_on(self); /* they are blocked there, and wait until it looks */
    malloc_trim(0);
    return false;
}

static void close_channel(supervisor_t *self)
{
    if (self->channel != -1)
        close(self->channel);
    self->channel = -1;
}

static void on_message(supervisor_t *self, char what)
{
    const char closed = CLOSED;

    if (what == READY) {
        self->is_ready = true;
        if (!self->was_ready)
            gm_notify("READY=1");
        self->was_ready = true;
    } else if (what == ENDING) {
        gm_ports_close(self->ports);
        self->are_ports_closed = true;
        if (send(self->channel, &closed, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
            (void)0; /* it died meanwhile */
        gm_notify_stopping(self->shutdown_timeout_ms);
    }
}

static void read_channel(supervisor_t *self)
{
    char what;
    ssize_t got = -1;

    while (self->channel != -1 && (got = recv(self->channel, &what, 1, MSG_DONTWAIT)) == 1)
        on_message(self, what);
    if (got == 0 || (got == -1 && errno != EAGAIN && errno != EINTR))
        close_channel(self); /* its end is told by SIGCHLD */
}

/* "3m2s", "250ms" */
static const char *format_age(char *out, size_t out_bytes, uint64_t ms)
{
    return gm_text_format_duration(out, out_bytes, ms < STEADY_MS ? ms : ms / 1000 * 1000);
}

/* @param how  "died by SIGSEGV" */
static void replace(supervisor_t *self, const char *how)
{
    uint64_t lived_ms = gm_clock_monotonic_ms() - self->started_ms;
    uint64_t wait_ms = self->has_to_end ? 0 : gm_back_off_take_ms(&self->back_off, lived_ms);
    char age[32], in[48];

    ++self->crashes;
    gm_log(GM_LOG_ERROR, "The serving process %s after %s; starting another%s (crash %u)", how,
           format_age(age, sizeof(age), lived_ms), format_wait(in, sizeof(in), wait_ms), self->crashes);
    start_later(self, wait_ms);
    self->is_last = self->has_to_end;
    if (self->is_last) /* it serves who waits in the queues, then ends */
        sigaddset(&self->to_pass, SIGTERM);
}

static void on_end_of_child(supervisor_t *self, int status)
{
    char how[64];
    const char *name;

    read_channel(self); /* its last words */
    close_channel(self);
    self->child = 0;
    if (WIFEXITED(status) &&
        (self->is_ready || !self->was_ready ||
         (self->has_to_end && WEXITSTATUS(status) == 0))) { /* asked to before it was ready */
        end(self, WEXITSTATUS(status));
        return;
    }
    if (WIFEXITED(status))
        snprintf(how, sizeof(how), "could not start and ended with exit code %d", WEXITSTATUS(status));
    else if ((name = sigabbrev_np(WTERMSIG(status))) != NULL)
        snprintf(how, sizeof(how), "died by SIG%s", name);
    else
        snprintf(how, sizeof(how), "died by signal %d", WTERMSIG(status));
    if (!self->was_ready) {
        gm_log(GM_LOG_ERROR, "The serving process %s before it was ready", how);
        end(self, 1);
    } else if (self->are_ports_closed || self->is_last) {
        gm_log(GM_LOG_ERROR, "The serving process %s while it was ending", how);
        end(self, 1);
    } else {
        replace(self, how);
    }
}

/* As process 1 of a container it is the parent of whoever has lost his own. */
static void reap(supervisor_t *self)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == self->child)
            on_end_of_child(self, status);
}

static void on_signal(supervisor_t *self, const struct signalfd_siginfo *info)
{
    int number = (int)info->ssi_signo;

    if (number == SIGCHLD) {
        reap(self);
        return;
    }
    if (number == SIGINT || number == SIGTERM) {
        self->has_to_end = true;
        self->start_at_ms = 0; /* without waiting: clients do */
    }
    if (self->child == 0)
        sigaddset(&self->to_pass, number);
    else if (number != SIGINT || info->ssi_code != SI_KERNEL) /* the keyboard reaches both of us */
        kill(self->child, number);
}

static int time_to_start(const supervisor_t *self)
{
    uint64_t now = gm_clock_monotonic_ms();

    return self->child != 0 ? -1 : self->start_at_ms > now ? (int)(self->start_at_ms - now) : 0;
}

static void wait_for_news(supervisor_t *self)
{
    struct pollfd slots[] = {{.fd = self->signals, .events = POLLIN},
                             {.fd = self->channel, .events = POLLIN}};
    struct signalfd_siginfo info;

    if (poll(slots, 2, time_to_start(self)) <= 0)
        return;
    if (slots[1].revents != 0)
        read_channel(self);
    if (slots[0].revents != 0 && read(self->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        on_signal(self, &info);
}

/* @return the descriptor */
static int open_signals(void)
{
    sigset_t set;

    signal(SIGCHLD, SIG_DFL); /* where it is ignored, nobody is told how a child has ended */
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return gm_run_open_with(SIGCHLD);
}

bool gm_supervise(gm_ports_t *ports, uint64_t shutdown_timeout_ms, gm_supervised_t *serving, int *exit_code)
{
    supervisor_t self = {
        .ports = ports, .shutdown_timeout_ms = shutdown_timeout_ms, .signals = open_signals(), .channel = -1};

    sigemptyset(&self.to_pass);
    if (self.signals == -1)
        fail_start(&self, strerror(errno));
    while (!self.is_over) {
        if (self.child == 0 && time_to_start(&self) == 0 && start(&self, serving))
            return true;
        if (!self.is_over)
            wait_for_news(&self);
    }
    close(self.signals);
    *exit_code = self.exit_code;
    return false;
}
