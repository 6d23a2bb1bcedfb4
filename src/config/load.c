/*
 * The way of a configuration: text, tree, rows, checks, snapshot. Called by the command line at start, on the
 * main thread.
 */
#include "config/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "config/fields.h"
#include "config/schema.h"
#include "config/yaml.h"

static gm_snapshot_t *load(const char *text, size_t length, const char *folder,
                           const gm_load_context_t *context, gm_diagnostics_t *diagnostics)
{
    gm_config_t *config = gm_config_create();
    gm_fill_t fill = {config, diagnostics, context->lookup != NULL ? context->lookup : getenv, folder};
    gm_tree_t *tree = gm_yaml_parse(text, length, diagnostics);
    const gm_node_t *root = tree != NULL ? gm_tree_root(tree) : NULL;
    gm_snapshot_t *snapshot = NULL;

    gm_fields_set_defaults(&gm_config_section, config);
    if (tree == NULL)
        goto Exit;
    if (root != NULL && !gm_node_is_null(root)) {
        if (root->kind == GM_NODE_MAP)
            gm_fields_fill(&fill, &gm_config_section, config, root);
        else
            gm_diagnostics_add(diagnostics, GM_SEVERITY_ERROR, &root->place,
                               "expected keys such as \"proxy:\", found %s", gm_node_kind_name(root));
    }
    gm_config_validate(config, &context->checks, diagnostics);
    if (diagnostics->errors != 0)
        goto Exit;
    snapshot = gm_snapshot_create(config);
    config = NULL;
Exit:
    gm_tree_destroy(tree);
    gm_config_destroy(config);
    return snapshot;
}

/* Regular files and pipes, such as <(…) of a shell, up to one byte above the limit. */
static int read_file(const char *path, gm_buffer_t *text, gm_error_t *err)
{
    char block[16384];
    struct stat info;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd == -1)
        return gm_error_set(err, NULL, "cannot be opened: %s", strerror(errno));
    if (fstat(fd, &info) != 0 || !(S_ISREG(info.st_mode) || S_ISFIFO(info.st_mode))) {
        close(fd);
        return gm_error_set(err, NULL, "is not a file");
    }
    while (text->length <= GM_YAML_MAX_BYTES && (got = read(fd, block, sizeof(block))) > 0)
        gm_buffer_append(text, block, (size_t)got);
    close(fd);
    return got < 0 ? gm_error_set(err, NULL, "cannot be read: %s", strerror(errno)) : 0;
}

gm_snapshot_t *gm_load_file(const char *path, const gm_load_context_t *context, gm_diagnostics_t *diagnostics)
{
    gm_buffer_t text = {0};
    gm_error_t err = {0};
    gm_snapshot_t *snapshot = NULL;
    const char *slash = strrchr(path, '/');
    char *folder = slash != NULL ? gm_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : NULL;

    if (read_file(path, &text, &err) != 0) {
        gm_diagnostics_set_source(diagnostics, path, NULL, 0);
        gm_diagnostics_add(diagnostics, GM_SEVERITY_ERROR, NULL, "%s", err.text);
    } else {
        gm_diagnostics_set_source(diagnostics, path, text.text != NULL ? text.text : "", text.length);
        snapshot = load(text.text != NULL ? text.text : "", text.length, folder, context, diagnostics);
    }
    gm_buffer_dispose(&text);
    free(folder);
    return snapshot;
}

gm_snapshot_t *gm_load_text(const char *name, const char *text, size_t length,
                            const gm_load_context_t *context, gm_diagnostics_t *diagnostics)
{
    gm_diagnostics_set_source(diagnostics, name, text, length);
    return load(text, length, NULL, context, diagnostics);
}

const char *gm_load_find_file(const char *flag, gm_lookup_t lookup)
{
    static const char *const usual[] = {"config/proxy.yaml", "/etc/gomesh/proxy.yaml"};
    const char *named = flag != NULL ? flag : lookup("GOMESH_CONFIG");

    if (named != NULL && named[0] != '\0')
        return named;
    for (size_t i = 0; i != GM_COUNT_OF(usual); ++i)
        if (faccessat(AT_FDCWD, usual[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno == EACCES)
            return usual[i]; /* also one that cannot be read: its owner must hear of that */
    return NULL;
}
