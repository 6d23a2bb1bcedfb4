/*
 * /version: what runs here, and since when. Called from the table in admin.c, on the window's thread.
 */
#include "admin/page.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

static void write_text(gm_admin_call_t *call, uint64_t up_s, const char *started)
{
    const gm_admin_options_t *options = call->options;
    char up[32];

    gm_buffer_printf(call->out, "GoMesh %s (libh2o %s, %s, libyaml %s)\n", GM_VERSION, options->libh2o,
                     options->openssl, options->libyaml);
    gm_buffer_printf(call->out, "pid %ld, up %s, started %s\n", (long)getpid(),
                     gm_text_format_duration(up, sizeof(up), up_s * 1000), started);
    gm_buffer_printf(call->out, "configuration: %s\n", options->source != NULL ? options->source : "no file");
}

void gm_admin_page_version(gm_admin_call_t *call)
{
    const gm_admin_options_t *options = call->options;
    uint64_t up_s = (gm_clock_monotonic_ms() - options->started_ms) / 1000;
    const struct timeval at = {.tv_sec = (time_t)(options->started_real_us / 1000000)};
    const char *names[] = {"gomesh", "libh2o", "openssl", "libyaml", "config_file"};
    const char *values[] = {GM_VERSION, options->libh2o, options->openssl, options->libyaml, options->source};
    char started[32];

    gm_clock_format(started, sizeof(started), &at);
    if (call->wants_text) {
        write_text(call, up_s, started);
        return;
    }
    gm_json_open(call->json, '{');
    for (size_t i = 0; i != GM_COUNT_OF(names); ++i) {
        gm_json_key(call->json, names[i]);
        gm_json_string(call->json, values[i]);
    }
    gm_json_key(call->json, "pid");
    gm_json_integer(call->json, getpid());
    gm_json_key(call->json, "started");
    gm_json_string(call->json, started);
    gm_json_key(call->json, "uptime_s");
    gm_json_integer(call->json, (int64_t)up_s);
    gm_json_close(call->json, '}');
}
