/*
 * One list per worker, looked through a few times per limit: no timer is armed and disarmed while requests
 * run, and a jump of the system's clock moves nothing. Called by front/ and upstream/ on their worker.
 */
#include "net/watch.h"

#include "base/clock.h"

#define LONGEST_INTERVAL_MS 250
#define SHORTEST_INTERVAL_MS 10

struct gm_watches {
    h2o_linklist_t list;
    h2o_linklist_t *next; /* where a running sweep goes on; NULL = none is running */
    uint64_t interval_ms, swept_at_ms, rounds;
};

gm_watches_t *gm_watches_create(uint64_t shortest_ms)
{
    gm_watches_t *self = gm_alloc(sizeof(*self));
    uint64_t interval = shortest_ms / 8;

    h2o_linklist_init_anchor(&self->list);
    self->interval_ms = interval < SHORTEST_INTERVAL_MS  ? SHORTEST_INTERVAL_MS
                        : interval > LONGEST_INTERVAL_MS ? LONGEST_INTERVAL_MS
                                                         : interval;
    self->swept_at_ms = gm_clock_coarse_ms();
    return self;
}

void gm_watches_destroy(gm_watches_t *self)
{
    free(self);
}

int32_t gm_watches_patience_ms(const gm_watches_t *self)
{
    uint64_t passed = gm_clock_coarse_ms() - self->swept_at_ms;

    return passed < self->interval_ms ? (int32_t)(self->interval_ms - passed) : 1;
}

uint64_t gm_watches_rounds(const gm_watches_t *self)
{
    return self->rounds;
}

void gm_watches_sweep(gm_watches_t *self)
{
    uint64_t now = gm_clock_coarse_ms();

    ++self->rounds;
    if (now - self->swept_at_ms < self->interval_ms)
        return;
    self->swept_at_ms = now;
    for (h2o_linklist_t *node = self->list.next; node != &self->list; node = self->next) {
        gm_watch_t *watch = H2O_STRUCT_FROM_MEMBER(gm_watch_t, link, node);
        self->next = node->next;
        /* the clock goes on during a sweep: what was started in it began after `now` */
        if (now < watch->since_ms || now - watch->since_ms < watch->limit_ms)
            continue;
        gm_watch_stop(watch);
        watch->on_late(watch);
    }
    self->next = NULL;
}

void gm_watch_start(gm_watches_t *all, gm_watch_t *self, uint64_t limit_ms, gm_watch_cb_t on_late)
{
    if (limit_ms == 0) {
        gm_watch_stop(self);
        return;
    }
    self->all = all;
    self->limit_ms = limit_ms;
    self->on_late = on_late;
    self->since_ms = gm_clock_coarse_ms();
    if (!gm_watch_is_running(self))
        h2o_linklist_insert(&all->list, &self->link);
}

void gm_watch_renew(gm_watch_t *self)
{
    if (gm_watch_is_running(self))
        self->since_ms = gm_clock_coarse_ms();
}

void gm_watch_stop(gm_watch_t *self)
{
    if (!gm_watch_is_running(self))
        return;
    if (self->all->next == &self->link)
        self->all->next = self->link.next;
    h2o_linklist_unlink(&self->link);
}
