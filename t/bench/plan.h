/* plan: what load sends, how often, and the answer it must get */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint16_t port;
    const char *path, *body_file; /* borrowed from argv */
    int connection_count;
    double seconds;
    double rate;           /* requests per second of an open loop, or 0 */
    uint64_t max_requests; /* 0: until the time is over */
    size_t post_bytes;
    bool post, chunked, close_each, hold;

    char *request;    /* owned: head and body */
    char *expected;   /* owned: the body every answer must have */
    int request_file; /* a long request again, for sendfile(), or -1 */
    size_t request_length, expected_length;
} plan_t;

/** Fills the plan from load's command line. Says on stderr what is wrong, and returns -1. */
int plan_init(plan_t *self, int argc, char **argv);

/**
 * Checks an answer's head, a string, and the first bytes of its body; of a chunked answer only the head.
 * @return what is wrong with them, valid until the next call, or NULL
 */
const char *plan_check_answer(const plan_t *self, const char *head, const char *body, size_t length);

#endif
