/* survey: a question to all workers of the proxy, for which nobody waits */
#ifndef GM_ADMIN_SURVEY_H
#define GM_ADMIN_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "telemetry/ring.h"

/*
 * A worker's numbers belong to its thread. So the thread that asks makes a survey with a sheet per worker and
 * sends a reference to each; every worker fills in its own sheet when it comes to that, and hands it in. Who
 * asked looks now and then whether all have. A sheet is written by its worker only, before it is handed in,
 * and read afterwards only.
 */
typedef struct gm_survey gm_survey_t; /* shared by count */

#define GM_SURVEY_UNKNOWN SIZE_MAX

typedef enum gm_survey_question {
    GM_SURVEY_NOTHING,
    GM_SURVEY_NUMBERS,
    GM_SURVEY_REQUESTS /* the numbers, and the last requests */
} gm_survey_question_t;

/** What a worker says of itself. To tell more, add a member here and fill it in server/worker.c. */
typedef struct gm_sheet {
    bool is_draining;
    size_t connections; /* of clients */
    size_t in_flight;   /* requests */
    size_t *idle;       /* per cluster: idle connections to it, or GM_SURVEY_UNKNOWN; owned by the survey */
    gm_kept_t *kept;    /* the last requests, if they were asked for; owned by the survey */
    size_t kept_count;
} gm_sheet_t;

typedef enum gm_sheet_state {
    GM_SHEET_OUT,    /* the worker has not come to it */
    GM_SHEET_FILLED, /* handed in */
    GM_SHEET_PASSED  /* the worker has ended, or ends */
} gm_sheet_state_t;

/** @return with a reference for the caller and one for each worker, which it gives up by handing in */
GM_MUST_USE gm_survey_t *gm_survey_create(size_t worker_count, size_t cluster_count,
                                          gm_survey_question_t question);

/** What was asked. Any thread. */
gm_survey_question_t gm_survey_question(const gm_survey_t *self);

/** The caller's reference. Any thread. Accepts NULL. */
void gm_survey_release(gm_survey_t *self);

/** The worker's own sheet, zeroed, with room in `idle` for all clusters. Its worker. */
gm_sheet_t *gm_survey_sheet(gm_survey_t *self, size_t worker);

/** Gives the worker's reference up, with its sheet filled or not. Its worker, or whoever finds it ended. */
void gm_survey_hand_in(gm_survey_t *self, size_t worker, bool is_filled);

/** Whether nobody is to be waited for any more. */
bool gm_survey_is_over(const gm_survey_t *self);

size_t gm_survey_worker_count(const gm_survey_t *self);

/** A sheet, if it was filled; otherwise NULL. @param state  set to what became of it */
const gm_sheet_t *gm_survey_read(const gm_survey_t *self, size_t worker, gm_sheet_state_t *state);

#endif
