/* report: what the fronts' lines for a thread that dies have in common; all in a signal handler */
#ifndef GM_FRONT_REPORT_H
#define GM_FRONT_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/crash.h"

#define GM_REPORT_MAX_NODES 10000 /* that are looked at: the list may have become a circle */
#define GM_REPORT_MAX_LINES 50

/** Adds what may lie anywhere, cut off where it is long. @return false if it cannot be read */
bool gm_report_part(gm_crash_report_t *report, const char *bytes, size_t length);

#endif
