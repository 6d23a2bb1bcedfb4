/* page: what a page of the admin window is given, and what it gives */
#ifndef GM_ADMIN_PAGE_H
#define GM_ADMIN_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/survey.h"
#include "base/buffer.h"
#include "base/json_writer.h"
#include "config/snapshot.h"
#include "upstream/cluster.h"

/**
 * What the window looks at. The callbacks are called on its thread and must not wait; all pointers are
 * borrowed until the window has ended, unless it says otherwise.
 */
typedef struct gm_admin_options {
    gm_snapshot_t *snapshot;       /* retained */
    gm_cluster_t *const *clusters; /* copied and retained */
    size_t cluster_count, worker_count;
    const char *listen_host;                /* of admin.listen; "" = all addresses, or none */
    const char *source;                     /* name of the configuration's file; NULL = none */
    const char *libh2o, *openssl, *libyaml; /* versions */
    uint64_t started_real_us, started_ms;   /* gm_clock_real_us, gm_clock_monotonic_ms */
    void (*ask)(void *data, size_t worker, gm_survey_t *survey); /* has the worker fill in its sheet */
    bool (*is_draining)(void *data);
    void (*render_metrics)(void *data, gm_buffer_t *out);
    void (*drain)(void *data); /* as SIGTERM does, soon */
    void *data;
} gm_admin_options_t;

/** One request for a page, and its answer. Lives until `serve` returns. */
typedef struct gm_admin_call {
    const gm_admin_options_t *options;
    bool is_post, wants_text;
    const char *argument;      /* what follows a prefix, "" for an exact path; as it came */
    const char *query;         /* without '?', "" if there is none; as it came */
    const gm_survey_t *survey; /* answered by whoever could in time; NULL unless the row asks */
    /* the answer */
    int status;               /* 200 */
    const char *content_type; /* static; JSON or text, as wanted */
    bool is_to_drain;         /* once the answer is on its way */
    gm_buffer_t *out;
    gm_json_t *json; /* writes into `out`; a page uses this, or appends text */
} gm_admin_call_t;

enum { GM_ADMIN_GET = 1, GM_ADMIN_POST = 2 };

/** A row of the table in admin.c. */
typedef struct gm_admin_page {
    const char *path; /* a prefix if it ends with '/' and is not "/" alone, otherwise the whole path */
    unsigned methods; /* HEAD goes with GET */
    gm_survey_question_t question;        /* that the workers are asked first */
    bool needs_probe;                     /* backends are tried first, where that decides */
    void (*serve)(gm_admin_call_t *call); /* answers at once; the window's thread */
    const char *help;                     /* one line */
} gm_admin_page_t;

/* one file per page, or per two that are one thing */
void gm_admin_page_index(gm_admin_call_t *call);
void gm_admin_page_healthz(gm_admin_call_t *call);
void gm_admin_page_readyz(gm_admin_call_t *call);
void gm_admin_page_config(gm_admin_call_t *call);
void gm_admin_page_clusters(gm_admin_call_t *call);
void gm_admin_page_workers(gm_admin_call_t *call);
void gm_admin_page_metrics(gm_admin_call_t *call);
void gm_admin_page_requests(gm_admin_call_t *call);
void gm_admin_page_request(gm_admin_call_t *call);
void gm_admin_page_version(gm_admin_call_t *call);
void gm_admin_page_log_level(gm_admin_call_t *call);
void gm_admin_page_drain(gm_admin_call_t *call);

/** The rows, for the index; NULL past the last. */
const gm_admin_page_t *gm_admin_page_at(size_t index);

/** Makes the answer a problem (RFC 9457), or one line of text. What is in `out` already is thrown away. */
void gm_admin_refuse(gm_admin_call_t *call, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Whether the query has this word as a parameter, with a value or without. */
bool gm_admin_has_word(const char *query, const char *word);

/**
 * The value of a parameter of the query, without decoding: no value here needs it.
 * @return whether it is there, and fits
 */
bool gm_admin_find_parameter(const char *query, const char *name, char *value, size_t value_bytes);

#endif
