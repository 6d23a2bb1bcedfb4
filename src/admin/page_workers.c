/*
 * /workers: what each worker of the proxy is at. The numbers are its own, from the survey: no other thread
 * looks at them where they are kept. Called from the table in admin.c, on the window's thread.
 */
#include "admin/page.h"

static const char *name_state(const gm_sheet_t *sheet, gm_sheet_state_t state)
{
    return state == GM_SHEET_OUT      ? "silent"
           : state == GM_SHEET_PASSED ? "ended"
           : sheet->is_draining       ? "draining"
                                      : "serving";
}

static void write_row(gm_admin_call_t *call, size_t index)
{
    gm_sheet_state_t state;
    const gm_sheet_t *sheet = gm_survey_read(call->survey, index, &state);

    gm_buffer_printf(call->out, "worker %zu: %s", index, name_state(sheet, state));
    if (sheet != NULL)
        gm_buffer_printf(call->out, ", %zu connection%s, %zu request%s in flight", sheet->connections,
                         sheet->connections == 1 ? "" : "s", sheet->in_flight,
                         sheet->in_flight == 1 ? "" : "s");
    else if (state == GM_SHEET_OUT)
        gm_buffer_append_text(call->out, ", it did not answer within a second");
    gm_buffer_append_char(call->out, '\n');
}

static void write_object(gm_admin_call_t *call, size_t index)
{
    gm_sheet_state_t state;
    const gm_sheet_t *sheet = gm_survey_read(call->survey, index, &state);

    gm_json_open(call->json, '{');
    gm_json_key(call->json, "index");
    gm_json_integer(call->json, (int64_t)index);
    gm_json_key(call->json, "state");
    gm_json_string(call->json, name_state(sheet, state));
    if (sheet != NULL) {
        gm_json_key(call->json, "connections");
        gm_json_integer(call->json, (int64_t)sheet->connections);
        gm_json_key(call->json, "requests_in_flight");
        gm_json_integer(call->json, (int64_t)sheet->in_flight);
    }
    gm_json_close(call->json, '}');
}

void gm_admin_page_workers(gm_admin_call_t *call)
{
    size_t count = gm_survey_worker_count(call->survey);

    if (call->wants_text) {
        for (size_t i = 0; i != count; ++i)
            write_row(call, i);
        return;
    }
    gm_json_open(call->json, '{');
    gm_json_key(call->json, "workers");
    gm_json_open(call->json, '[');
    for (size_t i = 0; i != count; ++i)
        write_object(call, i);
    gm_json_close(call->json, ']');
    gm_json_close(call->json, '}');
}
