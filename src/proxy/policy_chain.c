/*
 * The order of policies, on the way in and on the way out alike, and their failures: one that fails is left
 * out from there on, and costs its request a 500 unless policies.recovery has it pass. Each hook has an array
 * of its own, so that nobody is asked who has nothing to say. Filled by proxy/policy on the main thread, run
 * on workers.
 */
#include "proxy/policy_chain.h"

typedef struct call {
    const gm_policy_ops_t *ops; /* NULL = the end */
    const void *policy;         /* borrowed */
    size_t slot;                /* the policy's among a request's */
} call_t;

typedef GM_VECTOR(call_t) calls_t; /* and one more item, the end */

struct gm_policy_chain {
    calls_t on_request, on_refused, on_response, on_failure, on_forget, on_finish;
    size_t slot_count; /* beside that of kinds that settle, who have no use for it: 0 */
};

/* ---- making */

static void end(calls_t *calls)
{
    (void)gm_vector_push(calls);
    --calls->size;
}

static void append(calls_t *calls, const call_t *call)
{
    *gm_vector_push(calls) = *call;
    end(calls);
}

gm_policy_chain_t *gm_policy_chain_create(void)
{
    gm_policy_chain_t *self = gm_alloc(sizeof(*self));

    end(&self->on_request);
    end(&self->on_refused);
    end(&self->on_response);
    end(&self->on_failure);
    end(&self->on_forget);
    end(&self->on_finish);
    return self;
}

void gm_policy_chain_destroy(gm_policy_chain_t *self)
{
    if (self == NULL)
        return;
    gm_vector_dispose(&self->on_request);
    gm_vector_dispose(&self->on_refused);
    gm_vector_dispose(&self->on_response);
    gm_vector_dispose(&self->on_failure);
    gm_vector_dispose(&self->on_forget);
    gm_vector_dispose(&self->on_finish);
    free(self);
}

void gm_policy_chain_add(gm_policy_chain_t *self, const gm_policy_ops_t *ops, const void *policy)
{
    const call_t call = {ops, policy, ops->settle != NULL ? 0 : ++self->slot_count};

    if (ops->on_request != NULL)
        append(&self->on_request, &call);
    if (ops->on_request != NULL && ops->sees_refused)
        append(&self->on_refused, &call);
    if (ops->on_response != NULL)
        append(&self->on_response, &call);
    if (ops->on_failure != NULL)
        append(&self->on_failure, &call);
    if (ops->on_forget != NULL)
        append(&self->on_forget, &call);
    if (ops->on_finish != NULL)
        append(&self->on_finish, &call);
}

bool gm_policy_chain_is_idle(const gm_policy_chain_t *self)
{
    return self->on_request.size == 0 && self->on_response.size == 0 && self->on_finish.size == 0;
}

bool gm_policy_chain_has_finish(const gm_policy_chain_t *self)
{
    return self->on_finish.size != 0;
}

/* ---- failures */

/* The sentence that the log and, where they may know, clients get. */
static void note_failure(gm_request_t *request, const call_t *call, const gm_error_t *err)
{
    gm_buffer_t text = {0};

    gm_buffer_printf(&text, "policy %s: %s", call->ops->name, err->text);
    request->policies->error = h2o_strdup(&request->req->pool, text.text, text.length).base;
    gm_buffer_dispose(&text);
}

/* Failures are few, and not looked for where there were none. */
struct gm_policy_failed {
    const gm_policy_ops_t *ops;
    size_t slot;
    struct gm_policy_failed *next; /* in the request's pool */
};

static void add_failed(gm_request_t *request, const call_t *call)
{
    struct gm_policy_failed *failed = h2o_mem_alloc_pool(&request->req->pool, sizeof(*failed));

    *failed = (struct gm_policy_failed){call->ops, call->slot, request->policies->failed};
    request->policies->failed = failed;
}

static bool has_failed(const gm_policy_state_t *state, const call_t *call)
{
    const struct gm_policy_failed *failed = state->failed;

    while (failed != NULL && (failed->ops != call->ops || failed->slot != call->slot))
        failed = failed->next;
    return failed != NULL;
}

/* @return whether the request goes on as if the policy were not there */
static __attribute__((noinline, cold)) bool is_left_out(gm_request_t *request, const call_t *call,
                                                        const gm_error_t *err)
{
    const call_t *other = request->policies->chain->on_failure.items;

    add_failed(request, call);
    for (; !call->ops->is_guard && other->ops != NULL; ++other)
        if (other->ops->on_failure(other->policy, request, call->ops->name, err))
            return true;
    note_failure(request, call, err);
    return false;
}

/* ---- running */

void gm_policy_chain_open(const gm_policy_chain_t *self, gm_request_t *request)
{
    gm_policy_state_t *state = &request->policy_state;
    size_t bytes = (self->slot_count + 1) * sizeof(state->slots[0]);

    request->policies = state;
    state->chain = self;
    state->slots = &state->first_slot;
    if (self->slot_count != 0) {
        state->slots = h2o_mem_alloc_pool(&request->req->pool, bytes);
        memset(state->slots, 0, bytes);
    }
}

gm_verdict_t gm_policy_chain_enter(gm_request_t *request)
{
    const gm_policy_state_t *state = request->policies;
    gm_error_t err;

    err.place = (gm_place_t){NULL, 0, 0};
    for (const call_t *call = state->chain->on_request.items; call->ops != NULL; ++call) {
        gm_verdict_t verdict;
        err.text[0] = '\0';
        verdict = call->ops->on_request(call->policy, request, &state->slots[call->slot], &err);
        if (verdict == GM_VERDICT_PASS)
            continue;
        if (verdict == GM_VERDICT_ANSWERED || !is_left_out(request, call, &err))
            return verdict;
    }
    return GM_VERDICT_PASS;
}

void gm_policy_chain_see_refused(gm_request_t *request)
{
    const gm_policy_state_t *state = request->policies;
    gm_error_t err = {0};

    /* the request is answered as what it is refused for, whatever they say */
    for (const call_t *call = state->chain->on_refused.items; call->ops != NULL; ++call)
        (void)call->ops->on_request(call->policy, request, &state->slots[call->slot], &err);
}

int gm_policy_chain_respond(gm_request_t *request)
{
    const gm_policy_state_t *state = request->policies;
    gm_error_t err;

    err.place = (gm_place_t){NULL, 0, 0};
    for (const call_t *call = state->chain->on_response.items; call->ops != NULL; ++call) {
        err.text[0] = '\0';
        if ((state->failed != NULL && has_failed(state, call)) ||
            call->ops->on_response(call->policy, request, &state->slots[call->slot], &err) == 0 ||
            is_left_out(request, call, &err))
            continue;
        if (!request->is_failed)
            return -1;
        /* it is a failure's answer already, and goes out without this policy */
        gm_request_fail(request, GM_FAILURE_INTERNAL, state->error);
    }
    return 0;
}

void gm_policy_chain_forget(gm_request_t *request)
{
    gm_policy_state_t *state = request->policies;

    if (state->is_over)
        return;
    state->is_over = true;
    for (const call_t *call = state->chain->on_forget.items; call->ops != NULL; ++call)
        call->ops->on_forget(call->policy, request, &state->slots[call->slot]);
}

void gm_policy_chain_finish(gm_request_t *request)
{
    gm_policy_state_t *state = request->policies;

    if (state->is_over)
        return;
    state->is_over = true;
    for (const call_t *call = state->chain->on_finish.items; call->ops != NULL; ++call)
        call->ops->on_finish(call->policy, request, &state->slots[call->slot]);
}
