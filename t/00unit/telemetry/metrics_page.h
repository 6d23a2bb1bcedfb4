/* metrics_page: looking things up on a page of metrics */
#ifndef GM_TEST_METRICS_PAGE_H
#define GM_TEST_METRICS_PAGE_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "picotest.h"
#include "telemetry/metrics.h"

/* The caller's, to be freed. */
static inline char *page_of(gm_metrics_t *metrics)
{
    gm_buffer_t out = {0};

    gm_metrics_render(metrics, &out);
    return gm_buffer_detach(&out);
}

/* The text behind a series, up to the end of the page; NULL = it is not there. */
static inline const char *page_find(const char *page, const char *series)
{
    size_t length = strlen(series);

    for (const char *at = page; (at = strstr(at, series)) != NULL; at += length)
        if ((at == page || at[-1] == '\n') && at[length] == ' ')
            return at + length + 1;
    return NULL;
}

/* Is `value` what the series has? NULL = there should be none. */
static inline bool page_has(const char *page, const char *series, const char *value)
{
    const char *at = page_find(page, series);
    size_t length = at != NULL ? strcspn(at, "\n") : 0;
    bool is_equal =
        value == NULL ? at == NULL : at != NULL && strlen(value) == length && memcmp(at, value, length) == 0;

    if (!is_equal)
        note("%s is %.*s", series, at != NULL ? (int)length : 7, at != NULL ? at : "missing");
    return is_equal;
}

/* The same of the page as it is now. */
static inline bool has(gm_metrics_t *metrics, const char *series, const char *value)
{
    char *page = page_of(metrics);
    bool is_equal = page_has(page, series, value);

    free(page);
    return is_equal;
}

/* All series of a family together, as far as they are integers. */
static inline uint64_t page_sum(const char *page, const char *family)
{
    size_t length = strlen(family);
    uint64_t sum = 0;

    for (const char *line = page; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1)
        if (strncmp(line, family, length) == 0 && (line[length] == '{' || line[length] == ' ')) {
            const char *end = strchr(line, '\n');
            while (end[-1] != ' ')
                --end;
            sum += strtoull(end, NULL, 10);
        }
    return sum;
}

/* How many lines begin like this? */
static inline size_t page_count(const char *page, const char *beginning)
{
    size_t count = 0, length = strlen(beginning);

    for (const char *line = page; *line != '\0'; line = strchr(line, '\n') + 1)
        count += strncmp(line, beginning, length) == 0;
    return count;
}

#endif
