/*
 * Fuzz target: any text as a configuration file. Whatever happens, there is either a snapshot or an error,
 * messages have a place inside the file and are one printable line; and what was accepted is dumped in a form
 * that loads again as the same settings.
 */
#include "config/load.h"
#include "config/render.h"
#include "config/yaml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert: a build with NDEBUG must find mistakes, too. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

static char *look_up(const char *name)
{
    static char host[] = "users.internal", port[] = "5000", empty[] = "",
                tricky[] = "${HOST} \"\\ $ \xc3\xbc";

    return strcmp(name, "HOST") == 0     ? host
           : strcmp(name, "PORT") == 0   ? port
           : strcmp(name, "EMPTY") == 0  ? empty
           : strcmp(name, "TRICKY") == 0 ? tricky
                                         : NULL;
}

/* Files with "bad" or "old" in their names are refused or warned about. */
static int check_credential(const char *cert_file, const char *key_file, bool *about_key, gm_error_t *err,
                            gm_error_t *warning)
{
    *about_key = strstr(key_file, "bad") != NULL;
    if (*about_key || strstr(cert_file, "bad") != NULL)
        return gm_error_set(err, NULL, "cannot be used");
    if (strstr(cert_file, "old") != NULL)
        gm_error_set(warning, NULL, "has expired");
    return 0;
}

static int check_path(const char *path, gm_error_t *err)
{
    return strstr(path, "/../") != NULL ? gm_error_set(err, NULL, "not canonical") : 0;
}

static const gm_load_context_t context = {{.check_credential = check_credential, .check_path = check_path},
                                          look_up};

static int count_lines(const char *text, size_t size)
{
    int lines = 1;

    for (size_t i = 0; i != size; ++i) /* libyaml also ends a line at a lone CR, NEL, LS and PS */
        lines += text[i] == '\n' || text[i] == '\r' || (unsigned char)text[i] == 0x85 ||
                 (unsigned char)text[i] == 0xa8 || (unsigned char)text[i] == 0xa9;
    return lines;
}

static void require_diagnostics(gm_diagnostics_t *diagnostics, const char *text, size_t size)
{
    gm_buffer_t shown = {0}, json = {0};
    int lines = count_lines(text, size);

    for (size_t i = 0; i != diagnostics->items.size; ++i) {
        const gm_diagnostic_t *item = &diagnostics->items.items[i];
        require(item->text[0] != '\0' && strcmp(item->place.file, "input") == 0);
        require(item->place.line >= 0 && item->place.line <= lines + 1);
        require((item->place.line == 0) == (item->place.column == 0) && item->place.column >= 0);
    }
    gm_diagnostics_print(diagnostics, &shown);
    for (size_t i = 0; i != shown.length; ++i)
        require(shown.text[i] == '\n' || ((unsigned char)shown.text[i] >= 0x20 && shown.text[i] != 0x7f));
    gm_diagnostics_print_json(diagnostics, &json);
    require(json.length != 0 && strchr(json.text, '\n') == json.text + json.length - 1);
    gm_buffer_dispose(&shown);
    gm_buffer_dispose(&json);
}

/* The dump of what a text says; empty if it is refused. */
static void load_and_dump(const char *text, size_t size, gm_buffer_t *dump)
{
    gm_diagnostics_t diagnostics = {0};
    gm_snapshot_t *snapshot = gm_load_text("input", text, size, &context, &diagnostics);

    require((snapshot != NULL) == (diagnostics.errors == 0));
    require_diagnostics(&diagnostics, text, size);
    if (snapshot != NULL)
        gm_render_yaml(gm_snapshot_config(snapshot), false, dump);
    gm_snapshot_release(snapshot);
    gm_diagnostics_dispose(&diagnostics);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = gm_strndup((const char *)data, size);
    gm_buffer_t first = {0}, second = {0};

    load_and_dump(text, size, &first);
    if (first.length != 0 &&
        first.length <= GM_YAML_MAX_BYTES) { /* aliases may say more than fits into a file */
        load_and_dump(first.text, first.length, &second);
        require(second.length == first.length && memcmp(first.text, second.text, first.length) == 0);
    }
    gm_buffer_dispose(&first);
    gm_buffer_dispose(&second);
    free(text);
    return 0;
}
