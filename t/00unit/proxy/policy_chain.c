/* The chain of policies, driven with made-up ones: the order of hooks, and what failures of each come to. */
#include "proxy/policy_chain.h"

#include <stdio.h>
#include <unistd.h>

#include "telemetry/log.h"

#include "picotest.h"

/* What a policy does when it is asked. */
typedef struct script {
    char letter;
    gm_verdict_t verdict;
    int response;
} script_t;

static char
    events[256]; /* "a>" on_request, "a<" on_response, "a!" on_failure, "a-" on_forget, "a." on_finish */

static void remember(const void *self, char event)
{
    size_t length = strlen(events);

    snprintf(events + length, sizeof(events) - length, "%c%c ", ((const script_t *)self)->letter, event);
}

static gm_verdict_t on_request(const void *self, gm_request_t *request, void **own, gm_error_t *err)
{
    const script_t *script = self;

    remember(self, '>');
    if (script->verdict == GM_VERDICT_FAILED)
        gm_error_set(err, NULL, "no way in");
    *own = h2o_strdup(&request->req->pool, &script->letter, 1).base;
    return script->verdict;
}

static int on_response(const void *self, gm_request_t *request, void **own, gm_error_t *err)
{
    const script_t *script = self;

    (void)request;
    remember(self, '<');
    ok(*own == NULL || *(char *)*own == script->letter);
    return script->response == 0 ? 0 : gm_error_set(err, NULL, "no way out");
}

static void on_forget(const void *self, gm_request_t *request, void **own)
{
    (void)request;
    (void)own;
    remember(self, '-');
}

static void on_finish(const void *self, gm_request_t *request, void **own)
{
    (void)own;
    remember(self, '.');
    ok(request->record.status == 200);
}

static gm_verdict_t on_head(const void *self, gm_request_t *request, void **own, gm_error_t *err)
{
    (void)request;
    (void)own;
    (void)err;
    remember(self, '>');
    return GM_VERDICT_PASS;
}

static bool on_failure(const void *self, gm_request_t *request, const char *name, const gm_error_t *err)
{
    (void)request;
    remember(self, '!');
    ok(strcmp(name, "usual") == 0 && strncmp(err->text, "no way ", 7) == 0);
    return ((const script_t *)self)->response == 0;
}

static bool settle(gm_proxy_t *proxy, const void *for_all, const void *of_route, void **self)
{
    (void)proxy;
    (void)for_all;
    (void)of_route;
    (void)self;
    return true;
}

static const gm_policy_ops_t usual = {.name = "usual",
                                      .on_request = on_request,
                                      .on_response = on_response,
                                      .on_forget = on_forget,
                                      .on_finish = on_finish},
                             guard = {.name = "guard",
                                      .is_guard = true,
                                      .on_request = on_request,
                                      .on_response = on_response,
                                      .on_finish = on_finish},
                             head = {.name = "head",
                                     .sees_refused = true,
                                     .settle = settle,
                                     .on_request = on_head,
                                     .on_forget = on_forget,
                                     .on_finish = on_finish},
                             way_in = {.name = "way in", .on_request = on_request},
                             saves = {.name = "saves", .settle = settle, .on_failure = on_failure};

/* ---- a request, as far as policies need one */

typedef struct journey {
    h2o_req_t req;
    gm_request_t request;
    gm_proxy_context_t context;
    gm_proxy_t proxy;         /* whose engine has no front end of ours, and so no connection is needed */
    gm_policy_chain_t *chain; /* owned */
} journey_t;

static void begin(journey_t *self)
{
    gm_config_t *config = gm_config_create();

    memset(self, 0, sizeof(*self));
    config->proxy.engine = GM_ENGINE_H2O;
    self->proxy.snapshot = gm_snapshot_create(config);
    self->context.proxy = &self->proxy;
    self->request.context = &self->context;
    h2o_mem_init_pool(&self->req.pool);
    self->req.input.method = self->req.method = h2o_iovec_init(H2O_STRLIT("GET"));
    self->req.input.path = self->req.path = h2o_iovec_init(H2O_STRLIT("/a"));
    self->request.req = &self->req;
    self->request.record.failure = GM_NO_FAILURE;
    self->chain = gm_policy_chain_create();
    events[0] = '\0';
}

static void end(journey_t *self)
{
    h2o_mem_clear_pool(&self->req.pool);
    gm_policy_chain_destroy(self->chain);
    gm_snapshot_release(self->proxy.snapshot);
}

static gm_verdict_t enter(journey_t *self)
{
    gm_policy_chain_open(self->chain, &self->request);
    return gm_policy_chain_enter(&self->request);
}

/* As gm_finish does. */
static void finish(journey_t *self)
{
    self->request.record.status = 200;
    gm_policy_chain_finish(&self->request);
}

static bool happened(const char *wanted)
{
    bool is_same = strcmp(events, wanted) == 0;

    if (!is_same)
        remember(&(script_t){.letter = '?'}, '?');
    if (!is_same)
        printf("# %s, not %s\n", events, wanted);
    events[0] = '\0';
    return is_same;
}

/* What the log has got since the last call. */
static const char *logged(void)
{
    static char line[4096];
    static int fd = -1;
    static off_t at;
    char name[] = "/tmp/gomesh-unit-XXXXXX";
    ssize_t got;

    if (fd == -1) {
        static gm_log_options_t options = {.level = GM_LOG_INFO};
        options.fd = fd = mkstemp(name);
        unlink(name);
        gm_log_write_directly(&options);
    }
    got = pread(fd, line, sizeof(line) - 1, at);
    line[got > 0 ? got : 0] = '\0';
    at += got > 0 ? got : 0;
    return line;
}

/* ---- tests */

static void test_order(void)
{
    const script_t a = {.letter = 'a'}, b = {.letter = 'b'}, c = {.letter = 'c'}, h = {.letter = 'h'};
    journey_t journey;

    begin(&journey);
    ok(gm_policy_chain_is_idle(journey.chain) && !gm_policy_chain_has_finish(journey.chain));
    gm_policy_chain_add(journey.chain, &saves, &h);
    ok(gm_policy_chain_is_idle(journey.chain)); /* where nobody is, nobody fails */
    gm_policy_chain_add(journey.chain, &head, &h);
    gm_policy_chain_add(journey.chain, &usual, &a);
    gm_policy_chain_add(journey.chain, &way_in, &b);
    gm_policy_chain_add(journey.chain, &usual, &c);
    ok(!gm_policy_chain_is_idle(journey.chain) && gm_policy_chain_has_finish(journey.chain));
    ok(enter(&journey) == GM_VERDICT_PASS && happened("h> a> b> c> "));
    ok(gm_policy_chain_respond(&journey.request) == 0 && happened("a< c< "));
    finish(&journey);
    ok(happened("h. a. c. "));
    gm_policy_chain_finish(&journey.request);
    ok(happened("")); /* once */
    end(&journey);
}

static void test_answer(void)
{
    const script_t a = {.letter = 'a'}, b = {.letter = 'b', .verdict = GM_VERDICT_ANSWERED},
                   c = {.letter = 'c'};
    journey_t journey;

    begin(&journey);
    gm_policy_chain_add(journey.chain, &usual, &a);
    gm_policy_chain_add(journey.chain, &usual, &b);
    gm_policy_chain_add(journey.chain, &usual, &c);
    ok(enter(&journey) == GM_VERDICT_ANSWERED && happened("a> b> "));
    ok(gm_policy_chain_respond(&journey.request) == 0 && happened("a< b< c< ")); /* all see what is sent */
    finish(&journey);
    ok(happened("a. b. c. "));
    end(&journey);
}

static void test_failure_on_the_way_in(void)
{
    const script_t a = {.letter = 'a'}, b = {.letter = 'b', .verdict = GM_VERDICT_FAILED},
                   c = {.letter = 'c'}, stern = {.letter = 's', .response = -1};
    journey_t journey;

    begin(&journey);
    gm_policy_chain_add(journey.chain, &saves, &stern); /* is asked, and says no */
    gm_policy_chain_add(journey.chain, &usual, &a);
    gm_policy_chain_add(journey.chain, &usual, &b);
    gm_policy_chain_add(journey.chain, &usual, &c);
    ok(enter(&journey) == GM_VERDICT_FAILED && happened("a> b> s! "));
    ok(strcmp(journey.request.policies->error, "policy usual: no way in") == 0);
    logged();
    gm_request_fail(&journey.request, GM_FAILURE_INTERNAL, journey.request.policies->error);
    ok(strstr(logged(), "GET /a failed: internal (policy usual: no way in)") != NULL);
    ok(gm_failure_row((gm_failure_t)journey.request.record.failure)->status == 500);
    journey.request.is_failed = true;
    ok(gm_policy_chain_respond(&journey.request) == 0 &&
       happened("a< c< ")); /* without the one that failed */
    finish(&journey);
    ok(happened("a. b. c. "));
    end(&journey);
}

static void test_failure_on_the_way_out(void)
{
    const script_t a = {.letter = 'a'}, b = {.letter = 'b', .response = -1}, c = {.letter = 'c'};
    journey_t journey;

    begin(&journey);
    gm_policy_chain_add(journey.chain, &usual, &a);
    gm_policy_chain_add(journey.chain, &usual, &b);
    gm_policy_chain_add(journey.chain, &usual, &c);
    ok(enter(&journey) == GM_VERDICT_PASS && happened("a> b> c> "));
    ok(gm_policy_chain_respond(&journey.request) == -1 && happened("a< b< "));
    ok(strcmp(journey.request.policies->error, "policy usual: no way out") == 0);
    journey.request.is_failed = true; /* the 500 goes out instead, and passes the others */
    ok(gm_policy_chain_respond(&journey.request) == 0 && happened("a< c< "));
    finish(&journey);
    ok(happened("a. b. c. "));
    end(&journey);

    begin(&journey); /* an answer that is a failure's already */
    gm_policy_chain_add(journey.chain, &usual, &b);
    gm_policy_chain_add(journey.chain, &usual, &c);
    ok(enter(&journey) == GM_VERDICT_PASS && happened("b> c> "));
    journey.request.is_failed = true;
    logged();
    ok(gm_policy_chain_respond(&journey.request) == 0 && happened("b< c< "));
    ok(strstr(logged(), "failed: internal (policy usual: no way out)") != NULL);
    end(&journey);
}

static void test_pass(void)
{
    const script_t a = {.letter = 'a', .verdict = GM_VERDICT_FAILED}, b = {.letter = 'b', .response = -1},
                   c = {.letter = 'c'}, mild = {.letter = 's'};
    journey_t journey;

    begin(&journey);
    gm_policy_chain_add(journey.chain, &saves, &mild);
    gm_policy_chain_add(journey.chain, &usual, &a);
    gm_policy_chain_add(journey.chain, &usual, &b);
    gm_policy_chain_add(journey.chain, &usual, &c);
    ok(enter(&journey) == GM_VERDICT_PASS && happened("a> s! b> c> "));
    ok(gm_policy_chain_respond(&journey.request) == 0 && happened("b< s! c< ")); /* a is not there any more */
    ok(gm_policy_chain_respond(&journey.request) == 0 && happened("c< "));
    finish(&journey);
    ok(happened("a. b. c. "));
    end(&journey);
}

static void test_guard(void)
{
    const script_t a = {.letter = 'a', .verdict = GM_VERDICT_FAILED}, b = {.letter = 'b', .response = -1},
                   mild = {.letter = 's'};
    journey_t journey;

    begin(&journey);
    gm_policy_chain_add(journey.chain, &saves, &mild); /* is not even asked */
    gm_policy_chain_add(journey.chain, &guard, &a);
    gm_policy_chain_add(journey.chain, &usual, &b);
    ok(enter(&journey) == GM_VERDICT_FAILED && happened("a> "));
    ok(strcmp(journey.request.policies->error, "policy guard: no way in") == 0);
    end(&journey);
    begin(&journey);
    gm_policy_chain_add(journey.chain, &saves, &mild);
    gm_policy_chain_add(journey.chain, &guard, &b);
    ok(enter(&journey) == GM_VERDICT_PASS && happened("b> "));
    ok(gm_policy_chain_respond(&journey.request) == -1 && happened("b< "));
    end(&journey);
}

/* Requests that are refused before routing, and those that do not count. */
static void test_refused_and_forgotten(void)
{
    const script_t a = {.letter = 'a'}, h = {.letter = 'h'};
    journey_t journey;

    begin(&journey);
    gm_policy_chain_add(journey.chain, &head, &h);
    gm_policy_chain_add(journey.chain, &usual, &a);
    gm_policy_chain_open(journey.chain, &journey.request);
    gm_policy_chain_see_refused(&journey.request);
    ok(happened("h> "));
    ok(gm_policy_chain_respond(&journey.request) == 0 && happened("a< "));
    finish(&journey);
    ok(happened("h. a. "));
    end(&journey);

    begin(&journey);
    gm_policy_chain_add(journey.chain, &head, &h);
    gm_policy_chain_add(journey.chain, &usual, &a);
    ok(enter(&journey) == GM_VERDICT_PASS && happened("h> a> "));
    gm_policy_chain_forget(&journey.request);
    ok(happened("h- a- "));
    ok(gm_policy_chain_respond(&journey.request) == 0 && happened("a< "));
    gm_policy_chain_forget(&journey.request);
    finish(&journey);
    ok(happened(""));
    end(&journey);
}

/* The real one: what the file says, and its warning. */
static void test_recovery(void)
{
    const gm_recovery_policy_conf_t open = {true, GM_ON_FAILURE_AUTO}, answer = {true, GM_ON_FAILURE_ANSWER},
                                    pass = {true, GM_ON_FAILURE_PASS};
    const struct {
        const gm_recovery_policy_conf_t *for_all, *of_route;
        bool passes;
    } cases[] = {{NULL, NULL, false},     {&pass, NULL, true},    {NULL, &pass, true},  {&pass, &open, true},
                 {&pass, &answer, false}, {&answer, &pass, true}, {&open, &open, false}};
    const script_t a = {.letter = 'a', .verdict = GM_VERDICT_FAILED};

    logged();
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        journey_t journey;
        void *self = NULL;
        bool is_warned;
        begin(&journey);
        ok(gm_policy_recovery.settle(NULL, cases[i].for_all, cases[i].of_route, &self));
        gm_policy_chain_add(journey.chain, &gm_policy_recovery, self);
        gm_policy_chain_add(journey.chain, &usual, &a);
        ok(enter(&journey) == (cases[i].passes ? GM_VERDICT_PASS : GM_VERDICT_FAILED));
        is_warned = strstr(logged(), "[WARN] GET /a goes on without policy usual: no way in") != NULL;
        ok(is_warned == cases[i].passes);
        end(&journey);
    }
}

int main(void)
{
    subtest("order", test_order);
    subtest("answered", test_answer);
    subtest("a failure on the way in", test_failure_on_the_way_in);
    subtest("a failure on the way out", test_failure_on_the_way_out);
    subtest("pass", test_pass);
    subtest("a guard", test_guard);
    subtest("refused, forgotten", test_refused_and_forgotten);
    subtest("recovery", test_recovery);
    return done_testing();
}
