/*
 * Alarms for what is due at a time that somebody else has chosen: a client's deadline, a pause of the test
 * backend's. The library's h2o_timeout_t is a list for one duration, and cannot be disposed of while its own
 * callback runs, which is when requests end; so there is one per thread, always armed for the earliest alarm
 * of a heap: whatever times clients choose, and in what order, setting one costs little. On the thread of
 * their loop.
 */
#include "net/alarm.h"

#include "base/clock.h"
#include "base/vector.h"

/* The library takes a duration away from the time since 1970, and must not get below zero. */
#define LONGEST_MS 3600000

struct gm_alarms {
    h2o_loop_t *loop;            /* borrowed, outlives this */
    GM_VECTOR(gm_alarm_t *) set; /* a heap: nobody is due before the one in place / 2 */
    h2o_timeout_t timeout;       /* its duration changes, which is sound with one entry only */
    h2o_timeout_entry_t entry;   /* linked while `set` is not empty, or once more than needed */
};

/* ---- the heap */

static void put(gm_alarms_t *self, gm_alarm_t *alarm, size_t place)
{
    self->set.items[place - 1] = alarm;
    alarm->place = place;
}

static gm_alarm_t *at(const gm_alarms_t *self, size_t place)
{
    return self->set.items[place - 1];
}

static void move_up(gm_alarms_t *self, gm_alarm_t *alarm, size_t place)
{
    for (; place > 1 && at(self, place / 2)->due_ms > alarm->due_ms; place /= 2)
        put(self, at(self, place / 2), place);
    put(self, alarm, place);
}

static void move_down(gm_alarms_t *self, gm_alarm_t *alarm, size_t place)
{
    for (size_t child; (child = 2 * place) <= self->set.size; place = child) {
        if (child < self->set.size && at(self, child + 1)->due_ms < at(self, child)->due_ms)
            ++child;
        if (at(self, child)->due_ms >= alarm->due_ms)
            break;
        put(self, at(self, child), place);
    }
    put(self, alarm, place);
}

static gm_alarm_t *earliest(const gm_alarms_t *self)
{
    return self->set.size != 0 ? at(self, 1) : NULL;
}

/* ---- the library's clock */

static void arm(gm_alarms_t *self, uint64_t now_ms)
{
    const gm_alarm_t *first = earliest(self);
    uint64_t left_ms;

    h2o_timeout_unlink(&self->entry);
    if (first == NULL)
        return;
    /* never 0: the library would run such an entry again and again without a look at its sockets */
    left_ms = first->due_ms > now_ms ? first->due_ms - now_ms : 1;
    self->timeout.timeout = left_ms < LONGEST_MS ? left_ms : LONGEST_MS; /* then it is for nothing */
    h2o_timeout_link(self->loop, &self->timeout, &self->entry);
}

static void on_timeout(h2o_timeout_entry_t *entry)
{
    gm_alarms_t *self = H2O_STRUCT_FROM_MEMBER(gm_alarms_t, entry, entry);
    uint64_t now_ms = gm_clock_monotonic_ms();
    gm_alarm_t *alarm;

    /* the first is looked up afresh each time, for a callback may clear others; what it sets is later than
     * now_ms, so this ends. The library's clock may be early by a millisecond: then nothing is due yet. */
    while ((alarm = earliest(self)) != NULL && alarm->due_ms <= now_ms) {
        gm_alarm_clear(alarm);
        alarm->on_due(alarm);
    }
    arm(self, gm_clock_monotonic_ms());
}

/* ---- for others */

gm_alarms_t *gm_alarms_create(h2o_loop_t *loop)
{
    gm_alarms_t *self = gm_alloc(sizeof(*self));

    self->loop = loop;
    h2o_timeout_init(loop, &self->timeout, 1);
    self->entry.cb = on_timeout;
    return self;
}

void gm_alarms_destroy(gm_alarms_t *self)
{
    gm_alarm_t *alarm;

    if (self == NULL)
        return;
    while ((alarm = earliest(self)) != NULL)
        gm_alarm_clear(alarm);
    h2o_timeout_unlink(&self->entry);
    h2o_timeout_dispose(self->loop, &self->timeout);
    gm_vector_dispose(&self->set);
    free(self);
}

void gm_alarm_set(gm_alarms_t *alarms, gm_alarm_t *self, uint64_t delay_ms)
{
    uint64_t now_ms = gm_clock_monotonic_ms();

    gm_alarm_clear(self);
    self->alarms = alarms;
    /* part of this millisecond has gone: never early */
    self->due_ms = delay_ms < UINT64_MAX - now_ms ? now_ms + delay_ms + 1 : UINT64_MAX;
    (void)gm_vector_push(&alarms->set);
    move_up(alarms, self, alarms->set.size);
    if (earliest(alarms) == self)
        arm(alarms, now_ms);
}

void gm_alarm_clear(gm_alarm_t *self)
{
    gm_alarms_t *alarms = self->alarms;
    size_t place = self->place;
    gm_alarm_t *last;

    if (place == 0)
        return;
    self->place = 0;
    /* the timeout may now fire for nothing, which is cheaper than arming it anew each time */
    last = at(alarms, alarms->set.size--);
    if (last == self)
        return;
    if (last->due_ms < self->due_ms)
        move_up(alarms, last, place);
    else
        move_down(alarms, last, place);
}
