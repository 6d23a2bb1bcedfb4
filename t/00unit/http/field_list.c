/*
 * Fields in one piece of memory: any bytes, any lengths, also in a copy somewhere else.
 */
#include "http/field_list.h"

#include <stdlib.h>
#include <string.h>

#include "picotest.h"

static bool is(gm_span_t span, const char *text, size_t length)
{
    return span.length == length && memcmp(span.base, text, length) == 0;
}

static void test_list(void)
{
    gm_buffer_t list = {0};
    const char *at, *end;
    gm_head_field_t field;
    char *copy, *large = malloc(100001);

    memset(large, 'x', 100000);
    large[100000] = '\0';
    gm_field_list_add(&list, (gm_span_t){"name", 4}, (gm_span_t){"value", 5});
    gm_field_list_add(&list, (gm_span_t){NULL, 0}, (gm_span_t){NULL, 0});
    gm_field_list_add(&list, (gm_span_t){"a\r\n", 3}, (gm_span_t){"\0: ", 3});
    gm_field_list_add(&list, (gm_span_t){"b", 1}, (gm_span_t){large, 100000});
    ok(list.text[list.length] == '\0');

    copy = malloc(list.length + 1); /* where nothing is aligned */
    memcpy(copy + 1, list.text, list.length);
    at = copy + 1;
    end = at + list.length;
    ok(gm_field_list_next(&at, end, &field) && memcmp(field.name.base, "name", 4) == 0 &&
       field.name.length == 4 && is(field.value, "value", 5));
    ok(gm_field_list_next(&at, end, &field) && field.name.length == 0 && is(field.value, "", 0));
    ok(gm_field_list_next(&at, end, &field) && memcmp(field.name.base, "a\r\n", 3) == 0 &&
       is(field.value, "\0: ", 3));
    ok(gm_field_list_next(&at, end, &field) && is(field.value, large, 100000));
    ok(!gm_field_list_next(&at, end, &field) && at == end);
    free(copy);
    free(large);
    gm_buffer_dispose(&list);
}

int main(void)
{
    subtest("a list is read as it was written", test_list);
    return done_testing();
}
