/* turns: how many exchanges with one endpoint run at once, and who waits for one to end */
#ifndef GM_UPSTREAM_TURNS_H
#define GM_UPSTREAM_TURNS_H

#include <stdbool.h>

#include "net/watch.h"

typedef struct gm_turn gm_turn_t;

/** Of one worker and one cluster; embedded in its pool. All zero = no limit. Worker only. */
typedef struct gm_turns {
    gm_watches_t *watches; /* borrowed */
    size_t max, taken;     /* max: 0 = no limit, and then nothing is counted */
    uint64_t patience_ms;
    h2o_linklist_t waiting; /* the one that came first is the first */
} gm_turns_t;

/** @param is_late  it has waited long enough. Without it and without a turn there is another way: see
 * let_pass */
typedef void (*gm_turn_cb_t)(gm_turn_t *self, bool is_late);

/** Embedded in what wants a connection; all zero = wants none. Worker only. */
struct gm_turn {
    gm_turns_t *all; /* borrowed; NULL = neither waits nor has one */
    h2o_linklist_t link;
    gm_watch_t patience;
    gm_turn_cb_t on_turn;
    bool may_pass; /* set by its owner: it may do without, see gm_turns_let_pass */
};

/** @param patience_ms  how long at most anybody waits */
void gm_turns_init(gm_turns_t *self, gm_watches_t *watches, size_t max, uint64_t patience_ms);

/** @return true if it is one's turn at once; otherwise `on_turn` is called later, once */
bool gm_turn_take(gm_turns_t *all, gm_turn_t *self, gm_turn_cb_t on_turn);

/** Whether it is its turn, where there is a limit. */
static inline bool gm_turn_is_had(const gm_turn_t *self)
{
    return self->all != NULL;
}

/**
 * Whoever has waited longest of those that may pass need not any more, although no turn is over: it is
 * called, and has none.
 * @return false if nobody waits who may
 */
bool gm_turns_let_pass(gm_turns_t *all);

/** From now on `to`, which has none, has the turn of `from`. */
void gm_turn_move(gm_turn_t *to, gm_turn_t *from);

/**
 * The turn is over, or not waited for any more: the next one has it, from within this call. For one that has
 * none, nothing happens.
 */
void gm_turn_leave(gm_turn_t *self);

#endif
