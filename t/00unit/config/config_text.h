/* config_text: loads a configuration from a literal and keeps what was said about it */
#ifndef GM_TEST_CONFIG_TEXT_H
#define GM_TEST_CONFIG_TEXT_H

#include <string.h>

#include "base/buffer.h"
#include "config/load.h"
#include "http/cors_origin.h"
#include "http/fields.h"
#include "http/path.h"
#include "picotest.h"
#include "proxy/field_value.h"

/** What loading a text gave. */
typedef struct config_text {
    gm_snapshot_t *snapshot;
    gm_diagnostics_t diagnostics;
    gm_buffer_t printed;
} config_text_t;

static inline char *config_text_lookup(const char *name)
{
    static char value[] = "9000", empty[] = "", tricky[] = "${PORT}";

    return strcmp(name, "PORT") == 0     ? value
           : strcmp(name, "EMPTY") == 0  ? empty
           : strcmp(name, "TRICKY") == 0 ? tricky
                                         : NULL;
}

/* Credentials: names decide. */
static inline int config_text_check_credential(const char *cert_file, const char *key_file, bool *about_key,
                                               gm_error_t *err, gm_error_t *warning)
{
    *about_key = strstr(key_file, "bad") != NULL;
    if (*about_key || strstr(cert_file, "bad") != NULL)
        return gm_error_set(err, NULL, "cannot be used");
    if (strstr(cert_file, "old") != NULL)
        gm_error_set(warning, NULL, "has expired");
    return 0;
}

static inline int config_text_check_authorities(const char *key, const char *file, gm_error_t *err,
                                                gm_error_t *warning)
{
    if (strstr(file, "bad") != NULL)
        return gm_error_set(err, NULL, "%s cannot be used", key);
    if (strstr(file, "old") != NULL)
        gm_error_set(warning, NULL, "%s has expired", key);
    return 0;
}

static inline bool config_text_has_names(const char *cert_file)
{
    return strstr(cert_file, "nameless") == NULL;
}

static inline int config_text_check_value(const char *value, gm_error_t *err)
{
    gm_field_value_t *parsed = gm_field_value_create(value, err);

    gm_field_value_destroy(parsed);
    return parsed != NULL ? 0 : -1;
}

static inline config_text_t config_text_load(const char *yaml)
{
    static const gm_load_context_t context = {
        {config_text_check_credential, gm_path_check, config_text_check_authorities, config_text_has_names,
         gm_fields_check_change, gm_fields_check_shown, config_text_check_value, gm_cors_origin_check},
        config_text_lookup};
    config_text_t text = {0};

    text.snapshot = gm_load_text("f", yaml, strlen(yaml), &context, &text.diagnostics);
    gm_diagnostics_print(&text.diagnostics, &text.printed);
    return text;
}

static inline void config_text_dispose(config_text_t *text)
{
    gm_snapshot_release(text->snapshot);
    gm_diagnostics_dispose(&text->diagnostics);
    gm_buffer_dispose(&text->printed);
}

/** Whether loading says exactly these lines, each "line:column: error: …", carets and source lines left out.
 */
static inline bool says(const char *yaml, const char *wanted)
{
    config_text_t text = config_text_load(yaml);
    gm_buffer_t lines = {0};
    bool same;

    for (const char *at = text.printed.text != NULL ? text.printed.text : ""; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        if (strncmp(at, "f:", 2) == 0)
            gm_buffer_append(&lines, at + 2, length - 1);
        at += length + 1;
    }
    same = strcmp(lines.text != NULL ? lines.text : "", wanted) == 0;
    if (!same)
        note("said:\n%s", lines.text != NULL ? lines.text : "nothing");
    same = same && (text.snapshot == NULL) == (strstr(wanted, ": error: ") != NULL);
    gm_buffer_dispose(&lines);
    config_text_dispose(&text);
    return same;
}

#endif
