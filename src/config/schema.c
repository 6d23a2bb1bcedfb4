/*
 * Every option of GoMesh: one row gives its name, type, default, range and one line of help, and from it come
 * parser,
 * `--dump`, the reference page and the JSON schema. To add an option, add a row here and a field in
 * config/config.h.
 */
#include "config/schema.h"

#define DAY_MS (24 * 60 * 60 * 1000)
#define TIB ((uint64_t)1 << 40)
#define NOT_A_HOSTPORT -1, -1
#define AT(type, field) offsetof(type, field)

static const char *const tls_versions[] = {"1.2", "1.3", NULL};
static const char *const engines[] = {"gomesh", "h2o", NULL};
static const char *const client_auths[] = {"auto", "optional", "require", NULL};
static const char *const booleans[] = {"false", "true", NULL};
static const char *const normalize_path[] = {"strict", "off", NULL};
static const char *const error_details[] = {"auto", "all", "none", NULL};
static const char *const auto_booleans[] = {"auto", "false", "true", NULL};
const char *const gm_redirect_statuses[] = {"301", "302", "303", "307", "308", NULL};
static const char *const redirect_schemes[] = {"auto", "http", "https", NULL};
static const char *const on_failures[] = {"auto", "answer", "pass", NULL};
static const char *const protocols[] = {"auto", "http1", "h2", NULL};
static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"auto", "text", "json", NULL};

/* clang-format off */
static const gm_field_t backend_tls_fields[] = {
    {"ca_file", GM_FIELD_FILE, AT(gm_backend_tls_conf_t, ca_file), NULL, 0, 0, NULL, NULL, 0, "ca trusted_ca_file",
     "PEM file with the authorities that are trusted; absent = the system's"},
    {"server_name", GM_FIELD_HOST, AT(gm_backend_tls_conf_t, server_name), NULL, 0, 0, NULL, NULL, 0, "sni",
     "name or address that the certificate must be for; absent = the backend's host"},
    {"cert_file", GM_FIELD_FILE, AT(gm_backend_tls_conf_t, cert_file), NULL, 0, 0, NULL, NULL, 0,
     "cert certificate certificate_file", "PEM file with the certificate that is shown to the backend, then its chain"},
    {"key_file", GM_FIELD_FILE, AT(gm_backend_tls_conf_t, key_file), NULL, 0, 0, NULL, NULL, 0, "key private_key",
     "PEM file with its private key"},
    {"verify", GM_FIELD_BOOLEAN, AT(gm_backend_tls_conf_t, verify), "true", 0, 0, booleans, NULL, 0, NULL,
     "false = any certificate will do, so anybody in between can read and change everything"},
    {0}};
static const gm_section_t backend_tls_section = {"backend.tls", backend_tls_fields, sizeof(gm_backend_tls_conf_t),
    AT(gm_backend_tls_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t backend_fields[] = {
    {"host", GM_FIELD_HOST, AT(gm_backend_conf_t, host), "localhost", 0, 0, NULL, NULL, GM_FIELD_UNIX, "hostname address",
     "name or address of the backend, every address of a name is tried in turn; or unix:/path of a socket, without a port"},
    {"port", GM_FIELD_PORT, AT(gm_backend_conf_t, port), "3000", 1, 65535, NULL, NULL, 0, NULL,
     "port of the backend"},
    {"tls", GM_FIELD_SECTION, AT(gm_backend_conf_t, tls), NULL, 0, 0, NULL, &backend_tls_section, 0, "https",
     "speak TLS to the backend; tls: {} = with the system's authorities; absent = plain HTTP"},
    {"protocol", GM_FIELD_CHOICE, AT(gm_backend_conf_t, protocol), "auto", 0, 0, protocols, NULL, 0, "http_version",
     "auto = HTTP/2 where the backend's TLS agrees to it, otherwise HTTP/1.1; http1; h2 = HTTP/2, without TLS by prior knowledge"},
    {0}};
static const gm_section_t backend_section = {"proxy.backend", backend_fields, sizeof(gm_backend_conf_t),
    AT(gm_backend_conf_t, present), -1, AT(gm_backend_conf_t, host), AT(gm_backend_conf_t, port)};

static const gm_field_t timeout_fields[] = {
    {"read_timeout", GM_FIELD_DURATION, AT(gm_timeout_conf_t, read_timeout_ms), "30s", 1, DAY_MS, NULL, NULL, 0,
     "read", "a client that sends nothing for this long within a request gets 408; a backend that is silent for this long, 504"},
    {"write_timeout", GM_FIELD_DURATION, AT(gm_timeout_conf_t, write_timeout_ms), "30s", 1, DAY_MS, NULL, NULL, 0,
     "write", "a client that takes nothing for this long is cut; a backend that takes nothing of a request gives 504"},
    {"idle_timeout", GM_FIELD_DURATION, AT(gm_timeout_conf_t, idle_timeout_ms), "120s", 1, DAY_MS, NULL, NULL, 0,
     "idle", "a connection without a request is closed after this time"},
    {"connect_timeout", GM_FIELD_DURATION, AT(gm_timeout_conf_t, connect_timeout_ms), "5s", 1, DAY_MS, NULL, NULL, 0,
     "connect", "time to reach one address of the backend"},
    {"request_timeout", GM_FIELD_DURATION, AT(gm_timeout_conf_t, request_timeout_ms), "0s", 0, DAY_MS, NULL, NULL, 0,
     "request total", "time for the whole answer, from the end of the request on; 0s = no limit"},
    {"shutdown_timeout", GM_FIELD_DURATION, AT(gm_timeout_conf_t, shutdown_timeout_ms), "10s", 0, DAY_MS, NULL, NULL, 0,
     "shutdown", "on SIGTERM, time for requests in flight to finish"},
    {"tunnel_idle_timeout", GM_FIELD_DURATION, AT(gm_timeout_conf_t, tunnel_idle_timeout_ms), "1h", 0, DAY_MS, NULL, NULL,
     0, "tunnel websocket", "a WebSocket or other tunnel in which neither side says a word for this long is cut; 0s = never"},
    {0}};
static const gm_section_t timeout_section = {"proxy.timeout", timeout_fields, sizeof(gm_timeout_conf_t), -1, -1,
    NOT_A_HOSTPORT};

static const gm_field_t certificate_fields[] = {
    {"cert_file", GM_FIELD_FILE, AT(gm_certificate_conf_t, cert_file), NULL, 0, 0, NULL, NULL, GM_FIELD_REQUIRED,
     "cert certificate certificate_file", "PEM file with the certificate, then its chain; relative to this file"},
    {"key_file", GM_FIELD_FILE, AT(gm_certificate_conf_t, key_file), NULL, 0, 0, NULL, NULL, GM_FIELD_REQUIRED,
     "key private_key", "PEM file with the private key; relative to this file"},
    {"names", GM_FIELD_TEXTS, AT(gm_certificate_conf_t, names), NULL, 0, 0, NULL, NULL, GM_FIELD_WILDCARD,
     "hosts server_names",
     "host names, also *.example.com for every name below it; absent = those in the certificate"},
    {0}};
static const gm_section_t certificate_section = {"tls.certificates", certificate_fields,
    sizeof(gm_certificate_conf_t), -1, AT(gm_certificate_conf_t, place), NOT_A_HOSTPORT};

static const gm_field_t tls_fields[] = {
    {"listen_port", GM_FIELD_PORT, AT(gm_tls_conf_t, listen_port), "8443", 1, 65535, NULL, NULL, 0, "port",
     "port for HTTPS"},
    {"cert_file", GM_FIELD_FILE, AT(gm_tls_conf_t, cert_file), NULL, 0, 0, NULL, NULL, GM_FIELD_REQUIRED,
     "cert certificate certificate_file",
     "PEM file with the certificate for clients that name no other host, then its chain; relative to this file"},
    {"key_file", GM_FIELD_FILE, AT(gm_tls_conf_t, key_file), NULL, 0, 0, NULL, NULL, GM_FIELD_REQUIRED,
     "key private_key", "PEM file with the private key; relative to this file"},
    {"certificates", GM_FIELD_LIST, AT(gm_tls_conf_t, certificates), NULL, 0, 0, NULL, &certificate_section, GM_FIELD_INSTEAD,
     NULL, "certificates by the host that clients ask for; without cert_file the first is the default"},
    {"client_ca_file", GM_FIELD_FILE, AT(gm_tls_conf_t, client_ca_file), NULL, 0, 0, NULL, NULL, 0, "client_ca",
     "PEM file with the authorities whose client certificates are accepted; absent = clients are not asked"},
    {"client_auth", GM_FIELD_CHOICE, AT(gm_tls_conf_t, client_auth), "auto", 0, 0, client_auths, NULL, 0, NULL,
     "clients without a certificate are refused (require) or served (optional); auto = require with client_ca_file"},
    {"min_version", GM_FIELD_CHOICE, AT(gm_tls_conf_t, min_version), "1.2", 0, 0, tls_versions, NULL, 0, NULL,
     "oldest TLS version that clients may use"},
    {0}};
static const gm_section_t tls_section = {"proxy.tls", tls_fields, sizeof(gm_tls_conf_t),
    AT(gm_tls_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t limits_fields[] = {
    {"max_request_body", GM_FIELD_SIZE, AT(gm_limits_conf_t, max_request_body_bytes), "0", 0, TIB, NULL, NULL, 0,
     "max_body_size client_max_body_size", "a larger request body gets 413; 0 = no limit (engine h2o: 128MiB)"},
    {"min_body_rate", GM_FIELD_SIZE, AT(gm_limits_conf_t, min_body_rate_bytes), "0", 0, TIB, NULL, NULL, 0, NULL,
     "bytes a second: a body that on average, after read_timeout, comes slower gets 408; 0 = no limit (engine gomesh)"},
    {"max_buffered_bodies", GM_FIELD_SIZE, AT(gm_limits_conf_t, max_buffered_bodies_bytes), "1GiB", 65536, TIB, NULL, NULL,
     0, NULL, "memory and disk for all bodies that request_buffering holds; further ones get 503"},
    {"max_requests_per_connection", GM_FIELD_COUNT, AT(gm_limits_conf_t, max_requests_per_connection), "0", 0, 1000000000,
     NULL, NULL, 0, "keepalive_requests", "after so many requests a client's connection ends; 0 = no limit"},
    {"max_head", GM_FIELD_SIZE, AT(gm_limits_conf_t, max_head_bytes), "64KiB", 256, 1048576, NULL, NULL, 0,
     "max_header_size", "a larger request head gets 431"},
    {"max_field", GM_FIELD_SIZE, AT(gm_limits_conf_t, max_field_bytes), "16KiB", 64, 1048576, NULL, NULL, 0, NULL,
     "a request with a longer field, name and value, gets 431"},
    {"max_target", GM_FIELD_SIZE, AT(gm_limits_conf_t, max_target_bytes), "16KiB", 64, 1048576, NULL, NULL, 0,
     "max_uri max_url", "a longer request target gets 414"},
    {"max_fields", GM_FIELD_COUNT, AT(gm_limits_conf_t, max_fields), "100", 8, 100, NULL, NULL, 0, "max_headers",
     "a request with more fields gets 431"},
    {"max_connections", GM_FIELD_COUNT, AT(gm_limits_conf_t, max_connections), "10000", 1, 1000000, NULL, NULL, 0,
     NULL, "clients served at once; further ones wait until one leaves"},
    {"max_connections_per_ip", GM_FIELD_COUNT, AT(gm_limits_conf_t, max_connections_per_ip), "0", 0, 1000000, NULL, NULL,
     0, "max_connections_per_client",
     "connections of one client address (IPv6: of a /64); further ones are closed at once; 0 = no limit"},
    {0}};
static const gm_section_t limits_section = {"proxy.limits", limits_fields, sizeof(gm_limits_conf_t), -1, -1,
    NOT_A_HOSTPORT};

static const gm_field_t http2_fields[] = {
    {"enabled", GM_FIELD_BOOLEAN, AT(gm_http2_conf_t, enabled), "true", 0, 0, booleans, NULL, 0, NULL,
     "clients may speak HTTP/2, over TLS by ALPN; false = HTTP/1 only, as with the engine h2o"},
    {"cleartext", GM_FIELD_BOOLEAN, AT(gm_http2_conf_t, cleartext), "true", 0, 0, booleans, NULL, 0, "h2c",
     "and without TLS, if their first bytes say so (prior knowledge)"},
    {"max_concurrent_streams", GM_FIELD_COUNT, AT(gm_http2_conf_t, max_concurrent_streams), "128", 1, 10000, NULL, NULL, 0,
     "max_streams", "requests at once on one connection; further ones are refused, and clients try again"},
    {"stream_window", GM_FIELD_SIZE, AT(gm_http2_conf_t, stream_window_bytes), "256KiB", 65536, 16777216, NULL, NULL, 0, NULL,
     "how much of a body a client may send ahead of what the backend takes"},
    {"connection_window", GM_FIELD_SIZE, AT(gm_http2_conf_t, connection_window_bytes), "1MiB", 65536, 16777216, NULL, NULL,
     0, NULL, "the same for all requests of a connection together: so much memory it may hold"},
    {"max_header_list", GM_FIELD_SIZE, AT(gm_http2_conf_t, max_header_list_bytes), "64KiB", 256, 1048576, NULL, NULL, 0,
     "max_header_list_size", "a larger request head gets 431, each field counted with 32 bytes more; limits.max_head holds too"},
    {"max_continuations", GM_FIELD_COUNT, AT(gm_http2_conf_t, max_continuations), "8", 1, 1000, NULL, NULL, 0, NULL,
     "a head in more frames than that, beside the first, ends the connection"},
    {"max_held", GM_FIELD_SIZE, AT(gm_http2_conf_t, max_held_bytes), "1MiB", 4096, 1073741824, NULL, NULL, 0, NULL,
     "heads of a connection's requests together; further requests are refused, and clients try again"},
    {"offences", GM_FIELD_COUNT, AT(gm_http2_conf_t, offences), "120", 1, 1000000, NULL, NULL, 0, "max_resets",
     "resets, pings, settings, empty frames and the like that a client may send at once; more end its connection"},
    {"offences_per_second", GM_FIELD_COUNT, AT(gm_http2_conf_t, offences_per_second), "40", 1, 1000000, NULL, NULL, 0, NULL,
     "so many of them are forgotten each second"},
    {0}};
static const gm_section_t http2_section = {"proxy.http2", http2_fields, sizeof(gm_http2_conf_t), -1, -1, NOT_A_HOSTPORT};

static const gm_field_t upstream_fields[] = {
    {"idle_timeout", GM_FIELD_DURATION, AT(gm_upstream_conf_t, idle_timeout_ms), "4s", 1, DAY_MS, NULL, NULL, 0, "keepalive",
     "how long an idle connection to a backend is kept; a backend's Keep-Alive field may shorten it"},
    {"max_idle_per_endpoint", GM_FIELD_COUNT, AT(gm_upstream_conf_t, max_idle_per_endpoint), "256", 0, 1000000, NULL, NULL,
     0, "max_idle", "idle connections kept per backend and worker"},
    {"max_connections", GM_FIELD_COUNT, AT(gm_upstream_conf_t, max_connections), "0", 0, 1000000, NULL, NULL, 0, NULL,
     "connections per backend and worker; further requests wait for connect_timeout, then get 503; 0 = no limit"},
    {"max_streams_per_connection", GM_FIELD_COUNT, AT(gm_upstream_conf_t, max_streams_per_connection), "100", 1, 10000, NULL,
     NULL, 0, "max_streams", "requests that share one HTTP/2 connection to a backend at most; the backend may allow fewer"},
    {"ping_interval", GM_FIELD_DURATION, AT(gm_upstream_conf_t, ping_interval_ms), "0s", 0, DAY_MS, NULL, NULL, 0, "ping",
     "an HTTP/2 backend that is silent for this long is asked for a sign of life, and left after as long again; 0 = never, \
many servers punish it"},
    {0}};
static const gm_section_t upstream_section = {"proxy.upstream", upstream_fields, sizeof(gm_upstream_conf_t), -1, -1,
    NOT_A_HOSTPORT};

static const gm_field_t dns_fields[] = {
    {"refresh", GM_FIELD_DURATION, AT(gm_dns_conf_t, refresh_ms), "30s", 100, DAY_MS, NULL, NULL, 0, "ttl interval",
     "backends' names are looked up again that often; where that fails, the last addresses stay in use"},
    {0}};
static const gm_section_t dns_section = {"proxy.dns", dns_fields, sizeof(gm_dns_conf_t), -1, -1, NOT_A_HOSTPORT};

static const gm_field_t proxy_fields[] = {
    {"listen_host", GM_FIELD_HOST, AT(gm_proxy_conf_t, listen_host), "", 0, 0, NULL, NULL, 0, "host",
     "address to listen on; empty = all, IPv4 and IPv6"},
    {"listen_port", GM_FIELD_PORT, AT(gm_proxy_conf_t, listen_port), "8000", 1, 65535, NULL, NULL, 0, "port",
     "port for HTTP"},
    {"backend", GM_FIELD_SECTION, AT(gm_proxy_conf_t, backend), NULL, 0, 0, NULL, &backend_section, 0, NULL,
     "where requests go that match no route"},
    {"trusted_proxies", GM_FIELD_TEXTS, AT(gm_proxy_conf_t, trusted_proxies), NULL, 0, 0, NULL, NULL, GM_FIELD_CIDR,
     "real_ip_from", "clients whose X-Forwarded-* and Forwarded are kept and added to; all others' are replaced"},
    {"engine", GM_FIELD_CHOICE, AT(gm_proxy_conf_t, engine), "gomesh", 0, 0, engines, NULL, 0, NULL,
     "gomesh = our own data path; h2o = libh2o's, which holds whole requests in memory"},
    {"workers", GM_FIELD_AUTO, AT(gm_proxy_conf_t, workers), "auto", 1, 256, NULL, NULL, 0, NULL,
     "event loops; auto = processors this process may use"},
    {"supervise", GM_FIELD_CHOICE, AT(gm_proxy_conf_t, supervise), "auto", 0, 0, auto_booleans, NULL, 0, NULL,
     "a parent process holds the ports and starts a new serving process when one dies; auto = unless systemd started us"},
    {"normalize_path", GM_FIELD_CHOICE, AT(gm_proxy_conf_t, normalize_path), "strict", 0, 0, normalize_path, NULL, 0, NULL,
     "strict = the backend gets the canonical path that routes look at; off = the path as the client wrote it"},
    {"error_details", GM_FIELD_CHOICE, AT(gm_proxy_conf_t, error_details), "auto", 0, 0, error_details, NULL, 0, NULL,
     "who is told a failure's backend, cause and next step: auto = clients on this machine; all; none"},
    {"request_buffering", GM_FIELD_BOOLEAN, AT(gm_proxy_conf_t, request_buffering), "false", 0, 0, booleans, NULL, 0,
     "buffer_requests proxy_request_buffering",
     "hold a request's body until it is whole, then connect; it can be sent again (engine h2o always does)"},
    {"temp_dir", GM_FIELD_FILE, AT(gm_proxy_conf_t, temp_dir), "/tmp", 0, 0, NULL, NULL, 0, "tmp_dir temp_path",
     "folder for held bodies above 1MiB, in files without a name"},
    {"timeout", GM_FIELD_SECTION, AT(gm_proxy_conf_t, timeout), NULL, 0, 0, NULL, &timeout_section, 0, "timeouts",
     "how long to wait without progress"},
    {"tls", GM_FIELD_SECTION, AT(gm_proxy_conf_t, tls), NULL, 0, 0, NULL, &tls_section, 0, "https",
     "an HTTPS listener; absent = off"},
    {"http2", GM_FIELD_SECTION, AT(gm_proxy_conf_t, http2), NULL, 0, 0, NULL, &http2_section, 0, "h2",
     "HTTP/2 with clients"},
    {"upstream", GM_FIELD_SECTION, AT(gm_proxy_conf_t, upstream), NULL, 0, 0, NULL, &upstream_section, 0, NULL,
     "connections to backends"},
    {"dns", GM_FIELD_SECTION, AT(gm_proxy_conf_t, dns), NULL, 0, 0, NULL, &dns_section, 0, "resolver",
     "how backends are found"},
    {"limits", GM_FIELD_SECTION, AT(gm_proxy_conf_t, limits), NULL, 0, 0, NULL, &limits_section, 0, NULL,
     "what clients may ask for"},
    {"listen", GM_FIELD_LISTEN, 0, NULL, 0, 0, NULL, NULL, GM_FIELD_GUESSED, NULL, "listen_host and listen_port"},
    {0}};
static const gm_section_t proxy_section = {"proxy", proxy_fields, sizeof(gm_proxy_conf_t), -1, -1, NOT_A_HOSTPORT};

static const gm_field_t path_fields[] = {
    {"prefix", GM_FIELD_TEXT, AT(gm_path_conf_t, prefix), NULL, 0, 0, NULL, NULL, GM_FIELD_PATH, NULL,
     "whole segments: /users matches /users and /users/7, not /users2"},
    {"exact", GM_FIELD_TEXT, AT(gm_path_conf_t, exact), NULL, 0, 0, NULL, NULL, GM_FIELD_PATH, NULL, "this path and no other"},
    {0}};
static const gm_section_t path_section = {"match.path", path_fields, sizeof(gm_path_conf_t), -1, -1, NOT_A_HOSTPORT};

static const gm_field_t match_fields[] = {
    {"host", GM_FIELD_TEXT, AT(gm_match_conf_t, host), NULL, 0, 0, NULL, NULL, GM_FIELD_WILDCARD, NULL,
     "api.example.com, or *.example.com for every name below it; absent = any"},
    {"path", GM_FIELD_SECTION, AT(gm_match_conf_t, path), NULL, 0, 0, NULL, &path_section, 0, NULL,
     "prefix or exact; absent = every path"},
    {0}};
static const gm_section_t match_section = {"match", match_fields, sizeof(gm_match_conf_t), -1, -1, NOT_A_HOSTPORT};

static const gm_field_t route_backend_fields[] = {
    {"host", GM_FIELD_HOST, AT(gm_backend_conf_t, host), NULL, 0, 0, NULL, NULL, GM_FIELD_REQUIRED | GM_FIELD_UNIX,
     "hostname address", "name or address of the backend, or unix:/path of a socket"},
    {"port", GM_FIELD_PORT, AT(gm_backend_conf_t, port), NULL, 1, 65535, NULL, NULL, GM_FIELD_REQUIRED, NULL,
     "port of the backend; not beside a socket"},
    {"tls", GM_FIELD_SECTION, AT(gm_backend_conf_t, tls), NULL, 0, 0, NULL, &backend_tls_section, 0, "https",
     "speak TLS to the backend; tls: {} = with the system's authorities; absent = plain HTTP"},
    {"protocol", GM_FIELD_CHOICE, AT(gm_backend_conf_t, protocol), "auto", 0, 0, protocols, NULL, 0, "http_version",
     "auto = HTTP/2 where the backend's TLS agrees to it, otherwise HTTP/1.1; http1; h2 = HTTP/2, without TLS by prior knowledge"},
    {0}};
static const gm_section_t route_backend_section = {"routes.backend", route_backend_fields, sizeof(gm_backend_conf_t),
    AT(gm_backend_conf_t, present), -1, AT(gm_backend_conf_t, host), AT(gm_backend_conf_t, port)};

static const gm_field_t access_policy_fields[] = {
    {"allow", GM_FIELD_TEXTS, AT(gm_access_policy_conf_t, allow), NULL, 0, 0, NULL, NULL, GM_FIELD_CIDR, NULL,
     "addresses and networks of clients that are served; absent = all, otherwise nobody else"},
    {"deny", GM_FIELD_TEXTS, AT(gm_access_policy_conf_t, deny), NULL, 0, 0, NULL, NULL, GM_FIELD_CIDR, NULL,
     "those that get 403, also where allow has them"},
    {0}};
static const gm_section_t access_policy_section = {"policies.access", access_policy_fields,
    sizeof(gm_access_policy_conf_t), AT(gm_access_policy_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t header_fields[] = {
    {"name", GM_FIELD_TEXT, AT(gm_header_conf_t, name), NULL, 0, 0, NULL, NULL, GM_FIELD_REQUIRED | GM_FIELD_NAME, NULL,
     "name of the field"},
    {"value", GM_FIELD_TEXT, AT(gm_header_conf_t, value), NULL, 0, 0, NULL, NULL, GM_FIELD_REQUIRED | GM_FIELD_SECRET, NULL,
     "its value; %{remote_addr}, host, method, path, scheme, route, cluster and trace_id in such braces stand for the "
     "request's (${…} is an environment variable, put in when this file is read); %%{ is a plain %{"},
    {0}};
static const gm_section_t header_section = {"policies.headers", header_fields, sizeof(gm_header_conf_t), -1, -1,
    NOT_A_HOSTPORT};

static const gm_field_t header_changes_fields[] = {
    {"remove", GM_FIELD_TEXTS, AT(gm_header_changes_conf_t, remove), NULL, 0, 0, NULL, NULL, GM_FIELD_NAME, NULL,
     "names of fields to take away, before set and add"},
    {"set", GM_FIELD_LIST, AT(gm_header_changes_conf_t, set), NULL, 0, 0, NULL, &header_section, 0, NULL,
     "fields that replace all of the same name"},
    {"add", GM_FIELD_LIST, AT(gm_header_changes_conf_t, add), NULL, 0, 0, NULL, &header_section, 0, NULL,
     "fields that come beside those of the same name"},
    {0}};
static const gm_section_t header_changes_section = {"policies.headers", header_changes_fields,
    sizeof(gm_header_changes_conf_t), -1, -1, NOT_A_HOSTPORT};

static const gm_field_t headers_policy_fields[] = {
    {"request", GM_FIELD_SECTION, AT(gm_headers_policy_conf_t, request), NULL, 0, 0, NULL, &header_changes_section, 0, NULL,
     "of requests, before the backend gets them"},
    {"response", GM_FIELD_SECTION, AT(gm_headers_policy_conf_t, response), NULL, 0, 0, NULL, &header_changes_section, 0,
     NULL, "of all answers, GoMesh's own too"},
    {0}};
static const gm_section_t headers_policy_section = {"policies.headers", headers_policy_fields,
    sizeof(gm_headers_policy_conf_t), AT(gm_headers_policy_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t redirect_policy_fields[] = {
    {"status", GM_FIELD_CHOICE, AT(gm_redirect_policy_conf_t, status), "302", 0, 0, gm_redirect_statuses, NULL, 0, NULL,
     "301 and 308 are kept by browsers; 307 and 308 keep the method"},
    {"scheme", GM_FIELD_CHOICE, AT(gm_redirect_policy_conf_t, scheme), "auto", 0, 0, redirect_schemes, NULL, 0, NULL,
     "auto = the request's"},
    {"host", GM_FIELD_HOST, AT(gm_redirect_policy_conf_t, host), NULL, 0, 0, NULL, NULL, 0, "hostname",
     "absent = the request's"},
    {"port", GM_FIELD_AUTO, AT(gm_redirect_policy_conf_t, port), "auto", 1, 65535, NULL, NULL, 0, NULL,
     "auto = the request's, or the usual one of another scheme"},
    {"path", GM_FIELD_TEXT, AT(gm_redirect_policy_conf_t, path), NULL, 0, 0, NULL, NULL, GM_FIELD_PATH, NULL,
     "instead of the request's path; the query is kept"},
    {"prefix", GM_FIELD_TEXT, AT(gm_redirect_policy_conf_t, prefix), NULL, 0, 0, NULL, NULL, GM_FIELD_PATH, NULL,
     "instead of the route's path at the head of the request's, on whole segments; the query is kept"},
    {0}};
static const gm_section_t redirect_policy_section = {"policies.redirect", redirect_policy_fields,
    sizeof(gm_redirect_policy_conf_t), AT(gm_redirect_policy_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t rewrite_policy_fields[] = {
    {"prefix", GM_FIELD_TEXT, AT(gm_rewrite_policy_conf_t, prefix), NULL, 0, 0, NULL, NULL, GM_FIELD_PATH, NULL,
     "instead of the route's path at the head of the request's, on whole segments; the query is kept"},
    {"host", GM_FIELD_HOST, AT(gm_rewrite_policy_conf_t, host), NULL, 0, 0, NULL, NULL, 0, "hostname",
     "the Host that the backend sees; X-Forwarded-Host has the client's"},
    {0}};
static const gm_section_t rewrite_policy_section = {"policies.rewrite", rewrite_policy_fields,
    sizeof(gm_rewrite_policy_conf_t), AT(gm_rewrite_policy_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t cors_policy_fields[] = {
    {"allow_origins", GM_FIELD_TEXTS, AT(gm_cors_policy_conf_t, allow_origins), NULL, 0, 0, NULL, NULL, GM_FIELD_REQUIRED,
     "origins allowed_origins",
     "https://app.example, https://*.example.com for every name below it, or * for all"},
    {"allow_methods", GM_FIELD_TEXTS, AT(gm_cors_policy_conf_t, allow_methods), NULL, 0, 0, NULL, NULL, GM_FIELD_NAME,
     "methods allowed_methods", "beside GET, HEAD and POST, which need no permission; or *"},
    {"allow_headers", GM_FIELD_TEXTS, AT(gm_cors_policy_conf_t, allow_headers), NULL, 0, 0, NULL, NULL, GM_FIELD_NAME,
     "allowed_headers", "request fields that scripts may set; or *, which does not mean Authorization"},
    {"expose_headers", GM_FIELD_TEXTS, AT(gm_cors_policy_conf_t, expose_headers), NULL, 0, 0, NULL, NULL, GM_FIELD_NAME,
     "exposed_headers", "answer fields that scripts may read; or *"},
    {"allow_credentials", GM_FIELD_BOOLEAN, AT(gm_cors_policy_conf_t, allow_credentials), "false", 0, 0, booleans, NULL, 0,
     "credentials", "with cookies and the like; not together with any *"},
    {"max_age", GM_FIELD_DURATION, AT(gm_cors_policy_conf_t, max_age_ms), "10m", 0, DAY_MS, NULL, NULL, 0, NULL,
     "how long browsers keep the permission"},
    {0}};
static const gm_section_t cors_policy_section = {"policies.cors", cors_policy_fields, sizeof(gm_cors_policy_conf_t),
    AT(gm_cors_policy_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t recovery_policy_fields[] = {
    {"on_failure", GM_FIELD_CHOICE, AT(gm_recovery_policy_conf_t, on_failure), "auto", 0, 0, on_failures, NULL, 0, NULL,
     "answer = the request gets a 500; pass = it goes on as if that policy were not there, with a warning, unless the policy "
     "guards something (access); auto = as for all routes, or answer"},
    {0}};
static const gm_section_t recovery_policy_section = {"policies.recovery", recovery_policy_fields,
    sizeof(gm_recovery_policy_conf_t), AT(gm_recovery_policy_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t tracing_policy_fields[] = {
    {"enabled", GM_FIELD_CHOICE, AT(gm_tracing_policy_conf_t, enabled), "auto", 0, 0, auto_booleans, NULL, 0, NULL,
     "false = fields about traces are passed on unread; auto = as for all routes, or tracing.enabled"},
    {0}};
static const gm_section_t tracing_policy_section = {"policies.tracing", tracing_policy_fields,
    sizeof(gm_tracing_policy_conf_t), AT(gm_tracing_policy_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t metrics_policy_fields[] = {
    {"enabled", GM_FIELD_CHOICE, AT(gm_metrics_policy_conf_t, enabled), "auto", 0, 0, auto_booleans, NULL, 0, NULL,
     "false = not counted among the requests; auto = as for all routes, or true where anybody can read the metrics"},
    {0}};
static const gm_section_t metrics_policy_section = {"policies.metrics", metrics_policy_fields,
    sizeof(gm_metrics_policy_conf_t), AT(gm_metrics_policy_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t logging_policy_fields[] = {
    {"enabled", GM_FIELD_CHOICE, AT(gm_logging_policy_conf_t, enabled), "auto", 0, 0, auto_booleans, NULL, 0, NULL,
     "one line for each request that is over; auto, here and below = as for all routes, or the same key of log.access"},
    {"sample", GM_FIELD_FRACTION, AT(gm_logging_policy_conf_t, sample), "auto", 0, 1000000, NULL, NULL, GM_FIELD_OPEN, NULL,
     "of requests that did not fail, the share that is logged: 0.01 = one in a hundred"},
    {"only_failures", GM_FIELD_CHOICE, AT(gm_logging_policy_conf_t, only_failures), "auto", 0, 0, auto_booleans, NULL, 0,
     NULL, "only requests that failed, beside those that slower_than asks for"},
    {"slower_than", GM_FIELD_DURATION, AT(gm_logging_policy_conf_t, slower_than_ms), "auto", 0, DAY_MS, NULL, NULL,
     GM_FIELD_OPEN, NULL, "only requests that took at least so long, beside those that failed; 0s = all"},
    {0}};
static const gm_section_t logging_policy_section = {"policies.logging", logging_policy_fields,
    sizeof(gm_logging_policy_conf_t), AT(gm_logging_policy_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t policy_fields[] = {
    {"access", GM_FIELD_SECTION, AT(gm_policy_conf_t, access), NULL, 0, 0, NULL, &access_policy_section, GM_FIELD_ONE_OF,
     NULL, "by the client's address; behind proxy.trusted_proxies by what they say it is"},
    {"headers", GM_FIELD_SECTION, AT(gm_policy_conf_t, headers), NULL, 0, 0, NULL, &headers_policy_section, GM_FIELD_ONE_OF,
     NULL, "fields of requests and answers are removed, set, added"},
    {"redirect", GM_FIELD_SECTION, AT(gm_policy_conf_t, redirect), NULL, 0, 0, NULL, &redirect_policy_section,
     GM_FIELD_ONE_OF, NULL, "clients are sent elsewhere; who is there already goes on"},
    {"rewrite", GM_FIELD_SECTION, AT(gm_policy_conf_t, rewrite), NULL, 0, 0, NULL, &rewrite_policy_section, GM_FIELD_ONE_OF,
     NULL, "the backend sees another path or host"},
    {"cors", GM_FIELD_SECTION, AT(gm_policy_conf_t, cors), NULL, 0, 0, NULL, &cors_policy_section, GM_FIELD_ONE_OF, NULL,
     "which other sites' scripts may ask; preflights are answered here"},
    {"recovery", GM_FIELD_SECTION, AT(gm_policy_conf_t, recovery), NULL, 0, 0, NULL, &recovery_policy_section,
     GM_FIELD_ONE_OF, NULL, "what becomes of a request if a policy fails; this and those below are ahead of all others, "
     "wherever they stand in the list, and there without an item, too"},
    {"tracing", GM_FIELD_SECTION, AT(gm_policy_conf_t, tracing), NULL, 0, 0, NULL, &tracing_policy_section, GM_FIELD_ONE_OF,
     NULL, "which requests belong together"},
    {"metrics", GM_FIELD_SECTION, AT(gm_policy_conf_t, metrics), NULL, 0, 0, NULL, &metrics_policy_section, GM_FIELD_ONE_OF,
     NULL, "what is counted of requests"},
    {"logging", GM_FIELD_SECTION, AT(gm_policy_conf_t, logging), NULL, 0, 0, NULL, &logging_policy_section, GM_FIELD_ONE_OF,
     NULL, "lines about requests"},
    {0}};
const gm_section_t gm_policy_section = {"policies", policy_fields, sizeof(gm_policy_conf_t), -1,
    AT(gm_policy_conf_t, place), NOT_A_HOSTPORT};

static const gm_field_t route_fields[] = {
    {"name", GM_FIELD_TEXT, AT(gm_route_conf_t, name), NULL, 0, 0, NULL, NULL, 0, NULL,
     "for logs; absent = route-1, route-2, …"},
    {"match", GM_FIELD_SECTION, AT(gm_route_conf_t, match), NULL, 0, 0, NULL, &match_section, 0, NULL,
     "which requests; the most specific route wins, not the first"},
    {"backend", GM_FIELD_SECTION, AT(gm_route_conf_t, backend), NULL, 0, 0, NULL, &route_backend_section,
     GM_FIELD_REQUIRED, NULL, "where they go"},
    {"request_buffering", GM_FIELD_CHOICE, AT(gm_route_conf_t, request_buffering), "auto", 0, 0, auto_booleans, NULL, 0, NULL,
     "true or false; auto = as proxy.request_buffering"},
    {"policies", GM_FIELD_LIST, AT(gm_route_conf_t, policies), NULL, 0, 0, NULL, &gm_policy_section, GM_FIELD_INSTEAD, NULL,
     "of this route, in this order, after those for all; with a redirect among them no backend is needed"},
    {0}};
static const gm_section_t route_section = {"routes", route_fields, sizeof(gm_route_conf_t), -1,
    AT(gm_route_conf_t, place), NOT_A_HOSTPORT};

static const gm_field_t access_fields[] = {
    {"enabled", GM_FIELD_BOOLEAN, AT(gm_access_conf_t, enabled), "true", 0, 0, booleans, NULL, 0, NULL,
     "one line at level info for each request that is over"},
    {"path", GM_FIELD_FILE, AT(gm_access_conf_t, path), NULL, 0, 0, NULL, NULL, 0, "file output",
     "a file of their own for these lines, whatever log.level is; absent = with all others"},
    {"sample", GM_FIELD_FRACTION, AT(gm_access_conf_t, sample), "1", 0, 1000000, NULL, NULL, 0, NULL,
     "of requests that did not fail, the share that is logged: 0.01 = one in a hundred"},
    {"only_failures", GM_FIELD_BOOLEAN, AT(gm_access_conf_t, only_failures), "false", 0, 0, booleans, NULL, 0, NULL,
     "only requests that failed, beside those that slower_than asks for"},
    {"slower_than", GM_FIELD_DURATION, AT(gm_access_conf_t, slower_than_ms), "0s", 0, DAY_MS, NULL, NULL, 0, NULL,
     "only requests that took at least so long, beside those that failed; 0s = all"},
    {"request_headers", GM_FIELD_TEXTS, AT(gm_access_conf_t, request_headers), NULL, 0, 0, NULL, NULL, GM_FIELD_NAME, NULL,
     "names of fields whose values are in each line, as the client sent them: before policies and whatever GoMesh adds"},
    {"response_headers", GM_FIELD_TEXTS, AT(gm_access_conf_t, response_headers), NULL, 0, 0, NULL, NULL, GM_FIELD_NAME, NULL,
     "the same of answers, as the client gets them: after policies"},
    {"redact", GM_FIELD_TEXTS, AT(gm_access_conf_t, redact), NULL, 0, 0, NULL, NULL, GM_FIELD_NAME, NULL,
     "fields shown as [redacted], beside Authorization, Proxy-Authorization, Cookie, Set-Cookie, X-API-Key, X-Auth-Token, "
     "X-CSRF-Token and X-Amz-Security-Token"},
    {"show_secrets", GM_FIELD_BOOLEAN, AT(gm_access_conf_t, show_secrets), "false", 0, 0, booleans, NULL, 0, NULL,
     "true = no value is redacted, so whoever reads the log can act as the clients"},
    {0}};
static const gm_section_t access_section = {"log.access", access_fields, sizeof(gm_access_conf_t), -1, -1,
    NOT_A_HOSTPORT};

static const gm_field_t log_fields[] = {
    {"level", GM_FIELD_CHOICE, AT(gm_log_conf_t, level), "info", 0, 0, log_levels, NULL, 0, NULL,
     "least important lines to print"},
    {"format", GM_FIELD_CHOICE, AT(gm_log_conf_t, format), "auto", 0, 0, log_formats, NULL, 0, NULL,
     "auto = text on a terminal, JSON otherwise"},
    {"output", GM_FIELD_FILE, AT(gm_log_conf_t, output), "stdout", 0, 0, NULL, NULL, GM_FIELD_STANDARD, "path file",
     "stdout, stderr or a file; SIGUSR1 has files opened anew, for whoever rotates them"},
    {"access", GM_FIELD_SECTION, AT(gm_log_conf_t, access), NULL, 0, 0, NULL, &access_section, 0, "access_log",
     "lines about requests"},
    {0}};
static const gm_section_t log_section = {"log", log_fields, sizeof(gm_log_conf_t), -1, -1, NOT_A_HOSTPORT};

static const gm_field_t otlp_header_fields[] = {
    {"name", GM_FIELD_TEXT, AT(gm_header_conf_t, name), NULL, 0, 0, NULL, NULL, GM_FIELD_REQUIRED | GM_FIELD_NAME, NULL,
     "name of the field"},
    {"value", GM_FIELD_TEXT, AT(gm_header_conf_t, value), NULL, 0, 0, NULL, NULL, GM_FIELD_REQUIRED | GM_FIELD_SECRET, NULL,
     "its value as it is; a secret is best written as ${NAME}, an environment variable"},
    {0}};
static const gm_section_t otlp_header_section = {"tracing.otlp.headers", otlp_header_fields, sizeof(gm_header_conf_t), -1,
    -1, NOT_A_HOSTPORT};
static const gm_section_t otlp_tls_section = {"tracing.otlp.tls", backend_tls_fields, sizeof(gm_backend_tls_conf_t),
    AT(gm_backend_tls_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t otlp_fields[] = {
    {"endpoint", GM_FIELD_TEXT, AT(gm_otlp_conf_t, endpoint), NULL, 0, 0, NULL, NULL, GM_FIELD_REQUIRED, "url",
     "of an OpenTelemetry collector, by HTTP: http://localhost:4318; without a path /v1/traces is added"},
    {"service_name", GM_FIELD_TEXT, AT(gm_otlp_conf_t, service_name), "gomesh", 0, 0, NULL, NULL, 0, "service",
     "what the spans say that they come from"},
    {"headers", GM_FIELD_LIST, AT(gm_otlp_conf_t, headers), NULL, 0, 0, NULL, &otlp_header_section, 0, NULL,
     "fields that each batch is sent with, for what authorizes"},
    {"sample", GM_FIELD_FRACTION, AT(gm_otlp_conf_t, sample), "0.01", 0, 1000000, NULL, NULL, 0, "sampling ratio",
     "of traces that begin here, the share that is exported; a client's traceparent decides for its own trace"},
    {"batch", GM_FIELD_COUNT, AT(gm_otlp_conf_t, batch), "512", 1, 8192, NULL, NULL, 0, "batch_size",
     "spans that are sent at once, as soon as so many are there"},
    {"delay", GM_FIELD_DURATION, AT(gm_otlp_conf_t, delay_ms), "1s", 1, 60000, NULL, NULL, 0, "interval",
     "how long a span waits for others at most"},
    {"queue", GM_FIELD_COUNT, AT(gm_otlp_conf_t, queue), "2048", 1, 65536, NULL, NULL, 0, "queue_size",
     "spans that are kept while the collector is slow or away; further ones are dropped and counted"},
    {"timeout", GM_FIELD_DURATION, AT(gm_otlp_conf_t, timeout_ms), "10s", 1, 3600000, NULL, NULL, 0, NULL,
     "time for the collector to take a batch and to answer"},
    {"tls", GM_FIELD_SECTION, AT(gm_otlp_conf_t, tls), NULL, 0, 0, NULL, &otlp_tls_section, 0, NULL,
     "of an https endpoint; absent = with the system's authorities"},
    {0}};
static const gm_section_t otlp_section = {"tracing.otlp", otlp_fields, sizeof(gm_otlp_conf_t),
    AT(gm_otlp_conf_t, present), -1, NOT_A_HOSTPORT};

static const gm_field_t tracing_fields[] = {
    {"enabled", GM_FIELD_BOOLEAN, AT(gm_tracing_conf_t, enabled), "true", 0, 0, booleans, NULL, 0, NULL,
     "each request has a trace: X-Trace-ID and traceparent are taken from clients or made; false = passed on unread"},
    {"otlp", GM_FIELD_SECTION, AT(gm_tracing_conf_t, otlp), NULL, 0, 0, NULL, &otlp_section, 0, "exporter otel",
     "where spans go: one for a request, and one for each try at a backend; absent = nowhere"},
    {0}};
static const gm_section_t tracing_section = {"tracing", tracing_fields, sizeof(gm_tracing_conf_t), -1, -1, NOT_A_HOSTPORT};

static const gm_field_t metrics_fields[] = {
    {"path", GM_FIELD_TEXT, AT(gm_metrics_conf_t, path), "/metrics", 0, 0, NULL, NULL, GM_FIELD_PATH | GM_FIELD_OFF, "url",
     "the page, in Prometheus' text format, on the proxy's own ports; this path and no other; \"\" = no page"},
    {"max_series", GM_FIELD_COUNT, AT(gm_metrics_conf_t, max_series), "200", 1, 10000, NULL, NULL, 0, NULL,
     "label combinations per metric; what comes after them is counted as \"other\""},
    {0}};
static const gm_section_t metrics_section = {"metrics", metrics_fields, sizeof(gm_metrics_conf_t), -1, -1,
    NOT_A_HOSTPORT};

static const gm_field_t admin_fields[] = {
    {"listen", GM_FIELD_TEXT, AT(gm_admin_conf_t, listen), "127.0.0.1:9901", 0, 0, NULL, NULL, GM_FIELD_OFF, "address",
     "host:port where operators may look inside; \"\" or off = none; if the default port is taken, a warning"},
    {"socket", GM_FIELD_FILE, AT(gm_admin_conf_t, socket), NULL, 0, 0, NULL, NULL, GM_FIELD_OFF, "unix_socket",
     "the same on a unix socket, for the user of the process alone (mode 0600); absent or \"\" = none"},
    {"ready_needs_backend", GM_FIELD_BOOLEAN, AT(gm_admin_conf_t, ready_needs_backend), "false", 0, 0, booleans, NULL, 0,
     NULL, "true = /readyz answers 503 while no backend is reachable, and tries to connect, once a second at most, to find out"},
    {0}};
static const gm_section_t admin_section = {"admin", admin_fields, sizeof(gm_admin_conf_t), -1, -1, NOT_A_HOSTPORT};

static const gm_field_t config_fields[] = {
    {"proxy", GM_FIELD_SECTION, AT(gm_config_t, proxy), NULL, 0, 0, NULL, &proxy_section, 0, NULL,
     "listeners and the default backend"},
    {"routes", GM_FIELD_LIST, AT(gm_config_t, routes), NULL, 0, 0, NULL, &route_section, 0, NULL,
     "requests for other backends; absent = everything to proxy.backend"},
    {"policies", GM_FIELD_LIST, AT(gm_config_t, policies), NULL, 0, 0, NULL, &gm_policy_section, 0, "middleware middlewares",
     "what happens to every request and its answer, in this order; each item has one key"},
    {"log", GM_FIELD_SECTION, AT(gm_config_t, log), NULL, 0, 0, NULL, &log_section, 0, "logging", "what is printed"},
    {"tracing", GM_FIELD_SECTION, AT(gm_config_t, tracing), NULL, 0, 0, NULL, &tracing_section, 0, "trace",
     "which requests belong together"},
    {"metrics", GM_FIELD_SECTION, AT(gm_config_t, metrics), NULL, 0, 0, NULL, &metrics_section, 0, "prometheus",
     "what is counted"},
    {"admin", GM_FIELD_SECTION, AT(gm_config_t, admin), NULL, 0, 0, NULL, &admin_section, 0, NULL,
     "a window for operators: state, readiness, draining; never on the ports of the proxy"},
    {0}};
const gm_section_t gm_config_section = {"", config_fields, sizeof(gm_config_t), -1, -1, NOT_A_HOSTPORT};
/* clang-format on */
