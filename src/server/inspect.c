/*
 * `gomesh healthcheck` and `gomesh status`: a few questions to the admin window of a process that serves.
 * Called by main.
 */
#include "server/inspect.h"

#include <stdio.h>
#include <string.h>

#include "admin/client.h"
#include "telemetry/log.h"

#define TIMEOUT_MS 2000

char *gm_inspect_address(const gm_admin_conf_t *conf)
{
    gm_buffer_t address = {0};

    if (conf->listen[0] != '\0')
        return gm_strdup(conf->listen);
    if (conf->socket == NULL)
        return NULL;
    gm_buffer_printf(&address, "unix:%s", conf->socket);
    return gm_buffer_detach(&address);
}

static int fail(const gm_error_t *err)
{
    fprintf(
        stderr,
        "error: no answer from the admin window at %s\n"
        "  Does gomesh run, and is that its admin.listen or admin.socket? -admin says where else to ask\n",
        err->text);
    return 1;
}

/* Line by line. Whoever answers there, it must not give orders to the terminal. */
static void print(const gm_buffer_t *text)
{
    gm_buffer_t visible = {0};

    for (size_t at = 0; at != text->length;) {
        const char *end = memchr(text->text + at, '\n', text->length - at);
        size_t next = end != NULL ? (size_t)(end - text->text) : text->length;
        gm_log_append_visible(&visible, text->text + at, next - at);
        if (end != NULL)
            gm_buffer_append_char(&visible, '\n');
        at = next + (end != NULL ? 1 : 0);
    }
    fwrite(visible.text != NULL ? visible.text : "", 1, visible.length, stdout);
    gm_buffer_dispose(&visible);
}

int gm_inspect_healthcheck(const char *address, bool is_ready)
{
    gm_buffer_t body = {0};
    gm_error_t err = {0};
    unsigned status = 0;
    int code;

    if (gm_admin_client_get(address, is_ready ? "/readyz?text" : "/healthz?text", TIMEOUT_MS, &status, &body,
                            &err) != 0) {
        code = fail(&err);
    } else {
        print(&body);
        code = status == 200 ? 0 : 1;
    }
    gm_buffer_dispose(&body);
    return code;
}

int gm_inspect_status(const char *address)
{
    static const char *const targets[] = {"/version?text", "/readyz?text", "/workers?text", "/clusters?text"};
    gm_buffer_t body = {0};
    gm_error_t err = {0};
    unsigned status;
    int code = 0;

    for (size_t i = 0; i != GM_COUNT_OF(targets) && code == 0; ++i)
        if (gm_admin_client_get(address, targets[i], TIMEOUT_MS, &status, &body, &err) != 0)
            code = fail(&err);
    print(&body);
    gm_buffer_dispose(&body);
    return code;
}
