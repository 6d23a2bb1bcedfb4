/* Sheets that threads fill in: who reads what when, and that the last one frees it all. */
#include "admin/survey.h"

#include <pthread.h>

#include "picotest.h"

#define WORKERS 8
#define CLUSTERS 3
#define ROUNDS 500

typedef struct job {
    gm_survey_t *survey;
    size_t worker;
} job_t;

static void test_states(void)
{
    gm_survey_t *survey = gm_survey_create(3, CLUSTERS, GM_SURVEY_NUMBERS);
    gm_sheet_state_t state;
    const gm_sheet_t *sheet;

    ok(gm_survey_worker_count(survey) == 3 && !gm_survey_is_over(survey));
    ok(gm_survey_read(survey, 0, &state) == NULL && state == GM_SHEET_OUT);
    gm_survey_sheet(survey, 1)->connections = 7;
    gm_survey_sheet(survey, 1)->idle[2] = GM_SURVEY_UNKNOWN;
    ok(gm_survey_read(survey, 1, &state) == NULL && state == GM_SHEET_OUT); /* not before it is handed in */
    gm_survey_hand_in(survey, 1, true);
    sheet = gm_survey_read(survey, 1, &state);
    ok(sheet != NULL && state == GM_SHEET_FILLED && sheet->connections == 7 && sheet->in_flight == 0);
    ok(sheet->idle[0] == 0 && sheet->idle[2] == GM_SURVEY_UNKNOWN);
    gm_survey_hand_in(survey, 2, false);
    ok(gm_survey_read(survey, 2, &state) == NULL && state == GM_SHEET_PASSED);
    ok(!gm_survey_is_over(survey));
    gm_survey_hand_in(survey, 0, true);
    ok(gm_survey_is_over(survey));
    gm_survey_release(survey);
    gm_survey_release(NULL);
}

/* Whoever asked has given up: the late worker still has its sheet. */
static void test_given_up(void)
{
    gm_survey_t *survey = gm_survey_create(2, 1, GM_SURVEY_NUMBERS);

    gm_survey_hand_in(survey, 0, true);
    gm_survey_release(survey);
    gm_survey_sheet(survey, 1)->idle[0] = 1;
    gm_survey_hand_in(survey, 1, true); /* frees it */
    ok(true);
}

static void *fill_in(void *data)
{
    job_t *job = data;
    gm_sheet_t *sheet = gm_survey_sheet(job->survey, job->worker);

    sheet->connections = job->worker + 1;
    for (size_t i = 0; i != CLUSTERS; ++i)
        sheet->idle[i] = job->worker * 10 + i;
    gm_survey_hand_in(job->survey, job->worker, true);
    return NULL;
}

static size_t count_wrong(const gm_survey_t *survey)
{
    gm_sheet_state_t state;
    size_t wrong = 0;

    for (size_t i = 0; i != WORKERS; ++i) {
        const gm_sheet_t *sheet = gm_survey_read(survey, i, &state);
        wrong += sheet == NULL || sheet->connections != i + 1 ||
                 sheet->idle[CLUSTERS - 1] != i * 10 + CLUSTERS - 1;
    }
    return wrong;
}

static void test_threads(void)
{
    size_t wrong = 0;

    for (int round = 0; round != ROUNDS; ++round) {
        gm_survey_t *survey = gm_survey_create(WORKERS, CLUSTERS, GM_SURVEY_NUMBERS);
        pthread_t threads[WORKERS];
        job_t jobs[WORKERS];
        bool stays = round % 2 == 0;
        for (size_t i = 0; i != WORKERS; ++i) {
            jobs[i] = (job_t){survey, i};
            pthread_create(&threads[i], NULL, fill_in, &jobs[i]);
        }
        while (stays && !gm_survey_is_over(survey))
            ;
        wrong += stays ? count_wrong(survey) : 0;
        gm_survey_release(survey);
        for (size_t i = 0; i != WORKERS; ++i)
            pthread_join(threads[i], NULL);
    }
    ok(wrong == 0);
}

int main(void)
{
    subtest("states of a sheet", test_states);
    subtest("given up", test_given_up);
    subtest("threads", test_threads);
    return done_testing();
}
