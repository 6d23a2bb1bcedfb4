/*
 * Fuzz target: requests to the admin window. The input is what a client sends; the window is the real one,
 * behind our front, while the workers that it asks, and draining, are played by this file, and the time that
 * limits see is the input's. Two worlds: one waits for a backend that nobody reaches, one does not. Whatever
 * comes: each answer is whole, has a status that the window knows, is JSON where it says so and harmless to a
 * terminal where it does not, and afterwards nothing is left behind.
 *
 * If the last byte is a '!', the client resets its connection while what it asked for is being found out.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/probe.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "config/load.h"
#include "http/head.h"
#include "json.h"
#include "loopback.h"
#include "messages.h"
#include "server/checks.h"
#include "server/generation.h"
#include "telemetry/log.h"

#define WORKERS 2
#define CLUSTERS 4
#define MAX_LATE 64
#define QUIET_TURNS 3
#define MAX_TURNS 2000  /* without a byte */
#define GIVES_UP_MS 400 /* at least: after that a silent client of HTTP/1.0 may count as gone */
#define SLOW_TURNS 200  /* in which time passes in small steps */
#define BLOCK_BYTES (64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
uint64_t __wrap_gm_clock_coarse_ms(void);
uint64_t __wrap_gm_clock_monotonic_ms(void);

/* Made once, and used by all inputs. */
static struct {
    h2o_evloop_t *loop;
    gm_cluster_t *clusters[CLUSTERS];
    gm_ring_t *ring;
    struct {
        gm_generation_t *generation;
        h2o_context_t *context;
    } windows[2]; /* the second one has ready_needs_backend */
    atomic_size_t open;
    int listener;
    struct sockaddr_in address;
    uint64_t now_ms;
    loopback_files_t files; /* those that are open before an input */
    /* of one input */
    size_t window;
    bool is_told, was_cut; /* the client: that its connection is over, by a reset */
    uint64_t waited_ms;    /* at once, since it has left, without a byte */
    unsigned surveys, drains;
    gm_survey_t *late[MAX_LATE]; /* sheets that worker 1 has not handed in */
    size_t late_count;
} world;

uint64_t __wrap_gm_clock_coarse_ms(void)
{
    return world.now_ms;
}

uint64_t __wrap_gm_clock_monotonic_ms(void)
{
    return world.now_ms;
}

/* Not assert: a build with NDEBUG must find mistakes, too. */
static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "admin: %s\n", what);
    abort();
}

/* ---- what the window looks at */

static void fill(gm_sheet_t *sheet, gm_survey_question_t question)
{
    sheet->connections = 3;
    sheet->idle[0] = GM_SURVEY_UNKNOWN;
    if (question == GM_SURVEY_REQUESTS)
        sheet->kept_count = gm_ring_copy(world.ring, &sheet->kept);
}

/* Every third time worker 1 is busy; the last of all workers has ended. */
static void ask(void *data, size_t worker, gm_survey_t *survey)
{
    (void)data;
    if (worker == 0) {
        fill(gm_survey_sheet(survey, 0), gm_survey_question(survey));
        gm_survey_hand_in(survey, 0, true);
    } else if (++world.surveys % 3 == 0 && world.late_count != MAX_LATE) {
        world.late[world.late_count++] = survey;
    } else {
        gm_survey_hand_in(survey, worker, false);
    }
}

static bool is_draining(void *data)
{
    (void)data;
    return world.drains != 0;
}

static void drain(void *data)
{
    (void)data;
    ++world.drains;
}

static void render_metrics(void *data, gm_buffer_t *out)
{
    (void)data;
    gm_buffer_append_text(out, "# HELP fuzz\nfuzz 1\n");
}

static void hand_in_late(void)
{
    while (world.late_count != 0) {
        gm_survey_t *survey = world.late[--world.late_count];
        fill(gm_survey_sheet(survey, 1), gm_survey_question(survey));
        gm_survey_hand_in(survey, 1, true);
    }
}

/* ---- the world */

static gm_record_text_t text_of(const char *text)
{
    return (gm_record_text_t){text, strlen(text)};
}

/* With what clients and origins may have put into them. */
static void keep_requests(void)
{
    static char path[1000];
    gm_record_t record = {.began_us = 1, .phase_ns = {7, 1000000}, .failure = GM_NO_FAILURE, .status = 200};

    world.ring = gm_ring_create(8);
    record.method = text_of("GET");
    record.path = text_of("/a\"b\\c\x1b[31m\r\n\t\xc2\x9b\xff\xc3");
    record.host = text_of("\xe2\x82");
    record.remote_addr = text_of("::1");
    memset(record.trace.trace_id, 0x11, sizeof(record.trace.trace_id));
    gm_ring_add(world.ring, &record);
    memset(path, 0xc3, sizeof(path));
    for (size_t i = 1; i < sizeof(path); i += 2)
        path[i] = (char)0xa4;
    record.path = (gm_record_text_t){path, sizeof(path)};
    record.failure = GM_FAILURE_CONNECT_REFUSED;
    record.detail = "127.0.0.1:1: \x1b]0;x\x07\"\xe2\x82";
    record.status = 0;
    gm_ring_add(world.ring, &record);
    gm_ring_add(world.ring, &(gm_record_t){.failure = GM_FAILURE_BAD_REQUEST});
}

/* One whose packets get no answer, one where nobody is, one that has no address yet, one that has none. */
static void make_clusters(void)
{
    const gm_look_up_error_t unknown = {GM_FAILURE_DNS_FAILED, "Name or service not known"};
    struct sockaddr_in full, dead;
    char host[LOOPBACK_TEXT_BYTES];

    loopback_open(&full, 0, 0);
    for (int i = 0; i != 4; ++i)
        connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), (void *)&full, sizeof(full));
    loopback_open(&dead, 0, -1);
    loopback_print(&full, host);
    world.clusters[0] = gm_cluster_create("full", host, ntohs(full.sin_port), "full:1");
    world.clusters[1] = gm_cluster_create("dead", host, ntohs(dead.sin_port), "dead:1");
    world.clusters[2] = gm_cluster_create("new", "new.internal", 1, "new.internal:1");
    world.clusters[3] = gm_cluster_create("none", "none.internal", 1, "none.internal:1");
    gm_cluster_set_addresses(world.clusters[3], NULL, 0, &unknown);
}

static char *no_variable(const char *name)
{
    (void)name;
    return NULL;
}

static gm_snapshot_t *load(const char *text)
{
    static const gm_load_context_t context = {GM_CHECKS, no_variable};
    gm_diagnostics_t diagnostics = {0};
    gm_snapshot_t *snapshot = gm_load_text("fuzz", text, strlen(text), &context, &diagnostics);

    require(snapshot != NULL, "the configuration is good");
    gm_diagnostics_dispose(&diagnostics);
    return snapshot;
}

static void make_window(size_t index, const char *config)
{
    gm_admin_options_t options = {.snapshot = load(config),
                                  .clusters = world.clusters,
                                  .cluster_count = CLUSTERS,
                                  .worker_count = WORKERS,
                                  .listen_host = "admin.test",
                                  .libh2o = "2",
                                  .openssl = "3",
                                  .libyaml = "0",
                                  .ask = ask,
                                  .is_draining = is_draining,
                                  .render_metrics = render_metrics,
                                  .drain = drain};

    world.windows[index].generation = gm_generation_create_admin(&options);
    world.windows[index].context = gm_generation_create_context(world.windows[index].generation, world.loop);
    gm_snapshot_release(options.snapshot);
}

static void make_world(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (gm_log_open(&(gm_log_options_t){.fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
                                        .json = true,
                                        .level = GM_LOG_INFO},
                    NULL) != 0)
        abort();
    world.now_ms = 1000000;
    world.loop = h2o_evloop_create();
    world.listener = loopback_open(&world.address, 0, 64);
    make_clusters();
    keep_requests();
    make_window(0, "admin: { listen: 'admin.test:1' }");
    make_window(1, "admin: { ready_needs_backend: true }");
}

/* Nothing of the input before. */
static void begin(const uint8_t *data, size_t size)
{
    uint32_t sum = 0;

    for (size_t i = 0; i != size; ++i)
        sum += data[i];
    world.window = sum % 2;
    world.now_ms += 10 * GM_PROBE_PAUSE_MS;
    world.surveys = world.drains = 0;
    for (size_t i = 0; i != CLUSTERS; ++i)
        gm_cluster_note_attempt(world.clusters[i], 0, false);
    gm_log_set_level(GM_LOG_INFO);
    world.is_told = world.was_cut = false;
    world.waited_ms = 0;
    loopback_look_at_files(&world.files);
}

/* ---- the client */

/* Its bytes are there before the window looks. @return the client */
static int begin_client(gm_front_t *front, const uint8_t *data, size_t size)
{
    int fd = loopback_connect(&world.address, 0), accepted = loopback_accept(world.listener, fd);

    if (size != 0)
        require(send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size, "it can all be sent");
    loopback_await(accepted, size);
    atomic_fetch_add(&world.open, 1);
    gm_front_accept(front, h2o_evloop_socket_create(world.loop, accepted, 0), NULL);
    return fd;
}

/* @return whether anything came */
static bool turn(int fd, gm_buffer_t *got, int32_t wait_ms)
{
    static char bytes[BLOCK_BYTES];
    ssize_t length;

    h2o_evloop_run(world.loop, wait_ms);
    gm_watches_sweep(
        gm_generation_watches(world.windows[world.window].generation, world.windows[world.window].context));
    if (fd == -1)
        return false;
    length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    world.was_cut = world.was_cut || (length == -1 && errno == ECONNRESET);
    world.is_told = world.is_told || world.was_cut || length == 0;
    if (length > 0)
        gm_buffer_append(got, bytes, (size_t)length);
    return length > 0;
}

static void settle(int fd, gm_buffer_t *got)
{
    for (unsigned turns = 0, quiet = 0; quiet != QUIET_TURNS && turns != MAX_TURNS; ++turns)
        quiet = turn(fd, got, 0) ? 0 : quiet + 1;
}

/* Late sheets come in, limits are over, until the window has let go of the client. */
static void wear_out(gm_front_t *front, int fd, gm_buffer_t *got)
{
    uint64_t heard_ms = world.now_ms;

    for (unsigned turns = 0, silent = 0; silent != MAX_TURNS && gm_front_count(front) != 0;
         ++turns, ++silent) {
        if (turn(fd, got, turns < QUIET_TURNS ? 0 : 1)) {
            silent = 0;
            heard_ms = world.now_ms;
        }
        if (world.now_ms - heard_ms > world.waited_ms)
            world.waited_ms = world.now_ms - heard_ms;
        if (turns >= QUIET_TURNS)
            world.now_ms += turns < SLOW_TURNS ? 50 : GM_PROBE_PAUSE_MS;
        if (world.late_count != 0 && turns % 50 == 49) /* further pages were asked for */
            hand_in_late();
    }
    hand_in_late();
    require(gm_front_count(front) == 0, "who has left is not served any more");
}

/* @param fd  closed */
static void leave(gm_front_t *front, int fd, bool resets, gm_buffer_t *got)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (resets) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(fd);
        fd = -1;
    } else {
        shutdown(fd, SHUT_WR);
    }
    settle(fd, got);
    if (world.surveys % 2 == 0)
        hand_in_late();
    wear_out(front, fd, got);
    if (fd == -1)
        return;
    for (unsigned turns = 0; turns != MAX_TURNS && !world.is_told; ++turns) /* the last bytes may be late */
        turn(fd, got, turns < QUIET_TURNS ? 0 : 1);
    require(world.is_told, "who is not served any more is told");
    close(fd);
}

/* A probe that nobody waits for any more is over as well. */
static void end_probe(gm_buffer_t *got)
{
    loopback_files_t files;

    world.now_ms += GM_PROBE_PAUSE_MS;
    for (unsigned turns = 0; turns != MAX_TURNS; ++turns) {
        loopback_look_at_files(&files);
        if (loopback_compare_files(&files, &world.files) == -1)
            break;
        turn(-1, got, 1);
    }
}

/* ---- what must be true */

static void blame(const char *what, const char *bytes, size_t length)
{
    fprintf(stderr, "admin: %s:\n%.*s\n", what, (int)(length < 4096 ? length : 4096), bytes);
    abort();
}

static bool has_text(const gm_buffer_t *buffer, const char *text)
{
    return buffer->length != 0 && memmem(buffer->text, buffer->length, text, strlen(text)) != NULL;
}

static bool is_known_status(unsigned status)
{
    return status == 200 || status == 202 || (status >= 400 && status < 500) || status == 503 ||
           status == 501 || status == 505; /* the last two from the front: CONNECT, HTTP/2.0 */
}

static bool has_field(const gm_head_t *head, const char *name, const char *value)
{
    for (size_t i = 0; i != head->field_count; ++i) {
        const gm_head_field_t *field = &head->fields[i];
        if (field->name.length == strlen(name) && memcmp(field->name.base, name, strlen(name)) == 0 &&
            field->value.length >= strlen(value) && memcmp(field->value.base, value, strlen(value)) == 0)
            return true;
    }
    return false;
}

static bool is_harmless(const char *text, size_t length)
{
    for (size_t i = 0; i != length; ++i)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\n') || text[i] == 0x7f ||
            (text[i] == '\xc2' && i + 1 != length && (unsigned char)text[i + 1] < 0xa0))
            return false;
    return true;
}

static void check_body(const gm_head_t *head, const char *body, size_t length, const gm_buffer_t *sent)
{
    bool is_json = has_field(head, "content-type", "application/json") ||
                   has_field(head, "content-type", "application/problem+json");

    if (length == 0 || body[length - 1] != '\n')
        blame("an answer without a last line's end", body, length);
    if (is_json && !json_is_whole(body, length))
        blame("no JSON", body, length);
    if (!is_json && !has_text(sent, "text") && !has_text(sent, "/metrics"))
        blame("text that nobody asked for", body, length);
    if (!is_json && !is_harmless(body, length))
        blame("text that a terminal would act on", body, length);
}

/* @return how long the answer is; 0 = it is not whole */
static size_t check_answer(const char *bytes, size_t size, bool is_head, const gm_buffer_t *sent,
                           unsigned *status)
{
    static const gm_head_limits_t limits = {65536, 65536, 65536, GM_HEAD_MAX_FIELDS};
    char *copy = gm_strndup(bytes, size); /* the parser writes */
    gm_head_t head;
    int ret = gm_head_parse_response(copy, size, 0, &limits, &head);
    size_t length = 0;

    if (ret < 0)
        blame(head.why, bytes, size);
    *status = ret > 0 ? head.status : 0;
    if (*status == 100) {
        length = head.length;
    } else if (ret > 0) {
        if (!is_known_status(head.status) || head.is_chunked || head.content_length == GM_HEAD_NO_LENGTH ||
            !has_field(&head, "cache-control", "no-store") ||
            !has_field(&head, "x-content-type-options", "nosniff"))
            blame("no answer of the window's", bytes, size);
        /* a head that was refused has no method yet */
        is_head = is_head && head.status != 431 && head.status != 414;
        length = head.length + (is_head ? 0 : head.content_length);
        if (length <= size && !is_head)
            check_body(&head, bytes + head.length, head.content_length, sent);
    }
    free(copy);
    return length <= size ? length : 0;
}

/*
 * Whoever has said his last byte while something was being found out: his body will never be whole, or he
 * speaks HTTP/1.0 and cannot be asked by an interim answer whether he still listens.
 */
static bool may_be_given_up(const messages_request_t *request)
{
    return request->is_cut || (request->is_old && world.was_cut && world.waited_ms >= GIVES_UP_MS);
}

static void check_answers(const gm_buffer_t *sent, const gm_buffer_t *got, bool has_left)
{
    static messages_requests_t requests;
    size_t at = 0, answers = 0;

    messages_read_client(sent->text, sent->length, &requests);
    while (at != got->length) {
        bool is_head = answers < requests.count && requests.items[answers].is_head;
        unsigned status;
        size_t length = check_answer(got->text + at, got->length - at, is_head, sent, &status);
        if (length == 0 && !has_left)
            blame("an answer that breaks off", got->text + at, got->length - at);
        if (length == 0)
            break;
        answers += status != 100;
        at += length;
    }
    require(answers <= requests.count + 1, "nobody gets more answers than questions");
    require(answers != 0 || requests.count == 0 || has_left || may_be_given_up(&requests.items[0]),
            "whoever asks is answered");
    messages_dispose_requests(&requests);
}

static void check_world(const gm_buffer_t *sent)
{
    loopback_files_t files;

    require(world.drains == 0 || (has_text(sent, "POST") && has_text(sent, "/drain")),
            "only POST /drain ends it");
    require(gm_log_get_level() == GM_LOG_INFO || (has_text(sent, "POST") && has_text(sent, "level=")),
            "only POST /log/level changes the level");
    require(atomic_load(&world.open) == 0, "no connection is counted");
    loopback_look_at_files(&files);
    require(loopback_compare_files(&files, &world.files) == -1, "the same files are open as before");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gm_buffer_t sent = {0}, got = {0};
    bool resets = size != 0 && data[size - 1] == '!';
    gm_front_t *front;
    int fd;

    if (world.loop == NULL)
        make_world();
    begin(data, size);
    front = gm_generation_create_front(world.windows[world.window].generation,
                                       world.windows[world.window].context, &world.open);
    gm_buffer_append(&sent, (const char *)data, size);
    fd = begin_client(front, data, size);
    settle(fd, &got);
    leave(front, fd, resets, &got);
    if (world.window == 1 && has_text(&sent, "/readyz"))
        end_probe(&got);
    check_answers(&sent, &got, resets);
    check_world(&sent);
    gm_front_destroy(front);
    gm_buffer_dispose(&sent);
    gm_buffer_dispose(&got);
    return 0;
}
