/* page: what a page of the test backend is, and the help that pages share */
#ifndef GM_BACKEND_PAGE_H
#define GM_BACKEND_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h2o.h>

#include "net/alarm.h"

typedef struct gm_page gm_page_t;

/** One request for a page. Lives until `serve` returns: pages copy what they need later. */
typedef struct gm_page_call {
    h2o_req_t *req;
    gm_alarms_t *alarms;   /* borrowed from the thread's context */
    const gm_page_t *page; /* static */
    const char *argument;  /* in req pool: what follows a prefix, "" for an exact path */
    uint32_t answer_delay_ms;
} gm_page_call_t;

/** A row of the table in backend.c. */
struct gm_page {
    const char *path; /* a prefix if it ends with '/' or is "", otherwise the whole path */
    void (*serve)(
        const gm_page_call_t *call); /* answers now or later; runs on the thread of the request's loop */
    const char *help;                /* one line: how to write it, what it answers */
};

/* one file per kind of page */
void gm_page_hello(const gm_page_call_t *call);
void gm_page_delay(const gm_page_call_t *call);
void gm_page_health(const gm_page_call_t *call);
void gm_page_status(const gm_page_call_t *call);
void gm_page_bytes(const gm_page_call_t *call);
void gm_page_stream(const gm_page_call_t *call);
void gm_page_sse(const gm_page_call_t *call);
void gm_page_echo(const gm_page_call_t *call);
void gm_page_close(const gm_page_call_t *call);

#define GM_PAGE_LONGEST_PAUSE_MS (10 * 60 * 1000)

/** What a page needs to go on later: embed it as the first member. The alarm is cleared when the request
 * goes. */
typedef struct gm_page_task {
    gm_alarm_t alarm;
    gm_alarms_t *alarms; /* borrowed from the thread's context */
    h2o_req_t *req;      /* owns this task */
} gm_page_task_t;

/** Zeroed apart from the task's `alarms` and `req`; in req pool. */
GM_MUST_USE void *gm_page_task_create(const gm_page_call_t *call, size_t size_bytes);

/** Sends a whole answer. `body` is copied; HEAD gets the same head without it. */
void gm_page_reply(h2o_req_t *req, int status, const char *content_type, const char *body, size_t length);

/** Answers 400 with the sentence and the page's line of help. */
void gm_page_refuse(const gm_page_call_t *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * Reads a pause of at most GM_PAGE_LONGEST_PAUSE_MS.
 * @return 0, or -1 after the request was refused
 */
GM_MUST_USE int gm_page_parse_pause(const gm_page_call_t *call, const char *text, uint64_t *ms);

/** Sets the status and its reason phrase, with no header and no length yet. */
void gm_page_set_status(h2o_req_t *req, int status);
/** Adds a response header; the texts are borrowed for as long as the request lives. */
void gm_page_add_header(h2o_req_t *req, const char *lower_case_name, const char *name, const char *value);

bool gm_page_is_head(const h2o_req_t *req);
/** The path as it was received, without the query; borrowed from the request. */
h2o_iovec_t gm_page_path(const h2o_req_t *req);
/** The query as it was received, without its '?'; empty if there is none. */
h2o_iovec_t gm_page_query(const h2o_req_t *req);

#endif
