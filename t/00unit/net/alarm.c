/* Alarms in any order, on a loop of the library's: none is early, none is forgotten, cleared ones never ring.
 */
#include "net/alarm.h"

#include "base/clock.h"
#include "picotest.h"

#define ALARMS 300

typedef struct bell {
    gm_alarm_t alarm;
    gm_alarms_t *alarms;
    uint64_t wanted_ms; /* not before */
    unsigned rung, early, again;
    struct bell *clears;
} bell_t;

static unsigned rung;
static uint64_t last_due_ms;
static unsigned out_of_order;

static void on_due(gm_alarm_t *alarm)
{
    bell_t *self = H2O_STRUCT_FROM_MEMBER(bell_t, alarm, alarm);

    ++rung;
    ++self->rung;
    self->early += gm_clock_monotonic_ms() < self->wanted_ms;
    out_of_order += alarm->due_ms < last_due_ms;
    last_due_ms = alarm->due_ms;
    if (self->clears != NULL)
        gm_alarm_clear(&self->clears->alarm);
    if (self->again != 0) {
        --self->again;
        gm_alarm_set(self->alarms, alarm, 0);
    }
}

static void set(gm_alarms_t *alarms, bell_t *bell, uint64_t delay_ms)
{
    bell->alarms = alarms;
    bell->alarm.on_due = on_due;
    bell->wanted_ms = gm_clock_monotonic_ms() + delay_ms;
    gm_alarm_set(alarms, &bell->alarm, delay_ms);
}

static void run_until(h2o_loop_t *loop, unsigned count)
{
    uint64_t until = gm_clock_monotonic_ms() + 10000;

    while (rung < count && gm_clock_monotonic_ms() < until)
        h2o_evloop_run(loop, 20);
}

static void test_any_order(void)
{
    static bell_t bells[ALARMS];
    h2o_loop_t *loop = h2o_evloop_create();
    gm_alarms_t *alarms = gm_alarms_create(loop);
    unsigned early = 0, wrong = 0, wanted = 0;

    for (unsigned i = 0; i != ALARMS; ++i)
        set(alarms, &bells[i], i * 7919 % 97);
    for (unsigned i = 0; i < ALARMS; i += 3) /* some earlier, some later than before */
        set(alarms, &bells[i], i * 104729 % 89);
    for (unsigned i = 1; i < ALARMS; i += 3)
        gm_alarm_clear(&bells[i].alarm);
    gm_alarm_clear(&bells[1].alarm); /* is not set */
    wanted = ALARMS - ALARMS / 3;
    run_until(loop, wanted);
    ok(rung == wanted && out_of_order == 0);
    for (unsigned i = 0; i != ALARMS; ++i) {
        early += bells[i].early;
        wrong += bells[i].rung != (i % 3 == 1 ? 0 : 1) || bells[i].alarm.place != 0;
    }
    ok(early == 0 && wrong == 0);
    gm_alarms_destroy(alarms);
    h2o_evloop_destroy(loop);
}

static void test_callbacks(void)
{
    static bell_t first = {.again = 3}, second, third, never;
    h2o_loop_t *loop = h2o_evloop_create();
    gm_alarms_t *alarms = gm_alarms_create(loop);

    rung = 0;
    set(alarms, &never, UINT64_MAX);
    for (int i = 0; i != 3; ++i)
        h2o_evloop_run(loop, 1); /* with nothing before it */
    ok(rung == 0 && never.alarm.due_ms == UINT64_MAX);
    first.clears = &second;
    set(alarms, &first, 0);
    set(alarms, &second, 0);
    set(alarms, &third, 5);
    run_until(loop, 5);
    ok(first.rung == 4 && second.rung == 0 && third.rung == 1 && never.rung == 0);
    gm_alarms_destroy(alarms); /* clears the last one */
    ok(never.alarm.place == 0);
    gm_alarms_destroy(NULL);
    h2o_evloop_destroy(loop);
}

int main(void)
{
    subtest("any order", test_any_order);
    subtest("callbacks", test_callbacks);
    return done_testing();
}
