/* alarm: calls back after any number of milliseconds, on one h2o loop */
#ifndef GM_NET_ALARM_H
#define GM_NET_ALARM_H

#include <stdint.h>

#include <h2o.h>

#include "base/memory.h"

/** All alarms of one loop's thread. */
typedef struct gm_alarms gm_alarms_t;

/** One alarm, embedded in the caller's object. All zero is "not set". */
typedef struct gm_alarm {
    gm_alarms_t *alarms; /* borrowed */
    size_t place;        /* among them, counted from 1; 0 = not set */
    uint64_t due_ms;
    void (*on_due)(struct gm_alarm *self); /* may set or clear any alarm, and free this one */
} gm_alarm_t;

GM_MUST_USE gm_alarms_t *gm_alarms_create(h2o_loop_t *loop);
/** Clears what is still set. Not from within the loop's callbacks. Accepts NULL. */
void gm_alarms_destroy(gm_alarms_t *self);

/** Sets the alarm, anew if it was set. Never early, and never from within this call, whatever the delay. */
void gm_alarm_set(gm_alarms_t *alarms, gm_alarm_t *self, uint64_t delay_ms);
/** Nothing happens if it is not set. */
void gm_alarm_clear(gm_alarm_t *self);

#endif
