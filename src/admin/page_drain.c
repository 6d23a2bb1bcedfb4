/*
 * /drain: the same orderly end as SIGTERM begins, for whoever cannot send signals. Called from the table in
 * admin.c, on the window's thread.
 */
#include "admin/page.h"

void gm_admin_page_drain(gm_admin_call_t *call)
{
    call->status = 202;
    call->is_to_drain = true;
    if (call->wants_text) {
        gm_buffer_append_text(call->out, "draining\n");
        return;
    }
    gm_json_open(call->json, '{');
    gm_json_key(call->json, "status");
    gm_json_string(call->json, "draining");
    gm_json_close(call->json, '}');
}
