/*
 * Connects to a cluster, address by address, and can say afterwards what went wrong in the system's words;
 * the library's own connect knows only "failed", and asks one address at random. Limits are watches, so a
 * jump of the system's clock moves none; the loop's timer, which such a jump may hold up, only makes things
 * quicker. Called by proxy/forward and forward_h2o on a worker.
 */
#include "upstream/connector.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "tls/client_context.h"

struct gm_connector {
    const gm_connecting_t *how; /* borrowed */
    gm_cluster_t *cluster;      /* shared */
    SSL_CTX *tls;               /* borrowed; NULL = plain */
    gm_watch_t limit;
    h2o_timeout_entry_t soon; /* linked while something is due at the next poll */
    h2o_socket_t *sock;       /* owned while connecting */
    gm_addresses_t addresses;
    size_t first, tried; /* addresses are taken from `first` on, round the list */
    bool is_http1;
    bool got_through; /* to an address, whatever came of the handshake */
    gm_connected_t result;
    gm_record_t *record; /* borrowed */
    gm_connector_cb_t cb;
    void *data;
};

static void try_next(gm_connector_t *self);
static void on_late(gm_watch_t *watch);

static void call_soon(gm_connector_t *self, h2o_timeout_cb cb)
{
    h2o_timeout_unlink(&self->soon);
    self->soon.cb = cb;
    h2o_timeout_link(self->how->loop, self->how->poll, &self->soon);
}

static void destroy(gm_connector_t *self)
{
    h2o_timeout_unlink(&self->soon);
    gm_watch_stop(&self->limit);
    if (self->sock != NULL)
        h2o_socket_close(self->sock);
    gm_cluster_release(self->cluster);
    free(self);
}

static void finish(gm_connector_t *self)
{
    gm_connector_cb_t cb = self->cb;
    void *data = self->data;
    gm_connected_t result = self->result;

    if (!self->got_through && self->addresses.count != 0 && result.failure != GM_FAILURE_OVERLOADED)
        gm_cluster_note_attempt(self->cluster, self->addresses.version, false);
    destroy(self);
    cb(data, &result);
}

/* "127.0.0.1:3000: Connection refused" */
static void describe(gm_connector_t *self, const char *words)
{
    char text[GM_ADDRESS_TEXT_BYTES];

    snprintf(self->result.detail, sizeof(self->result.detail), "%.80s: %.40s",
             gm_address_format(&self->result.address, text), words);
}

static gm_failure_t failure_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return GM_FAILURE_CONNECT_REFUSED;
    case ECONNRESET:
        return GM_FAILURE_CONNECTION_RESET;
    case ETIMEDOUT:
        return GM_FAILURE_CONNECT_TIMEOUT;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return GM_FAILURE_OVERLOADED; /* it is not the backend's fault */
    default:
        return GM_FAILURE_CONNECT_FAILED;
    }
}

/* How far an attempt came: the failure of one that came further tells more. */
static int rank_of(gm_failure_t failure)
{
    switch (failure) {
    case GM_FAILURE_CONNECT_FAILED: /* it could not even be tried: no IPv6 on this machine, say */
        return 0;
    case GM_FAILURE_TLS_HANDSHAKE_FAILED:
    case GM_FAILURE_TLS_CERTIFICATE_INVALID:
        return 2;
    default:
        return 1;
    }
}

static bool tells_more(const gm_connector_t *self, gm_failure_t failure)
{
    return self->tried == 1 || rank_of(failure) >= rank_of(self->result.failure);
}

/* One address failed. */
static void on_address_failed(gm_connector_t *self, gm_failure_t failure, const char *words)
{
    if (tells_more(self, failure)) {
        self->result.failure = failure;
        describe(self, words);
    }
    if (self->sock != NULL)
        h2o_socket_close(self->sock);
    self->sock = NULL;
    self->result.wire = NULL; /* went with it */
    gm_record_enter(self->record, GM_PHASE_CONNECT);
    try_next(self);
}

/* What OpenSSL said about the certificate has a word of its own; the rest is a handshake that failed. */
static gm_failure_t failure_of_handshake(const char *err)
{
    return err == h2o_socket_error_closed || err == h2o_socket_error_io ||
                   strcmp(err, "ssl handshake failure") == 0
               ? GM_FAILURE_TLS_HANDSHAKE_FAILED
               : GM_FAILURE_TLS_CERTIFICATE_INVALID;
}

static bool is_h2(h2o_socket_t *sock)
{
    h2o_iovec_t protocol = h2o_socket_ssl_get_selected_protocol(sock);

    return h2o_memis(protocol.base, protocol.len, H2O_STRLIT("h2"));
}

static void hand_over(gm_connector_t *self)
{
    self->result.speaks_h2 = self->tls != NULL && is_h2(self->sock);
    self->result.sock = self->sock;
    self->sock = NULL;
    finish(self);
}

static void on_handshake_start(void *transport, SSL *ssl)
{
    h2o_socket_t *sock = transport;
    gm_connector_t *self = sock->data;

    self->result.wire = gm_tls_wire_attach(ssl, h2o_socket_get_fd(sock));
    if (self->is_http1)
        gm_tls_client_offer_http1(ssl);
}

void gm_connector_prepare(SSL_CTX *tls)
{
    gm_tls_client_context_set_on_start(tls, on_handshake_start);
}

static void on_handshake(h2o_socket_t *sock, const char *err)
{
    gm_connector_t *self = sock->data;

    /* the library's own look at the name, which knows no addresses: tls/client_context has decided already */
    if (err == NULL || err == h2o_socket_error_ssl_cert_name_mismatch ||
        err == h2o_socket_error_ssl_cert_invalid || err == h2o_socket_error_ssl_no_cert)
        hand_over(self);
    else
        on_address_failed(self, failure_of_handshake(err), err);
}

static void on_writable(h2o_socket_t *sock, const char *unused)
{
    gm_connector_t *self = sock->data;
    int error = 0, on = 1;
    socklen_t length = sizeof(error);

    (void)unused;
    if (getsockopt(h2o_socket_get_fd(sock), SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error != 0) {
        on_address_failed(self, failure_of(error), strerror(error));
        return;
    }
    setsockopt(h2o_socket_get_fd(sock), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    self->got_through = true;
    gm_cluster_note_attempt(self->cluster, self->addresses.version, true);
    if (self->tls == NULL) {
        hand_over(self);
        return;
    }
    gm_record_enter(self->record, GM_PHASE_TLS);
    h2o_socket_ssl_handshake(sock, self->tls, gm_tls_client_context_server_name(self->tls), on_handshake);
}

static void on_failed_at_once(h2o_timeout_entry_t *entry)
{
    finish(H2O_STRUCT_FROM_MEMBER(gm_connector_t, soon, entry));
}

/* @return 0, or errno */
static int start_connect(gm_connector_t *self, const gm_address_t *address)
{
    int fd = socket(address->bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

    if (fd == -1)
        return errno;
    if (connect(fd, (const void *)&address->bytes, address->length) != 0 && errno != EINPROGRESS) {
        error = errno;
        close(fd);
        return error;
    }
    self->sock = h2o_evloop_socket_create(self->how->loop, fd, 0);
    self->sock->data = self;
    h2o_socket_notify_write(self->sock, on_writable);
    return 0;
}

static void try_next(gm_connector_t *self)
{
    while (self->tried != self->addresses.count) {
        int error;
        self->result.index = (self->first + self->tried++) % self->addresses.count;
        self->result.address = self->addresses.items[self->result.index];
        self->result.version = self->addresses.version;
        if ((error = start_connect(self, &self->result.address)) == 0) {
            gm_watch_start(self->how->watches, &self->limit, self->how->timeout_ms, on_late);
            return;
        }
        if (tells_more(self, failure_of(error))) {
            self->result.failure = failure_of(error);
            describe(self, strerror(error));
        }
    }
    gm_watch_start(self->how->watches, &self->limit, self->how->timeout_ms, on_late);
    call_soon(self, on_failed_at_once); /* not from within the caller's call */
}

/* @return whether the resolver has spoken */
static bool look_up(gm_connector_t *self)
{
    gm_cluster_get_addresses(self->cluster, &self->addresses);
    return self->addresses.count != 0 || self->addresses.failed;
}

static void follow_resolver(gm_connector_t *self)
{
    if (self->addresses.count != 0) {
        gm_record_enter(self->record, GM_PHASE_CONNECT);
        try_next(self);
        return;
    }
    self->result.failure = self->addresses.failed ? self->addresses.error.failure : GM_FAILURE_DNS_FAILED;
    snprintf(self->result.detail, sizeof(self->result.detail), "%.90s: %.60s", gm_cluster_host(self->cluster),
             self->addresses.failed ? self->addresses.error.why : "no answer from the name server");
    finish(self);
}

static void on_poll(h2o_timeout_entry_t *entry)
{
    gm_connector_t *self = H2O_STRUCT_FROM_MEMBER(gm_connector_t, soon, entry);

    if (look_up(self))
        follow_resolver(self);
    else
        call_soon(self, on_poll);
}

static void on_late(gm_watch_t *watch)
{
    gm_connector_t *self = H2O_STRUCT_FROM_MEMBER(gm_connector_t, limit, watch);

    h2o_timeout_unlink(&self->soon);
    if (self->sock != NULL) {
        on_address_failed(self, GM_FAILURE_CONNECT_TIMEOUT, "no answer within connect_timeout");
    } else if (self->addresses.count == 0) {
        look_up(self);
        follow_resolver(self);
    } else {
        finish(self); /* failed at once, and the loop's timer was held up */
    }
}

gm_connector_t *gm_connector_start(const gm_connecting_t *how, gm_cluster_t *cluster, size_t first,
                                   SSL_CTX *tls, bool is_http1, gm_record_t *record, gm_connector_cb_t cb,
                                   void *data)
{
    gm_connector_t *self = gm_alloc(sizeof(*self));

    self->how = how;
    self->cluster = gm_cluster_retain(cluster);
    self->tls = tls;
    self->is_http1 = is_http1;
    self->first = first;
    self->record = record;
    self->cb = cb;
    self->data = data;
    gm_watch_start(how->watches, &self->limit, how->timeout_ms, on_late);
    gm_cluster_get_addresses(cluster, &self->addresses);
    gm_record_enter(record, self->addresses.count == 0 ? GM_PHASE_DNS : GM_PHASE_CONNECT);
    if (self->addresses.count == 0)
        call_soon(self, on_poll);
    else
        try_next(self);
    return self;
}

void gm_connector_pass(gm_connector_t *self, gm_record_t *record, void *data)
{
    gm_record_enter(record, self->record->phase);
    self->record = record;
    self->data = data;
}

void gm_connector_cancel(gm_connector_t *self)
{
    destroy(self);
}
