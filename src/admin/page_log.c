/*
 * /log/level: which lines are printed, and a way to have more or fewer of them without a restart. Called from
 * the table in admin.c, on the window's thread.
 */
#include "admin/page.h"
#include "telemetry/log.h"

void gm_admin_page_log_level(gm_admin_call_t *call)
{
    gm_log_level_t level;
    char name[16];

    if (call->is_post) {
        if (!gm_admin_find_parameter(call->query, "level", name, sizeof(name)) ||
            !gm_log_level_parse(name, &level)) {
            gm_admin_refuse(call, 400, "say which: POST /log/level?level=debug, or info, warn, error");
            return;
        }
        gm_log_set_level(level);
    }
    level = gm_log_get_level();
    if (call->wants_text) {
        gm_buffer_printf(call->out, "%s\n", gm_log_level_name(level));
        return;
    }
    gm_json_open(call->json, '{');
    gm_json_key(call->json, "level");
    gm_json_string(call->json, gm_log_level_name(level));
    gm_json_close(call->json, '}');
}
