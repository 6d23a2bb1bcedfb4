/*
 * Priority fields: what they say, and that one with any mistake says nothing.
 */
#include "http/priority.h"

#include <stdlib.h>
#include <string.h>

#include "picotest.h"

/* @return urgency, plus 10 if it is incremental; -1 = cannot be read. In memory of its own size */
static int priority_of(const char *text)
{
    gm_priority_t priority = {GM_PRIORITY_URGENCY, false};
    size_t length = strlen(text);
    char *copy = malloc(length + (length == 0));
    bool is_good;

    memcpy(copy, text, length);
    is_good = gm_priority_read((gm_span_t){copy, length}, &priority);
    free(copy);
    if (!is_good)
        return priority.urgency == GM_PRIORITY_URGENCY && !priority.is_incremental ? -1 : -2;
    return (int)priority.urgency + (priority.is_incremental ? 10 : 0);
}

static void test_good(void)
{
    static const struct {
        const char *text;
        int priority;
    } rows[] = {
        {"", 3},
        {"u=0", 0},
        {"u=7", 7},
        {"i", 13},
        {"u=5, i", 15},
        {"i,u=5", 15},
        {" u=1\t,\t i=?1", 11},
        {"i=?0", 3},
        {"u=1, u=2", 2},
        {"i;x=1, u=1", 11},
        {"x=1, u=1, y", 1},
        {"a=\"x\\\\\\\" , u=4\", u=2", 2},
        {"a=\"\\\\x\", u=2", 2},
        {"a=:aGk=:, b=-1.25, c=tok/en:x, d=(1 \"2\";p 3);q=1, *e.f_-=*, u=6", 6},
        {"d=(), e=( 1 ), u=4", 4},
        {"u=1  ", 1},
        {"u=007", 7},
    };

    for (size_t i = 0; i != sizeof(rows) / sizeof(rows[0]); ++i) {
        note("%s", rows[i].text);
        ok(priority_of(rows[i].text) == rows[i].priority);
    }
}

static void test_bad(void)
{
    static const char *const rows[] = {
        "u=8",
        "u=-1",
        "u=",
        "u=1.0",
        "u=a",
        "u",
        "u=\"1\"",
        "u=?1",
        "u=(1)",
        "i=1",
        "i=?2",
        "i=?",
        "i=(",
        ",",
        "u=1,",
        "u=1,,i",
        "u=1 i",
        "u=1;",
        "U=1",
        "=1",
        "\"",
        "a=\"x",
        "a=\"\\x\"",
        "a=\"\\",
        "a=:x",
        "a=:!:",
        "a=(1",
        "a=(1\"\")",
        "a=1.",
        "a=1.2345",
        "a=-",
        "a=1234567890123456",
        "a=1234567890123.1",
        "u=1\r\n",
        "u=0, u=99",
        "a=\x80",
        "\tu=1",
        "u =1",
        "u= 1",
        "u=4294967296",
    };

    for (size_t i = 0; i != sizeof(rows) / sizeof(rows[0]); ++i) {
        note("%s", rows[i]);
        ok(priority_of(rows[i]) == -1);
    }
    ok(!gm_priority_read((gm_span_t){"u=1\0", 4}, &(gm_priority_t){3, false}));
}

static void test_merged(void)
{
    gm_priority_t priority = {GM_PRIORITY_URGENCY, false};

    ok(gm_priority_read((gm_span_t){"u=1", 3}, &priority) &&
       gm_priority_read((gm_span_t){"i", 1}, &priority));
    ok(priority.urgency == 1 && priority.is_incremental);
}

int main(void)
{
    subtest("what can be read", test_good);
    subtest("what cannot", test_bad);
    subtest("one field after another", test_merged);
    return done_testing();
}
