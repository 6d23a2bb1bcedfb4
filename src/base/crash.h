/* crash: what a process that dies of a fault says of itself on stderr */
#ifndef GM_BASE_CRASH_H
#define GM_BASE_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a sanitizer takes these signals, and reports in its own way. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GM_CRASH_HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GM_CRASH_HAS_SANITIZER 1
#endif
#endif
#ifndef GM_CRASH_HAS_SANITIZER
#define GM_CRASH_HAS_SANITIZER 0
#endif

typedef struct gm_crash_report gm_crash_report_t; /* on its way to stderr */

/** Tells what this thread was busy with. Runs in the signal handler: it only reads, by gm_crash_copy. */
typedef void (*gm_crash_witness_t)(void *data, gm_crash_report_t *report);

/**
 * From now on SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT are reported before they end the process as they
 * always do. A sanitizer that has taken them keeps them. Before threads are started; main thread.
 */
void gm_crash_prepare(void);

/** Gives this thread a stack for the report, so that it can also tell of its stack's overflow. */
void gm_crash_enter_thread(void);

/** @param witness  NULL = none any more */
void gm_crash_set_witness(gm_crash_witness_t witness, void *data);

/** The end of what gm_crash_enter_thread began. */
void gm_crash_leave_thread(void);

/** For witnesses: memory that may be anything by now. @return whether it could be read */
bool gm_crash_copy(void *to, const void *from, size_t size_bytes);

void gm_crash_add_text(gm_crash_report_t *report, const char *text);
void gm_crash_add_number(gm_crash_report_t *report, uint64_t number, unsigned base);

/** Bytes from outside: none of them ends the line or reaches a terminal as a command. */
void gm_crash_add_visible(gm_crash_report_t *report, const char *bytes, size_t length);

/** Writes what was added. Never waits. */
void gm_crash_flush(gm_crash_report_t *report);

#endif
