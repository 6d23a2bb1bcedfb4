/*
 * Alarms for the test backend's pages, whose pauses are chosen by clients. The library's h2o_timeout_t is a
 * list for one duration, and cannot be disposed of while its own callback runs, which is when requests end;
 * so there is one per thread, always armed for the earliest alarm of a sorted list. Used by pages, on the
 * thread of their loop.
 */
#include "backend/alarm.h"

#include <stdlib.h>

#include "base/clock.h"

struct gm_alarms {
    h2o_loop_t *loop;          /* borrowed, outlives this */
    h2o_linklist_t set;        /* of gm_alarm_t.link, earliest first */
    h2o_timeout_t timeout;     /* its duration changes, which is sound with one entry only */
    h2o_timeout_entry_t entry; /* linked while `set` is not empty, or once more than needed */
};

static gm_alarm_t *earliest(gm_alarms_t *self)
{
    if (h2o_linklist_is_empty(&self->set))
        return NULL;
    return H2O_STRUCT_FROM_MEMBER(gm_alarm_t, link, self->set.next);
}

static void arm(gm_alarms_t *self, uint64_t now_ms)
{
    gm_alarm_t *first = earliest(self);

    h2o_timeout_unlink(&self->entry);
    if (first == NULL)
        return;
    /* never 0: the library would run such an entry again and again without a look at its sockets */
    self->timeout.timeout = first->due_ms > now_ms ? first->due_ms - now_ms : 1;
    h2o_timeout_link(self->loop, &self->timeout, &self->entry);
}

static void on_timeout(h2o_timeout_entry_t *entry)
{
    gm_alarms_t *self = H2O_STRUCT_FROM_MEMBER(gm_alarms_t, entry, entry);
    uint64_t now_ms = gm_clock_monotonic_ms();
    gm_alarm_t *alarm;

    /* the head is looked up afresh each time, for a callback may clear its neighbours; what it sets is later
     * than now_ms, so this ends. The library's clock may be early by a millisecond: then nothing is due yet.
     */
    while ((alarm = earliest(self)) != NULL && alarm->due_ms <= now_ms) {
        gm_alarm_clear(alarm);
        alarm->on_due(alarm);
    }
    arm(self, gm_clock_monotonic_ms());
}

gm_alarms_t *gm_alarms_create(h2o_loop_t *loop)
{
    gm_alarms_t *self = gm_alloc(sizeof(*self));

    self->loop = loop;
    h2o_linklist_init_anchor(&self->set);
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
    free(self);
}

void gm_alarm_set(gm_alarms_t *alarms, gm_alarm_t *self, uint64_t delay_ms)
{
    uint64_t now_ms = gm_clock_monotonic_ms();
    h2o_linklist_t *after;

    gm_alarm_clear(self);
    self->due_ms = now_ms + delay_ms + 1; /* part of this millisecond has gone: never early */
    /* from the end, where alarms of the one usual pause belong */
    for (after = alarms->set.prev; after != &alarms->set; after = after->prev)
        if (H2O_STRUCT_FROM_MEMBER(gm_alarm_t, link, after)->due_ms <= self->due_ms)
            break;
    h2o_linklist_insert(after->next, &self->link);
    if (earliest(alarms) == self)
        arm(alarms, now_ms);
}

void gm_alarm_clear(gm_alarm_t *self)
{
    /* the timeout may now fire for nothing, which is cheaper than arming it anew each time */
    if (h2o_linklist_is_linked(&self->link))
        h2o_linklist_unlink(&self->link);
}
