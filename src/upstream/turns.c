/*
 * First come, first served. Only who waits has a watch running; without a limit none of this costs anything.
 * Called by proxy/forward around each exchange.
 */
#include "upstream/turns.h"

void gm_turns_init(gm_turns_t *self, gm_watches_t *watches, size_t max, uint64_t patience_ms)
{
    self->watches = watches;
    self->max = max;
    self->taken = 0;
    self->patience_ms = patience_ms;
    h2o_linklist_init_anchor(&self->waiting);
}

static void stop_waiting(gm_turn_t *self)
{
    h2o_linklist_unlink(&self->link);
    gm_watch_stop(&self->patience);
}

static void on_late(gm_watch_t *watch)
{
    gm_turn_t *self = H2O_STRUCT_FROM_MEMBER(gm_turn_t, patience, watch);

    stop_waiting(self);
    self->all = NULL;
    self->on_turn(self, true);
}

bool gm_turn_take(gm_turns_t *all, gm_turn_t *self, gm_turn_cb_t on_turn)
{
    if (all->max == 0)
        return true;
    self->all = all;
    if (all->taken != all->max && h2o_linklist_is_empty(&all->waiting)) {
        ++all->taken;
        return true;
    }
    self->on_turn = on_turn;
    h2o_linklist_insert(&all->waiting, &self->link);
    gm_watch_start(all->watches, &self->patience, all->patience_ms, on_late);
    return false;
}

static void give_to_next(gm_turns_t *all)
{
    gm_turn_t *next;

    if (h2o_linklist_is_empty(&all->waiting) || all->taken >= all->max)
        return;
    next = H2O_STRUCT_FROM_MEMBER(gm_turn_t, link, all->waiting.next);
    stop_waiting(next);
    ++all->taken;
    next->on_turn(next, false);
}

bool gm_turns_let_pass(gm_turns_t *all)
{
    for (h2o_linklist_t *node = all->waiting.next; all->max != 0 && node != &all->waiting;
         node = node->next) {
        gm_turn_t *turn = H2O_STRUCT_FROM_MEMBER(gm_turn_t, link, node);
        if (!turn->may_pass)
            continue;
        stop_waiting(turn);
        turn->all = NULL;
        turn->on_turn(turn, false);
        return true;
    }
    return false;
}

void gm_turn_move(gm_turn_t *to, gm_turn_t *from)
{
    to->all = from->all;
    from->all = NULL;
}

void gm_turn_leave(gm_turn_t *self)
{
    gm_turns_t *all = self->all;

    self->all = NULL;
    if (all == NULL)
        return;
    if (h2o_linklist_is_linked(&self->link)) {
        stop_waiting(self);
        return;
    }
    --all->taken;
    give_to_next(all);
}
