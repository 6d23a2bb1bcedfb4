/*
 * Words and sums of records; the filling is proxy/finish's. Worker's thread.
 */
#include "telemetry/record.h"

const char *gm_phase_label(gm_phase_t phase)
{
    static const char *const labels[] = {
#define GM_PHASE_LABEL(name, label) label,
        GM_PHASES(GM_PHASE_LABEL)
#undef GM_PHASE_LABEL
    };

    return labels[phase];
}

uint64_t gm_record_total_ns(const gm_record_t *self)
{
    uint64_t total = 0;

    for (size_t i = 0; i != GM_PHASE_COUNT; ++i)
        total += self->phase_ns[i];
    return total;
}
