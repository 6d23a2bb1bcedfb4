/* Records: phases and their sums. */
#include "telemetry/record.h"

#include <string.h>

#include "picotest.h"

static void test_labels(void)
{
    ok(strcmp(gm_phase_label(GM_PHASE_HEAD), "head") == 0);
    ok(strcmp(gm_phase_label(GM_PHASE_LAST_BYTE), "last_byte") == 0);
}

/* Whatever the clock says, no time is lost between the phases, and none is counted twice. */
static void test_phases(void)
{
    uint64_t start = gm_clock_monotonic_ns();
    gm_record_t record = {.marked_ns = start, .phase = GM_PHASE_ROUTE};

    gm_record_enter(&record, GM_PHASE_SENT);
    gm_record_enter(&record, GM_PHASE_FIRST_BYTE);
    gm_record_enter(&record, GM_PHASE_SENT); /* once more */
    gm_record_enter(&record, GM_PHASE_SENT); /* nothing new */
    ok(record.phase == GM_PHASE_SENT);
    ok(gm_record_total_ns(&record) == record.marked_ns - start);
    ok(record.phase_ns[GM_PHASE_BODY] == 0);
}

static void test_nobody_wants_to_know(void)
{
    gm_record_t record = {.phase = GM_PHASE_ROUTE};

    gm_record_enter(&record, GM_PHASE_SENT);
    ok(record.marked_ns == 0);
    ok(gm_record_total_ns(&record) == 0);
}

int main(void)
{
    subtest("labels", test_labels);
    subtest("phases", test_phases);
    subtest("nobody wants to know", test_nobody_wants_to_know);
    return done_testing();
}
