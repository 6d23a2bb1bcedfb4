/* The failure table: labels are words of their own, statuses are errors, every status has a phrase. */
#include "telemetry/failure.h"

#include <string.h>

#include "picotest.h"

/* Printable ASCII that needs no escapes anywhere. */
static bool is_sentence(const char *text)
{
    for (const char *p = text; *p != '\0'; ++p)
        if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
            return false;
    return text[0] != '\0';
}

static bool has_known_names(const char *text)
{
    while ((text = strchr(text, '{')) != NULL) {
        if (strncmp(text, "{url}", 5) != 0 && strncmp(text, "{host}", 6) != 0 &&
            strncmp(text, "{backend}", 9) != 0)
            return false;
        ++text;
    }
    return true;
}

static void test_rows(void)
{
    int bad = 0;

    for (int i = 0; i != GM_FAILURE_COUNT; ++i) {
        const gm_failure_row_t *row = gm_failure_row((gm_failure_t)i);
        bad += row->status < 400 || row->status > 599;
        bad +=
            row->label[0] == '\0' || strspn(row->label, "abcdefghijklmnopqrstuvwxyz_") != strlen(row->label);
        bad += row->grpc == GM_GRPC_OK || strstr(row->sentence, "%") != NULL;
        bad += strspn(row->proxy_status, "abcdefghijklmnopqrstuvwxyz_") != strlen(row->proxy_status);
        bad +=
            !is_sentence(row->sentence) || !is_sentence(row->next_step) || !has_known_names(row->next_step);
        bad +=
            row->status != 500 && strcmp(gm_failure_reason_phrase(row->status), "Internal Server Error") == 0;
        for (int j = 0; j != i; ++j)
            bad += strcmp(row->label, gm_failure_row((gm_failure_t)j)->label) == 0;
    }
    ok(bad == 0);
    ok(strcmp(gm_failure_row(GM_FAILURE_CONNECT_REFUSED)->label, "connect_refused") == 0);
    ok(gm_failure_row(GM_FAILURE_RESPONSE_TIMEOUT)->status == 504);
    ok(gm_failure_row(GM_FAILURE_CONNECT_REFUSED)->grpc == GM_GRPC_UNAVAILABLE);
    ok(gm_failure_row(GM_FAILURE_CONNECT_REFUSED)->is_retryable);
    ok(!gm_failure_row(GM_FAILURE_NO_ROUTE)->is_retryable);
    ok(gm_failure_row(GM_FAILURE_CONNECT_REFUSED)->cause == GM_FAILURE_CAUSE_LOCAL);
}

int main(void)
{
    subtest("rows", test_rows);
    return done_testing();
}
