/* config: the settings of one GoMesh, as plain values */
#ifndef GM_CONFIG_CONFIG_H
#define GM_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/vector.h"

#define GM_WORKERS_AUTO 0
#define GM_LEFT_OPEN UINT64_MAX /* a number that is said elsewhere */

/** A list of texts, all owned. */
typedef GM_VECTOR(char *) gm_texts_t;

/* TLS to a backend. */
typedef struct gm_backend_tls_conf {
    bool present;               /* false = plain HTTP */
    char *ca_file;              /* owned; NULL = the system's authorities */
    char *server_name;          /* owned; NULL = the backend's host */
    char *cert_file, *key_file; /* owned; shown to the backend; NULL = none */
    uint64_t verify;            /* 0 = any certificate will do */
} gm_backend_tls_conf_t;

typedef enum gm_protocol { GM_PROTOCOL_AUTO, GM_PROTOCOL_HTTP1, GM_PROTOCOL_H2 } gm_protocol_t;

typedef struct gm_backend_conf {
    bool present; /* given in the file, or implied because there are no routes */
    char *host;   /* owned */
    uint64_t port;
    gm_backend_tls_conf_t tls;
    uint64_t protocol; /* gm_protocol_t; auto = what TLS agrees on, otherwise HTTP/1.1 */
} gm_backend_conf_t;

typedef struct gm_timeout_conf {
    uint64_t read_timeout_ms, write_timeout_ms, idle_timeout_ms, connect_timeout_ms;
    uint64_t request_timeout_ms; /* 0 = off */
    uint64_t shutdown_timeout_ms;
    uint64_t tunnel_idle_timeout_ms; /* 0 = off */
} gm_timeout_conf_t;

typedef enum gm_tls_version { GM_TLS_1_2, GM_TLS_1_3 } gm_tls_version_t;

typedef enum gm_client_auth {
    GM_CLIENT_AUTH_AUTO,
    GM_CLIENT_AUTH_OPTIONAL,
    GM_CLIENT_AUTH_REQUIRE
} gm_client_auth_t;

/* One certificate among several. File names here and below: relative ones start at the configuration file's
 * folder. */
typedef struct gm_certificate_conf {
    gm_place_t place;           /* where it begins in the file */
    char *cert_file, *key_file; /* owned */
    gm_texts_t names;           /* hosts, "*.example.com" among them; none = those in the certificate */
} gm_certificate_conf_t;

typedef struct gm_tls_conf {
    bool present; /* false = no TLS listener */
    uint64_t listen_port;
    char *cert_file, *key_file; /* owned; the default certificate; NULL = the first of the list */
    GM_VECTOR(gm_certificate_conf_t *) certificates; /* owned */
    char *client_ca_file; /* owned; NULL = clients are not asked for certificates */
    uint64_t client_auth; /* gm_client_auth_t; auto = require if client_ca_file is given */
    uint64_t min_version; /* gm_tls_version_t */
} gm_tls_conf_t;

typedef struct gm_limits_conf {
    uint64_t max_request_body_bytes;                  /* 0 = no limit */
    uint64_t min_body_rate_bytes;                     /* a second; 0 = no limit */
    uint64_t max_connections, max_connections_per_ip; /* the latter: 0 = no limit */
    uint64_t max_requests_per_connection;             /* 0 = no limit */
    uint64_t max_buffered_bodies_bytes;               /* of all requests together */
    uint64_t max_head_bytes, max_field_bytes, max_target_bytes, max_fields;
} gm_limits_conf_t;

typedef struct gm_http2_conf {
    uint64_t enabled;                                      /* 0 = clients speak HTTP/1 only */
    uint64_t cleartext;                                    /* 1 = without TLS too, by prior knowledge */
    uint64_t max_concurrent_streams;                       /* per connection */
    uint64_t stream_window_bytes, connection_window_bytes; /* what clients may send ahead */
    uint64_t max_header_list_bytes;                        /* by RFC 9113, 6.5.2 */
    uint64_t max_continuations;                            /* frames */
    uint64_t max_held_bytes;                               /* of the heads of a connection's requests */
    uint64_t offences, offences_per_second;                /* that are forgiven, at once and later */
} gm_http2_conf_t;

typedef struct gm_upstream_conf {
    uint64_t idle_timeout_ms, max_idle_per_endpoint;
    uint64_t max_connections;            /* per endpoint and worker; 0 = no limit */
    uint64_t max_streams_per_connection; /* of HTTP/2 */
    uint64_t ping_interval_ms;           /* likewise; 0 = off */
} gm_upstream_conf_t;

typedef struct gm_dns_conf {
    uint64_t refresh_ms;
} gm_dns_conf_t;

typedef enum gm_engine { GM_ENGINE_GOMESH, GM_ENGINE_H2O } gm_engine_t;

typedef enum gm_normalize_path { GM_NORMALIZE_PATH_STRICT, GM_NORMALIZE_PATH_OFF } gm_normalize_path_t;

typedef enum gm_error_details {
    GM_ERROR_DETAILS_AUTO, /* clients on this machine */
    GM_ERROR_DETAILS_ALL,
    GM_ERROR_DETAILS_NONE
} gm_error_details_t;

typedef enum gm_supervise_mode {
    GM_SUPERVISE_AUTO, /* unless a service manager runs us */
    GM_SUPERVISE_OFF,
    GM_SUPERVISE_ON
} gm_supervise_mode_t;

typedef struct gm_proxy_conf {
    char *listen_host; /* owned; "" = all addresses, IPv4 and IPv6 */
    uint64_t listen_port;
    gm_backend_conf_t backend;
    gm_texts_t trusted_proxies; /* addresses and networks */
    uint64_t engine;            /* gm_engine_t */
    uint64_t workers;           /* GM_WORKERS_AUTO or the number of event loops */
    uint64_t supervise;         /* gm_supervise_mode_t */
    uint64_t normalize_path;    /* gm_normalize_path_t */
    uint64_t error_details;     /* gm_error_details_t */
    uint64_t request_buffering; /* 1 = bodies are held until they are whole; routes may say otherwise */
    char *temp_dir;             /* owned; for bodies that are held */
    gm_timeout_conf_t timeout;
    gm_tls_conf_t tls;
    gm_http2_conf_t http2;
    gm_upstream_conf_t upstream;
    gm_dns_conf_t dns;
    gm_limits_conf_t limits;
} gm_proxy_conf_t;

/* The window for operators. */
typedef struct gm_admin_conf {
    char *listen;                 /* owned; "host:port"; "" = none */
    char *socket;                 /* owned; NULL = none */
    uint64_t ready_needs_backend; /* 1 = /readyz fails where no backend's name is known */
} gm_admin_conf_t;

typedef struct gm_path_conf {
    char *prefix, *exact; /* owned; at most one is not NULL; neither = prefix "/" */
} gm_path_conf_t;

typedef struct gm_match_conf {
    char *host; /* owned; NULL = any; lower case; "*.example.com" = every name below example.com */
    gm_path_conf_t path;
} gm_match_conf_t;

/* ---- policies: each item of the list has exactly one of the sections */

typedef struct gm_access_policy_conf {
    bool present;
    gm_texts_t allow, deny; /* addresses and networks */
} gm_access_policy_conf_t;

typedef struct gm_header_conf {
    char *name, *value; /* owned; the value may have facts of the request in it: %{remote_addr} */
} gm_header_conf_t;

typedef GM_VECTOR(gm_header_conf_t *) gm_header_confs_t;

/* What happens to the fields of one direction, in this order. */
typedef struct gm_header_changes_conf {
    gm_texts_t remove;
    gm_header_confs_t set, add; /* owned */
} gm_header_changes_conf_t;

typedef struct gm_headers_policy_conf {
    bool present;
    gm_header_changes_conf_t request, response;
} gm_headers_policy_conf_t;

typedef enum gm_redirect_scheme {
    GM_REDIRECT_SCHEME_AUTO, /* as the request's */
    GM_REDIRECT_SCHEME_HTTP,
    GM_REDIRECT_SCHEME_HTTPS
} gm_redirect_scheme_t;

typedef struct gm_redirect_policy_conf {
    bool present;
    uint64_t status; /* index into gm_redirect_statuses */
    uint64_t scheme; /* gm_redirect_scheme_t */
    char *host;      /* owned; NULL = the request's */
    uint64_t port;   /* 0 = the request's, or the scheme's */
    char *path;      /* owned; NULL = the request's */
    char *prefix;    /* owned; instead of the path that the route matches; NULL = that */
} gm_redirect_policy_conf_t;

typedef struct gm_rewrite_policy_conf {
    bool present;
    char *prefix; /* owned; instead of the path that the route matches; NULL = that */
    char *host;   /* owned; what the backend sees as Host; NULL = the client's */
} gm_rewrite_policy_conf_t;

typedef struct gm_cors_policy_conf {
    bool present;
    gm_texts_t allow_origins, allow_methods, allow_headers, expose_headers;
    uint64_t allow_credentials;
    uint64_t max_age_ms;
} gm_cors_policy_conf_t;

/* Those that are at the head of every chain, whether the list has them or not. What an item leaves open is as
 * the item for all routes says, and what that leaves open as the sections at the top do. */

typedef enum gm_switch { GM_SWITCH_AUTO, GM_SWITCH_OFF, GM_SWITCH_ON } gm_switch_t; /* auto = left open */

typedef enum gm_on_failure { GM_ON_FAILURE_AUTO, GM_ON_FAILURE_ANSWER, GM_ON_FAILURE_PASS } gm_on_failure_t;

typedef struct gm_recovery_policy_conf {
    bool present;
    uint64_t on_failure; /* gm_on_failure_t; auto = answer, where nobody says anything */
} gm_recovery_policy_conf_t;

typedef struct gm_tracing_policy_conf {
    bool present;
    uint64_t enabled; /* gm_switch_t */
} gm_tracing_policy_conf_t;

typedef struct gm_metrics_policy_conf {
    bool present;
    uint64_t enabled; /* gm_switch_t */
} gm_metrics_policy_conf_t;

typedef struct gm_logging_policy_conf {
    bool present;
    uint64_t enabled, only_failures; /* gm_switch_t */
    uint64_t sample;                 /* millionths, or GM_LEFT_OPEN */
    uint64_t slower_than_ms;         /* 0 = whatever it took; or GM_LEFT_OPEN */
} gm_logging_policy_conf_t;

typedef struct gm_policy_conf {
    gm_place_t place; /* where the item begins in the file */
    gm_recovery_policy_conf_t recovery;
    gm_tracing_policy_conf_t tracing;
    gm_metrics_policy_conf_t metrics;
    gm_logging_policy_conf_t logging;
    gm_access_policy_conf_t access;
    gm_headers_policy_conf_t headers;
    gm_redirect_policy_conf_t redirect;
    gm_rewrite_policy_conf_t rewrite;
    gm_cors_policy_conf_t cors;
} gm_policy_conf_t;

typedef GM_VECTOR(gm_policy_conf_t *) gm_policy_confs_t;

/* Of a route. */
typedef enum gm_request_buffering {
    GM_REQUEST_BUFFERING_AUTO, /* as the proxy does */
    GM_REQUEST_BUFFERING_OFF,
    GM_REQUEST_BUFFERING_ON
} gm_request_buffering_t;

typedef struct gm_route_conf {
    gm_place_t place; /* where the route begins in the file */
    char *name;       /* owned */
    gm_match_conf_t match;
    gm_backend_conf_t backend;  /* not present where a redirect answers all requests */
    uint64_t request_buffering; /* gm_request_buffering_t */
    gm_policy_confs_t policies; /* owned; they come after those for all routes */
} gm_route_conf_t;

typedef enum gm_log_format { GM_LOG_FORMAT_AUTO, GM_LOG_FORMAT_TEXT, GM_LOG_FORMAT_JSON } gm_log_format_t;

/* One line per request that is over. */
typedef struct gm_access_conf {
    uint64_t enabled; /* 0 = no such lines */
    char *path;       /* owned; NULL = they go where all lines go */
    uint64_t sample;  /* millionths */
    uint64_t only_failures;
    uint64_t slower_than_ms;                      /* 0 = whatever it took */
    gm_texts_t request_headers, response_headers; /* whose values are in the lines */
    gm_texts_t redact;                            /* whose values are not, beside the usual ones */
    uint64_t show_secrets;                        /* 1 = all values are */
} gm_access_conf_t;

/* Where spans go: a collector that speaks OTLP over HTTP. */
typedef struct gm_otlp_conf {
    bool present;              /* false = nowhere */
    char *endpoint;            /* owned; a URL */
    char *service_name;        /* owned */
    gm_header_confs_t headers; /* owned; what authorizes, for example */
    uint64_t sample;           /* millionths, of traces that begin here */
    uint64_t batch, queue;     /* spans */
    uint64_t delay_ms;         /* how long at most a span waits for others */
    uint64_t timeout_ms;       /* for one batch */
    gm_backend_tls_conf_t tls; /* of an https endpoint */
} gm_otlp_conf_t;

typedef struct gm_tracing_conf {
    uint64_t enabled; /* 0 = fields about traces are passed on as they are */
    gm_otlp_conf_t otlp;
} gm_tracing_conf_t;

typedef struct gm_log_conf {
    uint64_t level;  /* gm_log_level_t of telemetry/log.h: debug, info, warn, error */
    uint64_t format; /* gm_log_format_t */
    char *output;    /* owned; "stdout", "stderr" or a file's name */
    gm_access_conf_t access;
} gm_log_conf_t;

/* The page of numbers, for Prometheus. */
typedef struct gm_metrics_conf {
    char *path;          /* owned; "" = no such page */
    uint64_t max_series; /* per metric */
} gm_metrics_conf_t;

/* Where a value came from, so that later checks can point at it. */
typedef struct gm_origin {
    const void *field; /* address of the value inside the configuration; of the text for one of a list */
    gm_place_t place;
    bool bad; /* an error was already reported for it */
} gm_origin_t;

typedef struct gm_config {
    gm_proxy_conf_t proxy;
    GM_VECTOR(gm_route_conf_t *) routes; /* owned */
    gm_policy_confs_t policies;          /* owned; for all routes, and for requests that match none */
    gm_log_conf_t log;
    gm_tracing_conf_t tracing;
    gm_metrics_conf_t metrics;
    gm_admin_conf_t admin;
    GM_VECTOR(gm_origin_t) origins;
    bool origins_sorted;
} gm_config_t;

/** An empty configuration with nothing filled in; gm_schema_fill gives it values. The caller owns it. */
GM_MUST_USE gm_config_t *gm_config_create(void);
void gm_config_destroy(gm_config_t *self);

/** Remembers where a value came from. */
void gm_config_set_origin(gm_config_t *self, const void *field, const gm_place_t *place, bool bad);

/** @return NULL if the value is a default; valid until the next gm_config_set_origin */
const gm_origin_t *gm_config_find_origin(gm_config_t *self, const void *field);

#endif
