/*
 * /config: the effective configuration, as `gomesh -dump` prints it, but without secrets: it names files of
 * keys, and rows with GM_FIELD_SECRET are hidden. Called from the table in admin.c, on the window's thread.
 */
#include "admin/page.h"
#include "config/render.h"

void gm_admin_page_config(gm_admin_call_t *call)
{
    const gm_admin_options_t *options = call->options;

    if (!call->wants_text) {
        gm_render_json(gm_snapshot_config(options->snapshot), call->json);
        return;
    }
    gm_buffer_printf(call->out, "# the effective configuration of %s\n",
                     options->source != NULL ? options->source : "no file");
    gm_render_yaml(gm_snapshot_config(options->snapshot), true, call->out);
}
