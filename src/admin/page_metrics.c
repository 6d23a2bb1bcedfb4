/*
 * /metrics: the same page as on the proxy's own ports. Called from the table in admin.c, on the window's
 * thread.
 */
#include "admin/page.h"
#include "telemetry/metrics.h"

void gm_admin_page_metrics(gm_admin_call_t *call)
{
    call->content_type = GM_METRICS_CONTENT_TYPE;
    call->options->render_metrics(call->options->data, call->out);
}
