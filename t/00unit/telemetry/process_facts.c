/* What the kernel says of this process, held against what the process does. */
#include "telemetry/process_facts.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "picotest.h"

#define SECOND_NS UINT64_C(1000000000)

static void test_cpu_and_memory(void)
{
    gm_process_facts_t before, after;

    gm_process_facts_read(&before);
    do
        gm_process_facts_read(&after);
    while (after.cpu_ns - before.cpu_ns < 1000000);
    ok(before.cpu_ns > 0);
    ok(after.cpu_ns < 600 * SECOND_NS);
    ok(after.resident_bytes > 65536);
    ok(after.virtual_bytes > after.resident_bytes);
    ok(after.resident_bytes % 4096 == 0);
}

static void test_fds(void)
{
    const struct rlimit limit = {.rlim_cur = 100, .rlim_max = 100};
    gm_process_facts_t before, after;
    int fds[3];

    gm_process_facts_read(&before);
    for (size_t i = 0; i != 3; ++i)
        fds[i] = open("/dev/null", O_RDONLY);
    gm_process_facts_read(&after);
    ok(before.open_fds >= 2);
    ok(after.open_fds == before.open_fds + 3);
    for (size_t i = 0; i != 3; ++i)
        close(fds[i]);
    gm_process_facts_read(&after);
    ok(after.open_fds == before.open_fds);
    ok(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    gm_process_facts_read(&after);
    ok(after.max_fds == 100);
}

static void test_start_time(void)
{
    uint64_t start = gm_process_start_time(), now = (uint64_t)time(NULL) * SECOND_NS;

    ok(start <= now + SECOND_NS);
    ok(start > now - 600 * SECOND_NS);
    ok(start % (SECOND_NS / 100) == 0);
}

int main(void)
{
    subtest("start_time", test_start_time);
    subtest("cpu_and_memory", test_cpu_and_memory);
    subtest("fds", test_fds);
    return done_testing();
}
