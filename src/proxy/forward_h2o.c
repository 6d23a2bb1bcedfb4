/*
 * The library's reverse proxy, with three things done for it: connecting (all addresses, a timeout of its
 * own, errors by name), pools per worker, and a second try where an idle connection turned out to be dead.
 * Worker's thread.
 */
#include "proxy/forward_h2o.h"

#include "proxy/finish.h"
#include "proxy/reply.h"
#include "proxy/retry.h"

#define MAX_TRIES 3

/* Hands the request to the library's client, which takes the connection out of the pool. */
static void dispatch(gm_request_t *request, h2o_socketpool_t *pool)
{
    h2o_req_t *req = request->req;
    h2o_handler_t *forwarder = request->context->proxy->forwarders[request->route->cluster];

    ++request->tries;
    request->record.is_reused = request->was_pooled;
    gm_record_enter(&request->record, GM_PHASE_FIRST_BYTE);
    request->overrides = (h2o_req_overrides_t){
        .client_ctx = h2o_context_get_handler_context(&request->context->super, forwarder),
        .socketpool = pool};
    h2o_reprocess_request(req, req->method, req->scheme, req->authority, req->path, &request->overrides, 0);
}

static void on_connected(void *data, const gm_connected_t *result)
{
    gm_request_t *request = data;

    request->connector = NULL;
    if (result->sock == NULL)
        gm_reply_failure(request, result->failure, result->detail);
    else
        dispatch(request, gm_pool_h2o_put(request->context->pools_h2o[request->route->cluster], result));
}

static void connect_first(gm_request_t *request)
{
    gm_proxy_context_t *context = request->context;

    gm_finish_begin_attempt(request);
    request->was_pooled = false;
    request->connector =
        gm_connector_start(&context->connecting, request->cluster,
                           gm_pool_h2o_preferred_address(context->pools_h2o[request->route->cluster]), NULL,
                           false, &request->record, on_connected, request);
}

void gm_forward_h2o_start(gm_request_t *request)
{
    h2o_handler_t *forwarder = request->context->proxy->forwarders[request->route->cluster];

    forwarder->on_req(forwarder, request->req);
}

/* In the place of the library's own on_req, which would look the name up itself and pick an address at
 * random. */
static int on_req(h2o_handler_t *self, h2o_req_t *req)
{
    gm_request_t *request = gm_request_of(req);
    h2o_socketpool_t *pool = gm_pool_h2o_take(request->context->pools_h2o[request->route->cluster]);

    (void)self;
    request->was_pooled = pool != NULL;
    if (pool == NULL) {
        connect_first(request);
        return 0;
    }
    gm_finish_begin_attempt(request);
    dispatch(request, pool);
    return 0;
}

h2o_handler_t *gm_forward_h2o_register(h2o_pathconf_t *pathconf, const gm_snapshot_cluster_t *cluster,
                                       const gm_timeout_conf_t *timeout)
{
    h2o_url_t url;
    h2o_proxy_config_vars_t vars = {
        .io_timeout = timeout->read_timeout_ms,
        .preserve_host = 1,
        .keepalive_timeout =
            0, /* no pool of the library's: it would be shared by all workers, under a lock */
    };
    h2o_iovec_t authority = h2o_iovec_init(cluster->authority, strlen(cluster->authority));
    h2o_handler_t *forwarder;

    memset(&url, 0, sizeof(url));
    url.scheme = &H2O_URL_SCHEME_HTTP;
    url.authority = authority;
    url.host = h2o_iovec_init(cluster->host, strlen(cluster->host));
    url.path = h2o_iovec_init(H2O_STRLIT("/"));
    url._port = cluster->port;
    h2o_proxy_register_reverse_proxy(pathconf, &url, &vars);
    forwarder = pathconf->handlers.entries[pathconf->handlers.size - 1];
    forwarder->on_req = on_req;
    return forwarder;
}

static bool is_connect_error(const char *message)
{
    return strcmp(message, "connection failed") == 0 || strcmp(message, "failed to connect to host") == 0 ||
           strcmp(message, "connection timeout") == 0;
}

static bool is_lost_connection(const char *message)
{
    return strcmp(message, "I/O error (head)") == 0 || strcmp(message, "I/O error (send request)") == 0;
}

/* Takes back what a swallowed answer left: h2o_reprocess_request would, but connecting may fail before it. */
static void forget_answer(h2o_req_t *req)
{
    while (req->_ostr_top->next != NULL)
        req->_ostr_top = req->_ostr_top->next;
    req->_next_filter_index = 0;
    req->bytes_sent = 0;
}

static void on_retry(h2o_timeout_entry_t *entry)
{
    gm_request_t *request = H2O_STRUCT_FROM_MEMBER(gm_request_t, retry, entry);

    forget_answer(request->req);
    connect_first(request);
}

/* The library is told nothing and so waits: until the retry begins, or the request goes. */
static void swallow(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *bufs, size_t bufcnt,
                    h2o_send_state_t state)
{
    gm_request_t *request = gm_request_of(req);

    (void)super;
    (void)bufs;
    (void)bufcnt;
    (void)state;
    if (request->is_expired)
        return;
    request->retry.cb = on_retry;
    h2o_timeout_link(req->conn->ctx->loop, &req->conn->ctx->zero_timeout, &request->retry);
}

void gm_forward_h2o_swallow(gm_request_t *request, h2o_ostream_t **slot)
{
    h2o_add_ostream(request->req, sizeof(h2o_ostream_t), slot)->do_send = swallow;
}

bool gm_forward_h2o_retry(gm_request_t *request, const char *message, h2o_ostream_t **slot)
{
    bool again;

    if (request->tries >= MAX_TRIES)
        return false;
    /* nothing was sent where no connection came about; otherwise only what may be executed twice is sent
     * twice */
    again = is_connect_error(message) ||
            (request->was_pooled && is_lost_connection(message) && gm_retry_is_idempotent(request->req));
    if (!again)
        return false;
    gm_finish_end_attempt(request, (int)gm_forward_h2o_failure(message));
    gm_forward_h2o_swallow(request, slot);
    return true;
}

bool gm_forward_h2o_cancel(gm_request_t *request)
{
    if (request->connector != NULL) {
        gm_connector_cancel(request->connector);
        request->connector = NULL;
        return true;
    }
    if (h2o_timeout_is_linked(&request->retry)) {
        h2o_timeout_unlink(&request->retry);
        forget_answer(request->req);
        return true;
    }
    return false;
}

gm_failure_t gm_forward_h2o_failure(const char *message)
{
    if (strcmp(message, "I/O timeout") == 0)
        return GM_FAILURE_RESPONSE_TIMEOUT;
    if (is_lost_connection(message))
        return GM_FAILURE_CONNECTION_TERMINATED;
    if (strcmp(message, "connection timeout") == 0)
        return GM_FAILURE_CONNECT_TIMEOUT;
    if (is_connect_error(message))
        return GM_FAILURE_CONNECT_FAILED;
    return GM_FAILURE_RESPONSE_MALFORMED;
}
