/*
 * What the pages of the admin window share. Called by the pages and by admin.c, on the window's thread.
 */
#include "admin/page.h"

#include <stdarg.h>
#include <string.h>

#include "http/reason.h"

void gm_admin_refuse(gm_admin_call_t *call, int status, const char *format, ...)
{
    gm_buffer_t detail = {0};
    va_list args;

    va_start(args, format);
    gm_buffer_vprintf(&detail, format, args);
    va_end(args);
    call->status = status;
    gm_buffer_dispose(call->out);
    *call->json = (gm_json_t){.out = call->out};
    if (call->wants_text) {
        gm_buffer_append_text(call->out, detail.text);
    } else {
        call->content_type = "application/problem+json";
        gm_json_open(call->json, '{');
        gm_json_key(call->json, "title");
        gm_json_string(call->json, gm_reason_phrase((unsigned)status));
        gm_json_key(call->json, "status");
        gm_json_integer(call->json, status);
        gm_json_key(call->json, "detail");
        gm_json_string(call->json, detail.text);
        gm_json_close(call->json, '}');
    }
    gm_buffer_append_char(call->out, '\n');
    gm_buffer_dispose(&detail);
}

bool gm_admin_has_word(const char *query, const char *word)
{
    size_t length = strlen(word);

    for (; *query != '\0'; query += strcspn(query, "&"), query += *query == '&')
        if (strncmp(query, word, length) == 0 && strchr("&=", query[length]) != NULL) /* or its end */
            return true;
    return false;
}

bool gm_admin_find_parameter(const char *query, const char *name, char *value, size_t value_bytes)
{
    size_t name_length = strlen(name);

    while (*query != '\0') {
        size_t length = strcspn(query, "&");
        if (length > name_length && query[name_length] == '=' && memcmp(query, name, name_length) == 0) {
            size_t size = length - name_length - 1;
            if (size >= value_bytes)
                return false;
            memcpy(value, query + name_length + 1, size);
            value[size] = '\0';
            return true;
        }
        query += length + (query[length] == '&');
    }
    return false;
}
