/*
 * /config: the effective configuration, as `gomesh -dump` prints it. It names files of keys, and has none of
 * their contents; an option that is a secret itself must be left out here. Called from the table in admin.c,
 * on the window's thread.
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
    gm_render_yaml(gm_snapshot_config(options->snapshot), call->out);
}
