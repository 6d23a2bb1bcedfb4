/*
 * Words of records; the filling is proxy/finish's. Worker's thread.
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
