/*
 * Fuzz target: whole connections. Clients and origins on both sides of the real engine, in one thread, do
 * what the input says, while the time that the engine's watches see is the input's as well. Whatever they do:
 * clients get answers, origins get requests that cannot be read in two ways, and when all have left nothing
 * is left behind.
 *
 * The input is a script: actions behind tildes, one letter each and what belongs to it; see act(). An action
 * whose letter follows a "-" happens at once with the one before it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "config/load.h"
#include "frames.h"
#include "loopback.h"
#include "messages.h"
#include "server/checks.h"
#include "server/generation.h"
#include "telemetry/log.h"

#define MAX_ACTIONS 64
#define MAX_CLIENTS 4
#define MAX_ORIGINS 16
#define MAX_BLOCKS 24
#define MAX_TURNS 256
#define QUIET_TURNS 3
#define MAX_WAITS 2000 /* of a millisecond, per input, for what is on its way */
#define BLOCK_BYTES (64 * 1024)
#define SMALL_BUFFER_BYTES (8 * 1024)
#define PATIENCE 200
#define SWEEP_MS 500        /* as long as the watches may sleep */
#if defined(FUZZ_H2_ORIGIN) /* origins speak HTTP/2, and so do clients that begin by 'N' */
#define IS_HTTP2 false
#define IS_H2_ORIGIN true
#define HTTP2_CONFIG                                                                                         \
    "  http2: { enabled: true, max_concurrent_streams: 8 }\n"                                                \
    "  upstream: { max_connections: 2, max_streams_per_connection: 3 }\n"
#define PROTOCOL ", protocol: h2"
#define MAX_TRIES 3       /* a dead connection, and a refusal */
#elif defined(FUZZ_HTTP2) /* clients speak HTTP/2; they have said their preface and SETTINGS already */
#define IS_HTTP2 true
#define IS_H2_ORIGIN false
#define HTTP2_CONFIG "  http2: { enabled: true, max_concurrent_streams: 8 }\n"
#define PROTOCOL ""
#define MAX_TRIES 2
#else
#define IS_HTTP2 false
#define IS_H2_ORIGIN false
#define HTTP2_CONFIG                                                                                         \
    "  http2: { enabled: false }\n" /* a preface among the inputs would change what clients read */
#define PROTOCOL ""
#define MAX_TRIES 2
#endif
#define LAST_HEADER "x-forwarded-by: GoMesh-Proxy\r\n\r\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
uint64_t __wrap_gm_clock_coarse_ms(void);

/* One end of a connection that the fuzzer holds. */
typedef struct peer {
    int fd; /* owned; -1 = closed */
    bool is_stalled, has_half_closed;
    bool saw_end, saw_reset;
    bool has_been_told; /* of a reset, when it said something: the kernel tells that once */
    bool is_http2;
    gm_buffer_t sent, got;
} peer_t;

/* Made once, and used by all inputs. */
static struct {
    h2o_evloop_t *loop;
    gm_generation_t *generation;
    h2o_context_t *context;
    gm_watches_t *watches;
    atomic_size_t open;
    int client_listener, origin_listener;
    struct sockaddr_in client_address;
    uint64_t now_ms;
    loopback_files_t files; /* those that are open before an input */
} world;

/* What belongs to one input. */
typedef struct stage {
    gm_front_t *front;
    peer_t clients[MAX_CLIENTS], origins[MAX_ORIGINS];
    size_t client_count, origin_count, client, origin;
    unsigned blocks, waits;
    uint64_t sum; /* of what the kernel had done, at the last look */
    bool was_cut, has_waited;
    bool is_rude;     /* origins that come say no SETTINGS */
    bool may_be_over; /* an answer whose end is that of its connection, or the last chunk */
} stage_t;

/* ---- the world */

uint64_t __wrap_gm_clock_coarse_ms(void)
{
    return world.now_ms;
}

static void die(const char *what)
{
    fprintf(stderr, "connection: %s\n", what);
    abort();
}

/* Not assert: a build with NDEBUG must find mistakes, too. */
static void require(bool condition, const char *what)
{
    if (!condition)
        die(what);
}

static char *no_variable(const char *name)
{
    (void)name;
    return NULL;
}

static gm_snapshot_t *load(const struct sockaddr_in *origin, const struct sockaddr_in *dead)
{
    static const gm_load_context_t context = {GM_CHECKS, no_variable};
    gm_diagnostics_t diagnostics = {0};
    gm_snapshot_t *snapshot;
    gm_buffer_t text = {0};
    char host[LOOPBACK_TEXT_BYTES];

    loopback_print(origin, host);
    gm_buffer_printf(
        &text,
        "proxy:\n"
        "  workers: 1\n"
        "  backend: { host: %s, port: %u" PROTOCOL " }\n"
        "  trusted_proxies: [127.0.0.0/8]\n"
        "  timeout: { request_timeout: 90s }\n"
        "  limits: { max_request_body: 300KiB, max_requests_per_connection: 20 }\n" HTTP2_CONFIG "routes:\n"
        "  - { match: { path: { prefix: /dead } }, backend: { host: %s, port: %u" PROTOCOL " } }\n",
        host, ntohs(origin->sin_port), host, ntohs(dead->sin_port));
    snapshot = gm_load_text("fuzz", text.text, text.length, &context, &diagnostics);
    gm_buffer_dispose(&text);
    if (snapshot == NULL)
        gm_diagnostics_print(&diagnostics, &text);
    require(snapshot != NULL, text.text);
    gm_diagnostics_dispose(&diagnostics);
    return snapshot;
}

static void make_world(void)
{
    struct sockaddr_in origin, dead;
    gm_error_t err = {0};
    gm_snapshot_t *snapshot;

    signal(SIGPIPE, SIG_IGN);
    /* lines are made, so that their making is fuzzed, and thrown away */
    if (gm_log_open(&(gm_log_options_t){.fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
                                        .json = true,
                                        .level = GM_LOG_INFO},
                    NULL) != 0)
        abort();
    world.now_ms = 1000000;
    world.client_listener = loopback_open(&world.client_address, BLOCK_BYTES, 64);
    world.origin_listener = loopback_open(&origin, SMALL_BUFFER_BYTES, 64);
    loopback_open(&dead, 0, -1); /* bound by us, so that nobody else listens there */
    snapshot = load(&origin, &dead);
    world.generation = gm_generation_create(snapshot, 1, &err);
    require(world.generation != NULL, "a generation can be made");
    gm_snapshot_release(snapshot);
    world.loop = h2o_evloop_create();
    world.context = gm_generation_create_context(world.generation, world.loop);
    world.watches = gm_generation_watches(world.generation, world.context);
}

/* ---- the peers */

static peer_t *add_peer(peer_t *peers, size_t *count, int fd)
{
    peer_t *self = &peers[(*count)++];

    *self = (peer_t){.fd = fd};
    return self;
}

static void leave(peer_t *self, bool resets)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (self->fd == -1)
        return;
    if (resets)
        setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(self->fd);
    self->fd = -1;
}

static void half_close(peer_t *self)
{
    if (self->fd == -1)
        return;
    shutdown(self->fd, SHUT_WR);
    self->has_half_closed = true;
}

static void say(peer_t *self, const void *bytes, size_t size)
{
    ssize_t sent;

    if (self->fd == -1 || self->has_half_closed || size == 0)
        return;
    if ((sent = send(self->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
        gm_buffer_append(&self->sent, bytes, (size_t)sent);
    else if (sent == -1 && errno != EAGAIN)
        self->has_been_told = true;
}

/* @return whether anything was there */
static bool listen_to(peer_t *self)
{
    static char bytes[BLOCK_BYTES];
    bool has_heard = false;
    ssize_t got;

    if (self->fd == -1 || self->is_stalled || self->saw_end || self->saw_reset)
        return false;
    while ((got = recv(self->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
        gm_buffer_append(&self->got, bytes, (size_t)got);
        has_heard = true;
        if ((size_t)got < sizeof(bytes))
            return true;
    }
    self->saw_end = got == 0;
    self->saw_reset = got == -1 && errno != EAGAIN;
    return has_heard || self->saw_end || self->saw_reset;
}

static void add_client(stage_t *stage, bool is_http2)
{
    int fd, accepted, size = SMALL_BUFFER_BYTES;

    if (stage->client_count == MAX_CLIENTS)
        return;
    fd = loopback_connect(&world.client_address, size);
    accepted = loopback_accept(world.client_listener, fd);
    setsockopt(accepted, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* so that it can be full */
    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    stage->client = stage->client_count;
    add_peer(stage->clients, &stage->client_count, fd);
    atomic_fetch_add(&world.open, 1);
    gm_front_accept(stage->front, h2o_evloop_socket_create(world.loop, accepted, 0), NULL);
    stage->clients[stage->client].is_http2 = is_http2;
    if (is_http2)
        say(&stage->clients[stage->client], FRAMES_PREFACE "\0\0\0\4\0\0\0\0",
            33); /* with the last zero of SETTINGS */
}

static bool accept_origins(stage_t *stage)
{
    bool has_accepted = false;
    int fd;

    while ((fd = accept4(world.origin_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
        has_accepted = true;
        if (stage->origin_count == MAX_ORIGINS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        stage->origin = stage->origin_count;
        add_peer(stage->origins, &stage->origin_count, fd);
        if (IS_H2_ORIGIN && !stage->is_rude)
            say(&stage->origins[stage->origin], "\0\0\0\4\0\0\0\0", 9);
    }
    return has_accepted;
}

/* ---- time */

/* @return whether anything came out of it */
static bool turn(stage_t *stage, int32_t wait_ms)
{
    bool moves;

    h2o_evloop_run(world.loop, wait_ms);
    gm_watches_sweep(world.watches);
    moves = accept_origins(stage);
    for (size_t i = 0; i != stage->client_count; ++i)
        moves = listen_to(&stage->clients[i]) || moves;
    for (size_t i = 0; i != stage->origin_count; ++i)
        moves = listen_to(&stage->origins[i]) || moves;
    return moves;
}

/* What looks quiet may only be slow. @return whether something has come since, or is waited for */
static bool is_kernel_busy(stage_t *stage)
{
    uint64_t sum;
    bool is_in_flight = loopback_is_in_flight(&sum), has_changed = sum != stage->sum;

    stage->sum = sum;
    if (!is_in_flight || stage->waits == MAX_WAITS)
        return has_changed;
    ++stage->waits;
    turn(stage, 1);
    return true;
}

static void settle(stage_t *stage)
{
    unsigned turns = 0;

    do
        for (unsigned quiet = 0; quiet != QUIET_TURNS && turns != MAX_TURNS; ++turns)
            quiet = turn(stage, 0) ? 0 : quiet + 1;
    while (turns != MAX_TURNS && is_kernel_busy(stage));
}

static void pass(stage_t *stage, uint64_t ms)
{
    world.now_ms += ms;
    settle(stage);
}

/* What fails at once is told a few real milliseconds later. */
static void wait_really(stage_t *stage)
{
    if (stage->has_waited)
        return;
    stage->has_waited = true;
    for (int i = 0; i != 4; ++i)
        turn(stage, 2);
}

/* ---- the script */

static void say_frame_of(peer_t *peer, uint8_t type, uint8_t flags, uint8_t stream, const uint8_t *bytes,
                         size_t length)
{
    uint8_t head[FRAMES_HEAD];
    gm_buffer_t frame = {0};

    frames_write_head(head, type, flags, stream, length);
    gm_buffer_append(&frame, (const char *)head, sizeof(head));
    gm_buffer_append(&frame, (const char *)bytes, length);
    say(peer, frame.text, frame.length);
    gm_buffer_dispose(&frame);
}

/* A frame of HTTP/2 whose length is right: type, flags, the stream's id, and the payload. */
static void say_frame(peer_t *peer, const uint8_t *bytes, size_t size)
{
    say_frame_of(peer, bytes[0], bytes[1], bytes[2], bytes + 3, size - 3);
}

static void say_block(stage_t *stage, peer_t *peer)
{
    static char block[BLOCK_BYTES];

    if (block[0] == '\0')
        memset(block, 'b', sizeof(block));
    if (stage->blocks++ < MAX_BLOCKS)
        say(peer, block, sizeof(block));
}

/* Switches to WebSocket as RFC 6455 has it: by the last key that has come. */
static void say_switch(peer_t *peer)
{
    static const char name[] = "sec-websocket-key: ", guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const char *key = NULL, *end;
    char joined[24 + sizeof(guid)], text[128];
    unsigned char digest[EVP_MAX_MD_SIZE], accept[32];

    if (peer->got.length == 0)
        return;
    end = peer->got.text + peer->got.length;
    for (const char *at = peer->got.text;
         (at = memmem(at, (size_t)(end - at), name, sizeof(name) - 1)) != NULL;)
        key = at += sizeof(name) - 1;
    if (key == NULL || end - key < 24)
        return;
    memcpy(joined, key, 24);
    memcpy(joined + 24, guid, sizeof(guid));
    EVP_Digest(joined, sizeof(joined) - 1, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock(accept, digest, 20);
    say(peer, text,
        (size_t)snprintf(text, sizeof(text),
                         "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                         "Sec-WebSocket-Accept: %s\r\n\r\n",
                         (const char *)accept));
}

/* What an origin of HTTP/2 says, with few letters: the stream, by its number among all, and more. */
static void act_for_stream(stage_t *stage, char letter, const uint8_t *bytes, size_t size)
{
    static const uint8_t block[FRAMES_MAX];
    peer_t *origin = &stage->origins[stage->origin];
    uint8_t stream = (uint8_t)(2 * (bytes[0] % 16) + 1), payload[256] = {0x88}; /* :status 200 */
    size_t length = --size < sizeof(payload) - 1 ? size : sizeof(payload) - 1;

    ++bytes;
    memcpy(payload + 1, bytes, length);
    if (letter == 'A') /* the head of an answer */
        say_frame_of(origin, 1, 4, stream, payload, length + 1);
    else if (letter == 'E') /* one that is all */
        say_frame_of(origin, 1, 5, stream, payload, length + 1);
    else if (letter == 'I' || letter == 'T') /* fields as they are; trailers */
        say_frame_of(origin, 1, letter == 'T' ? 5 : 4, stream, bytes, size);
    else if (letter == 'D' || letter == 'Z') /* some of the body; the last */
        say_frame_of(origin, 0, letter == 'Z', stream, bytes, size);
    else if (letter == 'L' && stage->blocks++ < MAX_BLOCKS) /* much of it */
        say_frame_of(origin, 0, 0, stream, block, sizeof(block));
    else if (letter == 'Q') /* RST_STREAM, with the last byte of its code */
        say_frame_of(origin, 3, 0, stream, (const uint8_t[]){0, 0, 0, size != 0 ? bytes[0] : 8}, 4);
    else if (letter == 'G') /* GOAWAY, likewise */
        say_frame_of(origin, 7, 0, 0, (const uint8_t[]){0, 0, 0, stream, 0, 0, 0, size != 0 ? bytes[0] : 0},
                     8);
    else if (letter == 'U') /* WINDOW_UPDATE for the stream and the connection */
        for (int i = 0; i != 2; ++i)
            say_frame_of(origin, 8, 0, i == 0 ? stream : 0, (const uint8_t[]){0, 1, 0, 0}, 4);
    else if (letter == 'M') /* SETTINGS: one of them, and the last byte of its value */
        say_frame_of(origin, 4, 0, 0, (const uint8_t[]){0, stream, 0, 0, 0, size != 0 ? bytes[0] : 0}, 6);
    stage->may_be_over = stage->may_be_over || strchr("EZT", letter) != NULL;
}

static void act_for_all(stage_t *stage, char letter, const uint8_t *bytes, size_t size)
{
    static const uint64_t spans_ms[] = {50, 200, 500, 1000, 2500, 5000, 31000, 91000, 121000, 3601000};

    if (letter == 'n' || letter == 'N')
        add_client(stage, IS_HTTP2 || (IS_H2_ORIGIN && letter == 'N'));
    else if (letter == 'O')
        stage->is_rude = !stage->is_rude;
    else if (letter == 'k')
        stage->client = (stage->client + 1) % stage->client_count;
    else if (letter == 'K' && stage->origin_count != 0)
        stage->origin = (stage->origin + 1) % stage->origin_count;
    else if (letter == 't' && size != 0)
        pass(stage, spans_ms[(bytes[0] + 2u) % 10]); /* '0' is 48 */
    else if (letter == 'w')
        wait_really(stage);
    else if (letter == 'd') {
        world.context->shutdown_requested = 1;
        gm_front_drain(stage->front);
    } else if (letter == 'q') {
        stage->was_cut = true;
        gm_front_cut(stage->front);
    }
}

/* Small letters are the client's, capitals the origin's. */
static void act_for(stage_t *stage, peer_t *peer, char letter, const uint8_t *bytes, size_t size)
{
    switch (letter | 0x20) {
    case 'c': /* says this */
        say(peer, bytes, size);
        break;
    case 'f': /* says a frame */
        if (size >= 3)
            say_frame(peer, bytes, size);
        break;
    case 'b': /* says much */
        say_block(stage, peer);
        break;
    case 'h': /* has said all */
        half_close(peer);
        break;
    case 'x': /* leaves */
        leave(peer, false);
        break;
    case 'r': /* leaves in anger */
        leave(peer, true);
        break;
    case 's': /* takes nothing any more, or again */
        peer->is_stalled = !peer->is_stalled;
        break;
    }
}

static void act(stage_t *stage, const uint8_t *bytes, size_t size)
{
    char letter = (char)bytes[0];

    if (letter != '\0' && strchr("cfbhxrs", letter) != NULL)
        act_for(stage, &stage->clients[stage->client], letter, bytes + 1, size - 1);
    else if (letter == 'W' && stage->origin_count != 0) /* switches protocols */
        say_switch(&stage->origins[stage->origin]);
    else if (letter != '\0' && strchr("CFBHXRS", letter) != NULL && stage->origin_count != 0)
        act_for(stage, &stage->origins[stage->origin], letter, bytes + 1, size - 1);
    else if (IS_H2_ORIGIN && letter != '\0' && strchr("AEITDZLQGUM", letter) != NULL &&
             stage->origin_count != 0 && size > 1)
        act_for_stream(stage, letter, bytes + 1, size - 1);
    else
        act_for_all(stage, letter, bytes + 1, size - 1);
}

static void play(stage_t *stage, const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;

    for (unsigned i = 0; i != MAX_ACTIONS && data != end; ++i) {
        const uint8_t *next = memchr(data, '~', (size_t)(end - data));
        bool joins_last;
        next = next != NULL ? next : end;
        if ((joins_last = data != next && *data == '-'))
            ++data;
        if (!joins_last)
            settle(stage);
        if (data != next)
            act(stage, data, (size_t)(next - data));
        data = next != end ? next + 1 : end;
    }
    settle(stage);
}

/* ---- what must be true */

static void blame(const char *who, const char *what, const gm_buffer_t *got, size_t at)
{
    fprintf(stderr, "connection: %s got %s, at %zu of %zu:\n%.*s\n", who, what, at, got->length,
            (int)(got->length - at < 4096 ? got->length - at : 4096), got->text + at);
    abort();
}

static size_t count_text(const gm_buffer_t *buffer, const char *text)
{
    size_t count = 0;

    for (const char *at = buffer->text; at != NULL; ++count) {
        at = memmem(at, buffer->length - (size_t)(at - buffer->text), text, strlen(text));
        if (at == NULL)
            break;
        at += strlen(text);
    }
    return count;
}

/* @return how many requests it got */
static size_t check_origin(const peer_t *origin, bool is_forged, const messages_requests_t *requests)
{
    bool may_switch = origin->sent.length != 0 && count_text(&origin->sent, " 101") != 0;
    messages_found_t found;

    if (origin->got.length == 0)
        return 0;
    found = messages_check_requests(origin->got.text, origin->got.length, may_switch, requests);
    if (found.fault != NULL)
        blame("an origin", found.fault, &origin->got, found.at);
    /* a head inside what was announced as a body would be somebody else's request */
    if (!found.is_open_end && !is_forged && count_text(&origin->got, LAST_HEADER) > found.count)
        blame("an origin", "a request within a body", &origin->got, 0);
    return found.count;
}

/* @return how many streams its peer began, or answered */
static size_t check_frames(const peer_t *peer, size_t from, const char *who)
{
    frames_found_t found = {0};

    if (peer->got.length > from)
        found = frames_check(peer->got.text + from, peer->got.length - from);
    if (found.fault != NULL)
        blame(who, found.fault, &peer->got, from + found.at);
    return found.count;
}

static size_t check_h2_origin(const peer_t *origin)
{
    size_t length = strlen(FRAMES_PREFACE);

    if (origin->got.length > length && memcmp(origin->got.text, FRAMES_PREFACE, length) != 0)
        blame("an origin", "no preface", &origin->got, 0);
    return check_frames(origin, length, "an origin");
}

static void check_client(const stage_t *stage, const peer_t *client)
{
    static messages_requests_t requests;
    messages_found_t found;

    if (client->got.length == 0)
        return;
    messages_read_client(client->sent.text, client->sent.length, &requests);
    found = messages_check_answers(client->got.text, client->got.length, &requests);
    if (found.fault != NULL)
        blame("a client", found.fault, &client->got, found.at);
    if (client->saw_end && !client->has_half_closed && !client->has_been_told && !stage->was_cut &&
        !found.is_whole && !found.is_open_end)
        blame("a client", "a clean end within an answer", &client->got, found.at);
    if (client->saw_end && found.is_open_end && !client->has_been_told && !stage->may_be_over &&
        count_text(&client->got, " 101 ") == 0)
        blame("a client", "a clean end of an answer that goes on", &client->got, 0);
    messages_dispose_requests(&requests);
}

static bool is_forged(const stage_t *stage)
{
    for (size_t i = 0; i != stage->client_count; ++i)
        if (count_text(&stage->clients[i].sent, "GoMesh") != 0)
            return true;
    return false;
}

static bool is_http2(const peer_t *client)
{
    return client->is_http2 || (IS_H2_ORIGIN && count_text(&client->sent, "PRI ") != 0);
}

static void check_streams(const stage_t *stage)
{
    static messages_requests_t requests; /* of all clients of HTTP/1 */
    bool has_http2 = false;
    size_t got = 0;

    for (size_t i = 0; i != stage->client_count; ++i) {
        const peer_t *client = &stage->clients[i];
        has_http2 = has_http2 || is_http2(client);
        if (client->is_http2) {
            check_frames(client, 0, "a client");
        } else if (!is_http2(client)) {
            check_client(stage, client);
            messages_read_client(client->sent.text, client->sent.length, &requests);
        }
    }
    for (size_t i = 0; i != stage->origin_count; ++i)
        got += IS_H2_ORIGIN ? check_h2_origin(&stage->origins[i])
                            : check_origin(&stage->origins[i], has_http2 || is_forged(stage),
                                           has_http2 ? NULL : &requests);
    require(has_http2 || got <= MAX_TRIES * requests.count,
            "no request is sent that nobody made, and none more often than it may");
    messages_dispose_requests(&requests);
}

static void check_nothing_is_left(void)
{
    loopback_files_t files;
    int number;

    require(atomic_load(&world.open) == 0, "no connection is counted");
    loopback_look_at_files(&files);
    if ((number = loopback_compare_files(&files, &world.files)) == -1)
        return;
    fprintf(stderr, "connection: number %d is %s\n", number, files.is_open[number] ? "open" : "closed");
    die("the engine has other files open than before");
}

/* ---- the end */

static bool is_quiet(const stage_t *stage)
{
    return gm_front_count(stage->front) == 0;
}

/* Those too that are connected to only now. */
static void leave_origins(stage_t *stage)
{
    for (size_t i = 0; i != stage->origin_count; ++i)
        leave(&stage->origins[i], i % 2 != 0);
}

/*
 * A client of HTTP/1.1 that leaves is noticed, whatever its origin does, unless it had said before that it
 * would say nothing more. (Those who still want to say something in a tunnel, or much, may be waited for.)
 */
static bool must_notice(const stage_t *stage)
{
    bool must = stage->blocks == 0;

    for (size_t i = 0; i != stage->client_count; ++i)
        must = must && !stage->clients[i].has_half_closed &&
               count_text(&stage->clients[i].sent, "HTTP/1.0") == 0 &&
               count_text(&stage->clients[i].sent, "/dead") == 0;
    for (size_t i = 0; i != stage->origin_count; ++i)
        must = must && count_text(&stage->origins[i].sent, " 101") == 0;
    return must;
}

static void end(stage_t *stage)
{
    bool must = must_notice(stage);

    for (size_t i = 0; i != stage->origin_count; ++i) {
        const peer_t *origin = &stage->origins[i];
        stage->may_be_over = stage->may_be_over || origin->fd == -1 || origin->has_half_closed ||
                             count_text(&origin->sent, "\r\n0") != 0;
    }
    for (size_t i = 0; i != stage->client_count; ++i)
        leave(&stage->clients[i], stage->blocks != 0);
    settle(stage);
    for (int i = 0; must && i != 3 && !is_quiet(stage); ++i)
        pass(stage, SWEEP_MS);
    require(is_quiet(stage) || !must, "who has left is not served any more");
    /* the engine may have much to read still; what it writes then tells it that the clients have left */
    for (unsigned turns = 0; turns != MAX_TURNS && !is_quiet(stage); ++turns) {
        leave_origins(stage);
        turn(stage, 0);
    }
    for (int i = 0; i != PATIENCE && !is_quiet(stage); ++i) {
        /* real ones: for wait_really(), and the kernel's own timers where windows were full */
        turn(stage, 10);
        leave_origins(stage);
        world.now_ms += SWEEP_MS / 20;
    }
    require(is_quiet(stage), "no connection outlives both its ends");
    leave_origins(stage);
    settle(stage);
}

static void dispose(stage_t *stage)
{
    for (size_t i = 0; i != stage->client_count; ++i) {
        gm_buffer_dispose(&stage->clients[i].sent);
        gm_buffer_dispose(&stage->clients[i].got);
    }
    for (size_t i = 0; i != stage->origin_count; ++i) {
        leave(&stage->origins[i], true);
        gm_buffer_dispose(&stage->origins[i].sent);
        gm_buffer_dispose(&stage->origins[i].got);
    }
    gm_front_destroy(stage->front);
}

/* What came before must not be in the way of an honest request: no turn is lost, nobody waits for ever. */
static void check_life_goes_on(void)
{
    static const char request[] = "GET /probe HTTP/1.1\r\nHost: a\r\n\r\n";
    stage_t stage = {0};

    world.context->shutdown_requested = 0;
    stage.front = gm_generation_create_front(world.generation, world.context, &world.open);
    add_client(&stage, false);
    say(&stage.clients[0], request, sizeof(request) - 1);
    settle(&stage);
    require(stage.origin_count == 1, "the next request is forwarded");
    act_for_stream(&stage, 'E', (const uint8_t *)"0", 1);
    settle(&stage);
    require(count_text(&stage.clients[0].got, " 200 ") == 1, "the next request is answered");
    end(&stage);
    check_nothing_is_left();
    dispose(&stage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    stage_t stage = {0};

    if (world.loop == NULL)
        make_world();
    loopback_look_at_files(&world.files);
    world.context->shutdown_requested = 0;
    stage.front = gm_generation_create_front(world.generation, world.context, &world.open);
    add_client(&stage, IS_HTTP2);
    play(&stage, data, size);
    end(&stage);
    check_streams(&stage);
    check_nothing_is_left();
    dispose(&stage);
    if (IS_H2_ORIGIN)
        check_life_goes_on();
    return 0;
}
