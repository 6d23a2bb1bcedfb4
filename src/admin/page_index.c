/*
 * /: the pages there are. Called from the table in admin.c, on the window's thread.
 */
#include "admin/page.h"

static void list_methods(gm_json_t *json, unsigned methods)
{
    gm_json_open(json, '[');
    if (methods & GM_ADMIN_GET)
        gm_json_string(json, "GET");
    if (methods & GM_ADMIN_POST)
        gm_json_string(json, "POST");
    gm_json_close(json, ']');
}

static const char *name_methods(unsigned methods)
{
    return methods == GM_ADMIN_GET ? "GET" : methods == GM_ADMIN_POST ? "POST" : "GET, POST";
}

void gm_admin_page_index(gm_admin_call_t *call)
{
    const gm_admin_page_t *page;

    if (call->wants_text) {
        for (size_t i = 0; (page = gm_admin_page_at(i)) != NULL; ++i)
            gm_buffer_printf(call->out, "%-10s %-12s %s\n", name_methods(page->methods), page->path,
                             page->help);
        gm_buffer_append_text(call->out, "Each is JSON; with ?text, text for people.\n");
        return;
    }
    gm_json_open(call->json, '{');
    gm_json_key(call->json, "pages");
    gm_json_open(call->json, '[');
    for (size_t i = 0; (page = gm_admin_page_at(i)) != NULL; ++i) {
        gm_json_open(call->json, '{');
        gm_json_key(call->json, "path");
        gm_json_string(call->json, page->path);
        gm_json_key(call->json, "methods");
        list_methods(call->json, page->methods);
        gm_json_key(call->json, "help");
        gm_json_string(call->json, page->help);
        gm_json_close(call->json, '}');
    }
    gm_json_close(call->json, ']');
    gm_json_close(call->json, '}');
}
