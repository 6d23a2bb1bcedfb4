/*
 * /requests: the last requests of all workers, and where the time of one went. Called from the table in
 * admin.c, on the window's thread, with copies that the workers have made.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/page.h"
#include "base/text.h"
#include "telemetry/access_log.h"
#include "telemetry/failure.h"
#include "telemetry/log.h"
#include "telemetry/trace_context.h"

#define SHOWN 100
#define SHOWN_MAX 10000

typedef GM_VECTOR(const gm_kept_t *) found_t;

typedef bool (*filter_t)(const gm_record_t *record, const gm_trace_t *trace);

static bool takes_all(const gm_record_t *record, const gm_trace_t *trace)
{
    (void)record;
    (void)trace;
    return true;
}

static bool takes_failed(const gm_record_t *record, const gm_trace_t *trace)
{
    (void)trace;
    return record->failure != GM_NO_FAILURE;
}

static bool takes_trace(const gm_record_t *record, const gm_trace_t *trace)
{
    return memcmp(record->trace.trace_id, trace->trace_id, sizeof(trace->trace_id)) == 0;
}

static void collect(const gm_admin_call_t *call, filter_t filter, const gm_trace_t *trace, found_t *found)
{
    for (size_t i = 0; i != gm_survey_worker_count(call->survey); ++i) {
        gm_sheet_state_t state;
        const gm_sheet_t *sheet = gm_survey_read(call->survey, i, &state);
        for (size_t k = 0; sheet != NULL && k != sheet->kept_count; ++k)
            if (filter(&sheet->kept[k].facts, trace))
                *gm_vector_push(found) = &sheet->kept[k];
    }
}

static uint64_t end_of(const gm_kept_t *kept)
{
    return kept->facts.began_us + gm_record_total_ns(&kept->facts) / 1000;
}

static int compare(uint64_t left, uint64_t right)
{
    return left < right ? 1 : left > right ? -1 : 0;
}

/* In one microsecond, what a worker kept later ended later. */
static int by_end(const void *left, const void *right)
{
    const gm_kept_t *a = *(const gm_kept_t *const *)left, *b = *(const gm_kept_t *const *)right;
    int order = compare(end_of(a), end_of(b));

    return order != 0 ? order : compare((uintptr_t)a, (uintptr_t)b);
}

static int by_duration(const void *left, const void *right)
{
    return compare(gm_record_total_ns(&(*(const gm_kept_t *const *)left)->facts),
                   gm_record_total_ns(&(*(const gm_kept_t *const *)right)->facts));
}

/* ---- what is shown of a request: what its line in the log says */

static void write_line(gm_admin_call_t *call, gm_access_log_t *lines, const gm_kept_t *kept,
                       gm_buffer_t *line)
{
    gm_record_grpc_t grpc;
    gm_record_t record;

    gm_kept_read(kept, &record, &grpc);
    gm_access_log_make_line(lines, &record, line);
    gm_buffer_append(call->out, line->text, line->length - (call->wants_text ? 0 : 1));
}

static void write_timeline(gm_admin_call_t *call, const gm_kept_t *kept)
{
    uint64_t total_ns = gm_record_total_ns(&kept->facts);

    for (size_t i = 0; i != GM_PHASE_COUNT; ++i)
        if (kept->facts.phase_ns[i] != 0)
            gm_buffer_printf(call->out, "  %-10s %12.3f ms %5.1f %%\n", gm_phase_label((gm_phase_t)i),
                             (double)kept->facts.phase_ns[i] / 1e6,
                             100 * (double)kept->facts.phase_ns[i] / (double)total_ns);
    if (kept->facts.failure != GM_NO_FAILURE) {
        gm_record_grpc_t grpc;
        gm_record_t record;
        gm_kept_read(kept, &record, &grpc);
        gm_buffer_printf(call->out, "  %s: %s\n", gm_failure_row((gm_failure_t)record.failure)->label,
                         gm_failure_row((gm_failure_t)record.failure)->sentence);
        gm_buffer_append_text(call->out, "  cause: ");
        if (record.detail != NULL)
            gm_log_append_visible(call->out, record.detail, strlen(record.detail));
        gm_buffer_append_char(call->out, '\n');
    }
}

static void show(gm_admin_call_t *call, const found_t *found, size_t limit, bool has_timelines)
{
    const gm_access_log_options_t options = {.json = !call->wants_text};
    gm_access_log_t *lines = gm_access_log_create(&options);
    gm_buffer_t line = {0};

    if (!call->wants_text)
        gm_buffer_append_text(call->out, "{\"requests\":[");
    for (size_t i = 0; i != found->size && i != limit; ++i) {
        if (!call->wants_text && i != 0)
            gm_buffer_append_char(call->out, ',');
        write_line(call, lines, found->items[i], &line);
        if (call->wants_text && has_timelines)
            write_timeline(call, found->items[i]);
    }
    if (!call->wants_text)
        gm_buffer_append_text(call->out, "]}");
    gm_buffer_dispose(&line);
    gm_access_log_destroy(lines);
}

void gm_admin_page_requests(gm_admin_call_t *call)
{
    bool by_slowness = gm_admin_has_word(call->query, "slow");
    uint64_t limit = SHOWN;
    gm_error_t err = {0};
    found_t found = {0};
    char text[32];

    if (gm_admin_find_parameter(call->query, "limit", text, sizeof(text)) &&
        gm_text_parse_integer(text, 1, SHOWN_MAX, &limit, &err) != 0) {
        gm_admin_refuse(call, 400, "limit: %s", err.text);
        return;
    }
    collect(call, gm_admin_has_word(call->query, "failed") ? takes_failed : takes_all, NULL, &found);
    if (found.size != 0)
        qsort(found.items, found.size, sizeof(found.items[0]), by_slowness ? by_duration : by_end);
    show(call, &found, (size_t)limit, false);
    gm_vector_dispose(&found);
}

void gm_admin_page_request(gm_admin_call_t *call)
{
    gm_trace_t trace;
    found_t found = {0};

    if (!gm_trace_id_read(call->argument, strlen(call->argument), &trace)) {
        gm_admin_refuse(call, 400, "a trace id has 32 hexadecimal digits, as X-Trace-ID shows it");
        return;
    }
    collect(call, takes_trace, &trace, &found);
    if (found.size == 0) {
        gm_admin_refuse(call, 404, "no request of this trace is among the last %d of a worker",
                        GM_RING_SLOTS);
        return;
    }
    qsort(found.items, found.size, sizeof(found.items[0]), by_end);
    show(call, &found, SHOWN, true);
    gm_vector_dispose(&found);
}
