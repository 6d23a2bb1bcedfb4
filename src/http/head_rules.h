/* head_rules: what the fields of a head say about its body and its connection */
#ifndef GM_HTTP_HEAD_RULES_H
#define GM_HTTP_HEAD_RULES_H

#include "http/head.h"

/** Gathered while the fields of one head are read. On the caller's stack. */
typedef struct gm_head_rules {
    bool is_answer;
    bool ignores_framing; /* an answer that never has a body */
    bool has_transfer_encoding;
    bool says_close, says_keep_alive, says_upgrade; /* in Connection */
    unsigned connections, upgrades;                 /* how many of these fields */
} gm_head_rules_t;

void gm_head_rules_init(gm_head_rules_t *self, const gm_head_t *head, bool is_answer);

/**
 * Learns from one field. Version and status of the head are known by now.
 * @return 1 = may be passed on, 0 = must not be passed on, -1 = the head is refused
 */
GM_MUST_USE int gm_head_rules_read(gm_head_rules_t *self, gm_head_t *head, const gm_head_field_t *field);

/** After the last field: rules about several of them. @return 0, or -1: refused */
GM_MUST_USE int gm_head_rules_finish(gm_head_rules_t *self, gm_head_t *head);

/** Fills in why a head is refused. @return -1 */
int gm_head_rules_refuse(gm_head_t *head, unsigned status, const char *why);

#endif
