/* Who waits for a connection, and for how long. */
#include "upstream/turns.h"

#include "picotest.h"

static uint64_t now_ms = 1000000;

/* in the place of gm_clock_coarse_ms, see t/CMakeLists.txt */
uint64_t __wrap_gm_clock_coarse_ms(void);
uint64_t __wrap_gm_clock_coarse_ms(void)
{
    return now_ms;
}

typedef struct guest {
    gm_turn_t turn;
    unsigned called, late;
} guest_t;

static void on_turn(gm_turn_t *turn, bool is_late)
{
    guest_t *self = H2O_STRUCT_FROM_MEMBER(guest_t, turn, turn);

    ++self->called;
    self->late += is_late;
}

static void test_no_limit(void)
{
    gm_turns_t turns;
    guest_t guest = {.called = 0};

    gm_turns_init(&turns, NULL, 0, 100);
    for (int i = 0; i != 1000; ++i)
        ok(gm_turn_take(&turns, &guest.turn, on_turn));
    gm_turn_leave(&guest.turn);
    ok(guest.called == 0);
}

static void test_order(void)
{
    gm_watches_t *watches = gm_watches_create(80);
    gm_turns_t turns;
    guest_t guests[6] = {{.called = 0}};

    gm_turns_init(&turns, watches, 2, 1000);
    for (int i = 0; i != 6; ++i)
        ok(gm_turn_take(&turns, &guests[i].turn, on_turn) == (i < 2));
    gm_turn_leave(&guests[3].turn); /* does not wait any longer */
    gm_turn_leave(&guests[0].turn);
    ok(guests[2].called == 1 && guests[2].late == 0 && guests[4].called == 0);
    gm_turn_leave(&guests[0].turn); /* has none */
    ok(guests[4].called == 0);
    gm_turn_leave(&guests[1].turn);
    ok(guests[3].called == 0 && guests[4].called == 1 && guests[5].called == 0);
    gm_turn_leave(&guests[2].turn);
    ok(guests[5].called == 1);
    gm_turn_leave(&guests[4].turn);
    gm_turn_leave(&guests[5].turn);
    ok(turns.taken == 0 && gm_turn_take(&turns, &guests[0].turn, on_turn));
    gm_turn_leave(&guests[0].turn);
    gm_watches_destroy(watches);
}

static void test_patience(void)
{
    gm_watches_t *watches = gm_watches_create(80);
    gm_turns_t turns;
    guest_t first = {.called = 0}, second = first, third = first;

    gm_turns_init(&turns, watches, 1, 100);
    ok(gm_turn_take(&turns, &first.turn, on_turn) && !gm_turn_take(&turns, &second.turn, on_turn));
    now_ms += 50;
    ok(!gm_turn_take(&turns, &third.turn, on_turn));
    now_ms += 50;
    gm_watches_sweep(watches);
    ok(second.called == 1 && second.late == 1 && third.called == 0);
    gm_turn_leave(&second.turn); /* has none */
    ok(third.called == 0);
    gm_turn_leave(&first.turn);
    ok(third.called == 1 && third.late == 0);
    now_ms += 1000;
    gm_watches_sweep(watches);
    ok(third.called == 1);
    gm_turn_leave(&third.turn);
    gm_watches_destroy(watches);
}

/* There is another way for those that may pass: nobody has a turn more than there are. */
static void test_passing(void)
{
    gm_watches_t *watches = gm_watches_create(80);
    gm_turns_t turns;
    guest_t guests[4] = {{.called = 0}};

    gm_turns_init(&turns, watches, 1, 100);
    ok(!gm_turns_let_pass(&turns));
    guests[2].turn.may_pass = guests[3].turn.may_pass = true;
    for (int i = 0; i != 4; ++i)
        ok(gm_turn_take(&turns, &guests[i].turn, on_turn) == (i == 0));
    ok(gm_turns_let_pass(&turns));
    ok(guests[1].called == 0 && guests[2].called == 1 && guests[2].late == 0 && guests[3].called == 0);
    ok(!gm_turn_is_had(&guests[2].turn) && turns.taken == 1);
    gm_turn_leave(&guests[2].turn); /* has none */
    ok(guests[1].called == 0 && turns.taken == 1);
    ok(gm_turns_let_pass(&turns) && guests[3].called == 1);
    ok(!gm_turns_let_pass(&turns) && guests[1].called == 0);
    gm_turn_leave(&guests[0].turn);
    ok(guests[1].called == 1 && gm_turn_is_had(&guests[1].turn) && turns.taken == 1);
    gm_turn_leave(&guests[1].turn);
    ok(turns.taken == 0);
    gm_watches_destroy(watches);
}

int main(void)
{
    subtest("no limit", test_no_limit);
    subtest("order", test_order);
    subtest("patience", test_patience);
    subtest("passing", test_passing);
    return done_testing();
}
