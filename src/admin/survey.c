/*
 * Sheets that workers fill in for somebody on another thread. No lock: each sheet has one writer, and its
 * state is stored after it and loaded before it. Called by admin.c on the admin window's thread, by
 * server/worker on the workers'.
 */
#include "admin/survey.h"

#include <stdatomic.h>
#include <stdlib.h>

typedef struct slot {
    gm_sheet_t sheet;
    atomic_int state; /* gm_sheet_state_t */
} slot_t;

struct gm_survey {
    atomic_size_t references, out;
    size_t worker_count;
    gm_survey_question_t question;
    size_t *idle; /* owned: all sheets' */
    slot_t slots[];
};

gm_survey_t *gm_survey_create(size_t worker_count, size_t cluster_count, gm_survey_question_t question)
{
    gm_survey_t *self = gm_alloc(sizeof(*self) + worker_count * sizeof(self->slots[0]));

    atomic_init(&self->references, worker_count + 1);
    atomic_init(&self->out, worker_count);
    self->worker_count = worker_count;
    self->question = question;
    self->idle = gm_alloc((worker_count * cluster_count + 1) * sizeof(self->idle[0]));
    for (size_t i = 0; i != worker_count; ++i) {
        self->slots[i].sheet.idle = self->idle + i * cluster_count;
        atomic_init(&self->slots[i].state, GM_SHEET_OUT);
    }
    return self;
}

void gm_survey_release(gm_survey_t *self)
{
    if (self == NULL || atomic_fetch_sub(&self->references, 1) != 1)
        return;
    for (size_t i = 0; i != self->worker_count; ++i)
        free(self->slots[i].sheet.kept);
    free(self->idle);
    free(self);
}

gm_survey_question_t gm_survey_question(const gm_survey_t *self)
{
    return self->question;
}

gm_sheet_t *gm_survey_sheet(gm_survey_t *self, size_t worker)
{
    return &self->slots[worker].sheet;
}

void gm_survey_hand_in(gm_survey_t *self, size_t worker, bool is_filled)
{
    atomic_store_explicit(&self->slots[worker].state, is_filled ? GM_SHEET_FILLED : GM_SHEET_PASSED,
                          memory_order_release);
    atomic_fetch_sub_explicit(&self->out, 1, memory_order_release);
    gm_survey_release(self);
}

bool gm_survey_is_over(const gm_survey_t *self)
{
    return atomic_load_explicit(&self->out, memory_order_acquire) == 0;
}

size_t gm_survey_worker_count(const gm_survey_t *self)
{
    return self->worker_count;
}

const gm_sheet_t *gm_survey_read(const gm_survey_t *self, size_t worker, gm_sheet_state_t *state)
{
    const slot_t *slot = &self->slots[worker];

    *state = (gm_sheet_state_t)atomic_load_explicit(&slot->state, memory_order_acquire);
    return *state == GM_SHEET_FILLED ? &slot->sheet : NULL;
}
