/*
 * The last words of a process: which signal, where, and what the thread was busy with. A signal handler runs
 * on the thread that failed, on a stack of its own, while nothing can be trusted: no allocation, no lock, no
 * stdio, and memory is read by way of the kernel, which says what cannot be read instead of faulting. Any
 * thread.
 */
#include "base/crash.h"

#include <errno.h>
#include <execinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)64 * 1024)
#define MAX_FRAMES 48
#define PATIENCE_SECONDS 2 /* of the report as a whole: the process must end, whatever happens in here */

struct gm_crash_report {
    char text[1024];
    size_t length;
};

static const struct {
    int number;
    const char *name;
} signals[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}, {SIGABRT, "SIGABRT"}};

#define SIGNAL_COUNT (sizeof(signals) / sizeof(signals[0]))

/* A signal handler gets no pointer of ours: what it is to find must be the thread's, or the process's. */
static _Thread_local struct {
    void *stack; /* owned */
    gm_crash_witness_t witness;
    void *data;
} own_thread;
static atomic_flag is_reporting = ATOMIC_FLAG_INIT;

/* ---- the text */

void gm_crash_flush(gm_crash_report_t *report)
{
    struct pollfd slot = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&slot, 1, 0) == 1 && write(STDERR_FILENO, report->text, report->length) == -1)
        (void)0; /* nobody listens */
    report->length = 0;
}

static void add(gm_crash_report_t *report, const char *bytes, size_t length)
{
    if (length > sizeof(report->text) - report->length)
        gm_crash_flush(report);
    if (length > sizeof(report->text))
        length = sizeof(report->text);
    memcpy(report->text + report->length, bytes, length);
    report->length += length;
}

void gm_crash_add_text(gm_crash_report_t *report, const char *text)
{
    add(report, text, strlen(text));
}

void gm_crash_add_number(gm_crash_report_t *report, uint64_t number, unsigned base)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    add(report, digits + at, sizeof(digits) - at);
}

void gm_crash_add_visible(gm_crash_report_t *report, const char *bytes, size_t length)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i != length; ++i) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x20 && c < 0x7f && c != '\\')
            add(report, bytes + i, 1);
        else
            add(report, (const char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
    }
}

bool gm_crash_copy(void *to, const void *from, size_t size_bytes)
{
    struct iovec local = {to, size_bytes}, remote = {(void *)from, size_bytes};
    ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

    if (got == -1 && errno != EFAULT) /* not allowed here; a fault ends the process, which is about to end */
        memcpy(to, from, size_bytes);
    return got == (ssize_t)size_bytes || (got == -1 && errno != EFAULT);
}

/* ---- the handler */

static const char *name_of(int number)
{
    for (size_t i = 0; i != SIGNAL_COUNT; ++i)
        if (signals[i].number == number)
            return signals[i].name;
    return "a signal";
}

static void add_first_line(gm_crash_report_t *report, const siginfo_t *info)
{
    char thread[17] = "";

    prctl(PR_GET_NAME, thread);
    gm_crash_add_text(report, "GoMesh " GM_VERSION " dies by ");
    gm_crash_add_text(report, name_of(info->si_signo));
    if (info->si_code > 0 && info->si_signo != SIGABRT) {
        gm_crash_add_text(report, " at 0x");
        gm_crash_add_number(report, (uint64_t)(uintptr_t)info->si_addr, 16);
    }
    gm_crash_add_text(report, " (process ");
    gm_crash_add_number(report, (uint64_t)getpid(), 10);
    gm_crash_add_text(report, ", thread ");
    gm_crash_add_visible(report, thread, strlen(thread));
    gm_crash_add_text(report, ")\nbacktrace:\n");
    gm_crash_flush(report);
}

static void write_backtrace(void)
{
    struct pollfd slot = {.fd = STDERR_FILENO, .events = POLLOUT};
    void *frames[MAX_FRAMES];
    int count = backtrace(frames, MAX_FRAMES);

    if (poll(&slot, 1, 0) == 1)
        backtrace_symbols_fd(frames, count, STDERR_FILENO);
}

/*
 * All five are blocked in here: another fault of this thread ends the process at once, by the kernel. Another
 * thread waits for that.
 */
static void on_crash(int number, siginfo_t *info, void *context)
{
    gm_crash_report_t report = {.length = 0};

    (void)context;
    if (atomic_flag_test_and_set(&is_reporting))
        for (;;)
            pause();
    alarm(PATIENCE_SECONDS);
    add_first_line(&report, info);
    write_backtrace();
    if (own_thread.witness != NULL)
        own_thread.witness(own_thread.data, &report);
    gm_crash_add_text(&report, "end of report\n");
    gm_crash_flush(&report);
    signal(number, SIG_DFL);
    raise(number); /* it waits until the handler returns, so that a core dump shows the place of the fault */
}

void gm_crash_prepare(void)
{
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    void *frame;

    gm_crash_enter_thread();
    if (GM_CRASH_HAS_SANITIZER)
        return;
    backtrace(&frame, 1); /* loads what it needs, which a handler must not */
    signal(SIGALRM, SIG_DFL);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i != SIGNAL_COUNT; ++i)
        sigaddset(&action.sa_mask, signals[i].number);
    for (size_t i = 0; i != SIGNAL_COUNT; ++i)
        sigaction(signals[i].number, &action, NULL);
}

/* ---- threads */

void gm_crash_enter_thread(void)
{
    stack_t stack = {.ss_size = STACK_BYTES};

    if (GM_CRASH_HAS_SANITIZER || own_thread.stack != NULL)
        return;
    /* cppcheck-suppress invalidFunctionArg ; -1 is right: no file is mapped */
    stack.ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp == MAP_FAILED)
        return; /* then it reports on the stack that it has */
    own_thread.stack = stack.ss_sp;
    sigaltstack(&stack, NULL);
}

void gm_crash_set_witness(gm_crash_witness_t witness, void *data)
{
    own_thread.witness = NULL; /* never one with the other's data */
    atomic_signal_fence(memory_order_seq_cst);
    own_thread.data = data;
    atomic_signal_fence(memory_order_seq_cst);
    own_thread.witness = witness;
}

void gm_crash_leave_thread(void)
{
    const stack_t none = {.ss_flags = SS_DISABLE};

    gm_crash_set_witness(NULL, NULL);
    if (own_thread.stack == NULL)
        return;
    sigaltstack(&none, NULL);
    munmap(own_thread.stack, STACK_BYTES);
    own_thread.stack = NULL;
}
