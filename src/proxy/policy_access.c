/*
 * Who may come in, by address. A deny wins over an allow; with an allow everybody else is denied. Worker's
 * thread but for creation.
 */
#include <arpa/inet.h>

#include "proxy/policy_facts.h"

typedef struct networks {
    gm_cidr_t *items; /* owned */
    size_t count;
} networks_t;

typedef struct access {
    networks_t allow, deny;
} access_t;

static networks_t parse_networks(const gm_texts_t *texts)
{
    networks_t networks = {gm_alloc((texts->size + 1) * sizeof(*networks.items)), 0};

    for (size_t i = 0; i != texts->size; ++i)
        if (gm_cidr_parse(texts->items[i], &networks.items[networks.count], NULL) ==
            0) /* the row has seen to it */
            ++networks.count;
    return networks;
}

static void *create(const void *section, const gm_snapshot_t *snapshot)
{
    const gm_access_policy_conf_t *conf = section;
    access_t *self = gm_alloc(sizeof(*self));

    (void)snapshot;
    self->allow = parse_networks(&conf->allow);
    self->deny = parse_networks(&conf->deny);
    return self;
}

static void destroy(void *data)
{
    access_t *self = data;

    free(self->allow.items);
    free(self->deny.items);
    free(self);
}

/* @return NULL = he may come in */
static const char *find_reason(const access_t *self, const struct sockaddr *address)
{
    if (gm_cidr_any_matches(self->deny.items, self->deny.count, address))
        return "is denied by the policy access";
    if (self->allow.count != 0 && !gm_cidr_any_matches(self->allow.items, self->allow.count, address))
        return "is not among those that the policy access allows";
    return NULL;
}

static gm_verdict_t on_request(const void *self, gm_request_t *request, void **own, gm_error_t *err)
{
    struct sockaddr_storage address;
    const char *reason = "a client that no trusted proxy names is denied by the policy access";
    gm_buffer_t detail = {0};
    gm_span_t who = {NULL, 0};

    (void)own;
    (void)err;
    if (gm_policy_client_address(request, &address)) {
        if ((reason = find_reason(self, (const struct sockaddr *)&address)) == NULL)
            return GM_VERDICT_PASS;
        who = gm_policy_fact(request, GM_FACT_REMOTE_ADDR);
    }
    gm_buffer_printf(&detail, "%.*s%s%s", (int)who.length, who.length != 0 ? who.base : "",
                     who.length != 0 ? " " : "", reason);
    gm_policy_refuse(request, GM_FAILURE_ACCESS_DENIED, detail.text);
    gm_buffer_dispose(&detail);
    return GM_VERDICT_ANSWERED;
}

const gm_policy_ops_t gm_policy_access = {
    .name = "access", .is_guard = true, .create = create, .destroy = destroy, .on_request = on_request};
