/* Files, and which one is taken. */
#include "config/load.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/yaml.h"
#include "config_text.h"

static const gm_load_context_t context = {{.check_credential = config_text_check_credential},
                                          config_text_lookup};
static char folder[] = "/tmp/gomesh-unit-XXXXXX";

static char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *content, size_t length)
{
    FILE *file = fopen(path_of(name), "w");

    ok(file != NULL && fwrite(content, 1, length, file) == length && fclose(file) == 0);
}

/* The first error of loading a file; "" = loaded. */
static const char *load(const char *path)
{
    static char text[256];
    gm_diagnostics_t diagnostics = {0};
    gm_snapshot_t *snapshot = gm_load_file(path, &context, &diagnostics);

    snprintf(text, sizeof(text), "%s", diagnostics.items.size != 0 ? diagnostics.items.items[0].text : "");
    ok((snapshot == NULL) == (diagnostics.errors != 0));
    gm_snapshot_release(snapshot);
    gm_diagnostics_dispose(&diagnostics);
    return text;
}

static void test_files(void)
{
    static const char yaml[] = "proxy: { listen_port: 81 }\n";
    static char large[GM_YAML_MAX_BYTES + 1];

    write_file("good", yaml, sizeof(yaml) - 1);
    ok(strcmp(load(path_of("good")), "") == 0);
    write_file("empty", "", 0);
    ok(strcmp(load(path_of("empty")), "") == 0);
    memset(large, '#', sizeof(large));
    write_file("large", large, sizeof(large));
    ok(strstr(load(path_of("large")), "larger than 1 MiB") != NULL);
    write_file("nul", "proxy: \0", 8);
    ok(strcmp(load(path_of("nul")), "") != 0);
    ok(strstr(load(path_of("missing")), "No such file") != NULL);
    ok(strstr(load(folder), "not a file") != NULL);
    ok(strstr(load("/dev/zero"), "not a file") != NULL);
}

static void test_names_start_at_the_file(void)
{
    static const char yaml[] = "proxy: { tls: { cert_file: c.pem, key_file: /k.pem } }";
    gm_diagnostics_t diagnostics = {0};
    gm_snapshot_t *snapshot;

    write_file("tls", yaml, sizeof(yaml) - 1);
    snapshot = gm_load_file(path_of("tls"), &context, &diagnostics);
    ok(snapshot != NULL && strcmp(gm_snapshot_config(snapshot)->proxy.tls.cert_file, path_of("c.pem")) == 0);
    ok(snapshot != NULL && strcmp(gm_snapshot_config(snapshot)->proxy.tls.key_file, "/k.pem") == 0);
    gm_snapshot_release(snapshot);
    gm_diagnostics_dispose(&diagnostics);
}

static char *no_variable(const char *name)
{
    (void)name;
    return NULL;
}

static char *named_by_variable(const char *name)
{
    static char file[] = "from-environment";

    return strcmp(name, "GOMESH_CONFIG") == 0 ? file : NULL;
}

static void test_which_file(void)
{
    ok(chdir(folder) == 0);
    ok(strcmp(gm_load_find_file("flag", named_by_variable), "flag") == 0);
    ok(strcmp(gm_load_find_file(NULL, named_by_variable), "from-environment") == 0);
    ok(mkdir("config", 0700) == 0);
    write_file("config/proxy.yaml", "", 0);
    ok(strcmp(gm_load_find_file(NULL, no_variable), "config/proxy.yaml") == 0);
    ok(unlink("config/proxy.yaml") == 0);
    if (access("/etc/gomesh/proxy.yaml", F_OK) != 0)
        ok(gm_load_find_file(NULL, no_variable) == NULL);
}

static void clean_up(void)
{
    static const char *const names[] = {"good", "empty", "large", "nul", "tls"};

    for (size_t i = 0; i != sizeof(names) / sizeof(names[0]); ++i)
        unlink(path_of(names[i]));
    rmdir(path_of("config"));
    rmdir(folder);
}

int main(void)
{
    ok(mkdtemp(folder) != NULL);
    subtest("files", test_files);
    subtest("names start at the file", test_names_start_at_the_file);
    subtest("which file", test_which_file);
    clean_up();
    return done_testing();
}
