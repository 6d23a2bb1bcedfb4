/* The last words of a process that dies. */
#include "base/crash.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "picotest.h"

static char text[16384];

/* Runs a function in a process of its own. @return the signal that ended it; what it wrote is in `text` */
static int die(void (*how)(void))
{
    const struct rlimit none = {0, 0};
    size_t length = 0;
    ssize_t got;
    int ends[2], status;
    pid_t pid;

    if (pipe(ends) != 0 || (pid = fork()) == -1)
        return -1;
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &none);
        dup2(ends[1], STDERR_FILENO);
        gm_crash_prepare();
        how();
        _exit(0);
    }
    close(ends[1]);
    while (length + 1 < sizeof(text) && (got = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static bool has(const char *part)
{
    return strstr(text, part) != NULL;
}

static void write_nowhere(void)
{
    static volatile int *volatile nowhere = (int *)16;

    *nowhere = 1;
}

static void test_fault(void)
{
    ok(die(write_nowhere) == SIGSEGV);
    ok(strncmp(text, "GoMesh ", 7) == 0);
    ok(has(" dies by SIGSEGV at 0x10 (process "));
    ok(has("\nbacktrace:\n"));
    ok(has("end of report\n"));
}

static void test_abort(void)
{
    ok(die(abort) == SIGABRT);
    ok(has(" dies by SIGABRT (process "));
}

static void tell(void *data, gm_crash_report_t *report)
{
    const char bytes[] = "\x1b[31m\nPOST \xff\\";

    gm_crash_add_text(report, data);
    gm_crash_add_visible(report, bytes, sizeof(bytes));
    gm_crash_add_number(report, 1234567890123456789, 10);
    gm_crash_add_number(report, 0xbeef, 16);
    gm_crash_add_number(report, 0, 10);
    gm_crash_add_text(report, "\n");
}

static void die_with_witness(void)
{
    gm_crash_set_witness(tell, "it says ");
    write_nowhere();
}

static void test_witness(void)
{
    ok(die(die_with_witness) == SIGSEGV);
    ok(has("it says \\x1b[31m\\x0aPOST \\xff\\x5c\\x001234567890123456789beef0\n"));
}

static void fault(void *data, gm_crash_report_t *report)
{
    (void)data;
    gm_crash_add_text(report, "and then\n");
    gm_crash_flush(report);
    write_nowhere();
}

static void die_twice(void)
{
    gm_crash_set_witness(fault, NULL);
    abort();
}

/* The report ends there, and so does the process: it neither hangs nor begins anew. */
static void test_fault_in_report(void)
{
    ok(die(die_twice) == SIGSEGV);
    ok(has("and then\n"));
    ok(!has("end of report"));
}

static void hang(void *data, gm_crash_report_t *report)
{
    (void)data;
    (void)report;
    for (;;)
        pause();
}

static void die_slowly(void)
{
    gm_crash_set_witness(hang, NULL);
    abort();
}

static void test_report_that_hangs(void)
{
    ok(die(die_slowly) == SIGALRM);
}

static int eat_stack(volatile char *above, size_t depth)
{
    volatile char here[4096];

    here[0] = above != NULL ? above[0] : 0;
    return depth == 0 ? 0 : eat_stack(here, depth - 1) + here[0];
}

static void overflow(void)
{
    _exit(eat_stack(NULL, SIZE_MAX));
}

static void test_stack_overflow(void)
{
    ok(die(overflow) == SIGSEGV);
    ok(has("end of report\n"));
}

static void test_copy(void)
{
    char from[4] = "abc", to[4] = "";

    ok(gm_crash_copy(to, from, sizeof(to)));
    ok(strcmp(to, "abc") == 0);
    ok(!gm_crash_copy(to, (void *)16, sizeof(to)));
}

int main(void)
{
    subtest("memory that may be anything", test_copy);
    if (GM_CRASH_HAS_SANITIZER)
        return done_testing();
    subtest("a fault", test_fault);
    subtest("abort()", test_abort);
    subtest("what the thread was busy with", test_witness);
    subtest("a fault in the report", test_fault_in_report);
    subtest("a report that hangs", test_report_that_hangs);
    subtest("the end of the stack", test_stack_overflow);
    return done_testing();
}
