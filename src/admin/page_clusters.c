/*
 * /clusters: the backends, the addresses they have, and the idle connections to them. Clusters have a lock of
 * their own, idle connections come from the survey. Called from the table in admin.c, on the window's thread.
 */
#include "admin/page.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

typedef struct cluster {
    gm_cluster_t *self;
    const char *state; /* of the look-up */
    gm_reach_t reach;
    gm_addresses_t addresses;
} cluster_t;

static void look(gm_cluster_t *self, cluster_t *cluster)
{
    cluster->self = self;
    gm_cluster_get_addresses(self, &cluster->addresses);
    cluster->reach = gm_cluster_reach(self);
    cluster->state = !gm_cluster_needs_resolver(self)  ? "not needed"
                     : cluster->addresses.failed       ? "failed"
                     : cluster->addresses.version == 0 ? "pending"
                                                       : "ok";
}

/* @return how many idle connections a worker has; GM_SURVEY_UNKNOWN = it did not say */
static size_t idle_of(const gm_admin_call_t *call, size_t worker, size_t cluster)
{
    gm_sheet_state_t state;
    const gm_sheet_t *sheet = gm_survey_read(call->survey, worker, &state);

    return sheet != NULL ? sheet->idle[cluster] : GM_SURVEY_UNKNOWN;
}

static void write_failure_text(gm_buffer_t *out, const gm_cluster_t *cluster)
{
    gm_failure_t failure;
    struct timeval at = {0};
    uint64_t at_s;
    char text[32];

    if (!gm_cluster_last_failure(cluster, &failure, &at_s))
        return;
    at.tv_sec = (time_t)at_s;
    gm_buffer_printf(out, "  last failure: %s, %s\n", gm_failure_row(failure)->label,
                     gm_clock_format(text, sizeof(text), &at));
}

static void write_text(gm_admin_call_t *call, const cluster_t *cluster, size_t index)
{
    static const char *const reaches[] = {"not tried yet", "reachable", "not reachable"};
    char address[GM_ADDRESS_TEXT_BYTES];

    gm_buffer_printf(call->out, "cluster %s: %s, look-up %s%s%s, %s\n", gm_cluster_name(cluster->self),
                     gm_cluster_authority(cluster->self), cluster->state,
                     cluster->addresses.failed ? ": " : "",
                     cluster->addresses.failed ? cluster->addresses.error.why : "", reaches[cluster->reach]);
    if (cluster->addresses.count != 0)
        gm_buffer_printf(call->out, "  addresses, version %u:", cluster->addresses.version);
    for (size_t i = 0; i != cluster->addresses.count; ++i) {
        gm_address_format(&cluster->addresses.items[i], address);
        gm_buffer_printf(call->out, " %s", address);
    }
    gm_buffer_append_text(call->out, cluster->addresses.count != 0 ? "\n" : "");
    gm_buffer_append_text(call->out, "  idle connections per worker:");
    for (size_t i = 0; i != gm_survey_worker_count(call->survey); ++i) {
        size_t idle = idle_of(call, i, index);
        if (idle != GM_SURVEY_UNKNOWN)
            gm_buffer_printf(call->out, " %zu", idle);
        else
            gm_buffer_append_text(call->out, " ?");
    }
    gm_buffer_append_char(call->out, '\n');
    write_failure_text(call->out, cluster->self);
}

static void write_failure(gm_json_t *json, const gm_cluster_t *cluster)
{
    gm_failure_t failure;
    struct timeval at = {0};
    uint64_t at_s;
    char text[32];

    gm_json_key(json, "last_failure");
    if (!gm_cluster_last_failure(cluster, &failure, &at_s)) {
        gm_json_string(json, NULL);
        return;
    }
    at.tv_sec = (time_t)at_s;
    gm_json_open(json, '{');
    gm_json_key(json, "failure");
    gm_json_string(json, gm_failure_row(failure)->label);
    gm_json_key(json, "at");
    gm_json_string(json, gm_clock_format(text, sizeof(text), &at));
    gm_json_close(json, '}');
}

static void write_look_up(gm_json_t *json, const cluster_t *cluster)
{
    char address[GM_ADDRESS_TEXT_BYTES];

    gm_json_key(json, "look_up");
    gm_json_string(json, cluster->state);
    if (cluster->addresses.failed) {
        gm_json_key(json, "look_up_error");
        gm_json_string(json, cluster->addresses.error.why);
    }
    gm_json_key(json, "addresses_version");
    gm_json_integer(json, cluster->addresses.version);
    gm_json_key(json, "addresses");
    gm_json_open(json, '[');
    for (size_t i = 0; i != cluster->addresses.count; ++i) {
        gm_address_format(&cluster->addresses.items[i], address);
        gm_json_string(json, address);
    }
    gm_json_close(json, ']');
}

static void write_object(gm_admin_call_t *call, const cluster_t *cluster, size_t index)
{
    gm_json_t *json = call->json;

    gm_json_open(json, '{');
    gm_json_key(json, "name");
    gm_json_string(json, gm_cluster_name(cluster->self));
    gm_json_key(json, "authority");
    gm_json_string(json, gm_cluster_authority(cluster->self));
    gm_json_key(json, "reachable");
    if (cluster->reach == GM_REACH_UNKNOWN)
        gm_json_string(json, NULL);
    else
        gm_json_boolean(json, cluster->reach == GM_REACHED);
    write_look_up(json, cluster);
    gm_json_key(json, "idle_connections");
    gm_json_open(json, '[');
    for (size_t i = 0; i != gm_survey_worker_count(call->survey); ++i) {
        size_t idle = idle_of(call, i, index);
        if (idle != GM_SURVEY_UNKNOWN)
            gm_json_integer(json, (int64_t)idle);
        else
            gm_json_string(json, NULL);
    }
    gm_json_close(json, ']');
    write_failure(json, cluster->self);
    gm_json_close(json, '}');
}

void gm_admin_page_clusters(gm_admin_call_t *call)
{
    const gm_admin_options_t *options = call->options;
    cluster_t cluster;

    if (!call->wants_text) {
        gm_json_open(call->json, '{');
        gm_json_key(call->json, "clusters");
        gm_json_open(call->json, '[');
    }
    for (size_t i = 0; i != options->cluster_count; ++i) {
        look(options->clusters[i], &cluster);
        (call->wants_text ? write_text : write_object)(call, &cluster, i);
    }
    if (!call->wants_text) {
        gm_json_close(call->json, ']');
        gm_json_close(call->json, '}');
    }
}
