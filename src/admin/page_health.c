/*
 * /healthz: the process lives, as it answers. /readyz: whether requests should be sent here. Called from the
 * table in admin.c, on the window's thread.
 */
#include "admin/page.h"

void gm_admin_page_healthz(gm_admin_call_t *call)
{
    if (call->wants_text) {
        gm_buffer_append_text(call->out, "ok\n");
        return;
    }
    gm_json_open(call->json, '{');
    gm_json_key(call->json, "status");
    gm_json_string(call->json, "ok");
    gm_json_close(call->json, '}');
}

/*
 * What is known of the backends by now: from requests, and from admin/probe, which has just tried those of
 * which nothing good is known. Who knows more, say from health checks, adds it here.
 * @return why no request can be served; NULL = one might be
 */
static const char *find_reason(const gm_admin_options_t *options)
{
    bool is_pending = false;

    if (!gm_snapshot_config(options->snapshot)->admin.ready_needs_backend)
        return NULL;
    for (size_t i = 0; i != options->cluster_count; ++i) {
        gm_reach_t reach = gm_cluster_reach(options->clusters[i]);
        if (reach == GM_REACHED)
            return NULL;
        is_pending = is_pending || reach == GM_REACH_UNKNOWN;
    }
    return is_pending ? "starting" : "no endpoint is reachable";
}

void gm_admin_page_readyz(gm_admin_call_t *call)
{
    const gm_admin_options_t *options = call->options;
    const char *reason = options->is_draining(options->data) ? "draining" : find_reason(options);

    call->status = reason == NULL ? 200 : 503;
    if (call->wants_text) {
        gm_buffer_printf(call->out, "%s%s\n",
                         reason == NULL ? "ready" : "not ready: ", reason == NULL ? "" : reason);
        return;
    }
    gm_json_open(call->json, '{');
    gm_json_key(call->json, "status");
    gm_json_string(call->json, reason == NULL ? "ready" : "not ready");
    if (reason != NULL) {
        gm_json_key(call->json, "reason");
        gm_json_string(call->json, reason);
    }
    gm_json_close(call->json, '}');
}
