/*
 * The checks of policies: what no client could use, what no backend should get, and what would send requests
 * round in a circle. Called by config/validate.
 */
#include "config/validate.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

typedef struct validation {
    gm_config_t *config;
    const gm_checks_t *checks; /* never NULL */
    gm_diagnostics_t *diagnostics;
    const gm_route_conf_t *route; /* NULL = the policies are for all */
} validation_t;

static bool is_bad(const validation_t *v, const void *field)
{
    return gm_validate_is_bad(v->config, field);
}

static void complain(const validation_t *v, const void *field, const gm_place_t *otherwise, const char *text)
{
    gm_validate_complain(v->config, v->diagnostics, field, otherwise, text);
}

static void complain_about(const validation_t *v, const void *field, const char *key, const gm_error_t *err)
{
    gm_error_t named = {0};

    gm_error_set(&named, NULL, "%s: %s", key, err->text);
    complain(v, field, NULL, named.text);
}

static bool has(const gm_texts_t *texts, const char *text)
{
    for (size_t i = 0; i != texts->size; ++i)
        if (strcmp(texts->items[i], text) == 0)
            return true;
    return false;
}

/* ---- access */

static void check_access(const validation_t *v, const gm_policy_conf_t *policy)
{
    const gm_access_policy_conf_t *access = &policy->access;

    /* an empty "allow" may come from a file that names nobody yet, and must not let everybody in */
    if (access->allow.size == 0 && access->deny.size == 0 && !is_bad(v, &access->allow) &&
        !is_bad(v, &access->deny))
        complain(v, &access->present, &policy->place, "access: names nobody; give \"allow\" or \"deny\"");
    else if (access->allow.size == 0 && gm_config_find_origin(v->config, &access->allow) != NULL &&
             !is_bad(v, &access->allow))
        complain(v, &access->allow, &policy->place,
                 "allow: the list is empty; leave it out to let in whom \"deny\" does not name");
}

/* ---- headers */

static void check_names(const validation_t *v, const gm_texts_t *names, const char *key, bool is_answer)
{
    for (size_t i = 0; i != names->size; ++i) {
        gm_error_t err = {0};
        if (v->checks->check_field != NULL && v->checks->check_field(names->items[i], is_answer, &err) != 0)
            complain_about(v, names->items[i], key, &err);
    }
}

static void check_header_list(const validation_t *v, const gm_header_confs_t *list, bool is_answer)
{
    for (size_t i = 0; i != list->size; ++i) {
        const gm_header_conf_t *header = list->items[i];
        gm_error_t about_name = {0}, about_value = {0};
        if (header->name != NULL && !is_bad(v, &header->name) && v->checks->check_field != NULL &&
            v->checks->check_field(header->name, is_answer, &about_name) != 0)
            complain_about(v, &header->name, "name", &about_name);
        if (header->value != NULL && !is_bad(v, &header->value) && v->checks->check_value != NULL &&
            v->checks->check_value(header->value, &about_value) != 0)
            complain_about(v, &header->value, "value", &about_value);
    }
}

/* @return whether there are any */
static bool check_changes(const validation_t *v, const gm_header_changes_conf_t *changes, bool is_answer)
{
    check_names(v, &changes->remove, "remove", is_answer);
    check_header_list(v, &changes->set, is_answer);
    check_header_list(v, &changes->add, is_answer);
    return changes->remove.size != 0 || changes->set.size != 0 || changes->add.size != 0 ||
           is_bad(v, &changes->remove) || is_bad(v, &changes->set) || is_bad(v, &changes->add);
}

static void check_headers(const validation_t *v, const gm_policy_conf_t *policy, size_t errors)
{
    const gm_headers_policy_conf_t *headers = &policy->headers;
    bool any = check_changes(v, &headers->request, false);

    any = check_changes(v, &headers->response, true) || any;
    if (!any && v->diagnostics->errors == errors)
        complain(v, &headers->present, &policy->place,
                 "headers: changes nothing; give \"request\" or \"response\" with \"set\", \"add\" or "
                 "\"remove\"");
}

/* ---- redirect and rewrite */

/* @return whether it is one that a request could have */
static bool check_path(const validation_t *v, char *const *field, const char *key)
{
    const char *path = *field;
    gm_error_t err = {0};

    if (path == NULL || is_bad(v, field))
        return false;
    if (path[0] != '/')
        gm_error_set(&err, NULL, "\"%.200s\" is not a path: paths begin with \"/\"", path);
    else if (path[1] == '/' || path[1] == '\\')
        gm_error_set(&err, NULL, "\"%.200s\" would be taken for a host by some programs", path);
    else if (strpbrk(path, "?#") != NULL)
        gm_error_set(&err, NULL, "\"%.200s\" has a query in it; that of the request is kept", path);
    else if (v->checks->check_path != NULL && v->checks->check_path(path, NULL) != 0)
        gm_error_set(&err, NULL,
                     "\"%.200s\" is no canonical path: no dot segments, no blanks, no needless percent-codes",
                     path);
    if (err.text[0] != '\0')
        complain_about(v, field, key, &err);
    return err.text[0] == '\0';
}

/* Whether `path` is `prefix` or below it, on whole segments. */
static bool is_below(const char *path, const char *prefix)
{
    size_t length = strlen(prefix);

    return strncmp(path, prefix, length) == 0 && (length == 1 || path[length] == '\0' || path[length] == '/');
}

static const char *prefix_of(const gm_route_conf_t *route)
{
    const gm_path_conf_t *path = &route->match.path;

    return path->exact != NULL ? path->exact : path->prefix != NULL ? path->prefix : "/";
}

/* Whether a prefix that replaces the route's own leads into the route again. */
static bool leads_back(const gm_route_conf_t *route, const char *prefix)
{
    if (route->match.path.exact != NULL)
        return strcmp(prefix, route->match.path.exact) == 0;
    return is_below(prefix, prefix_of(route));
}

/* Whether the path that everything is sent to is one of the route's. */
static bool takes(const gm_route_conf_t *route, const char *path)
{
    return route->match.path.exact != NULL ? strcmp(path, route->match.path.exact) == 0
                                           : is_below(path, prefix_of(route));
}

/* The client may come back to this route by this host. */
static bool may_come_back(const gm_route_conf_t *route, const gm_redirect_policy_conf_t *redirect)
{
    if (redirect->port != 0)
        return false;
    return redirect->host == NULL ||
           (route->match.host != NULL && strcasecmp(redirect->host, route->match.host) == 0);
}

static void check_circle(const validation_t *v, const gm_redirect_policy_conf_t *redirect)
{
    gm_error_t err = {0};

    if (!may_come_back(v->route, redirect))
        return;
    if (redirect->prefix != NULL && leads_back(v->route, redirect->prefix)) {
        gm_error_set(&err, NULL, "\"%.200s\" is a path of this route: clients would go round in a circle",
                     redirect->prefix);
        complain_about(v, &redirect->prefix, "prefix", &err);
    } else if (redirect->path != NULL && !v->route->backend.present && takes(v->route, redirect->path)) {
        gm_error_set(&err, NULL, "\"%.200s\" is a path of this route, which has no backend to answer there",
                     redirect->path);
        complain_about(v, &redirect->path, "path", &err);
    }
}

/* A prefix stands for the path of a route. @return whether it may be looked at further */
static bool check_prefix(const validation_t *v, char *const *prefix)
{
    gm_error_t err = {0};

    if (!check_path(v, prefix, "prefix"))
        return false;
    if (v->route != NULL)
        return !is_bad(v, &v->route->place);
    gm_error_set(&err, NULL, "it replaces the path of a route; put this policy into one");
    complain_about(v, prefix, "prefix", &err);
    return false;
}

static void check_redirect(const validation_t *v, const gm_policy_conf_t *policy)
{
    const gm_redirect_policy_conf_t *redirect = &policy->redirect;
    gm_error_t err = {0};
    bool has_path = check_path(v, &redirect->path, "path"), has_prefix = check_prefix(v, &redirect->prefix);

    if (is_bad(v, &redirect->status) || is_bad(v, &redirect->scheme) || is_bad(v, &redirect->host) ||
        is_bad(v, &redirect->port) || is_bad(v, &redirect->path) || is_bad(v, &redirect->prefix))
        return;
    if (redirect->path != NULL && redirect->prefix != NULL) {
        gm_error_set(&err, NULL, "\"path\" and \"prefix\" exclude each other; keep one");
        complain_about(v, &redirect->prefix, "redirect", &err);
    } else if (redirect->path == NULL && redirect->prefix == NULL && redirect->host == NULL &&
               redirect->port == 0 && redirect->scheme == GM_REDIRECT_SCHEME_AUTO) {
        complain(v, &redirect->present, &policy->place,
                 "redirect: leads nowhere; give \"scheme\", \"host\", \"port\", \"path\" or \"prefix\"");
    } else if (v->route != NULL && (has_path || has_prefix)) {
        check_circle(v, redirect);
    }
}

static void check_rewrite(const validation_t *v, const gm_policy_conf_t *policy)
{
    const gm_rewrite_policy_conf_t *rewrite = &policy->rewrite;

    check_prefix(v, &rewrite->prefix);
    if (rewrite->prefix == NULL && rewrite->host == NULL && !is_bad(v, &rewrite->prefix) &&
        !is_bad(v, &rewrite->host))
        complain(v, &rewrite->present, &policy->place,
                 "rewrite: changes nothing; give \"prefix\" or \"host\"");
}

/* ---- cors */

/* Browsers take "*" for a name where credentials are sent, so it would not do what it says (Fetch, 3.3). */
static void check_asterisks(const validation_t *v, const gm_cors_policy_conf_t *cors)
{
    const struct {
        const gm_texts_t *texts;
        const char *key;
    } lists[] = {{&cors->allow_origins, "allow_origins"},
                 {&cors->allow_methods, "allow_methods"},
                 {&cors->allow_headers, "allow_headers"},
                 {&cors->expose_headers, "expose_headers"}};

    if (!cors->allow_credentials || is_bad(v, &cors->allow_credentials))
        return;
    for (size_t i = 0; i != GM_COUNT_OF(lists); ++i) {
        gm_error_t err = {0};
        if (!has(lists[i].texts, "*"))
            continue;
        gm_error_set(&err, NULL, "\"*\" does not go together with allow_credentials; name them");
        complain_about(v, lists[i].texts, lists[i].key, &err);
    }
}

static void check_tokens(const validation_t *v, const gm_texts_t *texts, const char *key)
{
    for (size_t i = 0; i != texts->size; ++i) {
        gm_error_t err = {0};
        if (texts->items[i][strspn(texts->items[i], "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0')
            continue;
        gm_error_set(&err, NULL, "\"%.200s\" is not a name", texts->items[i]);
        complain_about(v, texts->items[i], key, &err);
    }
}

static void check_cors(const validation_t *v, const gm_policy_conf_t *policy, size_t errors)
{
    const gm_cors_policy_conf_t *cors = &policy->cors;

    for (size_t i = 0; i != cors->allow_origins.size; ++i) {
        gm_error_t err = {0};
        const char *origin = cors->allow_origins.items[i];
        if (v->checks->check_origin != NULL && v->checks->check_origin(origin, &err) != 0)
            complain_about(v, origin, "allow_origins", &err);
    }
    if (cors->allow_origins.size == 0 && v->diagnostics->errors == errors &&
        gm_config_find_origin(v->config, &cors->allow_origins) != NULL && !is_bad(v, &cors->allow_origins))
        complain(v, &cors->allow_origins, &policy->place, "allow_origins: the list is empty");
    check_tokens(v, &cors->allow_methods, "allow_methods");
    check_tokens(v, &cors->allow_headers, "allow_headers");
    check_tokens(v, &cors->expose_headers, "expose_headers");
    check_asterisks(v, cors);
}

static bool has_cors(const gm_policy_confs_t *policies, size_t count)
{
    for (size_t i = 0; i != count; ++i)
        if (policies->items[i]->cors.present)
            return true;
    return false;
}

/* The first one answers all preflights, so a second could not say yes. */
static void check_second_cors(const validation_t *v, const gm_policy_confs_t *policies, size_t index)
{
    const void *field = &policies->items[index]->cors.present;

    if (has_cors(policies, index))
        complain(v, field, NULL, "cors: a second one; the first answers for both");
    else if (v->route != NULL && has_cors(&v->config->policies, v->config->policies.size))
        complain(v, field, NULL, "cors: the policies for all routes have one, which answers for this, too");
}

/* ---- those that are always there */

/* Where the item's section of such a kind begins; NULL = it is not this item's. */
static const bool *find_setting(const gm_policy_conf_t *policy, size_t kind, const char **name)
{
    const struct {
        const bool *present;
        const char *name;
    } kinds[] = {{&policy->recovery.present, "recovery"},
                 {&policy->tracing.present, "tracing"},
                 {&policy->metrics.present, "metrics"},
                 {&policy->logging.present, "logging"}};

    if (kind == GM_COUNT_OF(kinds))
        return NULL;
    *name = kinds[kind].name;
    return kinds[kind].present;
}

static bool is_setting(const gm_policy_conf_t *policy)
{
    return policy->recovery.present || policy->tracing.present || policy->metrics.present ||
           policy->logging.present;
}

/* A chain has one of each, so of two items one would mean nothing. */
static void check_second_setting(const validation_t *v, const gm_policy_confs_t *policies, size_t index)
{
    const gm_policy_conf_t *policy = policies->items[index];
    const bool *present;
    const char *name;

    for (size_t kind = 0; (present = find_setting(policy, kind, &name)) != NULL; ++kind)
        for (size_t i = 0; *present && i != index; ++i) {
            gm_error_t err = {0};
            if (!*find_setting(policies->items[i], kind, &name))
                continue;
            gm_error_set(&err, NULL, "a second one in this list; the first is in line %d",
                         policies->items[i]->place.line);
            complain_about(v, present, name, &err);
            return;
        }
}

/* Not an error: the same list may serve files with and without a page. */
static void check_readers(const validation_t *v, const gm_metrics_policy_conf_t *metrics)
{
    const gm_admin_conf_t *admin = &v->config->admin;
    const gm_origin_t *origin = gm_config_find_origin(v->config, &metrics->enabled);

    if (metrics->enabled == GM_SWITCH_ON && origin != NULL && v->config->metrics.path[0] == '\0' &&
        admin->listen[0] == '\0' && admin->socket == NULL)
        gm_diagnostics_add(
            v->diagnostics, GM_SEVERITY_WARNING, &origin->place,
            "metrics: nobody can read them: metrics.path is \"\", and there is no admin window");
}

/* ---- the lists */

static void check_policies(const validation_t *v, const gm_policy_confs_t *policies)
{
    for (size_t i = 0; i != policies->size; ++i) {
        const gm_policy_conf_t *policy = policies->items[i];
        size_t errors = v->diagnostics->errors;
        if (policy->access.present)
            check_access(v, policy);
        if (policy->headers.present)
            check_headers(v, policy, errors);
        if (policy->redirect.present)
            check_redirect(v, policy);
        if (policy->rewrite.present)
            check_rewrite(v, policy);
        if (policy->cors.present)
            check_cors(v, policy, errors);
        if (policy->cors.present)
            check_second_cors(v, policies, i);
        if (is_setting(policy))
            check_second_setting(v, policies, i);
        if (policy->metrics.present)
            check_readers(v, &policy->metrics);
    }
}

/* What has no known kind may have been meant as one. */
static bool may_redirect(const gm_policy_conf_t *policy)
{
    return policy->redirect.present ||
           !(policy->access.present || policy->headers.present || policy->rewrite.present ||
             policy->cors.present || is_setting(policy));
}

static bool has_redirect(const gm_policy_confs_t *policies)
{
    for (size_t i = 0; i != policies->size; ++i)
        if (may_redirect(policies->items[i]))
            return true;
    return false;
}

/* The rows let policies stand in the place of a backend; only a redirect can. */
static void check_backend(const validation_t *v)
{
    const gm_route_conf_t *route = v->route;

    if (route->backend.present || has_redirect(&route->policies) ||
        gm_config_find_origin(v->config, &route->policies) == NULL || is_bad(v, &route->policies))
        return;
    gm_diagnostics_add(v->diagnostics, GM_SEVERITY_ERROR, &route->place,
                       "routes: \"backend\" is missing, and no policy here is a redirect");
}

void gm_config_validate_policies(gm_config_t *config, const gm_checks_t *checks,
                                 gm_diagnostics_t *diagnostics)
{
    static const gm_checks_t none = {0};
    validation_t v = {
        .config = config, .checks = checks != NULL ? checks : &none, .diagnostics = diagnostics};

    check_policies(&v, &config->policies);
    for (size_t i = 0; i != config->routes.size; ++i) {
        size_t errors = diagnostics->errors;
        v.route = config->routes.items[i];
        check_policies(&v, &v.route->policies);
        if (diagnostics->errors == errors)
            check_backend(&v);
    }
}
